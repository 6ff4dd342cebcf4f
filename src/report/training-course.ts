/** @file The course of a training: curves of the loss, the metrics and the learning rate, evaluations, what probes measured. */
import { nth } from "../checked.ts";
import { formatNumber, formatPercent } from "./format.ts";
import { lineChart, type Series } from "./line-chart.ts";
import { html, type Markup } from "./markup.ts";
import { measurementSections } from "./measurements.ts";
import type { EvaluationFacts, TrainingFacts } from "./training-facts.ts";

/** Sections of a page. */
export function trainingCourse(facts: TrainingFacts): Markup {
  return html`<h2>The loss</h2>${lossChart(facts)}
${metricCharts(facts)}
<h2>The learning rate</h2><div class="scroll">${rateChart(facts)}</div>
${evaluationTable(facts)}
${measurementSections(facts.measured)}`;
}

function lossChart({ curve, evaluations }: TrainingFacts): Markup {
  const series: Series[] = [
    { name: "training loss", kind: "soft", points: curve.map(({ step, loss }) => [step, loss]) },
    { name: "training loss, smoothed", kind: "line", points: smoothed(curve) },
    { name: "validation loss", kind: "points", points: metricPoints(evaluations, "loss") },
  ];
  return html`<p class="key"><span><i style="background:var(--accent)"></i>training: each batch, and a running mean</span><span><i class="round" style="background:var(--good)"></i>validation</span></p>
    <div class="scroll">${lineChart(series, { label: "Loss over the run", x: "batches", y: "loss" })}</div>`;
}

/** An exponential mean over about a thirtieth of the run, corrected for its start. */
function smoothed(curve: TrainingFacts["curve"]): Series["points"] {
  const keep = 1 - 1 / Math.max(1, curve.length / 30);
  let [sum, weight] = [0, 0];
  return curve.map(({ step, loss }) => {
    sum = keep * sum + loss;
    weight = keep * weight + 1;
    return [step, sum / weight];
  });
}

function metricPoints(evaluations: readonly EvaluationFacts[], name: string): (readonly [number, number])[] {
  const points = evaluations.map(({ step, metrics }) => [step, metrics[name] ?? Number.NaN] as const);
  return points.filter(([, value]) => Number.isFinite(value));
}

function metricCharts({ evaluations }: TrainingFacts): Markup[] {
  const names = Object.keys(evaluations[0]?.metrics ?? {}).filter((name) => name !== "loss");
  return names.map((name) => {
    const series: Series[] = [{ name, kind: "points", points: metricPoints(evaluations, name) }];
    const chart = lineChart(series, { label: `${name} over the run`, x: "batches", y: name });
    return html`<h2>${name}</h2><div class="scroll">${chart}</div>`;
  });
}

function rateChart({ curve }: TrainingFacts): Markup | undefined {
  const points = curve.map(({ step, learningRate }) => [step, learningRate] as const);
  const series: Series[] = [{ name: "learning rate", kind: "line", points }];
  return lineChart(series, { label: "Learning rate over the run", x: "batches", y: "learning rate" });
}

function evaluationTable({ evaluations }: TrainingFacts): Markup | undefined {
  if (evaluations.length === 0) return undefined;
  const names = Object.keys(nth(evaluations, 0).metrics);
  return html`<h2>Evaluations</h2><div class="scroll"><table><thead><tr><th>epoch</th>${names.map((name) => html`<th class="number">${name}</th>`)}</tr></thead>
    <tbody>${evaluations.map(({ epoch, metrics, isBest }) => html`<tr class="${isBest && "chosen"}"><td>${epoch}${isBest && " (best)"}</td>${names.map((name) => html`<td class="number">${formatMetric(name, metrics[name])}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** Shares as percentages; everything else as it is. */
export function formatMetric(name: string, value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return /^(accuracy|top)/i.test(name) ? formatPercent(value) : formatNumber(value);
}
