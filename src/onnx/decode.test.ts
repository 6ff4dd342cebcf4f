import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError, InvalidModelError, LimitError, LitheError, PathError } from "../errors.ts";
import {
  type DataType,
  dataTypes,
  equalModels,
  floats,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  type Tensor,
  tensor,
  verify,
} from "../ir/index.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TypeProtoSchema,
} from "./schema/onnx_pb.ts";

/** A field of bytes: number, length, contents. */
function field(number: number, ...contents: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(contents);
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(body).finish();
}

function varint(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Varint).int32(value).finish();
}

/** A file whose graph has one initializer, given by its fields. */
function withInitializer(...tensorFields: Uint8Array[]): Uint8Array {
  return field(7, field(5, ...tensorFields, field(8, Buffer.from("w"))));
}

function initializer(decoded: Model): Tensor {
  return [...decoded.graph.initializers.values()][0] as Tensor;
}

function file(graph: Parameters<typeof create<typeof GraphProtoSchema>>[1]): Uint8Array {
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: create(GraphProtoSchema, graph) }));
}

function node(opType: string, input: string[], output: string[]): NodeProto {
  return create(NodeProtoSchema, { opType, input, output });
}

const throughBytes = (subject: Model): Model => decodeModel(encodeModel(subject));

describe("tensors", () => {
  it.each(Object.keys(dataTypes) as DataType[])("keep the bits of %s", (dtype) => {
    const { bits } = dataTypes[dtype];
    const data: Tensor["data"] =
      dtype === "string"
        ? [Uint8Array.of(0xff, 0xfe), new Uint8Array(), Buffer.from("ä")]
        : Uint8Array.from({ length: Math.ceil((3 * bits) / 8) }, (_, i) => 0x95 + 7 * i);
    const g = graphBuilder();
    g.output(g.constant("w", { dtype, dims: [3], data }));
    g.output(g.op("Constant", [], { value: { type: "tensor", value: { dtype, dims: [3], data } } }));
    const subject = model(g.build());
    expect(equalModels(subject, throughBytes(subject))).toBeUndefined();
  });

  it("share the memory of the file", () => {
    const g = graphBuilder();
    g.output(g.constant("w", tensor("float32", [4], [1, 2, 3, 4])));
    const bytes = encodeModel(model(g.build()));
    expect((initializer(decodeModel(bytes)).data as Uint8Array).buffer).toBe(bytes.buffer);
  });

  const elements = (...values: number[]): Uint8Array => {
    const writer = new BinaryWriter();
    for (const value of values) writer.int32(value);
    return writer.finish();
  };
  it.each([
    ["float16 in int32_data", 10, 5, elements(0x3c00, 0xc000), [1, -2]],
    ["bool in int32_data", 9, 5, elements(1, 0), [1, 0]],
    ["int8 in int32_data", 3, 5, elements(-1, 127), [-1, 127]],
    ["int4 in int32_data, two to an entry", 22, 5, elements(0xf1), [1, -1]],
    ["int64 in int64_data", 7, 7, elements(-5, 7), [-5, 7]],
    ["uint32 in uint64_data", 12, 11, new BinaryWriter().uint64(4294967295n).uint64(3n).finish(), [4294967295, 3]],
    ["float in float_data", 1, 4, new BinaryWriter().float(1.5).float(-2).finish(), [1.5, -2]],
    ["double in double_data", 11, 10, new BinaryWriter().double(1.5).double(-2).finish(), [1.5, -2]],
  ])("are read from typed fields: %s", (_name, code, number, payload, expected) => {
    const head = [varint(1, 2), varint(2, code)];
    const packed = decodeModel(withInitializer(...head, field(number, payload)));
    expect([...numbersOf(initializer(packed))]).toEqual(expected);
    expect(verify(packed)).toEqual([]);
  });

  it("are read from typed fields that are split or not packed", () => {
    const head = [varint(1, 3), varint(2, 6)];
    const split = withInitializer(...head, field(5, elements(1)), field(5, elements(2, -3)));
    const unpacked = withInitializer(...head, varint(5, 1), varint(5, 2), varint(5, -3));
    expect([...numbersOf(initializer(decodeModel(split)))]).toEqual([1, 2, -3]);
    expect([...numbersOf(initializer(decodeModel(unpacked)))]).toEqual([1, 2, -3]);
  });

  it.each([
    ["an unknown data type", [varint(1, 1), varint(2, 99), field(9, new Uint8Array(4))], FormatError],
    ["no data type", [varint(1, 1), field(9, new Uint8Array(4))], FormatError],
    ["a negative dim", [varint(1, -1), varint(2, 1), field(9, new Uint8Array(4))], FormatError],
    ["too little data", [varint(1, 2), varint(2, 1), field(9, new Uint8Array(7))], FormatError],
    ["too much data", [varint(1, 2), varint(2, 1), field(9, new Uint8Array(9))], FormatError],
    ["no data", [varint(1, 2), varint(2, 1)], FormatError],
    ["too few entries", [varint(1, 2), varint(2, 6), field(5, Uint8Array.of(1))], FormatError],
    ["an entry that is cut", [varint(1, 1), varint(2, 6), field(5, Uint8Array.of(0x80))], FormatError],
    ["too few strings", [varint(1, 2), varint(2, 8), field(6)], FormatError],
    [
      "33 dims",
      [...Array.from({ length: 33 }, () => varint(1, 1)), varint(2, 2), field(9, Uint8Array.of(1))],
      LimitError,
    ],
    ["dims that overflow", [...Array.from({ length: 4 }, () => varint(1, 2 ** 30)), varint(2, 2)], LimitError],
    ["a place in memory", [varint(1, 1), varint(2, 2), varint(14, 1), external("*/_ORT_MEM_ADDR_/*")], PathError],
    ["a place outside", [varint(1, 1), varint(2, 2), varint(14, 1), external("../w")], PathError],
  ])("are refused with %s", (_name, fields, error) => {
    expect(() => decodeModel(withInitializer(...fields))).toThrow(error);
  });
});

function external(location: string): Uint8Array {
  return field(13, field(1, Buffer.from("location")), field(2, Buffer.from(location)));
}

describe("names", () => {
  it("of a subgraph reach the values around it", () => {
    const inner = create(GraphProtoSchema, {
      name: "inner",
      node: [node("Neg", ["x"], ["z"])],
      output: [{ name: "z" }],
    });
    const outer = node("If", ["c"], ["y"]);
    outer.attribute.push(create(AttributeProtoSchema, { name: "then_branch", type: 5, g: inner }));
    const decoded = decodeModel(
      file({ node: [outer], input: [{ name: "c" }, { name: "x" }], output: [{ name: "y" }] }),
    );
    const branch = decoded.graph.nodes[0]?.attributes.get("then_branch");
    expect(branch?.type === "graph" && branch.value.nodes[0]?.inputs[0]).toBe(decoded.graph.inputs[1]);
  });

  it("that are properties of every object are names like others", () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const decoded = decodeModel(
      file({
        node: names.map((name) => node("Identity", [name], [`${name}2`])),
        input: names.map((name) => ({ name })),
        output: names.map((name) => ({ name: `${name}2` })),
      }),
    );
    expect(verify({ ...decoded, opsets: new Map([["", 21]]) })).toEqual([]);
    expect(decoded.graph.inputs.map(({ name }) => name)).toEqual(names);
  });

  it("that nothing defines stay, for verify to report", () => {
    const decoded = decodeModel(file({ node: [node("Neg", ["nothing"], ["y"])], output: [{ name: "y" }] }));
    expect(verify(decoded).map(({ message }) => message)).toContain('input "nothing" is used before it is defined');
  });

  it("that are no text are refused", () => {
    expect(() => decodeModel(field(7, field(2, Uint8Array.of(0xff))))).toThrow(/not UTF-8/);
  });

  it("that two initializers share are refused", () => {
    const w = field(5, varint(2, 2), field(9, Uint8Array.of(1)), varint(1, 1), field(8, Buffer.from("w")));
    expect(() => decodeModel(field(7, w, w))).toThrow(InvalidModelError);
  });
});

describe("nodes", () => {
  it("are put in topological order, otherwise left in theirs", () => {
    const nodes = [node("C", ["b"], ["c"]), node("A", ["x"], ["a"]), node("B", ["a"], ["b"]), node("D", ["x"], ["d"])];
    const decoded = decodeModel(file({ node: nodes, input: [{ name: "x" }], output: [{ name: "c" }] }));
    expect(decoded.graph.nodes.map(({ opType }) => opType)).toEqual(["A", "B", "C", "D"]);
  });

  it("in a cycle are an error that names one", () => {
    const nodes = [node("A", ["b"], ["a"]), node("B", ["a"], ["b"])];
    expect(() => decodeModel(file({ node: nodes }))).toThrow(/cycle; got through node "a" \(A\)/);
  });

  it("may form a chain longer than the call stack", () => {
    const nodes = Array.from({ length: 30_000 }, (_, i) => node("Neg", [`${i}`], [`${i + 1}`])).reverse();
    const decoded = decodeModel(file({ node: nodes, input: [{ name: "0" }] }));
    expect(decoded.graph.nodes[0]?.inputs[0]?.name).toBe("0");
  });

  it("with two outputs of one name are read, for verify to report", () => {
    const decoded = decodeModel(file({ node: [node("A", [], ["a"]), node("B", [], ["a"])] }));
    expect(verify(decoded).map(({ message }) => message)).toContain('output "a" is defined twice');
  });
});

describe("what the IR has no noun for", () => {
  it("comes back: denotations, opaque types, unknown fields, devices, stray payloads", () => {
    const opaque = create(TypeProtoSchema, { value: { case: "opaqueType", value: { domain: "d", name: "o" } } });
    const image = create(TypeProtoSchema, { denotation: "IMAGE" });
    image.value = { case: "tensorType", value: { $typeName: "onnx.TypeProto.Tensor", elemType: 1 } };
    const proto: ModelProto = create(ModelProtoSchema, {
      configuration: [{ name: "two", numDevices: 2 }],
      graph: {
        name: "main",
        input: [
          { name: "x", type: image },
          { name: "o", type: opaque },
        ],
        output: [{ name: "y" }],
        valueInfo: [{ name: "gone", type: image }],
        quantizationAnnotation: [{ tensorName: "x" }],
        node: [
          {
            opType: "Custom",
            input: ["x", "", "o"],
            output: ["y"],
            attribute: [
              { name: "a", type: 1, f: 1, docString: "why", i: 7n },
              { name: "t", type: 13, tp: opaque },
            ],
            deviceConfigurations: [{ configurationId: "two", pipelineStage: 1 }],
          },
        ],
      },
    });
    const unknown = [{ no: 999, wireType: WireType.LengthDelimited, data: Uint8Array.of(2, 1, 2) }];
    proto.graph!.node[0]!.$unknown = unknown;
    proto.$unknown = unknown;
    const bytes = toBinary(ModelProtoSchema, proto);
    const decoded = decodeModel(bytes);
    expect(decoded.graph.inputs.map(({ type }) => type)).toEqual([{ kind: "tensor", dtype: "float32" }, undefined]);
    expect(equalModels(decoded, throughBytes(decoded))).toBeUndefined();
    expect(encodeModel(decoded).length).toBeGreaterThanOrEqual(bytes.length);
  });
});

describe("limits", () => {
  it("end every prefix of a file in a named error or a model", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["n", 2]);
    const w = g.constant("w", tensor("float32", [2, 2], [1, 2, 3, 4]));
    g.output(g.unchecked("Gemm", [x, w], 1, { alpha: 2, names: ["a", "b"], scales: floats([1, 2]) })[0], "y");
    const bytes = encodeModel(model(g.build(), { metadata: new Map([["k", "v"]]) }));
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeModel(bytes.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(LitheError);
      }
    }
  });

  it("stop deep nesting", () => {
    const nested = (depth: number): Uint8Array => {
      let graph: Uint8Array = new Uint8Array();
      for (let i = 0; i < depth; i++) {
        graph = field(
          1,
          field(4, Buffer.from("If")),
          field(5, field(1, Buffer.from("body")), varint(20, 5), field(6, graph)),
        );
      }
      return field(7, graph);
    };
    expect(decodeModel(nested(30)).graph.nodes).toHaveLength(1);
    expect(() => decodeModel(nested(4000))).toThrow(LimitError);
  });

  it("stop lists that would become millions of values", () => {
    const dims = field(1, new Uint8Array(1_000_000));
    expect(() => decodeModel(withInitializer(dims, varint(2, 1)))).toThrow(LimitError);
    const ints = field(5, field(1, Buffer.from("a")), varint(20, 7), field(8, new Uint8Array(9_000_000)));
    expect(() => decodeModel(field(7, field(1, field(4, Buffer.from("A")), ints)))).toThrow(LimitError);
  });

  it.each([
    ["nodes", [node("A", [], ["a"]), node("B", [], ["b"])]],
    ["items", [node("A", [], ["a", "b"])]],
  ] as const)("of %s are counted", (name, nodes) => {
    expect(() => decodeModel(file({ node: [...nodes] }), { limits: { [name]: 1 } })).toThrow(LimitError);
  });

  it("are checked themselves", () => {
    expect(() => decodeModel(new Uint8Array(), { limits: { nodes: 0.5 } })).toThrow(/limit "nodes" is wrong/);
  });
});

it("arbitrary small models come back equal", () => {
  const name = fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" });
  const dims = fc.array(fc.oneof(fc.nat(9), fc.constantFrom("n", "m", "")), { maxLength: 3 });
  const attribute = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.string(),
    fc.array(fc.integer({ min: -100, max: 100 }), { maxLength: 4 }),
    fc.float().map((value) => ({ type: "float", value }) as const),
  );
  const step = fc.record({
    // Values are named after operators, and "y" is the name of the output.
    opType: name.map((text) => `T${text}`),
    attributes: fc.dictionary(name, attribute, { maxKeys: 3 }),
    typed: fc.boolean(),
  });
  fc.assert(
    fc.property(dims, fc.array(step, { maxLength: 6 }), fc.uint8Array({ maxLength: 16 }), (inputDims, steps, data) => {
      const g = graphBuilder();
      let x = g.input("x", "float16", inputDims);
      const w = g.constant("w", { dtype: "uint8", dims: [data.length], data });
      for (const { opType, attributes } of steps)
        x = g.unchecked(`test::${opType}`, [x, undefined, w], 1, attributes)[0];
      g.output(x, "y");
      const subject = model(g.build(), {
        opsets: new Map([
          ["", 21],
          ["test", 1],
        ]),
      });
      expect(equalModels(subject, throughBytes(subject))).toBeUndefined();
    }),
    { numRuns: 150 },
  );
});
