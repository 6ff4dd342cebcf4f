import { describe, expect, it } from "vitest";
import { type Graph, graphBuilder, int64s, type Node, scalar, tensor, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { type PlacementOptions, place } from "./placement.ts";

type Builder = ReturnType<typeof graphBuilder>;

/** A convolution in front and one behind what is built between them; the names of nodes are what they are asked for. */
function between(
  build: (g: Builder, x: Value) => Value,
  g: Builder = graphBuilder({ infer: builderInference(21) }),
): Graph {
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

describe("operators with a kernel on integers", () => {
  const shape = (g: Builder, ...values: number[]) => g.constant("numbers", int64s(values));

  it.each<[string, string, (g: Builder, x: Value) => Value]>([
    ["MaxPool", "shared", (g, x) => g.op("MaxPool", [x], { kernel_shape: [1, 1] }, { name: "own" })],
    ["Reshape", "shared", (g, x) => g.op("Reshape", [x, shape(g, 1, 2, 8, 2)], {}, { name: "own" })],
    ["Flatten", "shared", (g, x) => g.op("Flatten", [x], {}, { name: "own" })],
    ["Transpose", "shared", (g, x) => g.op("Transpose", [x], { perm: [0, 1, 3, 2] }, { name: "own" })],
    ["Squeeze", "shared", (g, x) => g.op("Squeeze", [x, shape(g, 0)], {}, { name: "own" })],
    ["Unsqueeze", "shared", (g, x) => g.op("Unsqueeze", [x, shape(g, 0)], {}, { name: "own" })],
    ["Slice", "shared", (g, x) => g.op("Slice", [x, shape(g, 0), shape(g, 1)], {}, { name: "own" })],
    ["Gather", "shared", (g, x) => g.op("Gather", [x, shape(g, 0, 1)], { axis: 2 }, { name: "own" })],
    ["Pad", "integer", (g, x) => g.op("Pad", [x, shape(g, 0, 0, 1, 1, 0, 0, 1, 1)], {}, { name: "own" })],
    ["Concat", "joined", (g, x) => g.op("Concat", [x], { axis: 1 }, { name: "own" })],
    ["AveragePool", "arithmetic", (g, x) => g.op("AveragePool", [x], { kernel_shape: [1, 1] }, { name: "own" })],
    ["GlobalAveragePool", "arithmetic", (g, x) => g.op("GlobalAveragePool", [x], {}, { name: "own" })],
    ["Sigmoid", "arithmetic", (g, x) => g.op("Sigmoid", [x], {}, { name: "own" })],
    ["LeakyRelu", "arithmetic", (g, x) => g.op("LeakyRelu", [x], {}, { name: "own" })],
    ["Add", "arithmetic", (g, x) => g.op("Add", [x, x], {}, { name: "own" })],
    ["Mul", "arithmetic", (g, x) => g.op("Mul", [x, x], {}, { name: "own" })],
  ])("%s is %s", (opType, kernel, build) => {
    const { others, quantized, representative, values } = placed(between(build, graphBuilder()));
    expect([...others].map(([node, own]) => [node.opType, own])).toEqual([[opType, kernel]]);
    expect(quantized).toEqual(["x", "first", "own", "last"]);
    const [, first, own] = values;
    expect(representative(first!) === representative(own!)).toBe(kernel !== "arithmetic");
  });

  it("have parameters of their own at a Concat where that is asked for", () => {
    const { representative, values } = placed(
      between((g, x) => g.op("Concat", [x], { axis: 1 }, { name: "own" })),
      { shareConcat: false },
    );
    expect(new Set(values.map(representative)).size).toBe(4);
  });

  it("take a constant where they compute, and none where they move", () => {
    const one = (g: Builder) => g.constant("one", tensor("float32", [1, 2, 4, 4], new Float32Array(32).fill(1)));
    const added = placed(between((g, x) => g.op("Add", [x, one(g)], {}, { name: "own" })));
    expect(added.integers).toEqual(["first", "last", "own"]);
    const joined = placed(between((g, x) => g.op("Concat", [x, one(g)], { axis: 2 }, { name: "own" })));
    expect(joined.integers).toEqual(["first", "last"]);
    expect(joined.reasons).toEqual({ own: "one of its inputs is a constant" });
  });

  it("stay in floats behind floats, and in other domains", () => {
    const behind = placed(
      between((g, x) => g.op("MaxPool", [g.op("Exp", [x])], { kernel_shape: [1, 1] }, { name: "own" })),
    );
    expect(behind.reasons).toEqual({ own: "its inputs are computed in floats" });
    const foreign = placed(between((g, x) => g.unchecked("com.example::Sigmoid", [x], 1, {}, { name: "own" })[0]));
    expect([foreign.integers, foreign.reasons]).toEqual([["first", "last"], {}]);
  });
});

describe("padding of what floats make", () => {
  const padded = (reader: "layer" | "excluded" | "relu" | "two") => {
    const graph = between((g, x) => {
      const pads = g.constant("pads", int64s([0, 0, 1, 1, 0, 0, 1, 1]));
      const pad = g.op("Pad", [g.op("Exp", [x]), pads], {}, { name: "pad" });
      if (reader === "two") g.output(pad);
      return reader === "relu" ? g.op("Tanh", [pad]) : pad;
    });
    return placed(graph, {
      float: ({ name }) => (reader === "excluded" && name === "last" ? "excluded by name" : undefined),
    });
  };

  it("is done on integers where a layer alone reads it", () => {
    expect(padded("layer").integers).toEqual(["first", "last", "pad"]);
  });

  it.each(["excluded", "relu", "two"] as const)("stays in floats where that is not so: %s", (reader) => {
    const { integers, reasons } = padded(reader);
    expect(integers).not.toContain("pad");
    expect(reasons.pad).toMatch(/its inputs are computed in floats|only graph outputs follow it/);
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
