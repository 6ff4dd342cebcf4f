/** @file The page of a network made parallel: accuracy against sequential depth, what each part costs, speed. */
import { card, documentOf, factTable, judgeFacts, machineFacts } from "./document.ts";
import { formatBytes, formatCount, formatNumber, formatPercent } from "./format.ts";
import { lineChart, type Series } from "./line-chart.ts";
import { html, type Markup } from "./markup.ts";
import type { ParallelReport } from "./parallel-facts.ts";
import { speedCard } from "./speed.ts";

/** The whole page as text. */
export function parallelPage(report: ParallelReport): string {
  const { title, original, data, environment, created, command } = report;
  const body = html`<p class="soft">${original.name} · ${formatCount(original.parameters)} parameters · ${data.source} · ${environment.cpu} · ${created}</p>
<div class="verdict ${report.broken.length === 0 ? "faster" : "same"}">${verdict(report)}</div>
${cards(report)}
<h2>${hasAccuracy(report) ? "Accuracy" : "Divergence"} against sequential depth</h2>${chart(report)}
<h2>What each part costs</h2>${windowTable(report)}
<h2>How it was made</h2>${factTable(protocol(report))}
<h2>Make it again</h2><pre>${command}</pre>`;
  return documentOf(title, body);
}

function hasAccuracy({ curve, comparison }: ParallelReport): boolean {
  return comparison.accuracy !== undefined && curve.every(({ accuracy }) => accuracy !== undefined);
}

function verdict({ depth, shape, comparison, broken }: ParallelReport): string {
  const { accuracy, agreement } = comparison;
  const quality = accuracy
    ? `accuracy ${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)} on ${accuracy.n} samples`
    : `cosine of the answers ${formatNumber(agreement.cosine)} on ${agreement.n} samples`;
  const form = `${formatNumber(depth.before)} blocks in sequence became ${formatNumber(depth.after)}, ${shape.branches} branches side by side`;
  return broken.length === 0 ? `${form}: ${quality}.` : `${form}: ${broken.join("; ")}. The model was not written.`;
}

function cards({ depth, comparison, spread }: ParallelReport): Markup {
  const { accuracy, agreement, latency } = comparison;
  return html`<div class="cards">
    ${card("Sequential depth", formatNumber(depth.after), "better", `${formatNumber(depth.before)} → ${formatNumber(depth.after)} blocks`, "on the longest path")}
    ${accuracy && card("Accuracy", formatPercent(accuracy.b), accuracy.b >= accuracy.a ? "better" : "worse", `${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)}`, `n = ${accuracy.n}`)}
    ${card("Agreement", agreement.top1 === undefined ? formatNumber(agreement.cosine) : formatPercent(agreement.top1), "plain", agreement.top1 === undefined ? "cosine of the outputs" : "same top answer as the original", `relative error ${formatNumber(agreement.relative)}, n = ${agreement.n}`)}
    ${speedCard("Speed in one session", latency)}
    ${spread && speedCard(`Speed on ${spread.workers} workers`, spread, " per worker")}
  </div>`;
}

function chart(report: ParallelReport): Markup {
  const { curve, comparison, depth } = report;
  const shows = hasAccuracy(report);
  const accuracy = shows ? comparison.accuracy : undefined;
  const before = curve.map((point) => [point.depth, shows ? point.accuracy! : point.divergence] as const);
  const series: Series[] = [{ name: "the best plan of every depth, before training", kind: "points", points: before }];
  if (accuracy) {
    series.push({ name: "original", kind: "points", points: [[depth.before, accuracy.a]] });
    series.push({ name: "result", kind: "points", points: [[depth.after, accuracy.b]] });
  }
  const drawn = lineChart(series, {
    label: "Quality over sequential depth",
    x: "sequential depth in blocks",
    y: shows ? "accuracy" : "divergence",
  });
  if (!drawn) return html`<p class="soft">No samples were given to measure depths on.</p>`;
  return html`<p class="key">${curve.length > 0 && html`<span><i class="round" style="background:var(--accent)"></i>best plan of every depth before training, on ${report.data.selection} samples that choose</span>`}${accuracy && html`<span><i class="round" style="background:var(--good)"></i>result, on ${accuracy.n} other samples</span>`}</p>
    <div class="scroll">${drawn}</div>`;
}

function windowTable({ windows }: ParallelReport): Markup {
  return html`<div class="scroll"><table><thead><tr><th>part</th><th class="number">divergence alone</th><th>now</th></tr></thead><tbody>
    ${windows.map(({ place, divergence, isParallel }) => html`<tr class="${isParallel && "chosen"}"><td>${place}</td><td class="number">${divergence === undefined ? "–" : formatNumber(divergence)}</td><td>${isParallel ? "parallel" : "–"}</td></tr>`)}</tbody></table></div>`;
}

function protocol(report: ParallelReport): (readonly [string, string])[] {
  const { shape, runs, data, seed, original, result, environment, training, comparison } = report;
  return [
    ["blocks found", runs.map(({ blocks, period }) => `${blocks} of ${period} residual steps`).join("; ")],
    ["arrangement", `${shape.arrangement}, ${shape.branches} branches of ${shape.group} blocks`],
    ["samples", `${data.selection} to choose, ${data.training} to train, ${data.verification} to verify`],
    [
      "recovery",
      training
        ? `distillation from the original, ${formatNumber(training.epochs)} epochs of ${training.samples} samples, ${training.seconds.toFixed(0)} s`
        : "none",
    ],
    ["latency", "original and result take turns within one run; the ratio is the median over rounds"],
    ...judgeFacts(comparison.agreement),
    ["size", `${formatBytes(comparison.size.a)} → ${formatBytes(comparison.size.b)}`],
    ["seed", String(seed)],
    ["original", `sha256 ${original.sha256}, opset ${original.opset}, ${original.nodes} nodes`],
    ["result", `sha256 ${result.sha256}, opset ${result.opset}, ${result.nodes} nodes, ${result.name}`],
    ...machineFacts(environment),
  ];
}
