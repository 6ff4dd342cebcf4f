/** @file The page of a technique's run: how well and how fast, what only this technique has to show, the course of its training. */
import type { ChartSection, Section, TableSection } from "../technique/index.ts";
import { card, documentOf, factTable, judgeFacts, machineFacts } from "./document.ts";
import { formatBytes, formatCount, formatNumber, formatPercent, formatRatio } from "./format.ts";
import { lineChart } from "./line-chart.ts";
import { html, type Markup } from "./markup.ts";
import { shareBars } from "./share-bars.ts";
import { speedCard } from "./speed.ts";
import type { TechniqueReport } from "./technique-facts.ts";
import { trainingCourse } from "./training-course.ts";

/** The whole page as text. */
export function techniquePage(report: TechniqueReport): string {
  const { title, original, data, environment, created, command, sections, training, broken } = report;
  const body = html`<p class="soft">${original.name} · ${formatCount(original.parameters)} parameters · ${data.source} · ${environment.cpu} · ${created}</p>
<div class="verdict ${broken.length === 0 ? "faster" : "same"}">${verdict(report)}</div>
${cards(report)}
${sections.parts.map(sectionOf)}
${training && trainingCourse(training)}
<h2>How it was made</h2>${factTable(protocol(report))}
<h2>Make it again</h2><pre>${command}</pre>`;
  return documentOf(title, body);
}

function verdict({ sections, comparison, broken }: TechniqueReport): string {
  const { accuracy, agreement } = comparison;
  const quality = accuracy
    ? `accuracy ${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)} on ${accuracy.n} samples`
    : `cosine of the answers ${formatNumber(agreement.cosine)} on ${agreement.n} samples`;
  const outcome = broken.length === 0 ? `${quality}.` : `${broken.join("; ")}. The model was not written.`;
  return `${sections.verdict}: ${outcome}`;
}

function cards({ comparison, sections }: TechniqueReport): Markup {
  const { accuracy, agreement, latency, size } = comparison;
  return html`<div class="cards">
    ${(sections.cards ?? []).map(({ label, value, tone, change, note }) => card(label, value, tone, change, note))}
    ${accuracy && card("Accuracy", formatPercent(accuracy.b), accuracy.b >= accuracy.a ? "better" : "worse", `${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)}`, `n = ${accuracy.n}`)}
    ${card("Agreement", agreement.top1 === undefined ? formatNumber(agreement.cosine) : formatPercent(agreement.top1), "plain", agreement.top1 === undefined ? "cosine of the outputs" : "same top answer as the original", `relative error ${formatNumber(agreement.relative)}, n = ${agreement.n}`)}
    ${speedCard("Speed in one session", latency)}
    ${(sections.speeds ?? []).map(({ label, each, latency: apart }) => speedCard(label, apart, each))}
    ${card("Size", formatRatio(size.ratio), size.ratio >= 1 ? "better" : "worse", `${formatBytes(size.a)} → ${formatBytes(size.b)}`, "bytes of the file")}
  </div>`;
}

function sectionOf(section: Section): Markup {
  return html`<h2>${section.title}</h2>${drawn(section)}`;
}

function drawn(section: Section): Markup {
  if (section.kind === "chart") return chartOf(section);
  return section.kind === "bars" ? shareBars(section) : tableOf(section);
}

const colours = ["var(--accent)", "var(--rest)", "var(--good)"];

function chartOf({ series, label, x, y, empty }: ChartSection): Markup {
  const shown = series
    .filter(({ points }) => points.some((point) => point.every(Number.isFinite)))
    .map((each) => ({ ...each, kind: "points" as const }));
  const drawn = lineChart(shown, { label, x, y });
  if (!drawn) return html`<p class="soft">${empty}</p>`;
  const key = shown.map(
    ({ name }, i) => html`<span><i class="round" style="background:${colours[i % colours.length]}"></i>${name}</span>`,
  );
  return html`<p class="key">${key}</p>
    <div class="scroll">${drawn}</div>`;
}

function tableOf({ head, rows }: TableSection): Markup {
  const isNumber = head.map((_, i) => rows.some(({ cells }) => typeof cells[i] === "number"));
  const place = (i: number) => (isNumber[i] ? "number" : "");
  return html`<div class="scroll"><table><thead><tr>${head.map((name, i) => html`<th class="${place(i)}">${name}</th>`)}</tr></thead><tbody>
    ${rows.map(({ cells, isChosen }) => html`<tr class="${isChosen === true && "chosen"}">${cells.map((cell, i) => html`<td class="${place(i)}">${cellText(cell)}</td>`)}</tr>`)}</tbody></table></div>`;
}

function cellText(cell: string | number | null): string {
  if (typeof cell === "string") return cell;
  return cell === null || !Number.isFinite(cell) ? "–" : formatNumber(cell);
}

function protocol(report: TechniqueReport): (readonly [string, string])[] {
  const { sections, settings, data, seed, original, model, environment, training, comparison, warnings } = report;
  const recovery = training
    ? `distillation from the original, ${formatNumber(training.epochs)} epochs of ${data.training} samples, ${training.seconds.toFixed(0)} s`
    : "none";
  return [
    ...sections.facts,
    ...settings.map(({ name, value }) => [name, value] as const),
    ["samples", `${data.calibration} to choose, ${data.training} to train, ${data.verification} to verify`],
    ["recovery", recovery],
    [
      "latency",
      "original and result take turns within one run; the interval is as wide as sessions of one model come out apart",
    ],
    ...judgeFacts(comparison.agreement),
    ["size", `${formatBytes(comparison.size.a)} → ${formatBytes(comparison.size.b)}`],
    ["seed", String(seed)],
    ["original", `sha256 ${original.sha256}, opset ${original.opset}, ${original.nodes} nodes`],
    [
      "result",
      `${model.sha256 && `sha256 ${model.sha256}, `}opset ${model.opset}, ${model.nodes} nodes, ${model.name}`,
    ],
    ...machineFacts(environment),
    ...warnings.map(({ code, message }) => [code, message] as const),
  ];
}
