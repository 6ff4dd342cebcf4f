/** @file From opsets above 21 back to 21: which nodes mean the same there. */
import {
  type DataType,
  dataTypes,
  exactBigint,
  type Initializer,
  isSparse,
  type Node,
  stringOf,
  type Value,
} from "../../ir/index.ts";
import { operatorsOf21 } from "./operators.ts";

/** Attributes that were added after opset 21, with the value at which they change nothing. */
const addedAttributes = {
  Cast: { round_mode: "up" },
  DequantizeLinear: { output_dtype: 0 },
  QuantizeLinear: { precision: 0 },
} as const satisfies Record<string, Readonly<Record<string, string | number>>>;

const added = new Map<string, Readonly<Record<string, string | number>>>(Object.entries(addedAttributes));

/** Types that came with later IR versions. */
const laterTypes: ReadonlySet<DataType> = new Set(["float4e2m1", "float8e8m0", "uint2", "int2"]);
const laterCodes: ReadonlySet<bigint> = new Set([...laterTypes].map((dtype) => exactBigint(dataTypes[dtype].code)));

/** The type of later IR versions that a value has, if any. */
export function laterTypeOf(value: Value, data: Initializer | undefined): DataType | undefined {
  const declared = value.type && "dtype" in value.type ? value.type.dtype : undefined;
  const stored = data && (isSparse(data) ? data.values.dtype : data.dtype);
  return [declared, stored].find((dtype) => dtype !== undefined && laterTypes.has(dtype));
}

/** What keeps a node of a later opset from being read at opset 21; nothing when its definition there is equal. */
export function laterThan21(node: Node): string | undefined {
  if (!operatorsOf21.has(node.opType)) return "it is not an operator of opset 21";
  for (const [name, neutral] of Object.entries(added.get(node.opType) ?? {})) {
    const attribute = node.attributes.get(name);
    if (!attribute || isNeutral(node, name, neutral)) continue;
    return `its attribute "${name}" came after opset 21`;
  }
  const target = node.attributes.get("to") ?? node.attributes.get("output_dtype");
  if (target?.type === "int" && laterCodes.has(target.value)) return "it makes a type that came after opset 21";
  return undefined;
}

/** Attributes of later definitions, which opset 21 would refuse even where they change nothing. */
export function withoutLaterAttributes(node: Node): Node {
  const later = Object.keys(added.get(node.opType) ?? {}).filter((name) => node.attributes.has(name));
  if (later.length === 0) return node;
  const attributes = new Map(node.attributes);
  for (const name of later) attributes.delete(name);
  return { ...node, attributes };
}

function isNeutral(node: Node, name: string, neutral: string | number): boolean {
  const attribute = node.attributes.get(name);
  if (typeof neutral === "string") return attribute?.type === "string" && stringOf(node, name) === neutral;
  return attribute?.type === "int" && attribute.value === exactBigint(neutral);
}
