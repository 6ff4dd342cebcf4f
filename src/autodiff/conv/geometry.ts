/** @file The numbers of a convolution, with automatic padding made explicit. */
import { atLeast, nth } from "../../checked.ts";
import { type Dim, type Dims, intOf, intsOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import { isStatic } from "../typed.ts";

/** Knows the dims of values. */
interface Measuring {
  dims(x: Value): Dims;
}

/** Windows that slide over the spatial axes. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after each spatial axis. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

export interface ConvGeometry extends Windows {
  readonly batch: Dim;
  readonly group: number;
  /** Channels of one group, in and out. */
  readonly inputs: number;
  readonly outputs: number;
  /** Spatial lengths of x and y. */
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Of y = Conv(x, w); `undefined` unless all dims but the batch are known. */
export function convGeometry(g: Measuring, node: Node, x: Value, w: Value, y: Value): ConvGeometry | undefined {
  const [batch, , ...from] = atLeast(g.dims(x), 1);
  const [weight, lengths, to] = [numbers(g.dims(w)), numbers(from), numbers(g.dims(y).slice(2))];
  if (!weight || !lengths || !to) return undefined;
  const [outputs, inputs, ...kernel] = atLeast(weight, 2);
  const group = intOf(node, "group", 1);
  const windows = windowsOf(node, kernel, lengths);
  return { ...windows, batch: batch, group, inputs: inputs, outputs: outputs / group, from: lengths, to };
}

export interface PoolGeometry extends Windows {
  readonly batch: Dim;
  readonly channels: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Of y = pool(x); `undefined` unless all dims but the batch are known. */
export function poolGeometry(g: Measuring, node: Node, x: Value, y: Value): PoolGeometry | undefined {
  const [batch, ...rest] = atLeast(g.dims(x), 1);
  const [planes, to] = [numbers(rest), numbers(g.dims(y).slice(2))];
  if (!planes || !to) return undefined;
  const [channels, ...from] = atLeast(planes, 1);
  const kernel = intsOf(node, "kernel_shape") ?? [];
  return { ...windowsOf(node, kernel, from), batch: batch, channels: channels, from, to };
}

/** Whether the windows lie side by side and cover the input exactly. */
export function isTiling({ kernel, strides, dilations, begin, end, from, to }: PoolGeometry): boolean {
  return kernel.every(
    (k, i) =>
      k === strides[i] &&
      (dilations[i] === 1 || k === 1) &&
      begin[i] === 0 &&
      end[i] === 0 &&
      from[i] === k * nth(to, i),
  );
}

/** Strides, dilations and explicit padding of a Conv or pool node. */
export function windowsOf(node: Node, kernel: readonly number[], from: readonly number[]): Windows {
  const ones = kernel.map(() => 1);
  const strides = intsOf(node, "strides") ?? ones;
  const dilations = intsOf(node, "dilations") ?? ones;
  const automatic = stringOf(node, "auto_pad", "NOTSET");
  const pads = intsOf(node, "pads") ?? kernel.flatMap(() => [0, 0]);
  if (automatic === "NOTSET")
    return { kernel, strides, dilations, begin: pads.slice(0, kernel.length), end: pads.slice(kernel.length) };
  if (automatic === "VALID")
    return { kernel, strides, dilations, begin: kernel.map(() => 0), end: kernel.map(() => 0) };
  const total = kernel.map((k, i) => {
    const length = Math.ceil(nth(from, i) / nth(strides, i));
    return Math.max(0, (length - 1) * nth(strides, i) + (k - 1) * nth(dilations, i) + 1 - nth(from, i));
  });
  const less = total.map((amount) => Math.floor(amount / 2));
  const more = total.map((amount, i) => amount - nth(less, i));
  const isUpper = automatic === "SAME_UPPER";
  return { kernel, strides, dilations, begin: isUpper ? less : more, end: isUpper ? more : less };
}

/** The dims where all of them are known. */
export function numbers(dims: readonly Dim[]): readonly number[] | undefined {
  return isStatic(dims) ? dims : undefined;
}

/** Length of a window along each axis, dilation included. */
export function reach({ kernel, dilations }: Windows): number[] {
  return kernel.map((k, i) => (k - 1) * nth(dilations, i) + 1);
}

export function isPointwise({ kernel, strides, begin, end }: Windows): boolean {
  return [...kernel, ...strides].every((n) => n === 1) && [...begin, ...end].every((n) => n === 0);
}

export function product(factors: readonly number[]): number {
  return factors.reduce((result, factor) => result * factor, 1);
}
