/** @file Runs an acceleration from files to files: everything is checked first, the model and its report come last. */
import { basename } from "node:path";
import { type AccelerateEvent, accelerate, type CandidateResult } from "../../accelerate/index.ts";
import { loadModel } from "../../onnx/files.ts";
import { formatChange, formatPercent, formatSpeed, type RunFolder } from "../../report/index.ts";
import type { Console, Outcome, ProgressEvent } from "../console.ts";
import { loadData } from "../data/load.ts";
import { knownFormTable } from "../forms/form-cache.ts";
import { fingerprint } from "../model/model-file.ts";
import { inRunFolder } from "../run/in-run-folder.ts";
import { changesIn, checkChanges, plannedChanges } from "./changes.ts";
import type { JobOptions, JobTarget } from "./job-options.ts";
import { checkTarget, type JobInput, placeOf, storeIn, type WrittenJob, writeJob } from "./job-output.ts";

export async function runJob(target: JobTarget, options: JobOptions, console: Console): Promise<Outcome> {
  const { path } = target;
  const { goal, maxDrop, budget } = options;
  checkChanges(options);
  await checkTarget(target, options);
  const model = await loadModel(path);
  const file = await fingerprint(path);
  const data = target.data ?? (await loadData(model, options, console));
  console.say(`${basename(path)}: ${data.source}, goal ${goal}, at most ${formatPercent(maxDrop)} lost, ${budget} s`);
  const planned = await plannedChanges(model, options, data, console);
  for (const sentence of planned?.sentences ?? []) console.say(sentence);
  if (options.dryRun) {
    if (!console.json) console.say("nothing was changed");
    const { source, assumptions } = data;
    const asked = { data: source, assumptions, goal, maxDrop, ...(planned && { networks: planned.sentences }) };
    return { result: { dryRun: true, model: file, ...asked, out: target.out } };
  }
  return await inRunFolder(placeOf(target, options, file.sha256), console, async (folder) => {
    const { faster, written } = await work(
      target,
      options,
      folder,
      { model, file, data, ...(planned && { planned }) },
      console,
    );
    const { report, model: chosen, page } = written;
    console.say("");
    console.say(report.verdict.sentence);
    for (const { ep, build, status, reason } of report.providers) console.say(`${ep} (${build}) ${status}: ${reason}`);
    console.say(`model:  ${chosen}`);
    console.say(`report: ${page}`);
    return {
      result: {
        chosen: { ...report.chosen, file: chosen },
        candidates: report.candidates,
        providers: report.providers,
        samples: report.data,
        warnings: report.warnings,
        report: page,
        faster,
      },
    };
  });
}

async function work(
  target: JobTarget,
  options: JobOptions,
  folder: RunFolder,
  input: JobInput,
  console: Console,
): Promise<{ readonly faster: boolean; readonly written: WrittenJob }> {
  const { ep, threads, maxDrop, allowError, goal, maxSlowdown, seed, budget, weightBits, checkEp } = options;
  const formTable = await knownFormTable(ep, threads);
  const run = accelerate(input.model, {
    ...(formTable && { formTable }),
    calibration: input.data.calibration,
    evaluation: input.data.evaluation,
    ep,
    threads,
    maxDrop,
    maxError: allowError,
    goal,
    ...(maxSlowdown !== undefined && { maxSlowdown }),
    seed,
    budgetSeconds: budget,
    weightBits,
    otherProviders: checkEp,
    originalBytes: input.file.bytes,
    ...(input.planned && { changes: changesIn(folder, input.planned, options, console) }),
    store: storeIn(folder),
    signal: console.signal,
  });
  const tell = teller(budget, console);
  for await (const event of run) {
    if (event.type !== "progress") await folder.record(event);
    tell(event);
  }
  const result = await run.result;
  return { faster: result.faster, written: await writeJob(target, options, folder, input, result) };
}

/** Says what happens: forms as they are measured, those that nobody tried in one line, progress as part of the whole job. */
function teller(budget: number, { say, progress }: Console): (event: AccelerateEvent) => void {
  const began = Date.now();
  const untried: string[] = [];
  let forms = 0;
  const show = (event: ProgressEvent): void => {
    const part = `form ${forms + 1}`;
    progress({ ...event, whole: { part, done: (Date.now() - began) / 1000, total: budget } });
  };
  const tellUntried = (): void => {
    if (untried.length > 0) say(`✗ not tried, for the budget was spent: ${untried.join("; ")}`);
    untried.length = 0;
  };
  return (event) => {
    if (event.type === "candidate" && event.candidate.reason.startsWith("not tried")) {
      untried.push(event.candidate.form);
      return;
    }
    if (event.type === "candidate") forms++;
    if (event.type !== "progress") tellUntried();
    if (event.type === "warning") say(`${event.code}: ${event.message}`);
    if (event.type === "progress") show(event);
    if (event.type === "stage") show({ stage: event.name, done: 0, total: 0, detail: event.detail });
    if (event.type === "candidate") say(candidateText(event.candidate));
  };
}

function candidateText({ form, accepted, reason, comparison }: CandidateResult): string {
  const figures = comparison
    ? `; ${formatSpeed(comparison.latency)}, ${formatChange(comparison.size.ratio, "smaller", "larger")}`
    : "";
  return `${accepted ? "✓" : "✗"} ${form}: ${reason}${accepted ? "" : figures}`;
}
