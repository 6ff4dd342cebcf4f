/** @file What pairwise cases are known to meet: faults of the runtime, and gradients that lithe refuses with a reason. */
import type { PairCase } from "./family.ts";

interface Known {
  readonly reason: string;
  applies(one: PairCase): boolean;
}

const known: readonly Known[] = [
  {
    reason:
      "SAME padding of a pool whose stride exceeds its kernel is negative in the runtime: refused, or windows are moved",
    applies: ({ op, attributes }) => {
      const { kernel_shape: kernel = [], strides = [], auto_pad } = attributes as Readonly<Record<string, number[]>>;
      const isSame = String(auto_pad).startsWith("SAME");
      return op.endsWith("Pool") && isSame && kernel.some((k, i) => k < (strides[i] ?? 1));
    },
  },
  {
    reason: "MaxUnpool with an output_shape moves the elements of every channel but the first in the runtime",
    applies: ({ op, inputs }) => op === "MaxUnpool" && inputs[2] !== undefined && inputs[0]!.dims[1]! > 1,
  },
  {
    reason: "Resize that keeps an aspect ratio over negative axes leaves the input as it is in the runtime",
    applies({ op, attributes }) {
      const { axes = [], keep_aspect_ratio_policy: policy = "stretch" } = attributes as {
        axes?: number[];
        keep_aspect_ratio_policy?: string;
      };
      return op === "Resize" && policy !== "stretch" && axes.some((axis) => axis < 0);
    },
  },
  {
    reason: "a product over no elements is left unwritten by the runtime",
    applies: ({ op, inputs }) => op === "MatMul" && inputs.some((input) => input?.dims.includes(0)),
  },
  {
    reason: "the mean of no elements is undefined by the standard: 0 in the runtime, not a number in the evaluator",
    applies: ({ op, inputs }) => op === "ReduceMean" && isReducedToNothing(inputs),
  },
  {
    reason:
      "Expand of an axis of length 1 to length 0, as the gradient of a sum needs it, keeps its length in the runtime",
    applies: ({ op, inputs }) => op === "ReduceSum" && isReducedToNothing(inputs),
  },
];

/** Whether an axis that is reduced has no elements. */
function isReducedToNothing([data, axes]: PairCase["inputs"]): boolean {
  return axes?.values?.some((axis) => data!.dims.at(axis) === 0) ?? false;
}

export function knownDifference(one: PairCase): string | undefined {
  return known.find(({ applies }) => applies(one))?.reason;
}

/** Words of the errors by which lithe says that it gives no gradient. */
export const refusals: readonly string[] = [
  "the equation has an ellipsis",
  "an operand repeats a label",
  "has no gradient with both softcap and a mask",
  "DequantizeLinear in blocks has no gradient",
  "Resize has no gradient with this setting",
  "expected nearest or linear interpolation",
  "has no gradient with this activation",
  "its definition at opset 18 changed in opset 21",
];
