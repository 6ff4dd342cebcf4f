/** @file The forms of gradients of a run, measured once: an interrupted run goes on with the table that it began with. */

import type { Model } from "../../ir/index.ts";
import { pickOptions } from "../../options.ts";
import type { RunFolder } from "../../report/index.ts";
import {
  type GradientFormTable,
  type MeasureFormsOptions,
  measuredForms,
  measureFormsOptionsNames,
  measureGradientForms,
} from "../../train/index.ts";
import type { Console } from "../console.ts";

/** The part of the run folder that keeps the table. */
const PART = "gradient-forms";

export async function formsMeasured(
  model: Model,
  options: MeasureFormsOptions,
  folder: RunFolder,
  { signal, progress, say }: Pick<Console, "signal" | "progress" | "say">,
): Promise<ReturnType<typeof measuredForms>> {
  const kept = await folder.load(PART);
  if (kept) return measuredForms(kept.facts as GradientFormTable);
  const table = await measureGradientForms(model, {
    ...pickOptions(options, measureFormsOptionsNames),
    latency: { signal },
    onRow: ({ side }, done, total) => progress({ stage: "forms", done, total, detail: `gradient of the ${side}` }),
  });
  await folder.keep(PART, { facts: table });
  await folder.write("gradient-forms.json", `${JSON.stringify(table, null, 1)}\n`);
  say(`forms measured for ${table.rows.length} gradients of convolutions`);
  return measuredForms(table);
}
