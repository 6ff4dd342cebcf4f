/** @file The ten glyphs as strokes in the square [−1, 1]², y downwards. */

import { nth } from "../../checked.ts";
export type Point = readonly [x: number, y: number];
/** A polyline. */
export type Stroke = readonly Point[];

export const glyphShapes = {
  ring: [curve(40, (t) => polar(0.9, turn(t)))],
  square: [closed([-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8])],
  triangle: [closed([0, -0.9], [0.9, 0.75], [-0.9, 0.75])],
  plus: [line([0, -0.95], [0, 0.95]), line([-0.95, 0], [0.95, 0])],
  star: [closed(...Array.from({ length: 10 }, (_, i) => polar(i % 2 === 0 ? 1 : 0.42, turn(i / 10 - 0.25))))],
  arrow: [line([-0.95, 0], [0.95, 0]), line([0.3, -0.65], [0.95, 0], [0.3, 0.65])],
  wave: [curve(32, (t) => [2 * t - 1, 0.6 * Math.sin(turn(1.5 * t))])],
  spiral: [curve(56, (t) => polar(0.12 + 0.85 * t, turn(2.1 * t)))],
  grid: [
    line([-0.35, -0.9], [-0.35, 0.9]),
    line([0.35, -0.9], [0.35, 0.9]),
    line([-0.9, -0.35], [0.9, -0.35]),
    line([-0.9, 0.35], [0.9, 0.35]),
  ],
  heart: [curve(40, (t) => heart(turn(t)))],
} as const satisfies Record<string, readonly Stroke[]>;

export type GlyphName = keyof typeof glyphShapes;
/** The classes, in the order of their labels. */
export const glyphNames = Object.keys(glyphShapes) as readonly GlyphName[];

function turn(t: number): number {
  return 2 * Math.PI * t;
}

function polar(radius: number, angle: number): Point {
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

function heart(t: number): Point {
  const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
  return [(16 * Math.sin(t) ** 3) / 17, -(y + 2.5) / 15];
}

function curve(steps: number, at: (t: number) => Point): Stroke {
  return Array.from({ length: steps + 1 }, (_, i) => at(i / steps));
}

function closed(...corners: readonly Point[]): Stroke {
  return line(...corners, nth(corners, 0));
}

/** A polyline through the corners, in pieces short enough to be bent by a warp. */
function line(...corners: readonly Point[]): Stroke {
  const pieces = 5;
  const points: Point[] = [nth(corners, 0)];
  for (let i = 1; i < corners.length; i++) {
    const [x0, y0] = nth(corners, i - 1);
    const [x1, y1] = nth(corners, i);
    for (let k = 1; k <= pieces; k++) points.push([x0 + ((x1 - x0) * k) / pieces, y0 + ((y1 - y0) * k) / pieces]);
  }
  return points;
}
