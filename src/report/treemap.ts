/** @file Where the bytes are: a squarified treemap of a model's tensors (Bruls, Huizing, van Wijk 2000). */
import { maxOf, minOf } from "../ir/index.ts";
import type { SizeEntry } from "./facts.ts";
import { formatBytes, formatPercent } from "./format.ts";
import { html, type Markup } from "./markup.ts";

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Entries beyond this many are drawn as one. */
const MOST = 120;

/** An SVG treemap; `width` units stand for the larger of the two models, so that before and after can be compared. */
export function treemap(entries: readonly SizeEntry[], area: { width: number; height: number }, label: string): Markup {
  const shown = largest(entries);
  const total = shown.reduce((sum, { bytes }) => sum + bytes, 0);
  const places = squarify(
    shown.map(({ bytes }) => bytes),
    { x: 0, y: 0, ...area },
  );
  return html`<svg class="treemap" viewBox="0 0 ${area.width} ${area.height}" role="img" aria-label="${label}">
    ${shown.map((entry, i) => tile(entry, places[i], total))}
  </svg>`;
}

function largest(entries: readonly SizeEntry[]): SizeEntry[] {
  const sorted = entries.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
  if (sorted.length <= MOST + 1) return sorted;
  const rest = sorted.slice(MOST);
  const bytes = rest.reduce((sum, entry) => sum + entry.bytes, 0);
  return [...sorted.slice(0, MOST), { name: `${rest.length} smaller tensors`, opType: "", dtype: "", bytes }];
}

function tile(
  { name, opType, dtype, bytes }: SizeEntry,
  place: Rectangle | undefined,
  total: number,
): Markup | undefined {
  if (!place) return undefined;
  const { x, y, width, height } = place;
  const fits = width > 54 && height > 26;
  const letters = Math.max(3, Math.floor(width / 6.4) - 1);
  return html`<g class="tile ${tone(dtype)}"><title>${name} (${opType || "?"}, ${dtype}): ${formatBytes(bytes)}, ${formatPercent(bytes / total, 1)}</title>
    <rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"/>
    ${
      fits &&
      html`<text x="${(x + 4).toFixed(1)}" y="${(y + 13).toFixed(1)}">${shorten(name, letters)}</text>
      <text class="note" x="${(x + 4).toFixed(1)}" y="${(y + 25).toFixed(1)}">${formatBytes(bytes)}</text>`
    }</g>`;
}

function tone(dtype: string): string {
  if (dtype === "float32" || dtype === "float64") return "wide";
  if (dtype === "float16" || dtype === "bfloat16" || dtype === "int32") return "half";
  return dtype === "" ? "rest" : "narrow";
}

/** The end of a long name says more than its beginning, except for what every quantized tensor is called. */
function shorten(full: string, letters: number): string {
  const name = full.replace(/_quantized$/, "");
  return name.length <= letters ? name : `…${name.slice(1 - letters)}`;
}

/** Rectangles of the given areas (positive, descending) that fill `area` with aspect ratios near 1. */
export function squarify(sizes: readonly number[], area: Rectangle): Rectangle[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const unit = (area.width * area.height) / total;
  const placed: Rectangle[] = [];
  let free = area;
  let row: number[] = [];
  for (const size of sizes.map((bytes) => bytes * unit)) {
    const side = Math.min(free.width, free.height);
    if (row.length > 0 && worst([...row, size], side) > worst(row, side)) {
      free = layRow(row, free, placed);
      row = [];
    }
    row.push(size);
  }
  layRow(row, free, placed);
  return placed;
}

/** The worst aspect ratio in a row of these areas along a side. */
function worst(row: readonly number[], side: number): number {
  const sum = row.reduce((total, size) => total + size, 0);
  const square = (side * side) / (sum * sum);
  return Math.max(square * maxOf(row), 1 / (square * minOf(row)));
}

/** Places a row along the shorter side; returns the area that is left. */
function layRow(row: readonly number[], free: Rectangle, placed: Rectangle[]): Rectangle {
  const sum = row.reduce((total, size) => total + size, 0);
  const upright = free.width >= free.height;
  const side = upright ? free.height : free.width;
  const depth = side > 0 ? sum / side : 0;
  let offset = 0;
  for (const size of row) {
    const length = depth > 0 ? size / depth : 0;
    placed.push(
      upright
        ? { x: free.x, y: free.y + offset, width: depth, height: length }
        : { x: free.x + offset, y: free.y, width: length, height: depth },
    );
    offset += length;
  }
  if (upright) return { ...free, x: free.x + depth, width: free.width - depth };
  return { ...free, y: free.y + depth, height: free.height - depth };
}
