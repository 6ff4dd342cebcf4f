/** @file Trains from files to files: everything is checked first, then a run folder fills, the model and its report come last. */
import { basename, join } from "node:path";
import { distill } from "../../distill/index.ts";
import { remove } from "../../file-system.ts";
import type { ComparedFacts } from "../../report/index.ts";
import { type Algorithm, type FitOptions, fit } from "../../train/index.ts";
import type { Console } from "../console.ts";
import { fingerprint } from "../model/model-file.ts";
import { inRunFolder } from "../run/in-run-folder.ts";
import { checkOutputFile, checkOutputFolder, runFolderOf } from "../run/output.ts";
import { assistantsOf, taughtByAssistants } from "./assistants.ts";
import { fitOptions } from "./fit-options.ts";
import { followed } from "./followed-run.ts";
import { formsMeasured } from "./measured-forms.ts";
import { mixtureOptions } from "./mixture-options.ts";
import { nameOf, present } from "./named-choice.ts";
import { rankAlgorithms } from "./shared-training.ts";
import { tasksOf } from "./task-settings.ts";
import { runTasks } from "./tasks-job.ts";
import { type Teaching, teacherDigests, teachingOf } from "./teaching.ts";
import type { TrainingConfig } from "./training-config.ts";
import { type FinishedTraining, type Trained, type TrainingTarget, writeTraining } from "./training-output.ts";
import { trainingParts } from "./training-parts.ts";

/** @throws whatever reading the configuration, the model and the data, training and writing throw; CancelledError with a hint. */
export async function runTraining(target: TrainingTarget, config: TrainingConfig, console: Console): Promise<Trained> {
  const tasks = tasksOf(config);
  if (tasks) return await runTasks(target, config, tasks, console);
  const name = nameOf(config.model);
  fitOptions(config);
  const inputs = [
    name,
    ...(config.distillation?.teacher ?? []),
    ...assistantsOf(config),
    config.data,
    config.labels,
    config.preprocess,
  ];
  if (target.out.endsWith(".onnx")) await checkOutputFile(target.out, inputs);
  if (config.keepAdapters !== undefined) await checkOutputFile(config.keepAdapters, [...inputs, target.out]);
  await checkOutputFolder(runFolderOf(target.out));
  const shared = rankAlgorithms(config);
  const { loaded, data, start, options } = await trainingParts(config, console, target.data);
  const taught = await taughtByAssistants(target, config, runTraining, console);
  const teaching = await teachingOf(taught.config, start.model, data, console);
  const notes = [...start.notes, ...(teaching?.notes ?? [])];
  for (const note of notes) console.say(note);
  const sha256 = loaded && (await fingerprint(name)).sha256;
  const { out: _, keepAdapters: __, ...rest } = config;
  const teachers = await teacherDigests(config);
  const facts = { command: "train", ...rest, model: loaded ? basename(name) : config.model, sha256, teachers };
  // Another number of ranks may go on, each with its part of the processors.
  const identity = shared.length > 0 ? { ...facts, threads: undefined } : facts;
  const kept = "The state of the run is kept";
  const place = { path: runFolderOf(target.out), identity, resume: target.resume, kept };
  return await inRunFolder(place, console, async (folder) => {
    const objective = { ...objectiveOf(options, teaching), ...start.options };
    const job = { target, config, folder, start, data, notes, earlier: taught.earlier, shared };
    return await trainedIn(job, objective, teaching, console);
  });
}

/** What is minimised and evaluated: as the configuration says, or what a teacher leaves of it. */
function objectiveOf(options: FitOptions, teaching: Teaching | undefined): FitOptions {
  if (!teaching) return options;
  const { loss: _, evaluate: __, ...rest } = options;
  const { loss, evaluate, output } = teaching.options;
  return { ...rest, ...present({ loss, evaluate, output }) };
}

interface Job extends Omit<FinishedTraining, "trained" | "report" | "compared"> {
  /** What stages before this one came to. */
  readonly earlier: readonly ComparedFacts[];
  /** Of the ranks that share it. */
  readonly shared: readonly Algorithm[];
}

async function trainedIn(
  job: Job,
  objective: FitOptions,
  teaching: Teaching | undefined,
  console: Console,
): Promise<Trained> {
  const { config, folder, start, target, notes, earlier, shared } = job;
  const before = [...earlier, ...((await teaching?.before(start.model)) ?? [])];
  const algorithms = [...(objective.algorithms ?? []), ...shared];
  const chosen = { ...objective, ...mixtureOptions(start.model, objective), algorithms };
  const forms = config.measureForms ? await formsMeasured(start.model, chosen, folder, console) : undefined;
  const settings: FitOptions = {
    ...chosen,
    ...present({ forms }),
    checkpoint: { folder: join(folder.path, "checkpoints"), ...present({ everySteps: config.checkpointEvery }) },
    resume: target.resume,
    signal: console.signal,
  };
  const answers = join(folder.path, "answers");
  const cache = teaching?.kept && { cache: { folder: answers, dtype: teaching.kept } };
  const taught = teaching && { ...settings, ...teaching.options, ...cache };
  const run = taught ? distill(start.model, taught) : fit(start.model, settings);
  const { model: trained, report } = await followed(run, folder, console);
  const compared = teaching && [...before, ...(await teaching.after(trained))];
  const told = { notes, ...(compared && { compared }) };
  const written = await writeTraining({ ...job, ...told, trained, report });
  await remove(answers);
  return { training: report, ...told, ...written };
}
