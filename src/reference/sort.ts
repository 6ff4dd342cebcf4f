/** @file Sorting: the largest of a line, and the distinct elements. */
import { atLeast, nth } from "../checked.ts";
import { intOf, sizeOf } from "../ir/index.ts";
import { bounded, type Dense, dense, numbers, select } from "./dense.ts";
import { concatenated, forEachLine, linesOf, normalAxis, sliced } from "./indexing.ts";
import { type Call, inputOf, type Kernels, scalarInput } from "./kernel.ts";

/** The k best of every line with their positions; of equals the first. */
function topK(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const { node } = call;
  const axis = normalAxis(intOf(node, "axis", -1), x.dims.length);
  const k = scalarInput(call, 1, intOf(node, "k", 1));
  const sign = intOf(node, "largest", 1) === 1 ? 1 : -1;
  const { length, inner } = linesOf(x.dims, axis);
  const dims = x.dims.with(axis, k);
  const source = new Int32Array(bounded(sizeOf(dims)));
  const positions = new Float64Array(bounded(sizeOf(dims)));
  const data = x.data;
  forEachLine(x.dims, axis, (start, step, line) => {
    const order = Array.from({ length }, (_, i) => i).sort((a, b) => {
      const [left, right] = [data[start + a * step]!, data[start + b * step]!];
      return left === right ? a - b : left > right ? -sign : sign;
    });
    order.slice(0, k).forEach((position, i) => {
      const to = Math.floor(line / inner) * k * inner + i * inner + (line % inner);
      source[to] = start + position * step;
      positions[to] = position;
    });
  });
  return [select(x, dims, source), dense("int64", dims, positions)];
}

/** The distinct elements, or slices along an axis; where each first occurs, which one each is, and how often. */
function unique(call: Call): Dense[] {
  const given = intOf(call.node, "axis");
  const x = given === undefined ? { ...inputOf(call, 0), dims: [sizeOf(inputOf(call, 0).dims)] } : inputOf(call, 0);
  const axis = normalAxis(given ?? 0, x.dims.length);
  const slices = Array.from({ length: nth(x.dims, axis) }, (_, i) => sliced(x, axis, i, 1));
  const firsts: number[] = [];
  const which = slices.map((slice, i) => {
    const known = firsts.findIndex((first) => compare(nth(slices, first), slice) === 0);
    return known < 0 ? firsts.push(i) - 1 : known;
  });
  const order = [...firsts.keys()];
  if (intOf(call.node, "sorted", 1) === 1)
    order.sort((a, b) => compare(nth(slices, nth(firsts, a)), nth(slices, nth(firsts, b))));
  const ranks = order.map((_, group) => order.indexOf(group));
  const list = (values: readonly number[]): Dense => dense("int64", [values.length], values);
  return [
    concatenated(
      order.map((group) => nth(slices, nth(firsts, group))),
      axis,
    ),
    list(order.map((group) => nth(firsts, group))),
    list(which.map((group) => nth(ranks, group))),
    list(order.map((group) => which.filter((other) => other === group).length)),
  ];
}

/** Lexicographic order of the elements. */
function compare(a: Dense, b: Dense): number {
  for (let i = 0; i < a.data.length; i++) {
    const [left, right] = [a.data[i]!, b.data[i]!];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** Greedy choice of boxes by score, each class of each batch entry apart; boxes that overlap a chosen one too much fall out. */
function nonMaxSuppression(call: Call): Dense {
  const [boxes, scores] = [inputOf(call, 0), inputOf(call, 1)];
  const limit = scalarInput(call, 2, 0);
  const overlapLimit = scalarInput(call, 3, 0);
  const threshold = scalarInput(call, 4, Number.NEGATIVE_INFINITY);
  const centred = intOf(call.node, "center_point_box", 0) === 1;
  const [batch, classes, count] = atLeast(scores.dims, 3);
  const values = numbers(scores);
  const cornersAt = (n: number, i: number): Corners =>
    corners([...numbers(boxes).subarray((n * count + i) * 4, (n * count + i + 1) * 4)], centred);
  const rows: number[] = [];
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < classes; c++) {
      const score = (i: number): number => values[(n * classes + c) * count + i]!;
      const candidates = Array.from({ length: count }, (_, i) => i)
        .filter((i) => score(i) > threshold)
        .sort((a, b) => score(b) - score(a) || a - b);
      const chosen: number[] = [];
      for (const i of candidates) {
        if (chosen.length >= limit) break;
        if (chosen.every((other) => overlap(cornersAt(n, i), cornersAt(n, other)) <= overlapLimit)) chosen.push(i);
      }
      for (const item of chosen.flatMap((i) => [n, c, i])) rows.push(item);
    }
  }
  return dense("int64", [rows.length / 3, 3], rows);
}

interface Corners {
  readonly low: readonly [number, number];
  readonly high: readonly [number, number];
}

function corners([a, b, c, d]: readonly number[], centred: boolean): Corners {
  if (centred) return { low: [a! - c! / 2, b! - d! / 2], high: [a! + c! / 2, b! + d! / 2] };
  return { low: [Math.min(a!, c!), Math.min(b!, d!)], high: [Math.max(a!, c!), Math.max(b!, d!)] };
}

/** Intersection over union. */
function overlap(a: Corners, b: Corners): number {
  const side = (axis: 0 | 1): number =>
    Math.max(0, Math.min(a.high[axis], b.high[axis]) - Math.max(a.low[axis], b.low[axis]));
  const area = ({ low, high }: Corners): number => (high[0] - low[0]) * (high[1] - low[1]);
  const shared = side(0) * side(1);
  return shared === 0 ? 0 : shared / (area(a) + area(b) - shared);
}

export const sorts = { TopK: topK, Unique: unique, NonMaxSuppression: nonMaxSuppression } satisfies Kernels;
