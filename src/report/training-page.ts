/** @file The page of a training run: curves of the loss and the metrics, what was trained, how to do it again. */
import { card, documentOf, factTable, machineFacts } from "./document.ts";
import { formatCount, formatNumber, formatPercent } from "./format.ts";
import { lineChart, type Series } from "./line-chart.ts";
import { html, type Markup } from "./markup.ts";
import { measurementSections } from "./measurements.ts";
import type { EvaluationFacts, TrainingReport } from "./training-facts.ts";

/** The whole page as text. */
export function trainingPage(report: TrainingReport): string {
  const { title, model, data, environment, created, notes, command } = report;
  const body = html`<p class="soft">${model.name} · ${formatCount(model.parameters)} parameters · ${data.source} · ${environment.cpu} · ${created}</p>
<div class="verdict">${verdict(report)}</div>
${cards(report)}
<h2>The loss</h2>${losses(report)}
${scores(report)}
<h2>The learning rate</h2><div class="scroll">${rates(report)}</div>
${evaluationTable(report)}
${measurementSections(report.measured)}
<h2>How it was trained</h2>${factTable(protocol(report))}
${notes.length > 0 && html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}
<h2>Make it again</h2><pre>${command}</pre>`;
  return documentOf(title, body);
}

function bestOf({ evaluations }: TrainingReport): EvaluationFacts | undefined {
  return evaluations.find(({ isBest }) => isBest);
}

/** The evaluation of the model that was handed out. */
function finalOf(report: TrainingReport): EvaluationFacts | undefined {
  return report.restoredBest ? bestOf(report) : report.evaluations.at(-1);
}

function verdict(report: TrainingReport): string {
  const { stoppedEarly, epochs, updates, monitor, data, restoredBest } = report;
  const length = `${formatNumber(epochs)} ${epochs === 1 ? "epoch" : "epochs"}, ${formatCount(updates)} updates`;
  const end = stoppedEarly ? "; it was ended early" : "";
  const best = bestOf(report);
  if (!best) return `${length}${end}. No samples were held out, so nothing is known about others.`;
  const value = formatMetric(monitor, best.metrics[monitor]);
  const handed = restoredBest ? "That is the model" : "The model is that of the last epoch";
  return `${length}${end}. Best ${monitor} ${value} after epoch ${best.epoch}, on ${data.validation} samples that were not trained on. ${handed}.`;
}

function cards(report: TrainingReport): Markup {
  const { model, trained, seconds, steps, curve, data, epochs } = report;
  const final = finalOf(report);
  const name = Object.keys(final?.metrics ?? {}).find((key) => key !== "loss") ?? "loss";
  const last = curve.at(-1)?.loss;
  const time = seconds >= 90 ? `${(seconds / 60).toFixed(1)} min` : `${seconds.toFixed(1)} s`;
  const pace = Math.round((data.training * epochs) / Math.max(seconds, 1e-3));
  const rest = trained < model.parameters ? "the rest stayed as it was" : "all of them";
  return html`<div class="cards">
    ${final && card(name, formatMetric(name, final.metrics[name]), "better", `after epoch ${final.epoch}`, `n = ${data.validation}, held out`)}
    ${last !== undefined && card("Training loss", formatNumber(last), "plain", `from ${formatNumber(curve[0]!.loss)}`, `${steps} batches`)}
    ${card("Trained", formatCount(trained), "plain", `of ${formatCount(model.parameters)} parameters`, rest)}
    ${card("Time", time, "plain", `${formatCount(pace)} samples/s`, "evaluations included; without what an interrupted run did before")}
  </div>`;
}

function losses({ curve, evaluations }: TrainingReport): Markup {
  const series: Series[] = [
    { name: "training loss", kind: "soft", points: curve.map(({ step, loss }) => [step, loss]) },
    { name: "training loss, smoothed", kind: "line", points: smoothed(curve) },
    { name: "validation loss", kind: "points", points: metricPoints(evaluations, "loss") },
  ];
  return html`<p class="key"><span><i style="background:var(--accent)"></i>training: each batch, and a running mean</span><span><i class="round" style="background:var(--good)"></i>validation</span></p>
    <div class="scroll">${lineChart(series, { label: "Loss over the run", x: "batches", y: "loss" })}</div>`;
}

/** An exponential mean over about a thirtieth of the run, corrected for its start. */
function smoothed(curve: TrainingReport["curve"]): Series["points"] {
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

function scores({ evaluations }: TrainingReport): Markup[] {
  const names = Object.keys(evaluations[0]?.metrics ?? {}).filter((name) => name !== "loss");
  return names.map((name) => {
    const series: Series[] = [{ name, kind: "points", points: metricPoints(evaluations, name) }];
    const chart = lineChart(series, { label: `${name} over the run`, x: "batches", y: name });
    return html`<h2>${name}</h2><div class="scroll">${chart}</div>`;
  });
}

function rates({ curve }: TrainingReport): Markup | undefined {
  const points = curve.map(({ step, learningRate }) => [step, learningRate] as const);
  const series: Series[] = [{ name: "learning rate", kind: "line", points }];
  return lineChart(series, { label: "Learning rate over the run", x: "batches", y: "learning rate" });
}

function evaluationTable({ evaluations }: TrainingReport): Markup | undefined {
  if (evaluations.length === 0) return undefined;
  const names = Object.keys(evaluations[0]!.metrics);
  return html`<h2>Evaluations</h2><div class="scroll"><table><thead><tr><th>epoch</th>${names.map((name) => html`<th class="number">${name}</th>`)}</tr></thead>
    <tbody>${evaluations.map(({ epoch, metrics, isBest }) => html`<tr class="${isBest && "chosen"}"><td>${epoch}${isBest && " (best)"}</td>${names.map((name) => html`<td class="number">${formatMetric(name, metrics[name])}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** Shares as percentages; everything else as it is. */
function formatMetric(name: string, value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return /^(accuracy|top)/i.test(name) ? formatPercent(value) : formatNumber(value);
}

function protocol(report: TrainingReport): (readonly [string, string])[] {
  const { settings, seed, data, model, environment } = report;
  return [
    ...settings.map(({ name, value }) => [name, value] as const),
    ["samples", `${data.training} to train on, ${data.validation} held out`],
    ["seed", String(seed)],
    ["result", `${model.name}, sha256 ${model.sha256}, opset ${model.opset}, ${model.nodes} nodes`],
    ...machineFacts(environment),
  ];
}
