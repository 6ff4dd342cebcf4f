import { describe, expect, it } from "vitest";
import { denseModel } from "../../test/models.ts";
import { smallJob } from "../../test/small-job.ts";
import { editModel, makeNode } from "../ir/index.ts";
import type { Standing } from "../measure/index.ts";
import { type CandidateContext, mixedCandidates } from "./candidates.ts";
import { certainlyFastest, type Raced } from "./certainly-fastest.ts";
import { dropOf, isWorse, measureModel, measureName } from "./measure.ts";

type Measured = Parameters<typeof dropOf>[0];

const measured = (agreement: object, accuracy?: object) =>
  ({ agreement, ...(accuracy && { accuracy }) }) as unknown as Measured;

describe("what a form loses", () => {
  it("is accuracy where there are labels, below nothing where it gains, else what the outputs lose", () => {
    expect(dropOf(measured({ lost: 0.5 }, { a: 0.875, b: 0.75 }))).toBe(0.125);
    expect(dropOf(measured({ lost: 0.5 }, { a: 0.75, b: 0.875 }))).toBe(-0.125);
    expect(dropOf(measured({ lost: 0.25 }))).toBe(0.25);
  });

  it("is told in the words of what is compared", () => {
    const output = (dtype: string, others: object = {}) => ({ dtype, ...others });
    const named = (...perOutput: object[]) => measureName(measured({ perOutput }));
    expect(measureName(measured({ perOutput: [] }, { a: 1, b: 1 }))).toBe("accuracy lost");
    expect(named(output("float32", { top1: 1 }))).toBe("share of samples with another top answer");
    expect(named(output("float16"))).toBe("1 − cosine of the outputs");
    expect(named(output("int64"))).toBe("share of elements that differ");
    expect(named(output("float32"), output("int64"))).toMatch(/^the worst of the outputs/);
  });
});

describe("a cleaned model", () => {
  it.each([
    ["slower by the whole interval", [0.8, 0.99], 2, true],
    ["slower perhaps, and smaller", [0.8, 1.01], 2, false],
    ["larger, and faster by the whole interval", [1.01, 1.2], 0.9, false],
    ["larger, and not certainly faster", [1, 1.2], 0.9, true],
    ["as fast and hardly larger", [0.99, 1.01], 0.995, false],
    ["as fast and larger by a hundredth", [0.99, 1.01], 0.99, false],
    ["as fast and larger by more than a hundredth", [0.99, 1.01], 0.989, true],
  ])("that is %s", (_, spread, ratio, expected) => {
    expect(isWorse({ latency: { spread }, size: { ratio } } as unknown as Parameters<typeof isWorse>[0])).toBe(
      expected,
    );
  });
});

describe("what is timed", () => {
  /** Has as many rows somewhere as the data say. */
  const dependent = editModel(denseModel(), (draft) => {
    const [x] = draft.graph.inputs;
    draft.append(makeNode("NonZero", [x!], [draft.value("places")]));
  });

  it.each([
    ["one input where the work is the same for all", false, denseModel(), 1],
    ["several inputs where the original's work depends on them", true, denseModel(), 12],
    ["several inputs where the candidate's work depends on them", false, dependent, 12],
  ])("is %s", async (_, dependsOnData, model, inputs) => {
    const { job } = await smallJob();
    const { open, original, samples, signal } = job;
    const how = { rounds: 6, seconds: 60, warmup: 0, threads: 1, seed: 1, signal, deadline: { left: () => 60_000 } };
    const reference = { ...original, dependsOnData };
    const contender = { model, bytes: 100 };
    const { latency, n } = await measureModel(open, reference, contender, {}, samples, samples.selection, how);
    expect([latency.inputs, n]).toEqual([inputs, 24]);
  });
});

describe("mixed precision", () => {
  it("keeps the 1, 2, 4, … most sensitive layers in float, beside those that stay there anyway, and never all", () => {
    const layers = [0.1, 0.5, 0.2, 0.9, 0.4].map((divergence, i) => ({ node: `n${i}`, opType: "Conv", divergence }));
    const best = {
      form: "static",
      family: "static int8",
      static: { exclude: ["n3"] },
      build: () => Promise.reject(new Error()),
    };
    const made = mixedCandidates({} as CandidateContext, best, layers);
    expect(made.map(({ static: recipe }) => recipe?.exclude)).toEqual([
      ["n3", "n1"],
      ["n3", "n1", "n4"],
    ]);
    expect(made.map(({ form }) => form)).toEqual(["static, 1 more layer in float", "static, 2 more layers in float"]);
  });
});

describe("mixed precision of many layers", () => {
  it("doubles up to 16", () => {
    const layers = Array.from({ length: 40 }, (_, i) => ({ node: `n${i}`, opType: "Conv", divergence: 40 - i }));
    const best = { form: "static", family: "static int8", static: {}, build: () => Promise.reject(new Error()) };
    const made = mixedCandidates({} as CandidateContext, best, layers);
    expect(made.map(({ static: recipe }) => recipe!.exclude!.length)).toEqual([1, 2, 4, 8, 16]);
    expect(made[0]!.form).toBe("static, 1 layer in float");
  });
});

type Named = Raced & { readonly name: string };

describe("the winner of a race", () => {
  it("is the fastest of those that are faster by the whole interval, else the first", () => {
    const raced = (name: string, ratio: number, low: number, high: number): Named => ({
      name,
      measured: { ratio, spread: [low, high] } as unknown as Standing,
    });
    const first = raced("first", 1, 1, 1);
    const lucky = raced("lucky", 1.5, 0.99, 2);
    const others: Named[] = [
      raced("fast", 1.1, 1.05, 1.15),
      lucky,
      raced("faster", 1.3, 1.01, 1.4),
      { name: "failed" },
    ];
    expect(certainlyFastest(first, others)).toMatchObject({ name: "faster" });
    expect(certainlyFastest(first, [lucky, raced("even", 1, 1, 1.2)])).toBe(first);
  });
});
