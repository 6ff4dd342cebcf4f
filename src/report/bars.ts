/** @file Layers by how much the output suffers when each alone is quantized. */
import type { SensitivityEntry } from "./facts.ts";
import { formatNumber } from "./format.ts";
import { html, type Markup } from "./markup.ts";

const MOST = 30;

/** An SVG bar chart of the most sensitive layers, or nothing when none was measured. */
export function sensitivityBars(entries: readonly SensitivityEntry[]): Markup | undefined {
  const shown = [...entries].sort((a, b) => b.divergence - a.divergence).slice(0, MOST);
  const [first] = shown;
  if (first === undefined) return undefined;
  const greatest = first.divergence;
  const row = 17;
  const height = shown.length * row + 6;
  return html`<svg viewBox="0 0 640 ${height}" role="img" aria-label="Sensitivity of each layer">
    ${shown.map(({ node, opType, divergence, keptFloat }, i) => {
      const width = greatest > 0 ? Math.max(1, (290 * divergence) / greatest) : 1;
      const name = node.length > 34 ? `…${node.slice(-33)}` : node;
      return html`<g class="${keptFloat ? "kept" : "bar"}"><title>${node} (${opType}): ${formatNumber(divergence)}${keptFloat && ", kept in float"}</title>
        <text x="236" y="${i * row + 14}" text-anchor="end">${name}</text>
        <rect x="244" y="${i * row + 4}" width="${width.toFixed(1)}" height="12"/>
        <text class="note" x="${(250 + width).toFixed(1)}" y="${i * row + 14}">${formatNumber(divergence)}${keptFloat && " · kept in float"}</text></g>`;
    })}
  </svg>`;
}
