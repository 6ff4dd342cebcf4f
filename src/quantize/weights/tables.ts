/** @file Embeddings in int8: rows of a table with a scale each, looked up and only then made floats. */
import { nth } from "../../checked.ts";
import {
  type AttributesOf,
  type ConstantLookup,
  type Draft,
  dataTypes,
  floatsOf,
  intOf,
  labelOf,
  makeNode,
  type Node,
  sizeOf,
  type Tensor,
  tensor,
  type Value,
} from "../../ir/index.ts";
import type { Store } from "../qdq/constant-store.ts";
import type { LayerReport } from "../report.ts";
import { groupParameters, limitsOf, quantizeValue, type Scheme } from "../scheme.ts";

/** Tables with fewer elements stay: the nodes that a lookup would need take more room. */
const SMALLEST_TABLE = 1024;

/** A lookup of rows of a constant matrix. */
export interface TableLookup {
  readonly node: Node;
  readonly table: Value;
  readonly indices: Value;
  readonly source: Tensor;
}

/** The lookup that a node is; `undefined` for other nodes, and for tables that are no float32 matrices or small. */
export function tableLookup(constant: ConstantLookup, node: Node): TableLookup | undefined {
  const [table, indices] = node.inputs;
  const isGather = node.opType === "Gather" && (node.domain === "" || node.domain === "ai.onnx");
  if (!isGather || !table || !indices || intOf(node, "axis", 0) !== 0 || constant(indices)) return undefined;
  const source = constant(table);
  if (source?.dtype !== "float32" || source.dims.length !== 2 || sizeOf(source.dims) < SMALLEST_TABLE) return undefined;
  return { node, table, indices, source };
}

/** Quantizes the rows as the channels of a product are, so that a table which is a matrix elsewhere is stored once. */
export function replaceLookup(draft: Draft, store: Store, lookup: TableLookup, bits: 8 | 7): LayerReport {
  const { node, table, indices, source } = lookup;
  const { data, scales } = quantizedRows(source, bits);
  const name = labelOf(node);
  const nodes: Node[] = [];
  const step = <K extends "Gather" | "Cast">(
    opType: K,
    inputs: Value[],
    output: Value,
    attributes: AttributesOf<K>,
  ): Value => {
    nodes.push(makeNode(opType, inputs, [output], { name: output.name, attributes }));
    return output;
  };
  const fresh = (suffix: string): Value => draft.value(`${name}_${suffix}`);
  const rows = store(table, `${table.name}_quantized`, data);
  const perRow = store(table, `${table.name}_scale`, scales);
  const integers = step("Gather", [rows, indices], fresh("quantized"), { axis: 0 });
  const scale = step("Gather", [perRow, indices], fresh("scale"), { axis: 0 });
  const real = step("Cast", [integers], fresh("cast"), { to: dataTypes.float32.code });
  nodes.push(makeNode("Mul", [real, scale], node.outputs, { name: node.name }));
  draft.replaceNode(node, ...nodes);
  return { node: name, opType: node.opType, quantized: true, bits, granularity: "row" };
}

function quantizedRows(source: Tensor, bits: 8 | 7): { data: Tensor; scales: Tensor } {
  const [rows = 0, columns = 0] = source.dims;
  const scheme: Scheme = {
    dtype: "int8",
    symmetric: true,
    granularity: { kind: "channel", axis: 0 },
    reducedRange: bits === 7,
  };
  const reals = floatsOf(source);
  const parameters = groupParameters(reals, source.dims, scheme);
  const limits = limitsOf(scheme);
  const values = new Int8Array(reals.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = quantizeValue(reals[i]!, nth(parameters, Math.floor(i / columns)), limits);
  }
  const scales = new Float32Array(parameters.length).map((_, i) => nth(parameters, i).scale);
  return { data: tensor("int8", [rows, columns], values), scales: tensor("float32", [rows, 1], scales) };
}
