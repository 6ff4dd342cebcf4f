/** @file What a run tells, keeps and hands on, on a network that takes no time, by the reference evaluator. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { moons } from "../../../test/moons.ts";
import { type Dataset, datasetOf } from "../../data/index.ts";
import { graphBuilder, type Model, model, tensorFromNumbers, tensorType } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import type { OpenSession, SessionOptions } from "../../runtime/index.ts";
import { openReference } from "../../runtime/reference.ts";
import { type FitOptions, fit, type Loss, type TrainEvent, type TrainReport } from "../index.ts";
import { dimsOf } from "../step/step-builder.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "litheml-fit-"));
});
afterAll(() => rm(root, { recursive: true }));

function line(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const weight = g.constant("weight", tensorFromNumbers("float32", [2, 2], [0.5, -0.3, 0.2, 0.1]));
  g.output(g.op("MatMul", [g.input("x", "float32", ["batch", 2]), weight]), "logits");
  return model(g.build());
}

/** Five batches of two in an epoch. */
const usual = {
  data: moons(10, 1),
  epochs: 1,
  batch: 2,
  learningRate: 0.1,
  loss: "crossEntropy",
  optimizer: "sgd",
} as const;

/** What the sessions of a run were opened with, its events, and what came out. */
async function told(overrides: Partial<FitOptions> = {}) {
  const sessions: (SessionOptions | undefined)[] = [];
  const open: OpenSession = (opened, given) => {
    sessions.push(given);
    return openReference(opened, given);
  };
  const events: TrainEvent[] = [];
  const run = fit(line(), { ...usual, open, ...overrides });
  const result = run.result.then(
    ({ report }) => ({ report }),
    (error: Error) => ({ error }),
  );
  try {
    for await (const event of run) events.push(event);
  } catch {
    // The result says it.
  }
  const end: { readonly report?: TrainReport; readonly error?: Error } = await result;
  return { sessions, events, ...end };
}

const eventsOf = <T extends TrainEvent["type"]>(events: readonly TrainEvent[], type: T) =>
  events.filter((event): event is Extract<TrainEvent, { type: T }> => event.type === type);

describe("updates", () => {
  it("are told with the batch that ends them", async () => {
    const { events, report } = await told({ accumulate: 2 });
    expect(eventsOf(events, "step").map(({ step, update }) => [step, update])).toEqual([
      [1, 0],
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
    ]);
    expect(report).toMatchObject({ steps: 5, updates: 2 });
  });

  it("are at least one", async () => {
    const { error, sessions } = await told({ accumulate: 6 });
    expect(error?.message).toMatch(/too few samples for one update; expected 2; got 10 samples/);
    expect(sessions).toEqual([]);
    expect((await told({ accumulate: 5 })).report).toMatchObject({ updates: 1 });
  });
});

describe("checkpoints", () => {
  it.each([
    [undefined, [5, 10]],
    [2, [2, 4, 5, 6, 8, 10]],
    [5, [5, 10]],
    [7, [5, 7, 10]],
  ])("every %s batches and after every epoch are at %s", async (everySteps, expected) => {
    const folder = join(root, `every-${everySteps}`);
    const { events } = await told({ epochs: 2, checkpoint: { folder, ...(everySteps && { everySteps }) } });
    expect(eventsOf(events, "checkpoint").map(({ step }) => step)).toEqual(expected);
  });
});

describe("evaluations", () => {
  const evaluate = { data: moons(6, 2) };

  it("are in sessions like those of the training, each of which says what it is for", async () => {
    const { sessions } = await told({ evaluate, session: { threads: 3 } });
    expect(sessions).toMatchObject([
      { step: "training", threads: 3 },
      { step: "evaluating", threads: 3 },
    ]);
    expect((await told({ evaluate, session: { step: "trying" } })).sessions).toMatchObject([
      { step: "trying" },
      { step: "trying" },
    ]);
  });

  it("have a best, where there are any", async () => {
    const { report } = await told({ evaluate, epochs: 2 });
    expect(report!.best).toEqual({ ...report!.evaluations[1]!, monitor: "loss" });
    expect((await told({ epochs: 2 })).report!.best).toBeUndefined();
  });
});

describe("labels", () => {
  const labelled = (labels: readonly number[]): Dataset =>
    datasetOf({
      size: labels.length,
      labels: async () => labels,
      open: () => ({
        read: (position) => ({
          inputs: new Map([["x", tensorFromNumbers("float32", [2], [position, 1])]]),
          label: labels[position]!,
          source: `${position}`,
        }),
      }),
    });
  const [right, wrong] = [labelled([0, 1, 1, 0]), labelled([0, 1, 2, 0])];

  it("that are no classes end a run before any session is opened, in the data to evaluate on too", async () => {
    for (const given of [{ data: wrong }, { data: right, evaluate: { data: wrong } }]) {
      const { error, sessions } = await told(given);
      expect(error?.message).toMatch(/a label is no class.*got 2/);
      expect(sessions).toEqual([]);
    }
  });

  it("to evaluate on are those of the loss of the evaluation", async () => {
    const distance: Loss = {
      name: "distance",
      reads: "numbers",
      labels: (prediction) => tensorType("float32", [dimsOf(prediction)[0]!]),
      build: (g, prediction, labels) => g.mean(g.op("Abs", [g.sub(g.sum(prediction, [1]), labels)])),
    };
    const { report } = await told({ data: right, evaluate: { data: wrong, loss: distance } });
    expect(report!.evaluations[0]!.metrics.loss).toBeGreaterThan(0);
  });
});
