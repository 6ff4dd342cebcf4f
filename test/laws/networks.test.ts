/** @file Every network: valid, of the stated size, the same for the same seed, and it learns a batch on ONNX Runtime. */
import { describe, expect, it } from "vitest";
import { exitsOf, exitTerms } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import {
  allNodes,
  dataTypes,
  intOf,
  isSparse,
  type Model,
  numbersOf,
  printModel,
  sizeOf,
  tensorFromNumbers,
  verify,
} from "../../src/ir/index.ts";
import {
  gpt,
  imagenetResnet,
  lenet,
  type ModelName,
  mobilenetV2,
  models,
  paraFormer,
  resnet,
  vit,
} from "../../src/models/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession, resideIn } from "../../src/runtime/index.ts";
import { adamw, crossEntropy, type ProfileName, type TrainingStep, trainingStep } from "../../src/train/index.ts";
import { type SmallNetwork, sampleOf, smallNetworks } from "../small-networks.ts";

function parameterCount({ graph }: Model): number {
  const kept = [...graph.initializers].filter(([{ name }]) => /(weight|bias|scale|table|positions)$/.test(name));
  return kept.reduce((sum, [, data]) => sum + (isSparse(data) ? 0 : sizeOf(data.dims)), 0);
}

describe.each(Object.keys(models) as ModelName[])("%s", (name) => {
  const entry = smallNetworks[name];

  it("is valid, and the same for the same seed alone", () => {
    expect(verify(entry.make(1))).toEqual([]);
    expect(printModel(entry.make(1))).toBe(printModel(entry.make(1)));
    expect(printModel(entry.make(1))).not.toBe(printModel(entry.make(2)));
  });

  it("runs on ONNX Runtime as in float64", async () => {
    const built = entry.make(1);
    const feeds = new Map([[entry.input, sampleOf(entry)]]);
    await using session = await openSession(built);
    const logits = numbersOf((await session.run(feeds)).get("logits")!);
    const expected = numbersOf(evaluate(built, feeds).get("logits")!);
    for (const [i, x] of logits.entries()) expect(x).toBeCloseTo(expected[i]!, 4);
  });

  it("has no trained number that is not a parameter", () => {
    const loss = crossEntropy({ axis: entry.axis });
    const exits = exitsOf(entry.make(1));
    const step = trainingStep(entry.make(1), { loss, terms: exitTerms({ exits }, loss), optimizer: "sgd" });
    const parameters = step.state.filter(({ kind }) => kind === "parameter");
    expect(parameters.reduce((sum, { initial }) => sum + sizeOf(initial.dims), 0)).toBe(parameterCount(entry.make(1)));
  });

  it("learns a batch by heart", async () => {
    const losses = await trained(entry, 40);
    expect(Math.min(...losses.slice(-5))).toBeLessThan(losses[0]! / 3);
  });

  it("learns the same in the form for WebGPU, without what that lacks", async () => {
    const { model } = stepOf(entry, "portable");
    const nodes = [...allNodes(model)];
    expect(nodes.filter(({ opType }) => ["LogSoftmax", "Sum", "Sign"].includes(opType))).toEqual([]);
    const normalised = nodes.filter(({ opType }) => opType === "BatchNormalization");
    expect(normalised.filter((node) => intOf(node, "training_mode", 0) === 1)).toEqual([]);
    expect(nodes.filter((node) => node.opType === "MaxPool" && node.outputs[1])).toEqual([]);
    expect(nodes.filter((node) => intOf(node, "to", 0) === dataTypes.float64.code)).toEqual([]);
    // Batch statistics and Adam's signs amplify rounding from step to step, so deep networks are compared over few and small ones.
    const [native, portable] = [await trained(entry, 4, "native", 1e-3), await trained(entry, 4, "portable", 1e-3)];
    for (const [i, loss] of portable.entries()) expect(Math.abs(loss / native[i]! - 1), `${i}`).toBeLessThan(1e-4);
  });
});

function stepOf(entry: SmallNetwork, profile: ProfileName): TrainingStep {
  return trainingStep(entry.make(1), { loss: crossEntropy({ axis: entry.axis }), optimizer: adamw(), profile });
}

/** The losses of steps on one batch. */
async function trained(
  entry: SmallNetwork,
  steps: number,
  profile: ProfileName = "native",
  rate = entry.rate ?? 0.01,
): Promise<number[]> {
  const step = stepOf(entry, profile);
  const labels = tensorFromNumbers(
    "int64",
    entry.labelDims,
    Array.from({ length: sizeOf(entry.labelDims) }, (_, i) => i % 3),
  );
  const initial = new Map(step.state.map(({ name, initial }) => [name, initial]));
  const next = new Map(step.state.map(({ name, output }) => [name, output]));
  await using session = await openSession(step.model);
  const state = await resideIn(session, initial, next);
  const losses: number[] = [];
  for (let i = 1; i <= steps; i++) {
    const feeds = new Map([
      [entry.input, sampleOf(entry)],
      [step.labels!, labels],
      [step.learningRate, tensorFromNumbers("float32", [], [rate])],
      [step.step, tensorFromNumbers("int64", [], [i])],
      ...(step.maskKey ? ([[step.maskKey, tensorFromNumbers("uint32", [2], [1, i])]] as const) : []),
    ]);
    const [results] = await state.advance([feeds], { fetches: [step.loss] });
    losses.push(numbersOf(results!.get(step.loss)!)[0]!);
  }
  return losses;
}

describe("sizes", () => {
  /** Where only the size counts. */
  const zeros = { uniform: () => 0, normal: () => 0 };

  it("are those of the papers", () => {
    expect(parameterCount(lenet(random(1)))).toBe(61_706);
    expect(parameterCount(resnet(random(1)))).toBe(272_474);
    expect(parameterCount(imagenetResnet(zeros, { depth: 18 }))).toBe(11_689_512);
    expect(parameterCount(imagenetResnet(zeros, { depth: 50 }))).toBe(25_557_032);
    expect(parameterCount(mobilenetV2(zeros))).toBe(3_504_872);
    expect(parameterCount(vit(random(1)))).toBe(6 * 444_864 + 9_408 + 64 * 192 + 384 + 1_930);
    expect(parameterCount(paraFormer(random(1), { depth: 2, branches: 3 }))).toBe(parameterCount(vit(random(1))));
    expect(parameterCount(gpt(random(1), { vocabulary: 65 }))).toBe(65 * 256 + 128 * 256 + 4 * 789_760 + 512);
  });

  it("that are impossible are refused", () => {
    expect(() => resnet(random(1), { depth: 21 })).toThrow(/no ResNet of this depth/);
    expect(() => imagenetResnet(random(1), { depth: 20 })).toThrow(/18, 34, 50/);
    expect(() => vit(random(1), { patch: 5 })).toThrow(/patches do not cover/);
    expect(() => vit(random(1), { heads: 5 })).toThrow(/heads do not divide/);
  });
});
