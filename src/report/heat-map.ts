/** @file Many numbers over the course of a run: a column per evaluation, a row per number, darker where it is larger. */
import { lastOf, nth } from "../checked.ts";
import { maxOf } from "../ir/index.ts";
import { formatNumber } from "./format.ts";
import { html, type Markup } from "./markup.ts";

const WIDTH = 640;
const MARGIN = { left: 82, right: 18, top: 4, bottom: 42 };
const INNER = WIDTH - MARGIN.left - MARGIN.right;

/** Of more columns, as many are drawn as their mean as it takes. */
const MOST = 80;

export interface Column {
  /** What stands under it. */
  readonly at: string;
  /** One per row; what is not finite stays empty. */
  readonly values: readonly number[];
}

export interface HeatMapOptions {
  readonly label: string;
  /** What a row is, and what a column is. */
  readonly row: string;
  readonly x: string;
}

/** An SVG heat map whose shades go from 0 (or the least, below 0) to the greatest number, or nothing without a number. */
export function heatMap(given: readonly Column[], { label, row, x }: HeatMapOptions): Markup | undefined {
  const columns = grouped(given);
  const all = columns.flatMap(({ values }) => values).filter(Number.isFinite);
  if (all.length === 0) return undefined;
  const [low, high] = all.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [0, nth(all, 0)]);
  const rows = maxOf(columns.map(({ values }) => values.length));
  const height = Math.min(22, Math.max(4, 320 / rows));
  const grid: Grid = { low, high, rows, height, width: Math.min(64, INNER / columns.length), columns: columns.length };
  const bottom = MARGIN.top + rows * height;
  return html`<svg class="heat" viewBox="0 0 ${WIDTH} ${round(bottom + MARGIN.bottom)}" role="img" aria-label="${label}">
    ${rowNames(grid, row)}${columns.map((column, i) => cells(column, i, grid, row))}${columnNames(columns, grid)}
    <text class="title" x="${MARGIN.left}" y="${round(bottom + 34)}">${x}</text>${key(grid, bottom + 25)}
  </svg>`;
}

interface Grid {
  readonly low: number;
  readonly high: number;
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
  readonly height: number;
}

function grouped(columns: readonly Column[]): readonly Column[] {
  const size = Math.ceil(columns.length / MOST);
  if (size <= 1) return columns;
  return Array.from({ length: Math.ceil(columns.length / size) }, (_, i) => {
    const group = columns.slice(i * size, (i + 1) * size);
    const values = nth(group, 0).values.map(
      (_, r) => group.reduce((sum, c) => sum + nth(c.values, r), 0) / group.length,
    );
    return { at: `${nth(group, 0).at}–${lastOf(group).at}`, values };
  });
}

function cells({ at, values }: Column, i: number, grid: Grid, row: string): Markup[] {
  const { width, height } = grid;
  const x = MARGIN.left + i * width;
  const hasText = width >= 38 && height >= 14;
  return values.map((value, r) => {
    const y = MARGIN.top + r * height;
    const shade = shadeOf(value, grid);
    const text = Number.isFinite(value) ? formatNumber(value) : "–";
    return html`<g><title>${at}, ${row} ${r}: ${text}</title><rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill-opacity="${shade}"/>${
      hasText &&
      html`<text class="${shade > 0.75 && "dark"}" x="${round(x + width / 2)}" y="${round(y + height / 2 + 4)}" text-anchor="middle">${text}</text>`
    }</g>`;
  });
}

function shadeOf(value: number, { low, high }: Pick<Grid, "low" | "high">): number {
  if (!Number.isFinite(value) || high === low) return 0;
  return Math.round((100 * (value - low)) / (high - low)) / 100;
}

/** As many names of rows as there is room for. */
function rowNames({ rows, height }: Grid, row: string): Markup[] {
  const every = Math.ceil(13 / height);
  return Array.from({ length: Math.ceil(rows / every) }, (_, i) => {
    const y = round(MARGIN.top + (i * every + 0.5) * height + 4);
    return html`<text x="${MARGIN.left - 6}" y="${y}" text-anchor="end">${row} ${i * every}</text>`;
  });
}

function columnNames(columns: readonly Column[], { width, rows, height }: Grid): Markup[] {
  const longest = maxOf(columns.map(({ at }) => at.length));
  const every = Math.ceil((7 * longest + 6) / width);
  const y = round(MARGIN.top + rows * height + 15);
  return columns.flatMap(({ at }, i) =>
    i % every === 0
      ? [html`<text x="${round(MARGIN.left + (i + 0.5) * width)}" y="${y}" text-anchor="middle">${at}</text>`]
      : [],
  );
}

/** What the shades stand for. */
function key({ low, high }: Grid, y: number): Markup {
  const shades = [0, 0.25, 0.5, 0.75, 1];
  const right = WIDTH - MARGIN.right;
  const name = formatNumber(high);
  const x = right - 6 * name.length - 8 - 12 * shades.length;
  return html`<g><text x="${x - 5}" y="${y + 9}" text-anchor="end">${formatNumber(low)}</text>${shades.map(
    (shade, i) => html`<rect x="${x + 12 * i}" y="${y}" width="12" height="11" fill-opacity="${shade}"/>`,
  )}<text x="${right}" y="${y + 9}" text-anchor="end">${name}</text></g>`;
}

function round(x: number): number {
  return Math.round(10 * x) / 10;
}
