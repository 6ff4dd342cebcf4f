/** @file Runs a technique from files to files: everything is checked first, the model is written when it keeps its bounds, its report in any case. */
import type * as z from "zod";
import type { Model } from "../../ir/index.ts";
import type { Comparison } from "../../measure/index.ts";
import { saveModel } from "../../onnx/files.ts";
import { type RunFolder, techniquePage } from "../../report/index.ts";
import { openSession } from "../../runtime/index.ts";
import { requireSamplesFor } from "../../settings/index.ts";
import type { Evidence, Technique } from "../../technique/index.ts";
import type { Console, Outcome } from "../console.ts";
import { collectGarbage } from "../model/collect-garbage.ts";
import { fingerprint } from "../model/model-file.ts";
import { withOwnMemory } from "../model/own-memory.ts";
import { inRunFolder } from "../run/in-run-folder.ts";
import { decidingSettings, pickSettings } from "../settings/command-line.ts";
import { boundsOfNetwork, brokenBounds, outcomeLine, outcomeOf, showComparison } from "../verify/bounds.ts";
import { compareWith } from "../verify/compare-with-original.ts";
import { contextOf, dropState } from "./context.ts";
import { answersElsewhere, lineElsewhere, refusedElsewhere } from "./elsewhere.ts";
import { type Prepared, prepare } from "./prepared.ts";
import { type TechniqueRun, techniqueReport } from "./report.ts";
import { type SharedSettings, sharedSettings, techniqueSettings } from "./settings.ts";
import { checkedTarget } from "./target.ts";

/** What is known against a result before it is made; `undefined` where nothing is. */
export type Warn<S extends z.ZodObject = z.ZodObject> = (
  model: Model,
  settings: z.output<S>,
  shared: SharedSettings,
) => Promise<{ readonly code: string; readonly message: string } | undefined>;

/** @param paths the model that is changed, behind the others that the technique takes */
export async function runTechnique<S extends z.ZodObject>(
  technique: Technique<S>,
  paths: readonly string[],
  settings: z.output<z.ZodObject>,
  console: Console,
  warn: Warn<S> = async () => undefined,
): Promise<Outcome> {
  const shared = pickSettings(sharedSettings, settings);
  const own = pickSettings(technique.settings, settings);
  requireSamplesFor(shared.finetune === undefined ? undefined : "--finetune", shared.data);
  technique.check({ ...own, ...shared });
  const target = await checkedTarget(paths, technique.suffix(own), shared);
  await using prepared = await prepare(technique, target, shared, console);
  const { facts, sentence } = technique.plan(prepared.model, own, prepared.others);
  const warning = await warn(prepared.model, own, shared);
  if (warning) console.say(`${warning.code}: ${warning.message}`);
  const told = { ...(warning && { warning: `${warning.code}: ${warning.message}` }), data: prepared.data.source };
  if (shared.dryRun) {
    if (!console.json) console.say(`${sentence}: ${target.out} would be written; nothing was changed`);
    return { result: { dryRun: true, ...facts, ...told, out: target.out } };
  }
  const run = { technique, target, settings, own, shared, warnings: warning ? [warning] : [] };
  const identity = {
    command: technique.name,
    model: target.name,
    sha256: prepared.facts.sha256,
    ...(target.others.length > 0 && { others: await Promise.all(target.others.map(hashOf)) }),
    ...decidingSettings(techniqueSettings(technique), settings),
  };
  const isKept = shared.finetune !== undefined || technique.resumes === true;
  const kept = isKept ? { kept: "The state of the training is kept" } : {};
  const place = { path: target.run, identity, resume: shared.resume === true, ...kept };
  const { result, ok } = await inRunFolder(place, console, (folder) => work(run, prepared, folder, console));
  return { result: { ...result, ...told }, ok };
}

async function work(run: TechniqueRun, prepared: Prepared, folder: RunFolder, console: Console) {
  const { technique, target, shared } = run;
  const { data, original } = prepared;
  const made = await changed(run, prepared, folder, console);
  collectGarbage();
  const comparison = await compareWith(original, made.model, data, shared, console);
  const evidence = await observed(technique, made, data, shared);
  const elsewhere = await answersElsewhere(evidence.model, data, shared);
  const broken = [
    ...brokenBounds(comparison, boundsOf(technique, shared, evidence)),
    ...slowerThanOriginal(technique, shared, comparison),
    ...refusedElsewhere(elsewhere),
  ];
  const isWritten = broken.length === 0;
  if (isWritten) await saveModel(target.out, evidence.model);
  const report = await techniqueReport(run, prepared, { evidence, comparison, elsewhere, broken }, folder);
  await folder.write("report.json", `${JSON.stringify(report, undefined, 1)}\n`);
  const page = await folder.write("report.html", techniquePage(report));
  await dropState(folder);
  if (!console.json) {
    console.say(evidence.sentence);
    showComparison(comparison, data.source, broken, console);
    for (const each of elsewhere) console.say(lineElsewhere(each));
    console.say(outcomeLine(target.out, broken));
    console.say(`report: ${page}`);
  }
  const { facts, training } = evidence;
  const rest = {
    ...(training && { training }),
    ...(elsewhere.length > 0 && { providers: elsewhere }),
    report: page,
    ...outcomeOf(target.out, broken),
    broken,
  };
  return { result: { ...comparison, ...facts, ...rest }, ok: isWritten };
}

async function hashOf(path: string): Promise<string> {
  return (await fingerprint(path)).sha256;
}

/** A network that was trained is judged by its answers, whatever trained it. */
function boundsOf({ keeps }: Technique, shared: SharedSettings, { training }: Evidence): SharedSettings {
  return keeps === "numbers" ? shared : boundsOfNetwork({ ...shared, ...(training && { finetune: training.epochs }) });
}

/** A result that is slower by the whole interval, in a sentence, where that is refused. */
function slowerThanOriginal(
  { refusesSlower }: Technique,
  { allowSlower }: SharedSettings,
  { latency }: Pick<Comparison, "latency">,
): string[] {
  if (!refusesSlower || allowSlower || latency.verdict !== "slower") return [];
  const interval = latency.spread.map((end) => end.toFixed(2)).join(" to ");
  return [
    `it has ${latency.ratio.toFixed(2)} times the speed of the original (${interval}); --allow-slower takes that`,
  ];
}

/** What the technique looks at in its result, on the samples that verify. */
async function observed(
  { observe }: Technique,
  evidence: Evidence,
  { evaluation }: Prepared["data"],
  { ep, threads }: SharedSettings,
): Promise<Evidence> {
  if (!observe) return evidence;
  const open = (model: Model) => openSession(model, { ep, threads, stock: true });
  return await observe(evidence, open, evaluation());
}

/** What the technique made, in memory of its own: a large original is let go of when this returns. */
async function changed(
  { technique, own, shared }: TechniqueRun,
  prepared: Prepared,
  folder: RunFolder,
  console: Console,
): Promise<Evidence> {
  const ready = prepared.take();
  const evidence = await technique.run(ready, own, contextOf(ready, prepared, shared, folder, console));
  return { ...evidence, model: withOwnMemory(evidence.model) };
}
