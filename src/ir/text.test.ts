import { describe, expect, it } from "vitest";
import { FormatError, LimitError } from "../errors.ts";
import { float, floats, graphAttribute } from "./attribute.ts";
import { graphBuilder } from "./builder.ts";
import { equalModels } from "./compare.ts";
import { makeNode } from "./edit.ts";
import { type Graph, type Model, model, type Value } from "./graph.ts";
import { int64s, strings, type Tensor, tensor, tensorFromNumbers } from "./tensor.ts";
import { digestOf, parseModel, printModel } from "./text.ts";
import { type DataType, dataTypes } from "./types.ts";

const again = (subject: Model): string | undefined => equalModels(subject, parseModel(printModel(subject)));

describe("printModel and parseModel", () => {
  it("write and read ONNX's text syntax", () => {
    const g = graphBuilder();
    const x = g.input("X", "float32", ["N", 2]);
    const w = g.constant("W", tensor("float32", [2, 2], [1, 2.5, -3, 4]));
    g.output(g.op("Softmax", [g.op("MatMul", [x, w], {}, { name: "T" })], { axis: 1 }, { name: "S" }));
    const subject = model(g.build("agraph"), { opsets: new Map([["", 21]]) });
    expect(printModel(subject)).toBe(`<
   ir_version: 10,
   opset_import: ["" : 21],
   producer_name: "lithe"
>
agraph (float[N,2] X) => (unknown S)
   <float[2,2] W = {1, 2.5, -3, 4}>
{
   [T] T = MatMul (X, W)
   [S] S = Softmax <axis: int = 1> (T)
}
`);
    expect(again(subject)).toBeUndefined();
  });

  it("read what ONNX's own documentation writes", () => {
    const subject = parseModel(`
      < ir_version: 8, opset_import: [ "" : 17, "local" : 1 ] >
      agraph (float[N, 128] X, float[10] B = {1,2,3,4,5,6,7,8,9,10}) => (float[N, 10] C)
      {
        # a comment
        T = Relu (X)
        S = local.f <alpha = 0.5, axes = [1, -1], keys = ["a"], t = float[2] {1, 2}> (T, "")
        C = Softmax (S) <axis = 1>
      }
      < domain: "local", opset_import: [ "" : 17 ] >
      f <alpha> (x, y) => (z) { z = LeakyRelu <alpha: float = @alpha> (x) }`);
    const [, call, softmax] = subject.graph.nodes;
    expect(call?.domain).toBe("local");
    expect(call?.inputs[1]).toBeUndefined();
    expect([...(call?.attributes.values() ?? [])].map(({ type }) => type)).toEqual([
      "float",
      "ints",
      "strings",
      "tensor",
    ]);
    expect(softmax?.attributes.get("axis")).toEqual({ type: "int", value: 1n });
    expect(subject.functions[0]?.nodes[0]?.attributes.get("alpha")).toEqual({
      type: "reference",
      to: "alpha",
      of: "float",
    });
    expect(equalModels(subject, parseModel(printModel(subject)))).toBeUndefined();
  });

  it("keep attributes of every type", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32");
    const branch = (): Graph => {
      const inner = g.subgraph();
      inner.output(inner.op("Neg", [x]));
      return inner.build("branch");
    };
    const t = tensor("float64", [2], [0.1, -0]);
    const sparse = { dims: [9], values: tensor("float32", [1], [5]), indices: int64s([7]) };
    const type = { kind: "sequence", element: { kind: "map", key: "int64", value: undefined } } as const;
    const bytes = Uint8Array.of(0xff, 34, 92, 10, 0);
    g.output(
      g.unchecked("All", [x], 1, {
        a: float(0.5),
        b: -(2n ** 63n),
        c: { type: "string", value: bytes },
        d: t,
        e: graphAttribute(branch()),
        f: { type: "sparse-tensor", value: sparse },
        g: { type: "type", value: type },
        h: floats([1, Number.NaN, Number.NEGATIVE_INFINITY, -0]),
        i: [1, 2],
        j: { type: "strings", value: [bytes, new Uint8Array()] },
        k: { type: "tensors", value: [t, t] },
        l: { type: "graphs", value: [branch(), branch()] },
        m: { type: "sparse-tensors", value: [sparse] },
        n: { type: "types", value: [type] },
        o: { type: "reference", to: "p", of: "ints" },
        p: { type: "ints", value: [] },
      })[0],
    );
    expect(again(model(g.build()))).toBeUndefined();
  });

  it.each(Object.keys(dataTypes) as DataType[])("keep %s tensors", (dtype) => {
    const { kind, bits } = dataTypes[dtype];
    const data = Uint8Array.from({ length: Math.ceil((2 * bits) / 8) }, (_, i) => (i % 4 === 3 ? 0x3f : i & 1));
    const t: Tensor = kind === "string" ? strings([2], ['"', "ä\\"]) : { dtype, dims: [2], data };
    const g = graphBuilder();
    g.output(g.constant("t", t));
    expect(again(model(g.build()))).toBeUndefined();
  });

  it("keep names that are no identifiers, types of every kind and model facts", () => {
    const values: Value[] = [
      {
        name: "a/b:0",
        type: { kind: "optional", element: { kind: "tensor", dtype: "float16", dims: ["", "n k", 3] } },
      },
      { name: "float", type: { kind: "sparse-tensor", dtype: "int8", dims: [2] } },
      { name: '"\n', type: { kind: "tensor", dtype: "bool", dims: [] } },
      { name: "__proto__", type: { kind: "tensor", dtype: "bool" } },
      { name: "seq" },
    ];
    const node = makeNode("Odd Op", [...values, undefined], [], { domain: "com.example", name: "n 1" });
    const graph = { name: "my graph", inputs: values, outputs: values, nodes: [node], initializers: new Map() };
    const parts = { domain: "d", modelVersion: 7n, docString: "two\nlines", metadata: new Map([["k", "v"]]) };
    expect(again(model(graph, parts))).toBeUndefined();
  });

  it("print large tensors as a digest that only the tensor itself stands for", () => {
    const large = tensorFromNumbers(
      "float32",
      [100],
      Array.from({ length: 100 }, (_, i) => i),
    );
    const g = graphBuilder();
    g.output(g.constant("w", large));
    const subject = model(g.build());
    const text = printModel(subject);
    expect(text).toContain(`float[100] w = {... "${digestOf(large)}"}`);
    expect(() => parseModel(text)).toThrow(/only the digest of a tensor/);
    expect(equalModels(subject, parseModel(text, { tensors: [large] }))).toBeUndefined();
    expect(digestOf({ ...large, dims: [10, 10] })).not.toBe(digestOf(large));
    expect(printModel(subject, { largest: 100 })).not.toContain("...");
  });

  it("say where a text is wrong", () => {
    expect(() => parseModel("<ir_version: 10>\ng (float x) = (float y) {}")).toThrow(
      /expected "=>"; got "="; at line 2, column 13/,
    );
    expect(() => parseModel("<size: 3>")).toThrow(FormatError);
    expect(() => parseModel("<> g () => () <float[2] w = {1}> {}")).toThrow(/does not fill its dims/);
    expect(() => parseModel("<> g () => () <float[n] w = {1}> {}")).toThrow(/dims are all numbers/);
    expect(() => parseModel("<> g () => () { y = A ( }")).toThrow(FormatError);
    expect(() => parseModel(`<> g (${"seq(".repeat(1000)}float${")".repeat(1000)} x) => () {}`)).toThrow(LimitError);
  });
});

it("digests are 64-bit FNV-1a over dtype, dims and bytes", () => {
  let hash = 0xcbf29ce484222325n;
  for (const byte of [...Buffer.from("uint8[3]"), 1, 200, 255])
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) % 2n ** 64n;
  const t: Tensor = { dtype: "uint8", dims: [3], data: Uint8Array.of(1, 200, 255) };
  expect(digestOf(t)).toBe(hash.toString(16).padStart(16, "0"));
});
