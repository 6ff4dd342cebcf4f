import { describe, expect, it } from "vitest";
import { noise } from "../../test/models.ts";
import { residualNetwork, WIDTH } from "../../test/residual-networks.ts";
import { type Dataset, datasetOf, random } from "../data/index.ts";
import { answersOf } from "../distill/index.ts";
import { graphBuilder, type Model, model, tensorFromNumbers, verify } from "../ir/index.ts";
import { lenet } from "../models/index.ts";
import { surveyBlocks } from "./block-runs.ts";
import { judge } from "./judge.ts";
import { type ParallelizeEvent, parallelize } from "./parallelize.ts";
import { windowsForDepth, windowsOf } from "./plan.ts";
import { parallelizeBlocks } from "./regroup.ts";

const network = residualNetwork({ blocks: 6 });

function vectors(count: number, seed: number, labelled = false): Dataset {
  const values = noise(count * WIDTH, seed);
  return datasetOf({
    size: count,
    ...(labelled && { labels: async () => Array.from({ length: count }, (_, i) => i % WIDTH) }),
    open: () => ({
      read: (i) => ({
        inputs: new Map([["x", tensorFromNumbers("float32", [WIDTH], values.slice(i * WIDTH, (i + 1) * WIDTH))]]),
        source: `${i}`,
        ...(labelled && { label: i % WIDTH }),
      }),
    }),
  });
}

const selection = { data: vectors(48, 1), batch: 48 };

async function followed(source: Model, options: Parameters<typeof parallelize>[1]) {
  const run = parallelize(source, options);
  const events: ParallelizeEvent[] = [];
  for await (const event of run) events.push(event);
  return { events, ...(await run.result) };
}

describe("parallelize", () => {
  it("without data regroups every block", async () => {
    const { model: changed, plan, depth, windows, curve } = await followed(network, { branches: 3 });
    expect(depth).toEqual({ before: 6, after: 2 });
    expect(changed).toEqual(parallelizeBlocks(network, plan));
    expect([windows, curve]).toEqual([[], []]);
  });

  it("to a depth takes the blocks that matter least", async () => {
    const { plan, windows, curve, depth } = await followed(network, { branches: 2, depth: 4, selection });
    expect(depth.after).toBe(4);
    expect(windows.map(({ first }) => first)).toEqual([0, 1, 2, 3, 4]);
    const sumOf = (firsts: readonly number[]) => firsts.reduce((sum, first) => sum + windows[first]!.divergence, 0);
    const chosen = sumOf(plan.windows.map(({ first }) => first));
    for (const a of windows) {
      for (const b of windows)
        if (b.first >= a.first + 2) expect(chosen).toBeLessThanOrEqual(sumOf([a.first, b.first]));
    }
    expect(curve.map(({ depth: at }) => at)).toEqual([6, 5, 4, 3]);
    expect(curve[0]!.divergence).toBeCloseTo(0, 6);
    expect(curve[3]!.divergence).toBeGreaterThan(curve[1]!.divergence);
  });

  it("wins back by distillation what regrouping loses", async () => {
    const recovery = { data: vectors(192, 2), epochs: 15, batch: 32, learningRate: 5e-3 };
    const { model: changed, training, events, plan } = await followed(network, { branches: 2, recovery });
    expect(verify(changed)).toEqual([]);
    const before = await judge(network, parallelizeBlocks(network, plan), selection);
    const after = await judge(network, changed, selection);
    expect(after.divergence).toBeLessThan(0.5 * before.divergence);
    expect(training!.samples).toBe(192);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(["survey", "plan", "training"]));
  });

  it.each([
    [{ branches: 4 }, /cannot be divided.*runs of 6 blocks/],
    [{ branches: 2, depth: 5 }, /has to be measured/],
    [{ branches: 2, depth: 1, selection }, /one of 5, 4, 3/],
    [{ branches: 1 }, /no parallel network/],
  ])("refuses %j before any work", async (options, message) => {
    const run = parallelize(network, options);
    await expect(run.result).rejects.toThrow(message);
    for await (const event of run) expect.unreachable(event.type);
  });

  it("refuses a model without residual blocks, and stops when told to", async () => {
    await expect(parallelize(lenet(random(1)), { branches: 2 }).result).rejects.toThrow(/no repeated residual blocks/);
    const controller = new AbortController();
    const run = parallelize(network, { branches: 2, selection, signal: controller.signal });
    controller.abort();
    await expect(run.result).rejects.toThrow(/cancelled/);
  });
});

describe("a judgement", () => {
  it("has an accuracy with labels, and reads the logits before a softmax", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", WIDTH]);
    g.output(g.op("Softmax", [x], { axis: -1 }));
    const shares = model(g.build());
    expect(answersOf(shares)).toMatchObject({ output: "x", areScores: true });
    const { accuracy } = await judge(network, network, { data: vectors(30, 3, true), batch: 30 });
    expect(accuracy).toBeGreaterThan(0);
    expect(accuracy).toBeLessThan(1);
    expect((await judge(network, network, selection)).accuracy).toBeUndefined();
  });
});

describe("windows", () => {
  it("of several runs are counted together", () => {
    const { runs } = surveyBlocks(residualNetwork({ blocks: 6, longSkip: 1 }));
    expect(windowsOf(runs, { branches: 2 })).toHaveLength(4);
    expect(windowsForDepth(runs, { branches: 2 }, 3)).toBe(3);
  });
});
