/** @file Which axes survive a reshape, whole or as factors of others. */
import { type Dim, type Dims, elementCount, sameDim } from "../ir/index.ts";
import { end, same } from "./axes.ts";
import type { AxisEnd, AxisLink } from "./spec.ts";

interface Axis {
  readonly axis: number;
  readonly dim: Dim;
}

/**
 * Links of a reshape from `from` to `to`. Equal dims at both ends are the same axis; between them the lists fall into
 * groups of equal product, and one axis against many is split into (or merged from) them.
 */
export function reshapeLinks(from: Dims, to: Dims): AxisLink[] {
  const whole: AxisLink[] = [];
  let head = 0;
  const shorter = Math.min(from.length, to.length);
  while (head < shorter && sameDim(from[head]!, to[head]!)) {
    whole.push(same(end(0, head), end(0, head)));
    head++;
  }
  let tail = 0;
  while (tail < shorter - head && sameDim(from.at(-1 - tail)!, to.at(-1 - tail)!)) {
    tail++;
    whole.push(same(end(0, from.length - tail), end(0, to.length - tail)));
  }
  return [...whole, ...groupLinks(middle(from, head, tail), middle(to, head, tail))];
}

function middle(dims: Dims, head: number, tail: number): Axis[] {
  return dims.map((dim, axis) => ({ axis, dim })).slice(head, dims.length - tail);
}

function groupLinks(from: readonly Axis[], to: readonly Axis[]): AxisLink[] {
  const before = lengths(from);
  const after = lengths(to);
  if (before.includes(undefined) || after.includes(undefined)) return unknownGroup(from, to);
  const links: AxisLink[] = [];
  let [i, j] = [0, 0];
  while (i < from.length && j < to.length) {
    const [first, second] = [i, j];
    let left = before[i++]!;
    let right = after[j++]!;
    while (left !== right && (left < right ? i < from.length : j < to.length)) {
      if (left < right) left *= before[i++]!;
      else right *= after[j++]!;
    }
    if (left !== right) return links;
    for (const item of linksOfGroup(from.slice(first, i), to.slice(second, j))) links.push(item);
  }
  return links;
}

function lengths(axes: readonly Axis[]): (number | undefined)[] {
  return axes.map(({ dim }) => (typeof dim === "number" && dim > 0 ? dim : undefined));
}

/** One axis against several with an unknown one among them cannot be placed, save when it stands alone. */
function unknownGroup(from: readonly Axis[], to: readonly Axis[]): AxisLink[] {
  const [only] = from;
  return from.length === 1 && to.length === 1 && only ? [same(end(0, only.axis), end(0, to[0]!.axis))] : [];
}

function linksOfGroup(from: readonly Axis[], to: readonly Axis[]): AxisLink[] {
  const before = from.length > 1 && to.length > 1 ? from.filter(({ dim }) => dim !== 1) : from;
  const after = from.length > 1 && to.length > 1 ? to.filter(({ dim }) => dim !== 1) : to;
  const [source] = before;
  const [target] = after;
  if (!source || !target) return [];
  if (before.length === 1 && after.length === 1) return [same(end(0, source.axis), end(0, target.axis))];
  if (before.length === 1) return after.map((part, i) => same(factorOf(source.axis, after, i), end(0, part.axis)));
  if (after.length === 1) return before.map((part, i) => same(end(0, part.axis), factorOf(target.axis, before, i)));
  return [];
}

function factorOf(axis: number, parts: readonly Axis[], i: number): AxisEnd {
  const count = (some: readonly Axis[]): number => elementCount(some.map(({ dim }) => dim)) ?? 1;
  return end(0, axis, { outer: count(parts.slice(0, i)), inner: count(parts.slice(i + 1)) });
}
