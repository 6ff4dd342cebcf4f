import { describe, expect, it } from "vitest";
import { sparseNetwork } from "../../test/sparse-network.ts";
import { random } from "../data/index.ts";
import { bytesOfTensor, floatsOf, isSparse, type Model, numbersOf, type Tensor, tensor } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { openReference } from "../runtime/reference.ts";
import { reconstructModel } from "./reconstruct.ts";
import { sparseLayers } from "./sparse-layers.ts";
import { sparsifyModel } from "./sparsify.ts";

const model = sparseNetwork(2);
const { layers } = sparseLayers(model);

/** Pictures whose neighbouring points are alike, so that inputs can stand in for each other. */
const feeds = Array.from({ length: 4 }, (_, batch) => {
  const draws = random(5, batch);
  const values = new Float32Array(8 * 108);
  for (let i = 0; i < values.length; i++) values[i] = 0.9 * (values[i - 1] ?? 0) + 0.3 * draws.normal();
  return new Map([["x", tensor("float32", [8, 3, 6, 6], values)]]);
});

async function* batches() {
  yield* feeds;
}

function weightsOf({ graph }: Model): Map<string, Tensor> {
  return new Map([...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data]])));
}

const options = { open: openReference, batches, positions: 1e6 };

describe.each([{ sparsity: 0.5 }, { pattern: "2:4" }] as const)("a model reconstructed at %o", (amount) => {
  it("has its zeros, and each layer is no further from what it was than with the zeros alone", async () => {
    const { model: sparse, masks, errors, report } = await reconstructModel(model, { ...amount, ...options });
    expect([...masks.keys()]).toEqual(layers.map(({ weight }) => weight.name));
    const [before, after] = [weightsOf(model), weightsOf(sparse)];
    for (const [i, layer] of layers.entries()) {
      const { name } = layer.weight;
      const kept = bytesOfTensor(masks.get(name)!);
      const [old, next] = [floatsOf(before.get(name)!), floatsOf(after.get(name)!)];
      for (const [at, value] of next.entries()) if (kept[at] === 0) expect(Object.is(value, 0)).toBe(true);
      if ("sparsity" in amount) expect(kept.filter((each) => each === 0)).toHaveLength(Math.floor(old.length / 2));
      else {
        const plain = sparsifyModel(model, amount).masks.get(name)!;
        // As many of each group go, not always the same ones.
        expect(kept.filter((each) => each === 0)).toHaveLength(
          bytesOfTensor(plain).filter((each) => each === 0).length,
        );
      }
      const { error, plainError } = errors[i]!;
      expect(error).toBeLessThan(plainError);
      expect(error).toBeCloseTo(errorOn(layer.input.name, layer.node.outputs[0]!.name, name, next), 4);
      expect(plainError).toBeCloseTo(
        errorOn(
          layer.input.name,
          layer.node.outputs[0]!.name,
          name,
          old.map((value, at) => (kept[at] === 0 ? 0 : value)),
        ),
        4,
      );
    }
    for (const [name, data] of after) if (!masks.has(name)) expect(data).toEqual(before.get(name));
    expect(report.untouched).toEqual([]);
  });
});

/** The mean squared distance of a layer's outputs, of all channels together, by the evaluator: with other weights, and the inputs of the model as it was. */
function errorOn(input: string, output: string, weight: string, values: Float32Array): number {
  const of = layers.find((layer) => layer.weight.name === weight)!;
  let [total, positions] = [0, 0];
  for (const feed of feeds) {
    const seen = evaluate(model, feed, { fetches: [input, output] });
    const graph = {
      ...model.graph,
      inputs: [of.input],
      outputs: of.node.outputs as [(typeof of.node.outputs)[0] & {}],
      nodes: [of.node],
      initializers: new Map(
        [...model.graph.initializers].map(([value, data]) => [
          value,
          value === of.weight ? tensor("float32", of.weightTensor.dims, values) : data,
        ]),
      ),
    };
    const changed = evaluate({ ...model, graph }, new Map([[input, seen.get(input)!]]));
    const [a, b] = [numbersOf(seen.get(output)!), numbersOf(changed.get(output)!)];
    for (const [i, value] of a.entries()) total += (value - b[i]!) ** 2;
    positions += a.length / of.rows;
  }
  return total / positions;
}

describe("reconstructModel", () => {
  it("leaves out what is excluded, and says what is possible", async () => {
    const { masks, report } = await reconstructModel(model, { sparsity: 0.5, ...options });
    expect(masks.size).toBe(5);
    expect(report.zeros.after).toBe(report.layers.reduce((sum, { zeros }) => sum + zeros.after, 0));
    await expect(reconstructModel(model, { sparsity: 1.5, ...options })).rejects.toThrow(/sparsity is out of range/);
    await expect(reconstructModel(model, { pattern: "4:2", ...options })).rejects.toThrow(/1 ≤ N < M/);
    const none = async function* () {};
    await expect(reconstructModel(model, { sparsity: 0.5, ...options, batches: none })).rejects.toThrow(
      /at least one batch/,
    );
    const some = await reconstructModel(model, { sparsity: 0.5, ...options, exclude: ["conv layer", "gemm layer"] });
    expect([...some.masks.keys()]).toEqual(["grouped", "stacked", "last"]);
  });
});
