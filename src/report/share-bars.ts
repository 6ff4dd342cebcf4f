/** @file Shares of a whole as bars. */
import type { BarSection } from "../technique/index.ts";
import { formatPercent } from "./format.ts";
import { html, type Markup } from "./markup.ts";

const ROW = 24;
const LEFT = 200;
const WIDTH = 300;

/** An SVG with a bar for each share, the whole as long as the space for it. */
export function shareBars({ bars, label }: BarSection): Markup {
  return html`<svg viewBox="0 0 640 ${bars.length * ROW + 6}" role="img" aria-label="${label}">
    ${bars.map(({ name, share, note }, i) => {
      const width = Math.max(1, WIDTH * share);
      const shown = name.length > 28 ? `…${name.slice(-27)}` : name;
      return html`<g class="bar"><title>${name}: ${formatPercent(share)}, ${note}</title>
        <text x="${LEFT - 8}" y="${i * ROW + 18}" text-anchor="end">${shown}</text>
        <rect x="${LEFT}" y="${i * ROW + 6}" width="${width.toFixed(1)}" height="16"/>
        <text class="note" x="${(LEFT + 6 + width).toFixed(1)}" y="${i * ROW + 18}">${formatPercent(share)} · ${note}</text></g>`;
    })}
  </svg>`;
}
