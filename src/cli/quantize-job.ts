/** @file What `lithe quantize` makes of a model before it is compared. */
import type { Model } from "../ir/index.ts";
import type { Console } from "../job/console.ts";
import { loadData } from "../job/data/load.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { knownFormTable } from "../job/forms/form-cache.ts";
import { withOwnMemory } from "../job/model/own-memory.ts";
import { cleaned } from "../job/model/readied.ts";
import { requireLabels } from "../job/verify/bounds.ts";
import { type Original, openOriginal } from "../job/verify/compare-with-original.ts";
import { loadModel } from "../onnx/files.ts";
import { type LayerReport, modelAdvice, quantize } from "../quantize/index.ts";
import type { QuantizeFlags } from "./quantize-flags.ts";
import { quantizeOptions } from "./quantize-options.ts";

interface Facts {
  readonly form: string;
  readonly data: string;
  readonly warning?: string;
}

export interface Plan extends Facts {
  readonly nodes: number;
}

export interface Made {
  readonly before: Original;
  readonly model: Model;
  readonly data: LoadedData;
  readonly facts: Facts;
  readonly layers: readonly Omit<LayerReport, "weightScale">[];
}

/** All that needs the original in memory: a large one is let go of when this returns. */
export async function make(path: string, flags: QuantizeFlags, console: Console): Promise<Made | Plan> {
  const original = await loadModel(path);
  const data = await loadData(original, { ...flags, data: flags.data ?? "random" }, console);
  requireLabels(flags, data.hasLabels);
  const before = await openOriginal(path, original, flags);
  let made: Made | Plan | undefined;
  try {
    made = await changed({ before, original, data }, flags, console);
    return made;
  } finally {
    if (made === undefined || !("before" in made)) await before[Symbol.asyncDispose]();
  }
}

interface Source {
  readonly before: Original;
  readonly original: Model;
  readonly data: LoadedData;
}

async function changed(
  { before, original, data }: Source,
  flags: QuantizeFlags,
  console: Console,
): Promise<Made | Plan> {
  const clean = await cleaned(original, before.session, data, flags, console);
  const options = await quantizeOptions(flags, data, console);
  const warning = await losingForm(clean, flags);
  if (warning) console.say(warning);
  const facts = { form: flags.form, data: data.source, ...(warning !== undefined && { warning }) };
  if (flags.dryRun) return { ...facts, nodes: clean.graph.nodes.length };
  const { model, report } = await quantize(clean, options);
  const layers = report.layers.map(({ weightScale: _, ...layer }) => layer);
  return { before, model: withOwnMemory(model), data, facts, layers };
}

/** What the form table, if one was measured, says against the form. */
async function losingForm(model: Model, { form, ep, threads }: QuantizeFlags): Promise<string | undefined> {
  const table = await knownFormTable(ep, threads);
  const found = table && modelAdvice(model, table, form);
  if (found?.verdict !== "loses") return undefined;
  return `W_FORM_LOSES: ${form} is slower than float32 on ${ep} by the form table (${found.reason})`;
}
