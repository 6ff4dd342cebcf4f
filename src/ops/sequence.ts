/** @file Sequences and optionals. */
import { nth } from "../checked.ts";
import { type Dim, intOf, tensorType, UNKNOWN_DIM, type ValueType } from "../ir/index.ts";
import { noAxes, opaqueAxes } from "./axes.ts";
import { dtypeAttribute } from "./constant.ts";
import { noCost } from "./cost.ts";
import { asTensor, axisIn, dimsOf, dtypeOf, integers, joinTypes, typed } from "./dims.ts";
import type { InferContext, InferRule, OpSpec } from "./spec.ts";

const plain = { axes: opaqueAxes, cost: noCost, exactness: "exact" } as const;

function sequence(element: ValueType | undefined): ValueType {
  return { kind: "sequence", element };
}

function elementOf(type: ValueType | undefined): ValueType | undefined {
  return type?.kind === "sequence" || type?.kind === "optional" ? type.element : undefined;
}

const inferConstruct: InferRule = (context) => {
  const types = context.node.inputs.map((_, i) => context.input(i));
  return [sequence(types.reduce((a, b) => joinTypes(a, b)))];
};

/** An empty sequence says nothing of its elements' dims. */
const inferInsert: InferRule = (context) => {
  const held = elementOf(context.input(0));
  const added = context.input(1);
  return [sequence(held ? joinTypes(held, added) : typed(asTensor(added)?.dtype))];
};

/** Parts along the axis, each as long as `split` says; one by one when it is absent, and then perhaps without the axis. */
const inferSplit: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const dtype = dtypeOf(context, 0);
  if (!dims) return [sequence(typed(dtype))];
  const axis = axisIn(intOf(context.node, "axis", 0), dims.length);
  if (!context.node.inputs[1]) {
    const keep = intOf(context.node, "keepdims", 1) === 1;
    return [sequence(typed(dtype, keep ? dims.with(axis, 1) : dims.toSpliced(axis, 1)))];
  }
  return [sequence(typed(dtype, dims.with(axis, partLength(context, nth(dims, axis)))))];
};

/** The common length of all parts, if they have one. */
function partLength(context: InferContext, whole: Dim): Dim {
  const parts = integers(context, 1);
  if (!parts || parts.length === 0) return UNKNOWN_DIM;
  if (dimsOf(context, 1)?.length === 1) return parts.every((part) => part === parts[0]) ? parts[0]! : UNKNOWN_DIM;
  return typeof whole === "number" && whole % parts[0]! === 0 ? parts[0]! : UNKNOWN_DIM;
}

const inferJoin: InferRule = (context) => {
  const element = asTensor(elementOf(context.input(0)));
  if (!element?.dims) return [typed(element?.dtype)];
  const stack = intOf(context.node, "new_axis", 0) === 1;
  const rank = element.dims.length + (stack ? 1 : 0);
  const axis = axisIn(intOf(context.node, "axis", 0), rank);
  const dims = stack ? element.dims.toSpliced(axis, 0, UNKNOWN_DIM) : element.dims.with(axis, UNKNOWN_DIM);
  return [typed(element.dtype, dims)];
};

const inferOptional: InferRule = (context) => {
  const declared = context.node.attributes.get("type");
  const element = context.node.inputs[0] ? context.input(0) : declared?.type === "type" ? declared.value : undefined;
  return [{ kind: "optional", element }];
};

export const sequenceOps = {
  SequenceEmpty: {
    since: [11],
    infer: ({ node }) => [sequence(tensorType(dtypeAttribute(node, "dtype") ?? "float32"))],
    ...plain,
  },
  SequenceConstruct: { since: [11], infer: inferConstruct, ...plain },
  SequenceInsert: { since: [11], infer: inferInsert, ...plain },
  SequenceErase: { since: [11], infer: (context) => [context.input(0)], ...plain },
  SequenceAt: { since: [11], infer: (context) => [elementOf(context.input(0))], ...plain },
  SequenceLength: { since: [11], infer: () => [tensorType("int64", [])], ...plain, axes: noAxes },
  SplitToSequence: { since: [11, 24], infer: inferSplit, ...plain },
  ConcatFromSequence: { since: [11], infer: inferJoin, ...plain },
  Optional: { since: [15, 28], infer: inferOptional, ...plain },
  OptionalGetElement: {
    since: [15, 18, 28],
    infer: (context) => {
      const type = context.input(0);
      return [type?.kind === "optional" ? type.element : type];
    },
    ...plain,
  },
  OptionalHasElement: { since: [15, 18, 28], infer: () => [tensorType("bool", [])], ...plain, axes: noAxes },
} satisfies Record<string, OpSpec>;
