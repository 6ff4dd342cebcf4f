/** @file Gradients of convolutions and pools whose lengths only a run knows: pads and cuts are computed in the graph. */
import { nth } from "../../checked.ts";
import { boundedSize, intOf, intsOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";

/** Windows over spatial axes of any length; vectors of one number for each of them. */
export interface OpenWindows {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly kernel: Value;
  /** Padding before and after each axis. */
  readonly begin: Value;
  readonly end: Value;
}

interface Lengths {
  readonly kernel: Value;
  /** Of the longer side (the input of a convolution) and of the shorter one (its output). */
  readonly from: Value;
  readonly to: Value;
}

/** The windows of a Conv or pool. */
export function openWindows(g: GradientBuilder, node: Node, lengths: Lengths, rank: number): OpenWindows {
  const steps = stepsOf(node, rank);
  const pads = intsOf(node, "pads") ?? new Array<number>(2 * rank).fill(0);
  const how = stringOf(node, "auto_pad", "NOTSET");
  if (how.startsWith("SAME"))
    return { ...steps, kernel: lengths.kernel, ...shared(g, how, missing(g, steps, lengths)) };
  const given = how === "VALID" ? pads.map(() => 0) : pads;
  return { ...steps, kernel: lengths.kernel, begin: g.ints(given.slice(0, rank)), end: g.ints(given.slice(rank)) };
}

/** The windows of a ConvTranspose, as of the convolution that leads back. */
export function openTransposedWindows(g: GradientBuilder, node: Node, lengths: Lengths, rank: number): OpenWindows {
  const how = stringOf(node, "auto_pad", "NOTSET");
  const isGiven = !intsOf(node, "output_shape") && !how.startsWith("SAME");
  if (isGiven) return openWindows(g, node, lengths, rank);
  const steps = stepsOf(node, rank);
  const extra = intsOf(node, "output_padding") ?? new Array<number>(rank).fill(0);
  return { ...steps, kernel: lengths.kernel, ...shared(g, how, missing(g, steps, lengths, extra)) };
}

function stepsOf(node: Node, rank: number): Pick<OpenWindows, "strides" | "dilations"> {
  const ones = new Array<number>(rank).fill(1);
  return { strides: intsOf(node, "strides") ?? ones, dilations: intsOf(node, "dilations") ?? ones };
}

/** How much padding makes `to` windows of `from` elements: stride·(to − 1) + reach + extra − from, not less than none. */
function missing(
  g: GradientBuilder,
  { strides, dilations }: Pick<OpenWindows, "strides" | "dilations">,
  { kernel, from, to }: Lengths,
  extra: readonly number[] = strides.map(() => 0),
): Value {
  const one = g.ints([1]);
  const covered = g.mul(g.sub(to, one), g.ints(strides));
  const reach = g.add(g.mul(g.sub(kernel, one), g.ints(dilations)), g.ints(extra.map((n) => n + 1)));
  return g.max(g.sub(g.add(covered, reach), from), g.ints([0]));
}

/** The odd element goes behind for SAME_UPPER, else before. */
function shared(g: GradientBuilder, how: string, total: Value): Pick<OpenWindows, "begin" | "end"> {
  const less = g.div(total, g.ints([2]));
  const more = g.sub(total, less);
  return how === "SAME_UPPER" ? { begin: less, end: more } : { begin: more, end: less };
}

/** Elements from `begin` on, `lengths` of them, along the spatial axes. */
function cut(g: GradientBuilder, x: Value, begin: Value, lengths: Value): Value {
  const axes = Array.from({ length: g.rank(x) - 2 }, (_, i) => i + 2);
  return g.op("Slice", [x, begin, g.add(begin, lengths), g.ints(axes)]);
}

function padded(g: GradientBuilder, x: Value, begin: Value, end: Value, value?: Value): Value {
  const none = g.ints([0, 0]);
  return g.op("Pad", [x, g.concat([none, begin, none, end], 0), value]);
}

/** The sum over all windows of w at the places of dy, cut to the lengths of x. */
function spread(g: GradientBuilder, dy: Value, w: Value, lengths: Value, windows: OpenWindows, group: number): Value {
  const { strides, dilations, begin } = windows;
  const full = g.op("ConvTranspose", [dy, w], { strides, dilations, group });
  // The last stride may leave elements of x that no window reaches.
  const none = g.ints(strides.map(() => 0));
  const rest = strides.map((stride) => stride - 1);
  const long = rest.some((n) => n > 0) ? padded(g, full, none, g.ints(rest)) : full;
  return cut(g, long, begin, lengths);
}

export function openInputGradient(
  g: GradientBuilder,
  { x, w, dy }: { x: Value; w: Value; dy: Value },
  windows: OpenWindows,
  group: number,
): Value {
  return spread(g, dy, w, g.lengths(x, 2), windows, group);
}

/** The convolution of x with dy, batch and channels exchanged, strides and dilations too. */
export function openWeightGradient(
  g: GradientBuilder,
  { x, w, dy }: { x: Value; w: Value; dy: Value },
  { strides, dilations, begin, end, kernel }: OpenWindows,
  group: number,
): Value {
  const swap = [1, 0, ...strides.map((_, i) => i + 2)];
  const long = padded(g, x, begin, end);
  const images = group === 1 ? g.transpose(long, swap) : groupedImages(g, long, w, group);
  const attributes = { strides: dilations, dilations: strides, group };
  const all = g.op("Conv", [images, g.transpose(dy, swap)], attributes);
  return g.reshapeLike(g.transpose(cut(g, all, g.ints(strides.map(() => 0)), kernel), swap), w);
}

/** [N, g·C, …] → [C, g·N, …]: each group's batch becomes its channels. */
function groupedImages(g: GradientBuilder, x: Value, w: Value, group: number): Value {
  const [batch, channels, spatial] = [g.lengths(x, 0, 1), g.lengths(w, 1, 2), g.lengths(x, 2)];
  const rank = g.rank(x);
  const open = g.op("Reshape", [x, g.concat([batch, g.ints([group]), channels, spatial], 0)]);
  const swapped = g.transpose(open, [2, 1, 0, ...Array.from({ length: rank - 2 }, (_, i) => i + 3)]);
  return g.op("Reshape", [swapped, g.concat([channels, g.ints([-1]), spatial], 0)]);
}

/** y = ConvTranspose(x, w): dx is the convolution of the padded dy, of which x may have met a part. */
export function openTransposedInput(
  g: GradientBuilder,
  { x, w, dy }: { x: Value; w: Value; dy: Value },
  { strides, dilations, begin, end }: OpenWindows,
  group: number,
): Value {
  const all = g.op("Conv", [padded(g, dy, begin, end), w], { strides, dilations, group });
  return cut(g, all, g.ints(strides.map(() => 0)), g.lengths(x, 2));
}

/** Adds each element of dy to all positions of its window, plane by plane. */
export function openSpread(g: GradientBuilder, node: Node, x: Value, dy: Value): Value {
  const { windows, ones } = poolWindows(g, node, x, dy);
  const planes = g.op("Reshape", [dy, g.concat([g.ints([-1, 1]), g.lengths(dy, 2)], 0)]);
  return g.reshapeLike(spread(g, planes, ones, g.lengths(x, 2), windows, 1), x);
}

/** How many elements each window of a pool holds, [1, 1, …]; padding counts where the node says so. */
export function openCounts(g: GradientBuilder, node: Node, x: Value, dy: Value): Value {
  const { windows, ones, kernel } = poolWindows(g, node, x, dy);
  const { strides, dilations, begin, end } = windows;
  const none = g.ints(kernel.map(() => 0));
  const counted = g.number(intOf(node, "count_include_pad", 0) === 1 ? 1 : 0, dy);
  const plane = g.expand(g.number(1, dy), g.concat([g.ints([1, 1]), g.lengths(x, 2)], 0));
  // Beyond the padding lie the windows that only rounding up makes.
  const beyond = kernel.map((k, i) => (k - 1) * nth(dilations, i) + nth(strides, i));
  const field = padded(g, padded(g, plane, begin, end, counted), none, g.ints(beyond));
  return cut(g, g.op("Conv", [field, ones], { strides, dilations }), none, g.lengths(dy, 2));
}

function poolWindows(g: GradientBuilder, node: Node, x: Value, y: Value) {
  const kernel = intsOf(node, "kernel_shape") ?? [];
  const lengths = { kernel: g.ints(kernel), from: g.lengths(x, 2), to: g.lengths(y, 2) };
  const size = kernel.reduce((n, k) => n * k, 1);
  const ones = g.matrix(y, [1, 1, ...kernel], new Array<number>(boundedSize(size)).fill(1));
  return { windows: openWindows(g, node, lengths, kernel.length), ones, kernel };
}
