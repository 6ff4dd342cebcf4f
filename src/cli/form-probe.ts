/** @file Measuring what the forms are worth here: the table is kept for later commands and shown. */

import type { Console } from "../job/console.ts";
import { keepFormTable } from "../job/forms/form-cache.ts";
import type { RuntimeOptions } from "../job/settings/settings.ts";
import { type FormTable, probeForms } from "../quantize/index.ts";
import { openSession } from "../runtime/index.ts";
import { table } from "./text-table.ts";

export async function probeAndKeep(
  ep: RuntimeOptions["ep"],
  threads: number,
  { signal, progress, say, json }: Console,
): Promise<FormTable> {
  const forms = await probeForms(openSession, ep, {
    threads,
    signal,
    onEntry: ({ product, form }, done, total) =>
      progress({ stage: "probe", done, total, detail: `${form} of ${product}` }),
  });
  const path = await keepFormTable(forms);
  if (json) return forms;
  say("");
  const rows = forms.entries.map(({ product, form, ratio, spread, reason }) => [
    product,
    form,
    ratio === undefined ? "–" : `${ratio.toFixed(2)}×`,
    spread ? spread.map((end) => end.toFixed(2)).join(" to ") : (reason ?? "").slice(0, 60),
  ]);
  for (const line of table(["product", "form", "against float32", "quartiles"], rows)) say(line);
  say(`kept in ${path}`);
  return forms;
}
