/** @file The report as one self-contained HTML page: no script, nothing loaded, every name escaped. */
import { sensitivityBars } from "./bars.ts";
import { candidateTable, notMeasured } from "./candidate-table.ts";
import { card, documentOf, factTable, judgeFacts, machineFacts } from "./document.ts";
import type { ComparisonBlock, JobReport, LatencyBlock, ProviderFacts, SizeEntry, StageFacts } from "./facts.ts";
import { formatBytes, formatCount, formatMilliseconds, formatNumber, formatPercent, formatRatio } from "./format.ts";
import { lossOf } from "./loss.ts";
import { html, type Markup } from "./markup.ts";
import { scatter } from "./scatter.ts";
import { formatWaiting, speedCard } from "./speed.ts";
import { treemap } from "./treemap.ts";

/** The whole page as text. */
export function reportPage(report: JobReport): string {
  const { title, model, data, bound, verdict, environment } = report;
  const body = html`<p class="soft">${model.name} · ${formatCount(model.parameters)} parameters${model.macs !== undefined && ` · ${formatCount(model.macs)} multiply-accumulates`} ·
  ${data.source} · ${environment.cpu} · ${report.created}</p>
<div class="verdict ${verdict.faster ? "faster" : "same"}">${verdict.sentence}</div>
${cards(report)}
<h2>What was tried</h2>
<p>Loss is measured as ${bound.measure}; the bound is ${formatPercent(bound.maxDrop)}. The goal is ${bound.goal}. Circles grow with the file; the shaded corner is faster and within the bound.</p>
<div class="scroll">${scatter(report.candidates, report.chosen.form, bound.maxDrop, lossOf)}</div>
<p class="key"><span><i class="round" style="background:var(--good)"></i>chosen</span><span><i class="round" style="background:var(--accent)"></i>on the front: nothing is better in speed, size and loss at once</span><span><i class="round" style="background:var(--rest)"></i>other</span></p>
${candidateTable(report)}
${notMeasured(report)}
<h2>Where the bytes are</h2>${sizes(report)}
${sensitivity(report)}
<h2>The same answers elsewhere</h2>${providers(report.providers)}
<h2>How it was measured</h2>${protocol(report)}
<h2>Make it again</h2><pre>${report.command}</pre>${stages(report.stages)}`;
  return documentOf(title, body);
}

function cards({ chosen }: JobReport): Markup {
  const { size, latency, accuracy, agreement } = chosen;
  return html`<div class="cards">
    ${speedCard("Speed", latency)}
    ${card("Size", formatRatio(size.ratio), tone(size.ratio > 1), `${formatBytes(size.a)} → ${formatBytes(size.b)}`, "bytes of the file")}
    ${accuracy && card("Accuracy", formatPercent(accuracy.b), tone(accuracy.b >= accuracy.a), `${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)}`, accuracyNote(accuracy))}
    ${card("Agreement", agreement.top1 === undefined ? formatNumber(agreement.cosine) : formatPercent(agreement.top1), "better", agreement.top1 === undefined ? "cosine of the outputs" : "same top answer as the original", `relative error ${formatNumber(agreement.relative)}, largest ${formatNumber(agreement.maxAbs)}, n = ${agreement.n}`)}
  </div>`;
}

function tone(isBetter: boolean): "better" | "worse" {
  return isBetter ? "better" : "worse";
}

function accuracyNote({ n, interval }: NonNullable<ComparisonBlock["accuracy"]>): string {
  const change = interval
    ? `change between ${formatPercent(interval[0])} and ${formatPercent(interval[1])} (95 %), `
    : "";
  return `${change}n = ${n}`;
}

function sizes({ sizes: { before, after }, chosen }: JobReport): Markup {
  const scale = Math.min(1, Math.sqrt(total(after) / Math.max(1, total(before))));
  const area = { width: 480, height: 300 };
  const small = { width: Math.max(40, area.width * scale), height: Math.max(25, area.height * scale) };
  return html`<p class="key"><span><i style="background:var(--wide)"></i>32 bits</span><span><i style="background:var(--half)"></i>16 bits, or 32-bit integers</span><span><i style="background:var(--narrow)"></i>8 bits and fewer</span></p>
    <div class="pair"><div><p class="soft">original, ${formatBytes(chosen.size.a)}</p>${treemap(before, area, "Tensors of the original")}</div>
    <div><p class="soft">${chosen.form}, ${formatBytes(chosen.size.b)} (areas at the same scale)</p><div style="width:${(100 * small.width) / area.width}%">${treemap(after, small, "Tensors of the result")}</div></div></div>
    <details><summary>The largest tensors</summary><div class="scroll"><table><thead><tr><th>tensor</th><th>read by</th><th>type</th><th class="number">bytes</th></tr></thead>
    <tbody>${[...after]
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 20)
      .map(
        ({ name, opType, dtype, bytes }) =>
          html`<tr><td>${name}</td><td>${opType}</td><td>${dtype}</td><td class="number">${formatBytes(bytes)}</td></tr>`,
      )}</tbody></table></div></details>`;
}

function total(entries: readonly SizeEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

function sensitivity({ sensitivity: entries }: JobReport): Markup | undefined {
  const chart = sensitivityBars(entries);
  if (!chart) return undefined;
  return html`<h2>Which layers suffer</h2><p>Change of the output when one layer alone is quantized (Kullback-Leibler divergence in nats for scores). Mixed precision keeps the most sensitive ones in float.</p><div class="scroll">${chart}</div>`;
}

function providers(entries: readonly ProviderFacts[]): Markup {
  if (entries.length === 0) return html`<p class="soft">No other execution provider was asked for.</p>`;
  return html`<div class="scroll"><table><thead><tr><th>provider</th><th>outcome</th><th class="number">cosine</th><th class="number">largest difference</th><th>reason</th></tr></thead><tbody>
    ${entries.map(({ ep, build, status, reason, agreement }) => html`<tr><td>${ep}${build === undefined ? "" : ` (${build})`}</td><td>${status}</td><td class="number">${agreement ? formatNumber(agreement.cosine) : "–"}</td><td class="number">${agreement ? formatNumber(agreement.maxAbs) : "–"}</td><td>${reason}</td></tr>`)}</tbody></table></div>`;
}

/** Time can have ended before all samples were used. */
function outOf(used: number, there = used): string {
  return used < there ? `${used} of ${there}` : `${used}`;
}

function protocol({ data, environment, seed, model, chosen, warnings }: JobReport): Markup {
  const facts: readonly (readonly [string, string])[] = [
    [
      "samples",
      `${data.calibration} to calibrate, ${outOf(data.selection, data.of?.selection)} to choose, ${outOf(data.verification, data.of?.verification)} to verify; ${data.disjoint ? "no sample serves twice" : "too few to keep choosing and verifying apart"}${data.labels ? "" : "; no labels"}`,
    ],
    [
      "latency",
      "original and candidate run in every round, in random order, each in several sessions; the interval of the ratio is as wide as sessions of one model come out apart",
    ],
    ...busyFacts(chosen.latency),
    ...judgeFacts(chosen.agreement),
    ...machineFacts(environment),
    ["seed", String(seed)],
    ["original", `sha256 ${model.sha256}, opset ${model.opset}, ${model.nodes} nodes`],
    [
      "result",
      `sha256 ${chosen.model.sha256}, opset ${chosen.model.opset}, ${chosen.model.nodes} nodes, ${chosen.file}`,
    ],
  ];
  return factTable([...facts, ...warnings.map(({ code, message }) => [code, message] as const)]);
}

function busyFacts(latency: LatencyBlock): (readonly [string, string])[] {
  const waiting = formatWaiting(latency);
  return waiting === undefined ? [] : [["noise", waiting]];
}

function stages(entries: readonly StageFacts[]): Markup {
  return html`<details><summary>Stages</summary><div class="scroll"><table><thead><tr><th>stage</th><th class="number">time</th><th>notes</th></tr></thead><tbody>
    ${entries.map(({ name, milliseconds, notes }) => html`<tr><td>${name}</td><td class="number">${formatMilliseconds(milliseconds)}</td><td>${notes.map((note) => html`${note}<br>`)}</td></tr>`)}</tbody></table></div></details>`;
}
