import { describe, expect, it } from "vitest";
import {
  type BuilderAttributes,
  type DataType,
  type Dims,
  formatType,
  graphBuilder,
  model,
  tensor,
  tensorType,
} from "../ir/index.ts";
import { axesOf, costOf, inferModel } from "./index.ts";

type Input = Dims | readonly [DataType, Dims] | undefined;

/** Types of the outputs and multiply-accumulates of one operator of com.microsoft. */
function facts(opType: string, inputs: readonly Input[], count: number, attributes: BuilderAttributes = {}) {
  const g = graphBuilder();
  const values = inputs.map((given, i) => {
    if (!given) return undefined;
    const [dtype, dims] = isTyped(given) ? given : (["float32", given] as const);
    return g.input(`x${i}`, dtype, dims);
  });
  for (const output of g.unchecked(`com.microsoft::${opType}`, values, count, attributes)) g.output(output);
  const made = model(g.build(), { opsets: new Map([["com.microsoft", 1]]) });
  const inferred = inferModel(made);
  expect(inferred.problems).toEqual([]);
  return {
    types: made.graph.outputs.map((output) => formatType(inferred.types.get(output))),
    macs: costOf(made).macs,
    axes: axesOf(inferred, made.graph.nodes[0]!),
  };
}

function isTyped(given: NonNullable<Input>): given is readonly [DataType, Dims] {
  return Array.isArray(given[1]);
}

describe("com.microsoft", () => {
  it("multiplies with weights packed in blocks of bits", () => {
    const inputs: Input[] = [[2, 5, 64], ["uint8", [48, 2, 16]], [96]];
    const { types, macs } = facts("MatMulNBits", inputs, 1, { K: 64, N: 48, bits: 4, block_size: 32 });
    expect(types).toEqual(["float32[2, 5, 48]"]);
    expect(macs).toBe(2 * 5 * 64 * 48);
  });

  it("counts packed weights as what they stand for", () => {
    const g = graphBuilder();
    const codes = g.constant("codes", tensor("uint8", [48, 2, 16], new Uint8Array(48 * 32)));
    const scales = g.constant("scales", tensor("float32", [96], new Float32Array(96)));
    const attributes = { K: 64, N: 48, bits: 4, block_size: 32 };
    const x = g.input("x", "float32", [1, 64]);
    g.output(g.op("com.microsoft::MatMulNBits", [x, codes, scales], attributes));
    const cost = costOf(model(g.build(), { opsets: new Map([["com.microsoft", 1]]) }));
    expect(cost.params).toBe(64 * 48);
    expect(cost.bytes.weights).toBe(48 * 32 + 96 * 4);
  });

  it("attends with packed heads and a past", () => {
    const past: Dims = [2, 4, 3, 8];
    const inputs: Input[] = [[2, 5, 32], [2, 5, 32], [2, 5, 32], undefined, undefined, undefined, past, past];
    const { types, macs } = facts("MultiHeadAttention", inputs, 3, { num_heads: 4 });
    expect(types).toEqual(["float32[2, 5, 32]", "float32[2, 4, 8, 8]", "float32[2, 4, 8, 8]"]);
    expect(macs).toBe(2 * (2 * 4 * 5 * 8 * 8));
  });

  it("shares keys among groups of queries", () => {
    const inputs: Input[] = [
      ["n", 1, 64],
      ["n", 1, 16],
      ["n", 1, 16],
    ];
    const { types } = facts("GroupQueryAttention", inputs, 3, { num_heads: 8, kv_num_heads: 2 });
    expect(types).toEqual(["float32[n, 1, 64]", "float32[n, 2, ?, 8]", "float32[n, 2, ?, 8]"]);
  });

  it("normalises a sum and gives the sum too", () => {
    const { types } = facts("SkipLayerNormalization", [["n", 7, 16], ["n", 7, 16], [16], [16]], 4);
    expect(types).toEqual(["float32[n, 7, 16]", "float32[n, 7, 1]", "float32[n, 7, 1]", "float32[n, 7, 16]"]);
  });

  it("transposes inside of a fused product", () => {
    const { types, axes, macs } = facts(
      "FusedMatMul",
      [
        [3, 4, 5],
        [6, 4],
      ],
      1,
      { transA: true, transB: true },
    );
    expect(types).toEqual(["float32[3, 5, 6]"]);
    expect(macs).toBe(3 * 5 * 6 * 4);
    expect(axes).toContainEqual({
      kind: "reduced",
      inputs: [
        { port: 0, axis: 1 },
        { port: 1, axis: 1 },
      ],
      outputs: [],
    });
  });

  it("runs two layers of the chosen experts", () => {
    const inputs: Input[] = [
      [10, 16],
      [10, 4],
      [4, 16, 64],
      [4, 64],
      [4, 64, 16],
      [4, 16],
    ];
    expect(facts("MoE", inputs, 1, { k: 2 })).toMatchObject({ types: ["float32[10, 16]"], macs: 10 * 2 * 2 * 16 * 64 });
  });

  it("gathers from codes packed in bytes", () => {
    const inputs: Input[] = [
      ["uint8", [100, 16]],
      ["int64", ["n", 3]],
      [100, 1],
    ];
    expect(facts("GatherBlockQuantized", inputs, 1, { bits: 4, block_size: 32 }).types).toEqual(["float32[n, 3, 32]"]);
  });

  it("keeps the codes' type in quantized arithmetic", () => {
    const code = (dims: Dims): Input => ["uint8", dims];
    const inputs = [code(["n", 4]), [], code([]), code([4]), [], code([]), [], code([])];
    expect(facts("QLinearAdd", inputs, 1).types).toEqual([formatType(tensorType("uint8", ["n", 4]))]);
    const parts = [[], code([]), code([1, 2, 5]), [], code([]), code([1, 3, 5]), [], code([])];
    expect(facts("QLinearConcat", parts, 1, { axis: 1 }).types).toEqual(["uint8[1, 5, 5]"]);
  });
});

describe("axes", () => {
  it("links the groups of a grouped convolution and the members within them", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1, 6, 5, 5]);
    g.output(g.op("Conv", [x, g.input("w", "float32", [9, 2, 3, 3])], { group: 3 }));
    const made = model(g.build());
    expect(axesOf(inferModel(made), made.graph.nodes[0]!)).toEqual([
      { kind: "same", inputs: [{ port: 0, axis: 0 }], outputs: [{ port: 0, axis: 0 }] },
      {
        kind: "same",
        inputs: [
          { port: 0, axis: 1, inner: 2 },
          { port: 1, axis: 0, inner: 3 },
        ],
        outputs: [{ port: 0, axis: 1, inner: 3 }],
      },
      {
        kind: "reduced",
        inputs: [
          { port: 0, axis: 1, outer: 3 },
          { port: 1, axis: 1 },
        ],
        outputs: [],
      },
      { kind: "same", inputs: [{ port: 1, axis: 0, outer: 3 }], outputs: [{ port: 0, axis: 1, outer: 3 }] },
    ]);
  });

  it("finds the factors of merged axes", () => {
    const g = graphBuilder();
    g.output(g.op("Flatten", [g.input("x", "float32", ["n", 4, 3, 2])]));
    const made = model(g.build());
    expect(axesOf(inferModel(made), made.graph.nodes[0]!)).toEqual([
      { kind: "same", inputs: [{ port: 0, axis: 0 }], outputs: [{ port: 0, axis: 0 }] },
      { kind: "same", inputs: [{ port: 0, axis: 1 }], outputs: [{ port: 0, axis: 1, outer: 1, inner: 6 }] },
      { kind: "same", inputs: [{ port: 0, axis: 2 }], outputs: [{ port: 0, axis: 1, outer: 4, inner: 2 }] },
      { kind: "same", inputs: [{ port: 0, axis: 3 }], outputs: [{ port: 0, axis: 1, outer: 12, inner: 1 }] },
    ]);
  });
});
