import { expect, it } from "vitest";
import { intOf, isSparse, names, numbersOf, type Value } from "../../ir/index.ts";
import type { QuantizedTensor } from "../scheme.ts";
import { type Emission, emitBias, emitWeight, newEmission } from "./emit-qdq.ts";

const numbers = ({ initializers }: Emission, value: Value | undefined): number[] => {
  const data = value && initializers.get(value);
  return data && !isSparse(data) ? [...numbersOf(data)] : [];
};

const weight = (dims: readonly number[], scales: readonly number[]): QuantizedTensor => ({
  dims,
  scheme: {
    dtype: "int8",
    symmetric: true,
    granularity: scales.length > 1 ? { kind: "channel", axis: 0 } : { kind: "tensor" },
  },
  values: Int32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 37) % 255) - 127),
  parameters: scales.map((scale) => ({ scale, zeroPoint: 0 })),
});

it("a bias is counted in steps of its own channel: input scale times weight scale", () => {
  const emission = newEmission(names(), "uint8");
  // 3 / (0.5 · 0.25) = 24, −3 / (0.5 · 0.5) = −12, 1.2 / (0.5 · 2) = 1.2.
  emitBias(emission, "b", Float64Array.of(3, -3, 1.2), 0.5, weight([3, 1, 1, 1], [0.25, 0.5, 2]));
  const [node] = emission.nodes;
  expect(node!.opType).toBe("DequantizeLinear");
  expect(intOf(node!, "axis", -1)).toBe(0);
  expect(node!.inputs.map((value) => numbers(emission, value))).toEqual([
    [24, -12, 1],
    [0.125, 0.25, 1],
  ]);
});

it("a bias is counted in one step where the weight has one scale", () => {
  const emission = newEmission(names(), "uint8");
  emitBias(emission, "b", Float64Array.of(3, -3, 1.2), 0.5, weight([3, 1, 1, 1], [0.25]));
  const [node] = emission.nodes;
  expect(node!.inputs.map((value) => numbers(emission, value))).toEqual([[24, -24, 10], [0.125]]);
  expect(node!.inputs[1]!.type).toMatchObject({ dims: [] });
});

it("a weight that another layer has under other dims is stored once, and seen through a Reshape", () => {
  const emission = newEmission(names(), "uint8");
  emitWeight(emission, "a", weight([32, 64], [0.5]));
  emitWeight(emission, "b", weight([64, 32], [0.5]));
  expect(emission.nodes.map(({ opType }) => opType)).toEqual(["DequantizeLinear", "Reshape", "DequantizeLinear"]);
  const [first, view, second] = emission.nodes;
  expect(view!.inputs[0]).toBe(first!.inputs[0]);
  expect(numbers(emission, view!.inputs[1])).toEqual([64, 32]);
  expect(second!.inputs[0]).toBe(view!.outputs[0]);
  const large = [...emission.initializers].filter(([, { dims }]) => dims.length === 2);
  expect(large).toHaveLength(1);
});

it("a weight that two layers have alike is stored and dequantized once", () => {
  const emission = newEmission(names(), "uint8");
  const [a, b] = ["a", "b"].map((name) => emitWeight(emission, name, weight([3, 1, 1, 1], [0.25, 0.5, 2])));
  expect(a).toBe(b);
  expect(emission.nodes).toHaveLength(1);
  const other = emitWeight(emission, "c", weight([3, 1, 1, 1], [0.25, 0.5, 4]));
  expect(other).not.toBe(a);
  expect(emission.nodes[1]!.inputs[0]).toBe(emission.nodes[0]!.inputs[0]);
});
