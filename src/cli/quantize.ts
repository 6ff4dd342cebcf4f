/** @file `lithe quantize MODEL --form FORM`: fewer bits, verified against the original before anything is written. */
import type { Model } from "../ir/index.ts";
import { loadModel, saveModel } from "../onnx/files.ts";
import { modelAdvice, quantize } from "../quantize/index.ts";
import { brokenBounds, outcomeLine, outcomeOf, requireLabels, showComparison } from "./bounds.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { compareWithOriginal } from "./compare-with-original.ts";
import { knownFormTable } from "./form-cache.ts";
import { loadData } from "./load.ts";
import { checkOutputFile } from "./output.ts";
import { declareQuantize, outputPath, type QuantizeFlags, requireData } from "./quantize-flags.ts";
import { quantizeOptions } from "./quantize-options.ts";
import { cleaned } from "./readied.ts";

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const flags = given as unknown as QuantizeFlags;
  requireData(flags);
  const original = await loadModel(path!);
  const out = flags.out ?? outputPath(path!, flags);
  await checkOutputFile(out, [path, flags.data, flags.labels, flags.preprocess]);
  const data = await loadData(original, { ...flags, data: flags.data ?? "random" }, console);
  requireLabels(flags, data.hasLabels);
  const clean = await cleaned(original, data, flags, console);
  const options = await quantizeOptions(flags, data, console);
  const warning = await losingForm(clean, flags);
  if (warning) console.say(warning);
  const facts = { form: flags.form, data: data.source, ...(warning !== undefined && { warning }) };
  if (flags.dryRun) return dryRun({ ...facts, out, nodes: clean.graph.nodes.length }, console);

  const { model, report } = await quantize(clean, options);
  const comparison = await compareWithOriginal(path!, original, model, data, flags, console);
  const broken = brokenBounds(comparison, flags);
  const layers = report.layers.map(({ weightScale: _, ...layer }) => layer);
  const isWritten = broken.length === 0;
  if (isWritten) await saveModel(out, model);
  if (!console.json) {
    console.say(`${layers.filter(({ quantized }) => quantized).length} of ${layers.length} layers in fewer bits`);
    showComparison(comparison, data.source, broken, console);
    console.say(outcomeLine(out, broken));
  }
  return { result: { ...comparison, ...facts, ...outcomeOf(out, broken), layers, broken }, ok: isWritten };
}

/** What the form table, if one was measured, says against the form. */
async function losingForm(model: Model, { form, ep, threads }: QuantizeFlags): Promise<string | undefined> {
  const table = await knownFormTable(ep, threads);
  const found = table && modelAdvice(model, table, form);
  if (found?.verdict !== "loses") return undefined;
  return `W_FORM_LOSES: ${form} is slower than float32 on ${ep} by the form table (${found.reason})`;
}

function dryRun(
  plan: { readonly form: string; readonly out: string; readonly nodes: number },
  { json, say }: Console,
): Outcome {
  if (!json) say(`${plan.form} would be written to ${plan.out}; nothing was changed`);
  return { result: { dryRun: true, ...plan } };
}

export const command: CommandModule = { declare: declareQuantize, run };
