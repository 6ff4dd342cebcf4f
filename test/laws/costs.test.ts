/** @file Costs of real models against an independent counter's figures (test/fixtures/counts/counts.json). */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Model, Node } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { costOf, specOf } from "../../src/ops/index.ts";
import { describeShared, sharedPath } from "../shared.ts";

interface Counts {
  readonly input: readonly number[];
  readonly convGemmMacs: number;
  /** Elements of all float initializers: weights, running statistics and constants alike. */
  readonly floatParams: number;
  readonly runningStatistics: number;
  readonly published: { readonly params: number };
  readonly layers: readonly { readonly output: string; readonly op: string; readonly macs: number }[];
}

const fixture = new URL("../fixtures/counts/counts.json", import.meta.url);
const counted = JSON.parse(readFileSync(fixture, "utf8")) as Record<string, Counts>;

function read(name: string): Model {
  return decodeModel(readFileSync(sharedPath(`models/${name}.onnx`)));
}

/** Float elements that are settings of an operator (bounds, scales) or scalars, and so no parameters. */
function settingElements({ graph }: Model): number {
  const seen = new Set<unknown>();
  const elements = (node: Node): number =>
    node.inputs.reduce((sum, value, i) => {
      const data = value && graph.initializers.get(value);
      if (!data || !("dtype" in data) || data.dtype !== "float32" || seen.has(value)) return sum;
      const setting = specOf(node)?.weights?.settings?.includes(i) || data.dims.length === 0;
      if (setting) seen.add(value);
      return setting ? sum + data.dims.reduce((product, dim) => product * dim, 1) : sum;
    }, 0);
  return graph.nodes.reduce((sum, node) => sum + elements(node), 0);
}

describeShared("costs of real models", () => {
  it.each(Object.keys(counted))("counts %s as the independent counter does", (name) => {
    const model = read(name);
    const expected = counted[name] as Counts;
    const feeds = new Map([[model.graph.inputs[0]!.name, expected.input]]);
    const cost = costOf(model, { feeds });
    const layers = cost.byNode.filter(({ macs }) => macs !== 0);
    expect(layers.map(({ node, macs }) => [node.outputs[0]?.name, macs])).toEqual(
      expected.layers.map(({ output, macs }) => [output, macs]),
    );
    expect(cost.macs).toBe(expected.convGemmMacs);
    expect(cost.unknown).toEqual([]);
    expect(cost.statistics).toBe(expected.runningStatistics);
    expect(cost.params + cost.statistics + settingElements(model)).toBe(expected.floatParams);
    expect(cost.params / expected.published.params).toBeCloseTo(1, 1);
  });

  it("counts the weights of quantized models like those of floating ones", () => {
    const quantized = costOf(read("mobilenetv2-qdq-int8"));
    // MobileNetV2 1.0 has 3,504,872 parameters; folding the normalisations trades their scales for biases.
    expect(quantized.params / 3_504_872).toBeCloseTo(1, 1);
  });
});
