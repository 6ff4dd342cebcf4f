import { expect, it } from "vitest";
import { graphBuilder, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { biasesAndNorms } from "./selection.ts";

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
