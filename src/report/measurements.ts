/** @file What probes measured over a run: heat maps of what has rows, one table for what is one number. */
import { nth } from "../checked.ts";
import { maxOf } from "../ir/index.ts";
import { formatNumber } from "./format.ts";
import { heatMap } from "./heat-map.ts";
import { html, type Markup } from "./markup.ts";
import type { MeasurementFacts } from "./training-facts.ts";

type Measured = MeasurementFacts["measurements"][number] & Pick<MeasurementFacts, "epoch">;

/** A section for every subject, in the order in which probes told them. */
export function measurementSections(measured: readonly MeasurementFacts[] = []): Markup[] {
  const all = measured.flatMap(({ epoch, probe, measurements }) =>
    measurements.map((item) => ({ ...item, epoch, title: `${probe}: ${item.subject}` })),
  );
  return groups(all, ({ title }) => title).map(([title, items]) => html`<h2>${title}</h2>${sectionOf(title, items)}`);
}

function sectionOf(title: string, items: readonly Measured[]): Markup {
  const all = groups(items, ({ name }) => name);
  const isMap = ([, series]: Named): boolean => series.some(({ row }) => row !== undefined);
  return html`${all.filter(isMap).map(([name, series]) => map(title, name, series))}
    ${numbers(all.filter((named) => !isMap(named)))}`;
}

type Named = readonly [name: string, series: readonly Measured[]];

function groups<T>(items: readonly T[], keyOf: (item: T) => string): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const item of items) found.set(keyOf(item), [...(found.get(keyOf(item)) ?? []), item]);
  return [...found];
}

function map(title: string, name: string, series: readonly Measured[]): Markup {
  const row = nth(series, 0).row ?? "row";
  const columns = series.map(({ epoch, values }) => ({ at: String(epoch), values }));
  const label = `${name} of each ${row} at every evaluation, ${title}`;
  const rows = Array.from({ length: maxOf(series.map(({ values }) => values.length)) }, (_, i) => i);
  return html`<h3>${name}</h3><div class="scroll">${heatMap(columns, { label, row, x: "evaluations, by epoch" })}</div>
    <details><summary>${name} in figures</summary><div class="scroll"><table><thead><tr><th>epoch</th>${rows.map((i) => html`<th class="number">${row} ${i}</th>`)}</tr></thead>
    <tbody>${series.map(({ epoch, values }) => html`<tr><td>${epoch}</td>${rows.map((i) => figure(values[i]))}</tr>`)}</tbody></table></div></details>`;
}

function numbers(all: readonly Named[]): Markup | undefined {
  if (all.length === 0) return undefined;
  const epochs = [...new Set(all.flatMap(([, series]) => series.map(({ epoch }) => epoch)))].sort((a, b) => a - b);
  const valueAt = (series: readonly Measured[], epoch: number) =>
    series.find((item) => item.epoch === epoch)?.values[0];
  return html`<div class="scroll"><table><thead><tr><th>epoch</th>${all.map(([name]) => html`<th class="number">${name}</th>`)}</tr></thead>
    <tbody>${epochs.map((epoch) => html`<tr><td>${epoch}</td>${all.map(([, series]) => figure(valueAt(series, epoch)))}</tr>`)}</tbody></table></div>`;
}

function figure(value: number | undefined): Markup {
  return html`<td class="number">${value === undefined || Number.isNaN(value) ? "–" : formatNumber(value)}</td>`;
}
