/** @file Curves over the course of a run. */
import { formatNumber } from "./format.ts";
import { html, type Markup } from "./markup.ts";
import { linear, niceTicks, type Scale } from "./scale.ts";

const WIDTH = 640;
const HEIGHT = 260;
const MARGIN = { left: 62, right: 18, top: 14, bottom: 42 };

export interface Series {
  readonly name: string;
  /** How it is drawn: `soft` behind, `line` in front, `points` with a mark for each. */
  readonly kind: "soft" | "line" | "points";
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface ChartOptions {
  readonly label: string;
  readonly x: string;
  readonly y: string;
}

/** An SVG chart of the series over common axes, or nothing when there is no point; points at infinity are left out. */
export function lineChart(given: readonly Series[], { label, x: xTitle, y: yTitle }: ChartOptions): Markup | undefined {
  const series = given.map((item) => ({
    ...item,
    points: item.points.filter((point) => point.every(Number.isFinite)),
  }));
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return undefined;
  const x = linear(extent(all.map(([at]) => at)), [MARGIN.left, WIDTH - MARGIN.right]);
  const [low, high] = extent(all.map(([, value]) => value));
  const room = high > low ? 0.06 * (high - low) : Math.max(0.5, 0.1 * Math.abs(high));
  const y = linear([low - room, high + room], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
    ${axes(x, y, xTitle, yTitle)}${series.map((item, i) => curve(item, i, x, y))}
  </svg>`;
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

function axes(x: Scale, y: Scale, xTitle: string, yTitle: string): Markup {
  const bottom = HEIGHT - MARGIN.bottom;
  const right = WIDTH - MARGIN.right;
  return html`${niceTicks(y.domain, 5).map(
    (tick) => html`<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${y.at(tick)}" y2="${y.at(tick)}"/>
      <text x="${MARGIN.left - 6}" y="${y.at(tick) + 4}" text-anchor="end">${tickText(tick)}</text>`,
  )}${niceTicks(x.domain, 8).map(
    (tick) => html`<text x="${x.at(tick)}" y="${bottom + 16}" text-anchor="middle">${tickText(tick)}</text>`,
  )}
    <text class="title" x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${xTitle}</text>
    <text class="title" transform="translate(13 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${yTitle}</text>`;
}

/** Ticks are round numbers, so all their digits count. */
function tickText(tick: number): string {
  return tick !== 0 && Math.abs(tick) < 1e-3 ? tick.toExponential() : String(tick);
}

function curve({ name, kind, points }: Series, index: number, x: Scale, y: Scale): Markup {
  const path = points.map(([at, value], i) => `${i === 0 ? "M" : "L"}${x.at(at)} ${y.at(value)}`).join("");
  const marks = kind === "points" && points.length <= 60 ? points : [];
  return html`<g class="curve ${kind} c${index % 3}"><title>${name}</title><path d="${path}"/>
    ${marks.map(([at, value]) => html`<circle cx="${x.at(at)}" cy="${y.at(value)}" r="3"><title>${name}: ${formatNumber(value)}</title></circle>`)}</g>`;
}
