import { expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { graphBuilder, type Model, model, tensor } from "../../ir/index.ts";
import { inspection } from "./inspection.ts";

const file = { sha256: "00", bytes: 1 };

/** Products of 4 × 3 and 3 × 2 between two operators that multiply nothing. */
function network(): Model {
  const g = graphBuilder();
  const weight = (name: string, dims: readonly number[]) =>
    g.constant(name, tensor("float32", dims, new Float32Array(dims.reduce((a, b) => a * b))));
  const first = g.op("Relu", [g.op("Relu", [g.input("x", "float32", ["n", 4])])]);
  const hidden = g.op("MatMul", [first, weight("a", [4, 3])]);
  g.output(g.op("Gemm", [g.op("Gemm", [hidden, weight("b", [3, 2])]), weight("c", [2, 2])]), "y");
  return model(g.build());
}

it("counts what each operator does, those that do most first", () => {
  const { operators, macs, work } = inspection(network(), file, new Map([["n", 1]]));
  // MatMul 4 · 3; Gemm 3 · 2 + 2 · 2
  expect(operators.slice(0, 3)).toEqual([
    { opType: "MatMul", nodes: 1, parameters: 12, macs: 12 },
    { opType: "Gemm", nodes: 2, parameters: 10, macs: 10 },
    { opType: "Relu", nodes: 2, parameters: 0, macs: 0 },
  ]);
  expect(macs).toBe(22);
  expect(work).toEqual({ least: 22, most: 22, unboundedNodes: 0, loops: [] });
});

it("lists what computes or has weights, and the types of inputs and outputs", () => {
  const { layers, inputs, outputs, parameters, problems } = inspection(network(), file, new Map());
  expect(layers.filter(({ parameters }) => parameters > 0).map(({ opType }) => opType)).toEqual([
    "MatMul",
    "Gemm",
    "Gemm",
  ]);
  expect([inputs.map(({ name }) => name), outputs.map(({ name }) => name)]).toEqual([["x"], ["y"]]);
  expect([parameters, problems]).toEqual([22, []]);
});

it("names the tool with its version, as far as they are known", () => {
  const made = (changes: Partial<Model>) => inspection({ ...network(), ...changes }, file, new Map()).producer;
  expect(made({ producerName: "tool", producerVersion: "1.2" })).toBe("tool 1.2");
  expect(made({ producerName: "tool", producerVersion: "" })).toBe("tool");
  expect(made({ producerName: "", producerVersion: "" })).toBe("");
});

it("refuses lengths of dims that the model does not have", () => {
  expect(() => inspection(network(), file, new Map([["m", 1]]))).toThrow(UsageError);
  expect(() => inspection(network(), file, new Map([["m", 1]]))).toThrow(/expected "n"; got "m"/);
});
