import { describe, expect, it } from "vitest";
import { smallJob } from "../../test/small-job.ts";
import { CancelledError, RuntimeError, UnsupportedError } from "../errors.ts";
import type { FormTable } from "../quantize/index.ts";
import { openBudget } from "./budget.ts";
import type { Candidate } from "./candidates.ts";
import type { MeasuredComparison } from "./result.ts";
import { bestStatic, type Job, searchForms, type Tried } from "./trial.ts";

/** A candidate that is the model itself, or fails with `error`. */
function candidate({ model }: Job, others: Partial<Candidate> = {}, error?: Error): Candidate {
  return {
    form: "form",
    family: "family",
    build: () => (error ? Promise.reject(error) : Promise.resolve(model)),
    ...others,
  };
}

describe("a candidate that is tried", () => {
  it("is announced, built, measured, settled and noted", async () => {
    const { job, events } = await smallJob();
    await searchForms(job, [candidate(job)]);
    expect(events).toEqual([
      { type: "stage", name: "form", detail: "building" },
      { type: "stage", name: "form", detail: "measuring" },
      { type: "candidate", candidate: expect.objectContaining({ form: "form", accepted: false, onFront: false }) },
    ]);
    // 12 batches of two samples.
    expect(job.tried).toMatchObject([{ comparison: { n: 24 }, figures: { latencyRatio: 1, drop: 0 } }]);
    const { reason } = job.journal.results.get("form")!;
    expect(reason).toMatch(/^not certainly faster/);
    expect(job.journal.stages).toEqual([{ name: "form", milliseconds: expect.any(Number), notes: [reason] }]);
  });

  it("that breaks is no reason to ask for more time; one that runs out of it is", async () => {
    const { job } = await smallJob();
    await searchForms(job, [candidate(job, { form: "broken" }, new RuntimeError("it broke"))]);
    expect([...job.late]).toEqual([]);
    expect(job.journal.results.get("broken")).toEqual({
      ...{ form: "broken", accepted: false, onFront: false },
      reason: expect.stringContaining("it broke"),
    });
    await searchForms(job, [candidate(job, { form: "slow" }, new CancelledError("the choosing ended"))]);
    expect([...job.late]).toEqual(["slow"]);
    expect(job.journal.results.get("slow")!.reason).toBe("not finished: the time budget ran out");
  });

  it("that the model does not allow is its whole family's row, and no other of it is built", async () => {
    const { job, events } = await smallJob();
    await searchForms(job, [candidate(job, { form: "first" }, new UnsupportedError("no such layer"))]);
    events.length = 0;
    await searchForms(job, [candidate(job, { form: "second" })]);
    expect(events).toEqual([]);
    expect([...job.journal.results.keys()]).toEqual(["family"]);
  });
});

describe("a candidate that is finished", () => {
  const comparison = {
    ...{ n: 1, size: { a: 4, b: 2, ratio: 2 } },
    latency: { ratio: 2, spread: [1.5, 2.5], rounds: 30, sessions: 3 },
    agreement: { n: 1, lost: 0, perOutput: [], missing: [] },
  } as unknown as MeasuredComparison;
  const kept = (found: object) => ({
    load: async () => ({ comparison: { ...comparison, ...found }, bytes: new Uint8Array() }),
    keep: () => Promise.reject(new Error("measured again")),
  });

  it("is taken as it is, even when it is too late to try one or the form table says that it loses", async () => {
    let time = 0;
    const budget = openBudget(1, () => time);
    time = 10_000;
    const { job } = await smallJob({ store: kept({}) }, { budget });
    await searchForms(job, [candidate(job, { quantizer: "dynamic" })]);
    expect(job.journal.results.get("form")).toMatchObject({ accepted: true });
    expect([...job.late]).toEqual([]);
    const { job: without } = await smallJob({}, { budget });
    await searchForms(without, [candidate(without)]);
    expect(without.journal.results.get("form")!.reason).toBe("not tried: 70 % of the time budget was spent");
    expect([...without.late]).toEqual(["form"]);
  });

  it("has its warnings told, where the run that kept it had any", async () => {
    const { job } = await smallJob({ store: kept({ warnings: [{ code: "W_DOUBT", message: "labels are odd" }] }) });
    await searchForms(job, [candidate(job)]);
    expect(job.journal.warnings).toEqual([{ code: "W_DOUBT", message: "labels are odd" }]);
    const { job: earlier } = await smallJob({ store: kept({}) });
    await searchForms(earlier, [candidate(earlier)]);
    expect(earlier.journal.warnings).toEqual([]);
    expect(earlier.tried).toHaveLength(1);
  });
});

describe("a form table", () => {
  const formTable: FormTable = {
    ...{ ep: "cpu", threads: 1 },
    entries: [
      { product: "matmul of one row", form: "dynamic u8u8", ratio: 0.5, spread: [0.4, 0.6] },
      { product: "matmul of one row", form: "static u8s8", ratio: 2, spread: [1.9, 2.1] },
    ],
  };

  it.each<[string, Partial<Candidate>, "latency" | "size", boolean]>([
    ["passes over a form that loses", { quantizer: "dynamic" }, "latency", true],
    ["leaves a form that pays", { quantizer: "static" }, "latency", false],
    ["says nothing of what no quantizer makes", {}, "latency", false],
    ["does not matter where the goal is size", { quantizer: "dynamic" }, "size", false],
  ])("%s", async (_, others, goal, isPassedOver) => {
    const { job } = await smallJob({ formTable, goal });
    await searchForms(job, [candidate(job, others)]);
    expect(job.tried).toHaveLength(isPassedOver ? 0 : 1);
    const passedOver =
      /^passed over: slower than float32 on this machine by the form table \(matmul of one row 0\.50×\)$/;
    if (isPassedOver) expect(job.journal.results.get("form")!.reason).toMatch(passedOver);
  });
});

describe("the best static form", () => {
  const tried = (form: string, low: number, drop: number, isStatic = true): Tried =>
    ({
      candidate: { form, ...(isStatic && { static: {} }) },
      figures: { form, drop, latencySpread: [low, low + 0.1] },
    }) as unknown as Tried;
  const best = (...of: Tried[]) => bestStatic({ tried: of } as unknown as Job)?.candidate.form;

  it("is the one that loses least, of those that are faster by the whole interval where there are any", () => {
    expect(best(tried("a", 1.2, 0.03), tried("b", 1.1, 0.02), tried("c", 1.01, 0.025))).toBe("b");
    expect(best(tried("slow", 0.9, 0.01), tried("even", 1, 0.015), tried("fast", 1.01, 0.02))).toBe("fast");
    expect(best(tried("worse", 0.8, 0.02), tried("slow", 0.9, -0.01))).toBe("slow");
  });

  it("is a static one", () => {
    expect(best(tried("float16", 2, 0, false), tried("static", 1.5, 0.01))).toBe("static");
    expect(best(tried("float16", 2, 0, false))).toBeUndefined();
  });
});
