import { expect, it } from "vitest";
import { type Graph, graphBuilder, model, type Node, tensor, type Value, verify } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { place } from "../placement/placement.ts";
import type { QuantizedTensor } from "../scheme.ts";
import { insertQdq } from "./insert-qdq.ts";

type Builder = ReturnType<typeof graphBuilder>;

/** A convolution of so many channels. */
function conv(g: Builder, x: Value, [outputs, inputs]: readonly [number, number], name: string): Value {
  const weight = tensor("float32", [outputs, inputs, 1, 1], new Float32Array(outputs * inputs).fill(0.5));
  return g.op("Conv", [x, g.constant(`${name}_w`, weight)], {}, { name });
}

/** stem → Relu → (branch + what it reads) → last. */
function residual(): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  const stem = g.op("Relu", [conv(g, g.input("x", "float32", [1, 3, 4, 4]), [8, 3], "stem")], {}, { name: "active" });
  const sum = g.op("Add", [conv(g, stem, [8, 8], "branch"), stem], {}, { name: "sum" });
  g.output(conv(g, sum, [8, 8], "last"));
  return g.build();
}

/** The graph with steps of 1/8 for all that is quantized, and weights of ones. */
function inserted(graph: Graph, exclude: readonly string[] = []): Graph {
  const float = ({ name }: Node) => (exclude.includes(name) ? "kept" : undefined);
  const placement = place(graph, { float, shareConcat: true, floatTail: true, foldClamps: true });
  const scheme = { dtype: "int8", symmetric: true, granularity: { kind: "tensor" } } as const;
  const ones = (dims: readonly number[]): QuantizedTensor => {
    const values = new Int32Array(dims.reduce((a, b) => a * b, 1)).fill(1);
    return { dims, scheme, values, parameters: [{ scale: 0.5, zeroPoint: 0 }] };
  };
  const { model: made } = insertQdq(model(graph), {
    placement,
    activation: "uint8",
    parameters: new Map(placement.values.map((value) => [value, { scale: 0.125, zeroPoint: 0 }])),
    constants: new Map(
      [...placement.layers].map(([node, { weightTensor }]) => [
        node,
        { weight: ones(weightTensor.dims as readonly number[]), bias: undefined },
      ]),
    ),
  });
  expect(verify(made)).toEqual([]);
  return made.graph;
}

const named = ({ nodes }: Graph, opType: string) =>
  nodes.filter((node) => node.opType === opType).map(({ name }) => name);

it("nodes on integers keep their names, and those without get that of their output", () => {
  const graph = residual();
  const bare = { ...graph, nodes: graph.nodes.map((node) => (node.name === "sum" ? node : { ...node, name: "" })) };
  const made = inserted(bare);
  expect(named(made, "Conv")).toEqual(["stem", "branch", "last"]);
  expect(named(made, "Add")).toEqual(["sum"]);
});

it("a value of floats goes through a convolution that changes nothing where one reads it and another node does", () => {
  expect(named(inserted(residual(), ["stem"]), "Conv")).toEqual(["stem", "active_anchored", "branch", "last"]);
  expect(named(inserted(residual(), ["stem", "sum"]), "Conv")).toEqual(["stem", "branch", "last"]);
});

it("a value that integers make needs no such convolution", () => {
  const made = inserted(residual());
  expect(named(made, "Conv")).toEqual(["stem", "branch", "last"]);
  expect(named(made, "Relu")).toEqual([]);
});
