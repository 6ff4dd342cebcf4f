/** @file A student of several tasks and a teacher for each, from files to files: Clark et al. (2019), arXiv:1907.04829. */
import { basename, join } from "node:path";
import { nth } from "../../checked.ts";
import { mixture } from "../../data/index.ts";
import { answersOf, type MultiTaskOptions, multiTask, type Task } from "../../distill/index.ts";
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import type { ComparedFacts } from "../../report/index.ts";
import { evaluateModel } from "../../train/index.ts";
import type { Console } from "../console.ts";
import { fingerprint } from "../model/model-file.ts";
import { trainable } from "../model/readied.ts";
import { inRunFolder } from "../run/in-run-folder.ts";
import { checkOutputFile, checkOutputFolder, runFolderOf } from "../run/output.ts";
import { augmentOf, fitOptions, type TrainingData } from "./fit-options.ts";
import { followed } from "./followed-run.ts";
import { nameOf, present } from "./named-choice.ts";
import type { TaskFiles } from "./task-settings.ts";
import { exposing, oneTeacher, teacherDigests } from "./teaching.ts";
import type { TrainingConfig } from "./training-config.ts";
import { firstOf, openParts } from "./training-data.ts";
import { modelOfFile } from "./training-model.ts";
import { type Trained, type TrainingTarget, writeTraining } from "./training-output.ts";

/** A task with what its files hold. */
interface Loaded extends Task {
  readonly validation: TrainingData["validation"];
  /** The same samples under the names of the teacher's inputs. */
  readonly seen: TrainingData["validation"];
  /** Of the teacher. */
  readonly teacherOutput: string;
}

/** @throws what reading the models and the data, training and writing throw; DataError for samples without labels */
export async function runTasks(
  target: TrainingTarget,
  config: TrainingConfig,
  files: readonly TaskFiles[],
  console: Console,
): Promise<Trained> {
  const name = nameOf(config.model);
  const inputs = [name, ...files.flatMap(({ teacher, data }) => [teacher, data]), config.labels, config.preprocess];
  if (target.out.endsWith(".onnx")) await checkOutputFile(target.out, inputs);
  await checkOutputFolder(runFolderOf(target.out));
  const given = await modelOfFile(config);
  if (!given)
    throw new UsageError("several tasks are learned by the model of a file", { expected: "--student FILE", got: name });
  const { student, tasks } = await loaded(given, config, files, console);
  const notes = notesOf(tasks, files, config);
  for (const note of notes) console.say(note);
  const { out: _, ...rest } = config;
  const [{ sha256 }, teachers] = [await fingerprint(name), await teacherDigests(config)];
  const identity = { command: "train", ...rest, model: basename(name), sha256, teachers };
  const place = {
    path: runFolderOf(target.out),
    identity,
    resume: target.resume,
    kept: "The state of the run is kept",
  };
  return await inRunFolder(place, console, async (folder) => {
    const before = [
      ...(await figuresOfTeachers(tasks, config)),
      ...(await figuresOf("student before", student, tasks, config)),
    ];
    const checkpoint = { folder: join(folder.path, "checkpoints"), ...present({ everySteps: config.checkpointEvery }) };
    const run = multiTask(student, {
      ...(await optionsOf(config, tasks)),
      ...{ tasks, checkpoint, resume: target.resume, signal: console.signal },
    });
    const { model: trained, report } = await followed(run, folder, console);
    const compared = [...before, ...(await figuresOf("student after", trained, tasks, config))];
    const start = { model: student, options: {}, notes, finish: (model: Model) => ({ model }) };
    const data = samplesOf(tasks, config);
    const written = await writeTraining({ target, config, folder, start, data, trained, report, notes, compared });
    return { training: report, notes, compared, ...written };
  });
}

async function loaded(
  given: Model,
  config: TrainingConfig,
  files: readonly TaskFiles[],
  console: Console,
): Promise<{ readonly student: Model; readonly tasks: readonly Loaded[] }> {
  const parts: TrainingData[] = [];
  for (const { data } of files) parts.push(await openParts({ ...config, data }, given, console));
  const evaluation = () => firstOf(nth(parts, 0), given);
  const student = await trainable(given, { evaluation }, config, console);
  const tasks: Loaded[] = [];
  for (const [i, { name, teacher: path }] of files.entries()) {
    const data = nth(parts, i);
    const { model: teacher, sees } = await oneTeacher(path, student, data, { config, console });
    const teacherOutput = answersOf(teacher).output;
    const { training, validation } = data;
    tasks.push({ name, output: name, teacher, teacherOutput, data: training, validation, seen: sees(validation) });
  }
  return { student, tasks };
}

async function optionsOf(config: TrainingConfig, tasks: readonly Loaded[]): Promise<Omit<MultiTaskOptions, "tasks">> {
  const { loss: _, output: __, monitor: ___, restoreBest: ____, ...shared } = fitOptions(config);
  const { labelShare, taskPower: power } = config.distillation ?? {};
  return { ...shared, ...(await augmentOf(config, nth(tasks, 0).data)), ...present({ labelShare, power }) };
}

/** Who teaches what, and how often it is drawn. */
function notesOf(tasks: readonly Loaded[], files: readonly TaskFiles[], { distillation }: TrainingConfig): string[] {
  const weights = tasks.map(({ data }) => data.size ** (distillation?.taskPower ?? 0.75));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return tasks.map(({ name, data }, i) => {
    const share = ((100 * nth(weights, i)) / total).toFixed(1);
    return `${name} follows ${JSON.stringify(basename(nth(files, i).teacher))} on ${share} % of what is drawn, of ${data.size} samples`;
  });
}

async function figuresOfTeachers(tasks: readonly Loaded[], config: TrainingConfig): Promise<ComparedFacts[]> {
  const found: ComparedFacts[] = [];
  for (const { name, teacher, teacherOutput, seen } of tasks)
    for (const each of await measured(`${name}: teacher`, teacher, teacherOutput, seen, config)) found.push(each);
  return found;
}

async function figuresOf(
  who: string,
  student: Model,
  tasks: readonly Loaded[],
  config: TrainingConfig,
): Promise<ComparedFacts[]> {
  const found: ComparedFacts[] = [];
  for (const { name, output, validation } of tasks)
    for (const each of await measured(`${name}: ${who}`, student, output, validation, config)) found.push(each);
  return found;
}

/** On samples that are held out; nothing where none are. */
async function measured(
  name: string,
  model: Model,
  output: string,
  data: TrainingData["validation"],
  { ep, threads }: TrainingConfig,
): Promise<ComparedFacts[]> {
  if (data.size === 0) return [];
  const how = { loss: "crossEntropy", metrics: ["accuracy"], session: { ep, threads } } as const;
  return [{ name, metrics: await evaluateModel(exposing(model, output), { ...how, data, output }) }];
}

/** All samples, as many as there are. */
function samplesOf(tasks: readonly Loaded[], { seed }: TrainingConfig): TrainingData {
  const all = (sets: readonly TrainingData["training"][]): TrainingData["training"] => {
    const size = sets.reduce((sum, data) => sum + data.size, 0);
    return size === 0
      ? nth(sets, 0)
      : mixture(
          sets.filter((data) => data.size > 0),
          { size, seed },
        );
  };
  return { training: all(tasks.map(({ data }) => data)), validation: all(tasks.map(({ validation }) => validation)) };
}
