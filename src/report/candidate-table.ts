/** @file What each form came to: a table of those that were measured, a folded list of the rest. */
import type { CandidateFacts, JobReport, LatencyBlock } from "./facts.ts";
import { formatNumber, formatPercent, formatRatio } from "./format.ts";
import { lossOf } from "./loss.ts";
import { html, type Markup } from "./markup.ts";

export function candidateTable({ candidates, chosen }: JobReport): Markup | undefined {
  const measured = candidates.filter(isMeasured);
  if (measured.length === 0) return undefined;
  return html`<div class="scroll"><table><thead><tr><th>form</th><th class="number">speed</th><th class="number">size</th><th class="number">loss</th><th class="number">agreement</th><th>outcome</th></tr></thead>
    <tbody>${measured.map((candidate) => row(candidate, chosen.form))}</tbody></table></div>`;
}

/** Forms that failed, were passed over or had no time left. */
export function notMeasured({ candidates }: JobReport): Markup | undefined {
  const others = candidates.filter((candidate) => !isMeasured(candidate));
  if (others.length === 0) return undefined;
  return html`<details><summary>${others.length} ${others.length === 1 ? "form was" : "forms were"} not measured</summary><div class="scroll"><table><thead><tr><th>form</th><th>why</th></tr></thead>
    <tbody>${others.map(({ form, reason }) => html`<tr><td>${form}</td><td>${foldable(reason)}</td></tr>`)}</tbody></table></div></details>`;
}

interface Measured extends CandidateFacts {
  readonly latency: LatencyBlock;
}

function isMeasured(candidate: CandidateFacts): candidate is Measured {
  return candidate.latency !== undefined;
}

function row(candidate: Measured, chosen: string): Markup {
  const { form, accepted, reason, latency, size, agreement } = candidate;
  const loss = lossOf(candidate);
  const kind = form === chosen ? "chosen" : accepted ? "accepted" : "refused";
  const same =
    agreement && (agreement.top1 === undefined ? formatNumber(agreement.cosine) : formatPercent(agreement.top1));
  return html`<tr class="${kind}"><td>${form}</td><td class="number">${formatRatio(latency.ratio)}</td>
    <td class="number">${size ? formatRatio(size.ratio) : "–"}</td><td class="number">${loss === undefined ? "–" : formatPercent(loss)}</td>
    <td class="number">${same ?? "–"}</td><td>${foldable(`${kind === "refused" ? "rejected" : kind}: ${reason}`)}</td></tr>`;
}

const LONG = 160;

/** A long message shows its beginning; the whole unfolds. */
function foldable(text: string): Markup {
  if (text.length <= LONG) return html`${text}`;
  const start = text.slice(0, LONG - 40).replace(/\s+\S*$/, "");
  return html`<details class="inline"><summary>${start} …</summary>${text}</details>`;
}
