/** @file `lithe quantize MODEL --form FORM`: fewer bits, verified against the original before anything is written. */

import type { Console, Outcome } from "../job/console.ts";
import { collectGarbage } from "../job/model/collect-garbage.ts";
import { checkOutputFile } from "../job/run/output.ts";
import { brokenBounds, outcomeLine, outcomeOf, showComparison } from "../job/verify/bounds.ts";
import { compareWith } from "../job/verify/compare-with-original.ts";
import { saveModel } from "../onnx/files.ts";
import type { CommandModule } from "./command.ts";
import { declareQuantize, outputPath, type QuantizeFlags, requireData } from "./quantize-flags.ts";
import { make } from "./quantize-job.ts";

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const flags = given as unknown as QuantizeFlags;
  requireData(flags);
  const out = flags.out ?? outputPath(path!, flags);
  await checkOutputFile(out, [path, flags.data, flags.labels, flags.preprocess]);
  const made = await make(path!, flags, console);
  if ("nodes" in made) return dryRun({ ...made, out }, console);

  const { before, model, data, facts, layers } = made;
  await using _before = before;
  collectGarbage();
  const comparison = await compareWith(before, model, data, flags, console);
  const broken = brokenBounds(comparison, flags);
  const isWritten = broken.length === 0;
  if (isWritten) await saveModel(out, model);
  if (!console.json) {
    console.say(`${layers.filter(({ quantized }) => quantized).length} of ${layers.length} layers in fewer bits`);
    showComparison(comparison, data.source, broken, console);
    console.say(outcomeLine(out, broken));
  }
  return { result: { ...comparison, ...facts, ...outcomeOf(out, broken), layers, broken }, ok: isWritten };
}

function dryRun(
  plan: { readonly form: string; readonly out: string; readonly nodes: number },
  { json, say }: Console,
): Outcome {
  if (!json) say(`${plan.form} would be written to ${plan.out}; nothing was changed`);
  return { result: { dryRun: true, ...plan } };
}

export const command: CommandModule = { declare: declareQuantize, run };
