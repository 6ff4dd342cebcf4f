import { expect, it } from "vitest";
import { graphAttribute, graphBuilder, model, scalar, tensor } from "../../ir/index.ts";
import { untrainedNotes } from "./untrained.ts";

const ones = (n: number) => tensor("float32", [n], new Float32Array(n).fill(1));

it("weights that are quantized or inside branches are counted as not trained", () => {
  const g = graphBuilder();
  const w = g.constant("w", tensor("int8", [6], new Int8Array(6)));
  const weight = g.op("DequantizeLinear", [w, g.constant("s", scalar("float32", 0.5))]);
  const sum = g.op("Add", [g.op("Mul", [g.input("x", "float32", [6]), weight]), g.constant("b", ones(6))]);
  const branch = (value: number) => {
    const b = g.subgraph();
    b.output(b.op("Mul", [sum, b.constant(`inner${value}`, ones(6))]), `out${value}`);
    return graphAttribute(b.build());
  };
  const branches = { then_branch: branch(1), else_branch: branch(2) };
  g.output(g.op("If", [g.input("go", "bool", [])], branches), "y");
  const [quantized, nested, ...more] = untrainedNotes(model(g.build()));
  expect(quantized).toMatch(/^6 of 24 weights are not trained: .*DequantizeLinear/);
  expect(nested).toMatch(/^12 of 24 weights are not trained: .*branches/);
  expect(more).toEqual([]);
});

it("nothing is said of a model whose weights are all its own", () => {
  const g = graphBuilder();
  g.output(g.op("Add", [g.input("x", "float32", [3]), g.constant("b", ones(3))]), "y");
  expect(untrainedNotes(model(g.build()))).toEqual([]);
});
