/** @file Casts to the dtype that is there already, and casts after a cast that lost nothing. */
import { type DataType, dataTypes, intOf, type Node, type Value } from "../../ir/index.ts";
import { type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";

export const castToItself: Rule = {
  name: "cast-to-itself",
  roots: ["Cast"],
  apply(node, context) {
    const [x] = node.inputs;
    const from = dtypeOf(context, x);
    return x && from !== undefined && from === target(node) ? replaceBy(`it is ${from} already`, x) : undefined;
  },
};

export const castOfWideningCast: Rule = {
  name: "cast-of-widening-cast",
  roots: ["Cast"],
  apply(node, context) {
    const first = context.producer(node.inputs[0]);
    if (first?.opType !== "Cast" || first.domain !== "" || node.attributes.has("saturate")) return undefined;
    const [x] = first.inputs;
    const from = dtypeOf(context, x);
    const through = target(first);
    const to = target(node);
    if (!x || !from || !through || !to || to === "string" || !holds(through, from)) return undefined;
    return replaceBy(
      `${through} holds every ${from}`,
      from === to ? x : context.g.op("Cast", [x], { to: dataTypes[to].code }),
    );
  },
};

function dtypeOf(context: RuleContext, value: Value | undefined): DataType | undefined {
  const type = context.type(value);
  return type?.kind === "tensor" ? type.dtype : undefined;
}

function target(node: Node): DataType | undefined {
  if (node.attributes.get("to")?.type !== "int") return undefined;
  const code = intOf(node, "to");
  return (Object.keys(dataTypes) as DataType[]).find((dtype) => dataTypes[dtype].code === code);
}

/** Bits of the significand, the leading one included, of the float types that widen. */
const precision = new Map<DataType, number>([
  ["float16", 11],
  ["bfloat16", 8],
  ["float32", 24],
  ["float64", 53],
]);

const wider = new Map<DataType, readonly DataType[]>([
  ["float16", ["float32", "float64"]],
  ["bfloat16", ["float32", "float64"]],
  ["float32", ["float64"]],
]);

/** Whether every value of `inner` has an equal in `outer`. */
function holds(outer: DataType, inner: DataType): boolean {
  if (outer === inner) return true;
  const { kind, bits } = dataTypes[inner];
  const target = dataTypes[outer];
  if (kind === "float") return wider.get(inner)?.includes(outer) ?? false;
  if (kind !== "int" && kind !== "uint") return false;
  if (target.kind === "float") return bits <= (precision.get(outer) ?? 0) && outer !== "float16";
  if (target.kind === "int") return bits + (kind === "uint" ? 1 : 0) <= target.bits;
  return target.kind === "uint" && kind === "uint" && bits <= target.bits;
}
