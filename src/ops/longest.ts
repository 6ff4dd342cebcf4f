/** @file Lengths that the data decide, as long as they can be. */
import { nth } from "../checked.ts";
import { type Dim, elementCount, intOf, type Node, type ValueType } from "../ir/index.ts";
import { asTensor, axisIn, dimsOf } from "./dims.ts";
import type { NodeFacts, OpSpec } from "./spec.ts";
import { specOf } from "./spec-of.ts";

/** For each output the lengths that its axes do not pass. */
type Bounds = (facts: NodeFacts) => readonly (readonly Dim[] | undefined)[];

const all = (facts: NodeFacts): Dim => elementCount(dimsOf(facts, 0) ?? [""]) ?? "";

/** As long as the first input. */
const likeInput: Bounds = (facts) => facts.node.outputs.map(() => dimsOf(facts, 0));

const bounds: Readonly<Record<string, Bounds>> = {
  Split: likeInput,
  Slice: likeInput,
  TopK: likeInput,
  NonZero: (facts) => [[Math.max(1, dimsOf(facts, 0)?.length ?? 1), all(facts)]],
  Compress: (facts) => [intOf(facts.node, "axis") === undefined ? [all(facts)] : dimsOf(facts, 0)],
  Unique(facts) {
    const [axis, dims] = [intOf(facts.node, "axis"), dimsOf(facts, 0)];
    if (axis === undefined) return [[all(facts)], [all(facts)], [all(facts)], [all(facts)]];
    const length = dims ? [nth(dims, axisIn(axis, dims.length))] : undefined;
    return [dims, length, length, length];
  },
};

/** The entry of a node's operator, whose lengths are at their bounds where they are not known. */
export function longestSpec(node: Node): OpSpec | undefined {
  const spec = specOf(node);
  const bound = node.domain === "" ? bounds[node.opType] : undefined;
  if (!spec || !bound) return spec;
  return {
    ...spec,
    infer(context) {
      const limits = bound(context);
      return spec.infer(context).map((type, i) => within(type, limits[i]));
    },
  };
}

function within(type: ValueType | undefined, limits: readonly Dim[] | undefined): ValueType | undefined {
  const tensor = asTensor(type);
  if (!tensor?.dims || tensor.dims.length !== limits?.length) return type;
  return { ...tensor, dims: tensor.dims.map((dim, i) => (typeof dim === "number" ? dim : limits[i]!)) };
}
