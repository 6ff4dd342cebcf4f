import { describe, expect, it } from "vitest";
import { graphBuilder, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { biasesAndNorms, chooseParameters } from "./selection.ts";

it("counts vectors and what normalisations read as biases and norms, and no other matrix", () => {
  const g = graphBuilder({ infer: builderInference(21) });
  const constant = (name: string, dims: readonly number[]) =>
    g.constant(name, tensorFromNumbers("float32", dims, Array(dims.reduce((a, b) => a * b, 1)).fill(1)));
  const [weight, bias, norm, gain] = [
    constant("weight", [2, 3]),
    constant("bias", [3]),
    constant("norm", [2, 3]),
    constant("gain", []),
  ];
  const y = g.op("Add", [g.op("MatMul", [g.input("x", "float32", [2, 2]), weight]), bias]);
  g.output(g.op("Mul", [g.op("LayerNormalization", [y, norm], { axis: 0 }), gain]), "y");
  const graph = g.build();
  const isSpared = (value: Value) => {
    const dims = value.type?.kind === "tensor" ? (value.type.dims as readonly number[]) : [];
    return biasesAndNorms(graph, value, { name: value.name, dtype: "float32", dims });
  };
  expect([weight, bias, norm, gain].map(isSpared)).toEqual([false, true, true, true]);
});

describe("weights that are integers", () => {
  function behindScales(withHead: boolean) {
    const g = graphBuilder({ infer: builderInference(21) });
    const integers = g.constant("w", tensorFromNumbers("int8", [2, 2], [1, -2, 3, 4]));
    const scales = g.constant("s", tensorFromNumbers("float32", [2], [0.5, 0.25]));
    const gain = g.constant("gain", tensorFromNumbers("float32", [2], [1, 1]));
    const real = g.op("DequantizeLinear", [integers, scales], { axis: 1 });
    const y = g.op("Mul", [g.op("MatMul", [g.input("x", "float32", [2, 2]), real]), gain]);
    const head = () => g.constant("head", tensorFromNumbers("float32", [2, 2], [1, 0, 0, 1]));
    g.output(withHead ? g.op("MatMul", [y, head()]) : y, "y");
    return g.build();
  }
  const chosen = (withHead: boolean, selection = {}) =>
    chooseParameters(behindScales(withHead), selection, new Set()).map(({ value }) => value.name);

  it("are refused where the rest would be trained without them, and nobody said so", () => {
    expect(() => chosen(false)).toThrow(/weights of the model are integers.*got 1 weights such as "w" of int8/s);
    expect(chosen(false, { trainable: ["gain"] })).toEqual(["gain"]);
    expect(chosen(true)).toEqual(expect.arrayContaining(["gain", "head"]));
  });
});
