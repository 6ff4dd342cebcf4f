import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  tensor,
  type Value,
} from "../ir/index.ts";
import type { Pass } from "../rewrite/index.ts";
import { fuseBatchNorm } from "./fuse-batchnorm.ts";
import { fuseMatmulAdd } from "./fuse-matmul-add.ts";
import { fusePad } from "./fuse-pad.ts";

function build(make: (g: GraphBuilder) => void): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build());
}

function vector(g: GraphBuilder, name: string, ...values: number[]): Value {
  return g.constant(name, tensor("float32", [values.length], values));
}

function norm(g: GraphBuilder, x: Value, attributes = {}): Value {
  const parts = [
    vector(g, "scale", 2, 4),
    vector(g, "bias", 1, -1),
    vector(g, "mean", 3, 0),
    vector(g, "variance", 1, 4),
  ];
  return g.op("BatchNormalization", [x, ...parts], { epsilon: { type: "float", value: 0 }, ...attributes });
}

function conv(g: GraphBuilder, x: Value): Value {
  return g.op("Conv", [x, g.constant("w", tensor("float32", [2, 1, 1, 1], [1, 10])), vector(g, "b", 5, 6)]);
}

async function declines(pass: Pass, before: Model): Promise<readonly string[]> {
  const { model: after, notes = [] } = await pass.run(before);
  expect(after).toBe(before);
  return notes.map(({ reason }) => reason);
}

describe("fuse-batchnorm", () => {
  it("computes f·w and f·b + s, and keeps the name of the result", async () => {
    const before = build((g) => {
      const y = norm(g, conv(g, g.input("x", "float32", [1, 1, 2, 2])));
      g.output(y, "y");
    });
    const { model: after } = await fuseBatchNorm().run(before);
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(["Conv", "Identity"]);
    const [fused] = after.graph.nodes;
    const [, w, b] = fused!.inputs.map((value) => after.graph.initializers.get(value!));
    const listed = [w, b].map((t) => (t && !("indices" in t) ? [...numbersOf(t)] : []));
    expect(listed).toEqual([
      [2, 20],
      [2 * 5 + (1 - 2 * 3), 2 * 6 - 1],
    ]);
    expect(fused?.outputs[0]).toBe(before.graph.nodes[1]?.outputs[0]);
    expect(after.graph.initializers.size).toBe(2);
  });

  it.each<[string, RegExp, (g: GraphBuilder, x: Value) => void]>([
    [
      "its input is read elsewhere",
      /something else reads/,
      (g, x) => {
        const y = conv(g, x);
        g.output(norm(g, y), "y");
        g.output(g.op("Neg", [y]), "z");
      },
    ],
    ["it trains", /statistics/, (g, x) => g.output(norm(g, conv(g, x), { training_mode: 1 }), "y")],
    [
      "the weight is fed",
      /not a constant/,
      (g, x) => g.output(norm(g, g.op("Conv", [x, g.input("w", "float32", [2, 1, 1, 1])])), "y"),
    ],
    [
      "padding lies between",
      /padding/,
      (g) => {
        const x = norm(g, g.input("x2", "float32", [1, 2, 4, 4]));
        const w = g.constant("v", tensor("float32", [1, 2, 1, 1], [1, 1]));
        g.output(g.op("Conv", [x, w], { pads: [1, 1, 1, 1] }), "y");
      },
    ],
    [
      "the channels do not fit",
      /number of channels/,
      (g, x) => g.output(norm(g, g.op("Conv", [x, g.constant("w", tensor("float32", [3, 1, 1, 1], [1, 2, 3]))])), "y"),
    ],
  ])("declines where %s", async (_, reason, make) => {
    const before = build((g) => make(g, g.input("x", "float32", [1, 1, 2, 2])));
    expect(await declines(fuseBatchNorm(), before)).toEqual([expect.stringMatching(reason)]);
  });
});

describe("fuse-pad", () => {
  const padded = (op: string, pads: readonly number[], attributes = {}, fill?: number) =>
    build((g) => {
      const value = fill === undefined ? [] : [g.constant("fill", tensor("float32", [], [fill]))];
      const y = g.op("Pad", [g.input("x", "float32", [1, 1, 5, 5]), g.constant("pads", int64s(pads)), ...value]);
      const weight = op === "Conv" ? [g.constant("w", tensor("float32", [1, 1, 1, 1], [1]))] : [];
      g.output(g.unchecked(op, [y, ...weight], 1, attributes)[0], "y");
    });
  const spatial = [0, 0, 1, 0, 0, 0, 1, 2];
  const even = [0, 0, 1, 2, 0, 0, 1, 2];
  const kernel = { kernel_shape: [3, 3] };

  it.each([
    ["MaxPool", padded("MaxPool", spatial, kernel, Number.NEGATIVE_INFINITY), [1n, 0n, 1n, 2n]],
    ["AveragePool", padded("AveragePool", even, kernel), [1n, 2n, 1n, 2n]],
    ["Conv", padded("Conv", spatial, { auto_pad: "VALID" }), [1n, 0n, 1n, 2n]],
  ])("moves pads into %s", async (opType, before, pads) => {
    const { model: after } = await fusePad().run(before);
    expect(after.graph.nodes[0]).toMatchObject({ opType });
    expect(after.graph.nodes[0]?.attributes.get("pads")).toEqual({ type: "ints", value: pads });
    expect(after.graph.nodes[0]?.attributes.has("auto_pad")).toBe(false);
  });

  it.each([
    ["a maximum over zeros", padded("MaxPool", spatial, kernel), /-inf/],
    ["padding with ones", padded("Conv", spatial, {}, 1), /other than 0/],
    ["channels that are padded", padded("Conv", [0, 1, 0, 0, 0, 0, 0, 0]), /channels/],
    ["cropping", padded("Conv", [0, 0, -1, 0, 0, 0, 0, 0]), /crops/],
    ["padding that follows from the size", padded("Conv", spatial, { auto_pad: "SAME_UPPER" }), /SAME_UPPER/],
    ["an average that leaves out its padding", padded("AveragePool", even, { ...kernel, pads: [1, 1, 1, 1] }), /count/],
    ["an average with more padding at its ends", padded("AveragePool", spatial, kernel), /before 1.25/],
    ["windows in the padding alone", padded("AveragePool", [0, 0, 3, 0, 0, 0, 0, 0], kernel), /alone/],
  ])("declines %s", async (_, before, reason) => {
    expect(await declines(fusePad(), before)).toEqual([expect.stringMatching(reason)]);
  });
});

describe("fuse-matmul-add", () => {
  it("leaves batched products, wide biases and products that others read", async () => {
    const before = build((g) => {
      const w = g.constant("w", tensor("float32", [2, 2], [1, 2, 3, 4]));
      const batched = g.op("MatMul", [g.input("x", "float32", ["n", 3, 2]), w]);
      g.output(g.op("Add", [batched, vector(g, "b", 1, 2)]), "batched");
      const flat = g.input("z", "float32", [1, 2]);
      const wide = g.constant("wide", tensor("float32", [2, 1], [1, 2]));
      g.output(g.op("Add", [g.op("MatMul", [flat, w]), wide]), "taller");
      const shared = g.op("MatMul", [flat, w]);
      g.output(shared, "shared");
      g.output(g.op("Add", [shared, vector(g, "c", 1, 2)]), "both");
    });
    expect(await declines(fuseMatmulAdd(), before)).toEqual(["something else reads the product"]);
  });
});
