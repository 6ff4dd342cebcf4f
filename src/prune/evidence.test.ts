/** @file Evidence from data against what float64 arithmetic says: differences of losses, and inputs looked at one by one. */
import { beforeAll, describe, expect, it } from "vitest";
import { sparseNetwork } from "../../test/sparse-network.ts";
import { datasetOf, random } from "../data/index.ts";
import { editModel, floatsOf, isSparse, type Model, numbersOf, tensor, tensorFromNumbers } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { openReference } from "../runtime/reference.ts";
import type { WeightEvidence } from "./evidence.ts";
import { gatherEvidence } from "./gather-evidence.ts";
import { pruneModel } from "./prune.ts";
import { sparseLayers } from "./sparse-layers.ts";
import { sparsifyModel } from "./sparsify.ts";

const model = sparseNetwork(4);
const { layers } = sparseLayers(model);
const SIZE = 6;

const pictures = Array.from({ length: SIZE }, (_, i) => {
  const draws = random(9, i);
  return Float32Array.from({ length: 108 }, () => Math.max(0, draws.normal()));
});
const labels = [0, 3, 1, 4, 2, 0];

const data = datasetOf({
  size: SIZE,
  labels: async () => Float64Array.from(labels),
  open: () => ({
    read: async (i) => ({
      inputs: new Map([["x", tensor("float32", [3, 6, 6], pictures[i]!)]]),
      label: labels[i]!,
      source: `${i}`,
    }),
  }),
});

async function* batches() {
  for (let i = 0; i < SIZE; i += 3) {
    const values = pictures.slice(i, i + 3).flatMap((picture) => [...picture]);
    yield new Map([["x", tensorFromNumbers("float32", [3, 3, 6, 6], values)]]);
  }
}

/** The loss of one sample, by the evaluator. */
function lossOf(changed: Model, i: number): number {
  const feeds = new Map([["x", tensor("float32", [1, 3, 6, 6], pictures[i]!)]]);
  const scores = numbersOf(evaluate(changed, feeds).get("y")!);
  return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - scores[labels[i]!]!;
}

function withWeight(name: string, at: number, add: number): Model {
  return editModel(model, (draft) => {
    for (const [value, data] of draft.graph.initializers) {
      if (value.name !== name || isSparse(data)) continue;
      const values = numbersOf(data);
      values[at]! += add;
      draft.setInitializer(value, tensor("float64", data.dims, values));
    }
  });
}

describe("gatherEvidence", () => {
  let evidence: WeightEvidence;
  beforeAll(async () => {
    evidence = await gatherEvidence(model, {
      kinds: ["gradients", "inputs"],
      open: openReference,
      batches,
      gradients: { data, loss: "crossEntropy" },
    });
  });

  it("knows every layer", () => {
    expect([...evidence.weights.keys()]).toEqual(layers.map(({ weight }) => weight.name));
  });

  it.each(layers.map(({ weight, weightTensor }) => [weight.name, weightTensor.dims] as const))(
    "finds the gradients by %s, and their squares",
    (name, dims) => {
      const { gradients, squaredGradients } = evidence.weights.get(name)!;
      const size = dims.reduce((a, b) => a * b, 1);
      const step = 1e-4;
      for (const at of [0, Math.floor(size / 2), size - 1]) {
        const each = labels.map(
          (_, i) => (lossOf(withWeight(name, at, step), i) - lossOf(withWeight(name, at, -step), i)) / (2 * step),
        );
        expect(gradients![at]).toBeCloseTo(each.reduce((a, b) => a + b) / SIZE, 5);
        expect(squaredGradients![at]).toBeCloseTo(each.reduce((sum, g) => sum + g * g, 0) / SIZE, 5);
      }
    },
  );

  it("finds the norms of what a convolution's weights are multiplied with, and the zeros of its channels", () => {
    const { inputNorms, inputShares } = evidence.weights.get("conv")!;
    for (const [channel, y, x] of [
      [0, 0, 0],
      [1, 2, 1],
      [2, 1, 2],
    ] as const) {
      let squares = 0;
      for (const picture of pictures)
        for (let top = 0; top < 4; top++)
          for (let left = 0; left < 4; left++) squares += picture[channel * 36 + (top + y) * 6 + left + x]! ** 2;
      const column = channel * 9 + y * 3 + x;
      const filled = pictures.flatMap((picture) => [...picture.subarray(channel * 36, channel * 36 + 36)]);
      for (const filter of [0, 7]) {
        expect(inputNorms![filter * 27 + column]).toBeCloseTo(Math.sqrt(squares / (SIZE * 16)), 5);
        expect(inputShares![filter * 27 + column]).toBeCloseTo(
          filled.filter((value) => value !== 0).length / (SIZE * 36),
          6,
        );
      }
    }
  });

  it("finds those of each group, and of products", () => {
    const read = (name: string) =>
      pictures.map((picture) =>
        numbersOf(
          evaluate(model, new Map([["x", tensor("float32", [1, 3, 6, 6], picture)]]), { fetches: [name] }).get(name)!,
        ),
      );
    const layer = (name: string) => layers.find(({ node }) => node.name === `${name} layer`)!;
    const grouped = read(layer("grouped").input.name);
    let squares = 0;
    for (const values of grouped)
      for (let top = 0; top < 2; top++)
        for (let left = 0; left < 2; left++) squares += values[5 * 16 + (top + 1) * 4 + left + 2]! ** 2;
    // Filter 4 is of the second group, which reads channels 4 to 7: its input 1 is channel 5.
    expect(evidence.weights.get("grouped")!.inputNorms![4 * 36 + 9 + 5]).toBeCloseTo(
      Math.sqrt(squares / (SIZE * 4)),
      5,
    );
    const share = grouped.reduce(
      (sum, values) => sum + values.subarray(80, 96).filter((value) => value !== 0).length,
      0,
    );
    expect(evidence.weights.get("grouped")!.inputShares![4 * 36 + 9 + 5]).toBeCloseTo(share / (SIZE * 16), 6);
    const last = read(layer("last").input.name);
    for (const input of [0, 6]) {
      const norm = Math.sqrt(last.reduce((sum, values) => sum + values[input]! ** 2, 0) / SIZE);
      for (const output of [0, 4])
        expect(evidence.weights.get("last")!.inputNorms![input * 5 + output]).toBeCloseTo(norm, 5);
    }
  });

  it("serves sparse and structured pruning", () => {
    for (const criterion of ["taylor", "fisher", "wanda"] as const) {
      const { report } = sparsifyModel(model, { sparsity: 0.5, criterion, evidence });
      expect(report.zeros.after).toBeGreaterThan(0.45 * report.elements);
    }
    for (const criterion of ["taylor", "fisher", "wanda", "apoz"] as const)
      expect(pruneModel(model, { ratio: 0.5, criterion, evidence }).report.macs.after).toBeLessThan(
        pruneModel(model, { ratio: 0.2, criterion, evidence }).report.macs.after,
      );
    const { masks } = sparsifyModel(model, { sparsity: 0.5, criterion: "wanda", evidence, exclude: ["conv layer"] });
    const kept = floatsOf(tensorFromNumbers("float32", [35], numbersOf(masks.get("last")!)));
    // Of each output of the last layer the same share goes: 3 of 7.
    for (let output = 0; output < 5; output++)
      expect(
        Array.from({ length: 7 }, (_, input) => kept[input * 5 + output]).filter((each) => each === 0),
      ).toHaveLength(3);
  });

  it("says what is missing", async () => {
    const gather = (more: object) => gatherEvidence(model, { kinds: ["inputs"], open: openReference, ...more });
    await expect(gather({})).rejects.toThrow(/evidence of inputs needs samples/);
    await expect(gather({ kinds: ["gradients"] })).rejects.toThrow(/evidence of gradients needs samples/);
    expect(() => pruneModel(model, { ratio: 0.5, criterion: "taylor" })).toThrow(/taylor needs data.*gradients/);
    expect(() => sparsifyModel(model, { sparsity: 0.5, criterion: "apoz", evidence })).toThrow(/apoz says nothing/);
  });
});
