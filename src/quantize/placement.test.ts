import { describe, expect, it } from "vitest";
import { type Graph, graphBuilder, int64s, type Node, scalar, tensor, type Value } from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { type PlacementOptions, place } from "./placement.ts";

type Builder = ReturnType<typeof graphBuilder>;

/** A convolution in front and one behind what is built between them; the names of nodes are what they are asked for. */
function between(build: (g: Builder, x: Value) => Value): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  const conv = (x: Value, name: string) =>
    g.op("Conv", [x, g.constant(`${name}_w`, tensor("float32", [2, 2, 1, 1], [1, 2, 3, 4]))], {}, { name });
  g.output(conv(build(g, conv(g.input("x", "float32", [1, 2, 4, 4]), "first")), "last"), "y");
  return g.build();
}

function placed(graph: Graph, options: Partial<PlacementOptions> = {}) {
  const placement = place(graph, {
    float: () => undefined,
    shareConcat: true,
    floatTail: true,
    foldClamps: true,
    ...options,
  });
  const names = (nodes: Iterable<Node>) => [...nodes].map(({ name }) => name);
  return {
    ...placement,
    integers: names([...placement.layers.keys(), ...placement.others.keys()]),
    folds: names(placement.folded.keys()),
    reasons: Object.fromEntries([...placement.skipped].map(([{ name }, reason]) => [name, reason])),
    quantized: placement.values.map(({ name }) => name),
  };
}

const number = (g: Builder, name: string, value: number) => g.constant(name, scalar("float32", value));

describe("clamps", () => {
  it.each([
    [0, 6, ["clip"]],
    [-1, 6, []],
    [0.5, 6, []],
  ])("from %s to %s fold into what makes their input only from zero up", (low, high, folded) => {
    const graph = between((g, x) =>
      g.op("Clip", [x, number(g, "low", low), number(g, "high", high)], {}, { name: "clip" }),
    );
    expect(placed(graph).folds).toEqual(folded);
    expect(placed(graph, { foldClamps: false }).folds).toEqual([]);
  });
});

describe("padding", () => {
  it.each([
    [0, undefined],
    [1, "it pads with another value"],
  ])("with %s", (value, reason) => {
    const graph = between((g, x) => {
      const pads = g.constant("pads", int64s([0, 0, 1, 1, 0, 0, 1, 1]));
      return g.op("Pad", [x, pads, number(g, "value", value)], {}, { name: "pad" });
    });
    expect(placed(graph).reasons.pad).toBe(reason);
    expect(placed(graph).integers.includes("pad")).toBe(reason === undefined);
  });
});

describe("the tail", () => {
  const graph = () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", [1, 2, 4, 4]);
    const weights = g.constant("w", tensor("float32", [2, 2, 1, 1], [1, 2, 3, 4]));
    const conv = g.op("Conv", [x, weights], {}, { name: "conv" });
    const pooled = g.op("MaxPool", [conv], { kernel_shape: [2, 2] }, { name: "pool" });
    g.output(g.op("GlobalAveragePool", [pooled], {}, { name: "mean" }), "y");
    return g.build();
  };

  it("of nodes without weights, however many follow one another, stays in floats", () => {
    const { integers, reasons } = placed(graph());
    expect(integers).toEqual(["conv"]);
    expect(reasons).toEqual({ pool: "only graph outputs follow it", mean: "only graph outputs follow it" });
  });

  it("computes on integers where that is not asked for", () => {
    expect(placed(graph(), { floatTail: false }).integers).toEqual(["conv", "pool", "mean"]);
  });
});

it("a product leaves in floats where no integer node reads it, and is quantized for one that does", () => {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", [3, 4]);
  const weight = (name: string) => g.constant(name, tensor("float32", [4, 4], new Float32Array(16).fill(0.5)));
  const [inner, outer] = ["inner", "outer"].map((name) => ({ name }));
  const hidden = g.op("MatMul", [x, weight("w1")], {}, inner);
  g.output(g.op("MatMul", [hidden, weight("w2")], {}, outer), "y");
  const graph = g.build();
  const [first, second] = graph.nodes.map(({ outputs }) => outputs[0]!.name);
  const { quantized } = placed(graph);
  expect(quantized).toContain(first);
  expect(quantized).not.toContain(second);
});
