/** @file Tensors of less than a byte for each element that are computed in a run: their buffers are handed on as if they were larger. */
import { UnsupportedError } from "../../errors.ts";
import {
  allGraphs,
  attributeFrom,
  type ConstantLookup,
  constantsIn,
  type DataType,
  type Draft,
  dataTypes,
  describeNode,
  editAllGraphs,
  type Graph,
  intOf,
  makeNode,
  type Node,
  numbersOf,
  scalar,
  tensorFromNumbers,
  usesOf,
  type Value,
} from "../../ir/index.ts";
import { unfetchable } from "./fetchable.ts";
import { hasNode } from "./has-node.ts";
import type { Rule } from "./rule.ts";

export const packedReuse: Rule = {
  goesWrong:
    "the buffer of a computed tensor of 4-bit elements goes on to a tensor of the same dims with a byte for each, which overwrites what lies behind it",
  check(model) {
    const constant = constantsIn(model.graph);
    for (const graph of allGraphs(model.graph)) {
      for (const node of packing(graph, constant)) if (!pairOf(graph, node, constant)) throw refused(node);
    }
  },
  rewrite(model) {
    if (!hasNode(model, ({ opType }) => opType === "QuantizeLinear")) return model;
    const constant = constantsIn(model.graph);
    return editAllGraphs(model, (draft) => {
      for (const node of packing(draft.graph, constant)) {
        const pair = pairOf(draft.graph, node, constant);
        if (pair) writeWide(draft, pair, constant);
      }
    });
  },
};

function refused(node: Node): UnsupportedError {
  return new UnsupportedError("the runtime overwrites other tensors where one of 4-bit elements is computed in a run", {
    expected: "QuantizeLinear with a constant zero point, read by DequantizeLinear or Cast alone",
    where: describeNode(node),
    hint: "Quantize to int8 or uint8 there. Constants of 4 bits are safe.",
  });
}

/** Nodes that make such tensors of anything but constants. */
function packing(graph: Graph, constant: ConstantLookup): Node[] {
  const fixed = new Set<Value>();
  return graph.nodes.filter((node) => {
    if (node.inputs.every((value) => !value || fixed.has(value) || constant(value) !== undefined)) {
      for (const output of node.outputs) if (output) fixed.add(output);
      return false;
    }
    return node.outputs.some((output) => output && unfetchable.has(madeType(node, output, constant)));
  });
}

const byCode: ReadonlyMap<number, DataType> = new Map(
  (Object.keys(dataTypes) as DataType[]).map((dtype) => [dataTypes[dtype].code, dtype]),
);

function madeType(node: Node, { type }: Value, constant: ConstantLookup): DataType {
  const inferred = type?.kind === "tensor" ? type.dtype : "float32";
  if (node.opType === "Cast") return byCode.get(intOf(node, "to", 0)) ?? inferred;
  if (node.opType !== "QuantizeLinear") return inferred;
  return constant(node.inputs[2])?.dtype ?? byCode.get(intOf(node, "output_dtype", 0)) ?? inferred;
}

const wide = { int4: "int8", int2: "int8", uint4: "uint8", uint2: "uint8" } as const;

interface PackedPair {
  readonly quantize: Node;
  readonly packed: Value;
  readonly dtype: keyof typeof wide;
  readonly readers: readonly Node[];
}

/** What is only rounded and put back or cast, with zero points that are known. */
function pairOf(graph: Graph, node: Node, constant: ConstantLookup): PackedPair | undefined {
  const [packed] = node.outputs;
  if (!packed || node.opType !== "QuantizeLinear" || graph.outputs.includes(packed)) return undefined;
  const dtype = madeType(node, packed, constant);
  const readers = usesOf(graph, packed).flatMap((use) => use.node ?? []);
  const isKnown = ({ inputs: [, , zero] }: Node) => !zero || constant(zero) !== undefined;
  const isReader = ({ opType, inputs: [x] }: Node) => ["DequantizeLinear", "Cast"].includes(opType) && x === packed;
  if (!isWidened(dtype) || ![node, ...readers].every(isKnown) || !readers.every(isReader)) return undefined;
  return { quantize: node, packed, dtype, readers };
}

function isWidened(dtype: DataType): dtype is keyof typeof wide {
  return dtype in wide;
}

/** The same integers in whole bytes: rounded to 8 bits, which saturate further out, and clipped to the ends of the narrow type. */
function writeWide(draft: Draft, { quantize, packed, dtype, readers }: PackedPair, constant: ConstantLookup): void {
  const bytes = wide[dtype];
  const { bits, kind } = dataTypes[dtype];
  const [low, high] = kind === "int" ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  const whole = (node: Node): Node => {
    const [x, scale, zero] = node.inputs;
    const tensor = zero && constant(zero);
    if (!zero || !tensor) return node;
    return {
      ...node,
      inputs: [x, scale, draft.constant(zero.name, tensorFromNumbers(bytes, tensor.dims, numbersOf(tensor)))],
    };
  };
  const [rounded, kept] = [draft.value(packed.name), draft.value(packed.name)];
  const ends = [low, high].map((end) => draft.constant(`${packed.name}_end`, scalar(bytes, end)));
  const code = intOf(quantize, "output_dtype", 0) === 0 ? undefined : dataTypes[bytes].code;
  const attributes = new Map(quantize.attributes);
  if (code !== undefined) attributes.set("output_dtype", attributeFrom(code));
  const { name } = quantize;
  draft.replaceNode(
    quantize,
    { ...whole(quantize), attributes, outputs: [rounded] },
    makeNode("Clip", [rounded, ...ends], [kept], { name: name && `${name}_kept` }),
  );
  for (const node of readers) {
    const [, ...rest] = whole(node).inputs;
    draft.replaceNode(node, { ...node, inputs: [kept, ...rest] });
  }
}
