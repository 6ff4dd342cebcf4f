/** @file Candidates in the plane of speed and loss; the area of a point shows its file size. */
import { maxOf } from "../ir/index.ts";
import type { CandidateFacts } from "./facts.ts";
import { formatBytes, formatPercent, formatRatio } from "./format.ts";
import { html, type Markup } from "./markup.ts";
import { linear, niceTicks, type Scale } from "./scale.ts";

const WIDTH = 640;
const HEIGHT = 340;
const MARGIN = { left: 58, right: 18, top: 16, bottom: 42 };

interface Point {
  readonly candidate: CandidateFacts;
  readonly speed: number;
  readonly drop: number;
  readonly bytes: number;
}

/** An SVG scatter, or nothing when no candidate was measured. `dropOf` is the loss in the measure of the bound. */
export function scatter(
  candidates: readonly CandidateFacts[],
  chosen: string,
  maxDrop: number,
  dropOf: (candidate: CandidateFacts) => number | undefined,
): Markup | undefined {
  const points = candidates.flatMap((candidate): Point[] => {
    const drop = dropOf(candidate);
    if (drop === undefined || !candidate.latency || !candidate.size) return [];
    return [{ candidate, speed: candidate.latency.ratio, drop: Math.max(0, drop), bytes: candidate.size.b }];
  });
  if (points.length === 0) return undefined;
  const x = linear(
    [
      0,
      maxOf(
        points.map(({ speed }) => speed),
        1.2,
      ) * 1.08,
    ],
    [MARGIN.left, WIDTH - MARGIN.right],
  );
  const ceiling =
    maxOf(
      points.map(({ drop }) => Math.min(drop, 20 * maxDrop)),
      maxDrop * 2,
    ) * 1.1;
  const y = linear([-0.06 * ceiling, ceiling], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const largest = maxOf(points.map(({ bytes }) => bytes));
  const ordered = [...points].sort((a, b) => b.bytes - a.bytes);
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Speed against loss of every candidate">
    ${bands(x, y, maxDrop)}${axes(x, y)}
    ${ordered.map((point) => mark(point, x, y, { ceiling, largest, chosen }))}
    ${ordered.filter(({ candidate }) => candidate.form === chosen).map((point) => caption(point, x, y, ceiling))}
  </svg>`;
}

/** The region of acceptable candidates: faster than the original, within the bound. */
function bands(x: Scale, y: Scale, maxDrop: number): Markup {
  const [left, right] = [x.at(1), WIDTH - MARGIN.right];
  const [top, bottom] = [y.at(maxDrop), HEIGHT - MARGIN.bottom];
  return html`<rect class="good" x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>
    <line class="limit" x1="${MARGIN.left}" x2="${right}" y1="${top}" y2="${top}"/>
    <text class="note" x="${MARGIN.left + 4}" y="${top - 5}">bound ${formatPercent(maxDrop)}</text>
    <line class="limit" x1="${left}" x2="${left}" y1="${MARGIN.top}" y2="${bottom}"/>`;
}

function axes(x: Scale, y: Scale): Markup {
  const bottom = HEIGHT - MARGIN.bottom;
  const horizontal = niceTicks(x.domain, 8).map(
    (tick) => html`<text x="${x.at(tick)}" y="${bottom + 16}" text-anchor="middle">${formatRatio(tick)}</text>`,
  );
  const vertical = niceTicks([0, y.domain[1]], 5).map(
    (
      tick,
    ) => html`<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y.at(tick)}" y2="${y.at(tick)}"/>
      <text x="${MARGIN.left - 6}" y="${y.at(tick) + 4}" text-anchor="end">${formatPercent(tick, 1)}</text>`,
  );
  return html`${vertical}${horizontal}
    <text class="title" x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">speed against the original (right is faster)</text>
    <text class="title" transform="translate(13 ${HEIGHT / 2 - 10}) rotate(-90)" text-anchor="middle">loss (down is better)</text>`;
}

interface MarkContext {
  readonly ceiling: number;
  readonly largest: number;
  readonly chosen: string;
}

function mark(
  { candidate, speed, drop, bytes }: Point,
  x: Scale,
  y: Scale,
  { ceiling, largest, chosen }: MarkContext,
): Markup {
  const radius = 4 + 9 * Math.sqrt(bytes / largest);
  const kind = candidate.form === chosen ? "chosen" : candidate.onFront ? "front" : "other";
  const [cx, cy] = [x.at(speed), y.at(Math.min(drop, ceiling))];
  const label = `${candidate.form}: ${formatRatio(speed)}, loss ${formatPercent(drop)}, ${formatBytes(bytes)}. ${candidate.reason}`;
  return html`<g class="${kind}"><title>${label}</title><circle cx="${cx}" cy="${cy}" r="${radius.toFixed(1)}"/></g>`;
}

/** The name of the chosen point, over everything else. */
function caption({ candidate, speed, drop }: Point, x: Scale, y: Scale, ceiling: number): Markup {
  const [cx, cy] = [x.at(speed), y.at(Math.min(drop, ceiling))];
  const anchor = cx > 0.75 * WIDTH ? "end" : cx < 0.25 * WIDTH ? "start" : "middle";
  const name = candidate.form.length > 60 ? `${candidate.form.slice(0, 59)}…` : candidate.form;
  return html`<text class="name" x="${cx}" y="${cy - 16}" text-anchor="${anchor}">${name}</text>`;
}
