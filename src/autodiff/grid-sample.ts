/** @file GridSample as gathers: each sample is the weighted sum of the corners around it. */
import { atLeast, nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import { type Dims, describeNode, elementCount, intOf, type Node, stringOf, type Value } from "../ir/index.ts";
import type { GradientBuilder } from "./gradient-builder.ts";
import type { Expansion } from "./rule.ts";
import { isStatic } from "./typed.ts";

/** One neighbour along one axis: its position inside the axis, and its weight, each [N, samples]. */
interface Neighbour {
  readonly place: Value;
  readonly weight: Value;
}

export const gridSample: Expansion = (g, node) => {
  const [x, grid] = node.inputs;
  if (!x || !grid) return [];
  const [batch, channels, ...rest] = atLeast(g.dims(x), 1);
  const lengths: Dims = rest;
  if (!isStatic(lengths) || typeof channels !== "number") throw unsupported(node, "known dims beside the batch", "");
  const [, ...samples] = g.dims(grid).slice(0, -1);
  const flat = g.op("Reshape", [grid, g.ints([0, -1, lengths.length])]);
  const coordinates = g.ops("Split", [flat, g.ints(lengths.map(() => 1))], lengths.length, { axis: 2 });
  const perAxis = lengths.map((length, i) => {
    const coordinate = g.squeeze(nth(coordinates, lengths.length - 1 - i), [2]);
    return neighbours(g, node, coordinate, length);
  });
  const image = g.reshape(x, [batch, channels, elementCount(lengths)!]);
  const parts = corners(perAxis).map((corner) => cornerPart(g, image, corner, lengths));
  const sum = parts.reduce((a, b) => g.add(a, b));
  return [g.op("Reshape", [sum, g.shapeFrom([batch, channels, ...samples], x, grid)])];
};

function corners(perAxis: readonly (readonly Neighbour[])[]): Neighbour[][] {
  return perAxis.reduce<Neighbour[][]>(
    (list, axis) => list.flatMap((head) => axis.map((next) => [...head, next])),
    [[]],
  );
}

/** [N, C, samples]: the image at one corner of every sample, times its weight. */
function cornerPart(g: GradientBuilder, image: Value, corner: readonly Neighbour[], lengths: readonly number[]): Value {
  const flat = corner
    .map(({ place }, i) =>
      g.scale(
        place,
        lengths.slice(i + 1).reduce((n, d) => n * d, 1),
      ),
    )
    .reduce((a, b) => g.add(a, b));
  const weight = corner.map((side) => side.weight).reduce((a, b) => g.mul(a, b));
  const place = g.unsqueeze(g.cast(flat, "int64"), [1]);
  const [batch, channels] = atLeast(g.dims(image), 2);
  const shape = g.concat([g.shapeFrom([batch, channels], image), g.op("Shape", [place], { start: 2 })], 0);
  const picked = g.op("GatherElements", [image, g.expand(place, shape)], { axis: 2 });
  return g.mul(picked, g.unsqueeze(weight, [1]));
}

function neighbours(g: GradientBuilder, node: Node, normalized: Value, length: number): Neighbour[] {
  const isAligned = intOf(node, "align_corners", 0) === 1;
  const mode = stringOf(node, "mode", "linear");
  const padding = stringOf(node, "padding_mode", "zeros");
  const half = isAligned ? (length - 1) / 2 : length / 2;
  const raw = g.add(g.scale(normalized, half), g.number((length - 1) / 2, normalized));
  const at = padded(g, raw, length, { padding, isAligned });
  if (mode === "nearest") return [neighbour(g, g.op("Round", [at]), g.number(1, at), length)];
  if (mode !== "linear" && mode !== "bilinear") throw unsupported(node, "nearest or linear interpolation", mode);
  const low = g.op("Floor", [at]);
  const rest = g.sub(at, low);
  const one = g.number(1, at);
  return [neighbour(g, low, g.sub(one, rest), length), neighbour(g, g.add(low, one), rest, length)];
}

/** Outside the image the weight is zero; after border or reflection padding nothing is outside but a weightless corner. */
function neighbour(g: GradientBuilder, at: Value, weight: Value, length: number): Neighbour {
  const place = g.op("Clip", [at, g.number(0, at), g.number(length - 1, at)]);
  return { place, weight: g.mul(weight, g.mask(g.equal(place, at), at)) };
}

function padded(
  g: GradientBuilder,
  at: Value,
  length: number,
  { padding, isAligned }: { padding: string; isAligned: boolean },
): Value {
  if (padding === "zeros") return at;
  const inside = (x: Value): Value => g.op("Clip", [x, g.number(0, x), g.number(length - 1, x)]);
  if (padding === "border") return inside(at);
  const low = isAligned ? 0 : -0.5;
  const span = isAligned ? length - 1 : length;
  if (span === 0) return g.scale(at, 0);
  const away = g.abs(g.sub(at, g.number(low, at)));
  const turns = g.op("Floor", [g.scale(away, 1 / (2 * span))]);
  const within = g.sub(away, g.scale(turns, 2 * span));
  const folded = g.sub(g.number(span, at), g.abs(g.sub(within, g.number(span, at))));
  return inside(g.add(folded, g.number(low, at)));
}

function unsupported(node: Node, expected: string, got: string): UnsupportedError {
  return new UnsupportedError("GridSample has no gradient here", { expected, got, where: describeNode(node) });
}
