/** @file A small square canvas of linear RGB in [0, 1] with antialiased strokes. */
import { nth } from "../../checked.ts";
import type { Image } from "../image.ts";
import type { Random } from "../random.ts";
import type { Stroke } from "./shapes.ts";

export type Color = readonly [r: number, g: number, b: number];

export interface Canvas {
  readonly side: number;
  /** Interleaved. */
  readonly values: Float32Array;
}

/** A canvas with a linear gradient from `from` to `to` along `angle`. */
export function gradientCanvas(side: number, from: Color, to: Color, angle: number): Canvas {
  const values = new Float32Array(3 * side * side);
  const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
  for (let i = 0; i < side * side; i++) {
    const [x, y] = [((i % side) + 0.5) / side - 0.5, (Math.floor(i / side) + 0.5) / side - 0.5];
    const t = 0.5 + (x * dx + y * dy) / Math.SQRT2;
    for (let c = 0; c < 3; c++) values[3 * i + c] = nth(from, c) + (nth(to, c) - nth(from, c)) * t;
  }
  return { side, values };
}

/** Blends strokes of `width` pixels, given in pixels, in one colour: where they overlap they do not add up. */
export function drawStrokes(
  canvas: Canvas,
  strokes: readonly Stroke[],
  width: number,
  color: Color,
  opacity: number,
): void {
  const coverage = new Float32Array(canvas.side * canvas.side);
  for (const stroke of strokes) coverStroke(coverage, canvas.side, stroke, width / 2);
  blend(canvas, coverage, color, opacity);
}

/** Blends a filled disc. */
export function drawDisc(
  canvas: Canvas,
  [x, y]: readonly [number, number],
  radius: number,
  color: Color,
  opacity: number,
): void {
  const coverage = new Float32Array(canvas.side * canvas.side);
  coverStroke(
    coverage,
    canvas.side,
    [
      [x, y],
      [x, y],
    ],
    radius,
  );
  blend(canvas, coverage, color, opacity);
}

function coverStroke(coverage: Float32Array, side: number, stroke: Stroke, radius: number): void {
  for (let i = 1; i < stroke.length; i++) {
    const [x0, y0] = nth(stroke, i - 1);
    const [x1, y1] = nth(stroke, i);
    coverSegment(coverage, side, [x0, y0, x1 - x0, y1 - y0], radius);
  }
}

type Segment = readonly [x: number, y: number, dx: number, dy: number];

function coverSegment(coverage: Float32Array, side: number, [x0, y0, dx, dy]: Segment, radius: number): void {
  const reach = radius + 1;
  const [left, right] = span(Math.min(x0, x0 + dx) - reach, Math.max(x0, x0 + dx) + reach, side);
  const [top, bottom] = span(Math.min(y0, y0 + dy) - reach, Math.max(y0, y0 + dy) + reach, side);
  const squared = dx * dx + dy * dy || 1;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
      const t = Math.min(1, Math.max(0, (px * dx + py * dy) / squared));
      const distance = Math.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2);
      const covered = Math.min(1, Math.max(0, radius - distance + 0.5));
      const at = y * side + x;
      if (covered > coverage[at]!) coverage[at] = covered;
    }
  }
}

function span(from: number, to: number, side: number): [number, number] {
  return [Math.max(0, Math.floor(from)), Math.min(side, Math.ceil(to))];
}

function blend({ values }: Canvas, coverage: Float32Array, color: Color, opacity: number): void {
  for (let i = 0; i < coverage.length; i++) {
    const alpha = coverage[i]! * opacity;
    if (alpha === 0) continue;
    for (let c = 0; c < 3; c++) values[3 * i + c]! += (nth(color, c) - values[3 * i + c]!) * alpha;
  }
}

/** A 3×3 binomial blur, mixed with the original by `amount`. */
export function blur({ side, values }: Canvas, amount: number): void {
  const source = values.slice();
  const kernel = [1, 2, 1];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < 9; k++) {
          const sx = Math.min(side - 1, Math.max(0, x + (k % 3) - 1));
          const sy = Math.min(side - 1, Math.max(0, y + Math.floor(k / 3) - 1));
          sum += nth(kernel, k % 3) * nth(kernel, Math.floor(k / 3)) * source[3 * (sy * side + sx) + c]!;
        }
        const at = 3 * (y * side + x) + c;
        values[at] = source[at]! + (sum / 16 - source[at]!) * amount;
      }
    }
  }
}

/** The canvas in 8 bits with normal noise of deviation `noise`. */
export function toImage({ side, values }: Canvas, noise: number, source: Random): Image {
  const pixels = new Uint8Array(values.length).map((_, i) => {
    const level = Math.round(255 * (values[i]! + noise * source.normal()));
    return Math.min(255, Math.max(0, level));
  });
  return { width: side, height: side, channels: 3, pixels };
}
