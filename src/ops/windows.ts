/** @file Sliding windows, as convolutions and pools have them: pads, strides, dilations, and the lengths that follow. */
import { ShapeError } from "../errors.ts";
import { type Dim, type Dims, intOf, intsOf, type Node, stringOf, UNKNOWN_DIM } from "../ir/index.ts";
import { mapDim, productDims } from "./dims.ts";

export interface Window {
  readonly kernel: Dims;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before each axis, then after each axis. */
  readonly pads: readonly number[];
  readonly autoPad: string;
  readonly ceil: boolean;
}

export function windowOf(node: Node, kernel: Dims): Window {
  const rank = kernel.length;
  const ones = Array<number>(rank).fill(1);
  return {
    kernel,
    strides: checked(node, "strides", ones, 1),
    dilations: checked(node, "dilations", ones, 1),
    pads: checked(node, "pads", Array<number>(2 * rank).fill(0), Number.NEGATIVE_INFINITY),
    autoPad: stringOf(node, "auto_pad", "NOTSET"),
    ceil: intOf(node, "ceil_mode", 0) === 1,
  };
}

function checked(node: Node, name: string, fallback: readonly number[], least: number): readonly number[] {
  const given = intsOf(node, name);
  if (!given || given.length === 0) return fallback;
  if (given.length === fallback.length && given.every((item) => item >= least)) return given;
  throw new ShapeError(`${name} do not fit the spatial axes`, {
    expected: `${fallback.length} numbers${least > 0 ? ` of at least ${least}` : ""}`,
    got: `[${given.join(", ")}]`,
  });
}

/** Number of windows along each spatial axis. */
export function windowCounts(dims: Dims, window: Window): Dim[] {
  return dims.map((dim, i) => windowCount(dim, window, i));
}

function windowCount(dim: Dim, { kernel, strides, dilations, pads, autoPad, ceil }: Window, i: number): Dim {
  const stride = strides[i]!;
  if (autoPad.startsWith("SAME")) return stride === 1 ? dim : mapDim(dim, (length) => Math.ceil(length / stride));
  const size = kernel[i] ?? UNKNOWN_DIM;
  if (typeof size !== "number") return UNKNOWN_DIM;
  const span = dilations[i]! * (size - 1) + 1;
  const before = autoPad === "VALID" ? 0 : pads[i]!;
  const after = autoPad === "VALID" ? 0 : pads[i + kernel.length]!;
  if (typeof dim !== "number") return stride === 1 && before + after === span - 1 ? dim : UNKNOWN_DIM;
  const room = dim + before + after - span;
  if (room < 0) {
    throw new ShapeError("a window is larger than its padded input", {
      expected: `at most ${dim + before + after}`,
      got: `${span}`,
    });
  }
  if (!ceil) return Math.floor(room / stride) + 1;
  const count = Math.ceil(room / stride) + 1;
  // A last window that would start in the padding after the input is left out.
  return (count - 1) * stride >= dim + before ? count - 1 : count;
}

/** Spatial lengths of a transposed convolution: each input position spreads a window. */
export function spreadLengths(dims: Dims, window: Window, extra: readonly number[]): Dim[] {
  return dims.map((dim, i) => {
    const stride = window.strides[i]!;
    const isSame = window.autoPad.startsWith("SAME");
    const size = window.kernel[i] ?? UNKNOWN_DIM;
    if (typeof size !== "number") return isSame && stride === 1 ? dim : UNKNOWN_DIM;
    const span = window.dilations[i]! * (size - 1) + 1;
    const cut = window.autoPad === "NOTSET" ? window.pads[i]! + window.pads[i + window.kernel.length]! : 0;
    const natural = span - stride - cut + (extra[i] ?? 0);
    // SAME cuts down to a multiple of the stride and never adds to what the windows cover.
    const added = isSame ? Math.min(0, natural) : natural;
    return added === 0 ? productDims([dim, stride]) : mapDim(dim, (length) => stride * length + added);
  });
}
