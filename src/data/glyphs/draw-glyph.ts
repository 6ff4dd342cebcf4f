/** @file One picture of the demo set: a warped glyph among clutter, in random colours, with noise. */
import { nth } from "../../checked.ts";
import type { Image } from "../image.ts";
import type { Random } from "../random.ts";
import { blur, type Canvas, type Color, drawDisc, drawStrokes, gradientCanvas, toImage } from "./canvas.ts";
import { type GlyphName, glyphShapes, type Point, type Stroke } from "./shapes.ts";

export const glyphSide = 32;

/** Draws the glyph with everything else drawn from `source`. */
export function drawGlyph(name: GlyphName, source: Random): Image {
  const ground = randomColor(source);
  const canvas = gradientCanvas(glyphSide, ground, shifted(ground, 0.25, source), source.between(0, 2 * Math.PI));
  const place = randomWarp(source);
  const strokes = glyphShapes[name].map((stroke: Stroke) => stroke.map(place));
  drawClutter(canvas, source, 3);
  const ink = contrasting(ground, source.between(0.14, 0.55), source);
  drawStrokes(canvas, strokes, source.between(1.3, 3.6), ink, source.between(0.75, 1));
  drawClutter(canvas, source, 3);
  if (source.uniform() < 0.5) blur(canvas, source.between(0.2, 1));
  return toImage(canvas, source.between(0.01, 0.11), source);
}

/** Rotation, scale, shear and shift, then a smooth sine warp: from glyph coordinates to pixels. */
function randomWarp(source: Random): (point: Point) => Point {
  const angle = source.between(-0.5, 0.5);
  const [scaleX, scaleY] = [source.between(6.2, 12.5), source.between(6.2, 12.5)];
  const shear = source.between(-0.35, 0.35);
  const [centerX, centerY] = [source.between(12.5, 19.5), source.between(12.5, 19.5)];
  const bend = source.between(0, 1.5);
  const [phaseX, phaseY] = [source.between(0, 2 * Math.PI), source.between(0, 2 * Math.PI)];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return ([x, y]) => {
    const [u, v] = [scaleX * (x + shear * y), scaleY * y];
    const [px, py] = [centerX + cos * u - sin * v, centerY + sin * u + cos * v];
    return [px + bend * Math.sin(py / 4 + phaseX), py + bend * Math.sin(px / 4 + phaseY)];
  };
}

/** Up to `most` line pieces, arcs and discs that belong to no glyph. */
function drawClutter(canvas: Canvas, source: Random, most: number): void {
  const count = source.below(most + 1);
  for (let i = 0; i < count; i++) {
    const at: Point = [source.between(0, glyphSide), source.between(0, glyphSide)];
    const color = randomColor(source);
    const opacity = source.between(0.3, 0.9);
    if (source.uniform() < 0.25) drawDisc(canvas, at, source.between(1, 4), color, opacity);
    else drawStrokes(canvas, [randomArc(at, source)], source.between(0.8, 2.4), color, opacity);
  }
}

/** A piece of a circle, between nearly straight and a half turn. */
function randomArc([x, y]: Point, source: Random): Stroke {
  const steps = 8;
  const length = source.between(4, 14);
  const curvature = source.between(-0.25, 0.25);
  let angle = source.between(0, 2 * Math.PI);
  const points: Point[] = [[x, y]];
  for (let i = 0; i < steps; i++) {
    const [lastX, lastY] = nth(points, i);
    points.push([lastX + (length / steps) * Math.cos(angle), lastY + (length / steps) * Math.sin(angle)]);
    angle += (curvature * length) / steps;
  }
  return points;
}

function randomColor(source: Random): Color {
  return [source.uniform(), source.uniform(), source.uniform()];
}

function shifted([r, g, b]: Color, amount: number, source: Random): Color {
  const shift = () => source.between(-amount, amount);
  return [clamp(r + shift()), clamp(g + shift()), clamp(b + shift())];
}

/** A random colour whose luminance differs from that of `ground` by about `contrast`, up or down. */
function contrasting(ground: Color, contrast: number, source: Random): Color {
  const base = luminance(ground);
  const up = base + contrast > 1 ? false : base - contrast < 0 ? true : source.uniform() < 0.5;
  const target = up ? base + contrast : base - contrast;
  const hue = randomColor(source);
  const shift = target - luminance(hue);
  return [clamp(hue[0] + shift), clamp(hue[1] + shift), clamp(hue[2] + shift)];
}

function luminance([r, g, b]: Color): number {
  return 0.299 * r + 0.587 * g + 0.114 * b;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
