import { expect, it } from "vitest";
import { openTaking, smallJob } from "../../test/small-job.ts";
import { CancelledError } from "../errors.ts";
import { graphBuilder, type Model, model, numbersOf, scalar, type Tensor, tensorFromNumbers } from "../ir/index.ts";
import type { OpenSession } from "../runtime/index.ts";
import { cleanedCandidate } from "./candidates.ts";
import { clean } from "./clean.ts";
import { searchForms } from "./trial.ts";

/** y = x + (1 + 2), whose constants can be folded. */
function foldable(): Model {
  const g = graphBuilder();
  const three = g.op("Add", [g.constant("one", scalar("float32", 1)), g.constant("two", scalar("float32", 2))]);
  g.output(g.op("Add", [g.input("x", "float32", ["batch", 4]), three]), "y");
  return model(g.build());
}

const open = openTaking(() => 1);

it("cleaning says how many nodes are left", async () => {
  const { job, events } = await smallJob({}, { model: foldable() });
  const cleaned = await clean(job);
  expect(cleaned!.graph.nodes).toHaveLength(1);
  expect(events).toContainEqual({ type: "stage", name: "cleanup", detail: "3 → 1 nodes" });
  expect(job.journal.warnings).toEqual([]);
});

/** Sessions for `step` whose answers are off by this factor. */
function scaling(step: string, factor: number): OpenSession {
  return async (opened, options) => {
    const session = await open(opened, options);
    if (options?.step !== step) return session;
    const run: typeof session.run = async (...given) => {
      const scaled = (answer: Tensor) =>
        tensorFromNumbers(
          "float32",
          answer.dims,
          numbersOf(answer).map((value) => factor * value),
        );
      return new Map([...(await session.run(...given))].map(([name, answer]) => [name, scaled(answer)]));
    };
    return { ...session, run };
  };
}

it("cleaning names a pass that changes the answers, and does without it", async () => {
  const { job } = await smallJob({}, { model: foldable(), open: scaling("folding constants", 2) });
  expect((await clean(job))!.graph.nodes).toHaveLength(2);
  const message = /^cleaning leaves out the pass "fold-constants": output "y" has a relative error of/;
  expect(job.journal.warnings).toEqual([{ code: "W_CLEANUP", message: expect.stringMatching(message) }]);
});

it("a cleaned model may do no more than round, unlike other forms", async () => {
  const { job } = await smallJob({}, { model: foldable(), open: scaling("measuring a candidate", 1.01) });
  await searchForms(job, [cleanedCandidate((await clean(job))!)]);
  expect(job.journal.results.get("cleaned")).toMatchObject({
    accepted: false,
    reason: expect.stringMatching(/^computes something else: .*relative error of 0\.01/),
  });
});

it("a model that cannot be cleaned in time stays as it is, which is said", async () => {
  const { job } = await smallJob({}, { choosing: AbortSignal.abort() });
  expect(await clean(job)).toBeUndefined();
  const message = "the model was not cleaned: the time budget ran out";
  expect(job.journal.warnings).toEqual([{ code: "W_CLEANUP", message }]);
});

it("whatever else keeps a model from being cleaned is said too", async () => {
  const { job } = await smallJob();
  const broken = { ...job, model: { ...job.model, graph: undefined } as unknown as Model };
  expect(await clean(broken)).toBeUndefined();
  const message = /^the model was not cleaned: a defect of lithe: TypeError/;
  expect(job.journal.warnings).toEqual([{ code: "W_CLEANUP", message: expect.stringMatching(message) }]);
});

it("cleaning that is cancelled ends with that", async () => {
  const { job } = await smallJob({}, { signal: AbortSignal.abort(), choosing: AbortSignal.abort() });
  await expect(clean(job)).rejects.toThrow(CancelledError);
});
