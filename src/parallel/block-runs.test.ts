import { describe, expect, it } from "vitest";
import { residualNetwork } from "../../test/residual-networks.ts";
import { describeShared, sharedPath } from "../../test/shared.ts";
import { random } from "../data/index.ts";
import { graphBuilder, type Model, model, scalar, tensorFromNumbers, verify } from "../ir/index.ts";
import { lenet, resnet } from "../models/index.ts";
import { loadModel } from "../onnx/files.ts";
import { builderInference } from "../ops/index.ts";
import { upgradeOpset } from "../passes/index.ts";
import { openSession } from "../runtime/index.ts";
import { requireRuns, surveyBlocks } from "./block-runs.ts";
import { depthOf, windowsOf } from "./plan.ts";
import { parallelizeBlocks } from "./regroup.ts";

/** Blocks, steps per block and nodes of the tails of every run. */
function shapeOf(network: Model): [number, number, number[]][] {
  return surveyBlocks(network).runs.map(({ blocks, period }) => [
    blocks.length,
    period,
    blocks[0]!.map(({ tail }) => tail.length),
  ]);
}

describe("runs of residual blocks", () => {
  it.each([1, 2])("are found with %i steps per block, whatever the names", (period) => {
    expect(shapeOf(residualNetwork({ blocks: 5, period }))).toEqual([[5, period, new Array(period).fill(0)]]);
  });

  it("reach over an activation after the addition, the last one included", () => {
    expect(shapeOf(residualNetwork({ blocks: 3, period: 1, tail: "Relu" }))).toEqual([[3, 1, [1]]]);
  });

  it("end where a stage changes its width", () => {
    const small = resnet(random(1), { depth: 32, width: 4, size: 8, classes: 3 });
    expect(shapeOf(small)).toEqual([
      [5, 1, [1]],
      [4, 1, [1]],
      [4, 1, [1]],
    ]);
  });

  it("end where a value is read from elsewhere", () => {
    expect(shapeOf(residualNetwork({ blocks: 6, longSkip: 1 }))).toEqual([
      [2, 2, [0, 0]],
      [4, 2, [0, 0]],
    ]);
  });

  it("are not made of what stands inside a block", () => {
    expect(shapeOf(cubic(3))).toEqual([[3, 1, [0]]]);
  });

  it("may hold blocks that read one value from outside", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const mask = g.input("mask", "float32", ["batch", 2]);
    let y = g.input("x", "float32", ["batch", 2]);
    for (let i = 0; i < 3; i++) {
      const w = g.constant("w", tensorFromNumbers("float32", [2, 2], [i, 1, 2, 3]));
      y = g.op("Add", [y, g.op("Tanh", [g.op("Mul", [g.op("MatMul", [y, w]), mask])])]);
    }
    g.output(y, "y");
    expect(shapeOf(model(g.build()))).toEqual([[3, 1, [0]]]);
  });
});

/** y = x + h + c·h³ with h = tanh(x·w): the cubic part of a GELU is a residual step too, inside of a block. */
function cubic(blocks: number): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  let y = g.input("x", "float32", ["batch", 2]);
  for (let i = 0; i < blocks; i++) {
    const w = g.constant("w", tensorFromNumbers("float32", [2, 2], [i, 1, 2, 3]));
    const h = g.op("Tanh", [g.op("MatMul", [y, w])]);
    const inner = g.op("Add", [h, g.op("Mul", [g.op("Pow", [h, g.constant("n", scalar("float32", 3))]), h])]);
    y = g.op("Add", [y, g.op("Sigmoid", [inner])]);
  }
  g.output(y, "y");
  return model(g.build());
}

describe("a model without runs", () => {
  const refusal = (network: Model) => () => requireRuns(surveyBlocks(network));

  it("is refused with what was found", () => {
    expect(refusal(lenet(random(1), { size: 16 }))).toThrow(/no repeated residual blocks.*got no residual addition/);
    expect(refusal(residualNetwork({ blocks: 1, period: 1 }))).toThrow(
      /1 residual addition without an equal neighbour/,
    );
  });

  it("is told of shapes that differ between blocks", () => {
    const uneven = residualNetwork({ blocks: 3, period: 1, hidden: (block) => 4 + block });
    expect(refusal(uneven)).toThrow(/3 residual additions.*"add" \(Add\) and at node "add_1" \(Add\).*differ in shape/);
  });

  it("is told of blocks that share their weights", () => {
    expect(refusal(residualNetwork({ blocks: 3, period: 1, shared: true }))).toThrow(/weights that they share/);
  });
});

describeShared("runs of real models", () => {
  it.each([
    ["cifar10-resnet56", [9, 8, 8], 1, 1],
    ["bert-toy", [5], 2, 10],
    ["yolox-nano", [3, 3], 1, 0],
  ])("%s", async (name, lengths, period, tail) => {
    const found = shapeOf(await loadModel(sharedPath(`models/${name}.onnx`)));
    expect(found).toEqual(lengths.map((length) => [length, period, new Array(period).fill(tail)]));
  });

  it.each([
    ["cifar10-resnet56", 2, 25, 13],
    ["bert-toy", 5, 5, 1],
  ])("%s runs in parallel form", async (name, branches, before, after) => {
    const { model: original } = await upgradeOpset().run(await loadModel(sharedPath(`models/${name}.onnx`)));
    const { runs } = surveyBlocks(original);
    const windows = windowsOf(runs, { branches }).filter(({ first }) => first % branches === 0);
    const changed = parallelizeBlocks(original, { branches, windows });
    expect(verify(changed)).toEqual([]);
    expect([[], windows].map((some) => depthOf(runs, { branches, windows: some }))).toEqual([before, after]);
    expect(changed.graph.initializers.size < original.graph.initializers.size).toBe(name === "bert-toy");
    await using session = await openSession(changed, { threads: 1 });
    expect(session.outputs.map((port) => port.name)).toEqual(original.graph.outputs.map((value) => value.name));
  });

  it.each(["squeezenet1.1", "silero-vad", "super-resolution"])("%s has none", async (name) => {
    expect(shapeOf(await loadModel(sharedPath(`models/${name}.onnx`)))).toEqual([]);
  });
});
