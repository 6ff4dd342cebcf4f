/** @file The page of a training run: curves of the loss and the metrics, what was trained, how to do it again. */
import { nth } from "../checked.ts";
import { card, documentOf, factTable, machineFacts } from "./document.ts";
import { formatCount, formatNumber } from "./format.ts";
import { html, type Markup } from "./markup.ts";
import { formatMetric, trainingCourse } from "./training-course.ts";
import type { EvaluationFacts, TrainingReport } from "./training-facts.ts";

/** The whole page as text. */
export function trainingPage(report: TrainingReport): string {
  const { title, model, data, environment, created, notes, command } = report;
  const body = html`<p class="soft">${model.name} · ${formatCount(model.parameters)} parameters · ${data.source} · ${environment.cpu} · ${created}</p>
<div class="verdict">${verdict(report)}</div>
${cards(report)}
${comparedTable(report)}
${trainingCourse(report)}
<h2>How it was trained</h2>${factTable(protocol(report))}
${notes.length > 0 && html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}
<h2>Make it again</h2><pre>${command}</pre>`;
  return documentOf(title, body);
}

/** Teacher and student on the samples that are held out. */
function comparedTable({ compared = [], data }: TrainingReport): Markup | undefined {
  if (compared.length === 0) return undefined;
  const names = [...new Set(compared.flatMap(({ metrics }) => Object.keys(metrics)))];
  return html`<h2>Teacher and student</h2><p class="soft">On ${data.validation} samples that were not trained on.</p><div class="scroll"><table><thead><tr><th></th>${names.map((name) => html`<th class="number">${name}</th>`)}</tr></thead>
    <tbody>${compared.map(({ name, metrics }) => html`<tr><td>${name}</td>${names.map((key) => html`<td class="number">${formatMetric(key, metrics[key])}</td>`)}</tr>`)}</tbody></table></div>`;
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
    ${last !== undefined && card("Training loss", formatNumber(last), "plain", `from ${formatNumber(nth(curve, 0).loss)}`, `${steps} batches`)}
    ${card("Trained", formatCount(trained), "plain", `of ${formatCount(model.parameters)} parameters`, rest)}
    ${card("Time", time, "plain", `${formatCount(pace)} samples/s`, "evaluations included; without what an interrupted run did before")}
  </div>`;
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
