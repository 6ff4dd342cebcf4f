/** @file The teacher of a run: loaded and made ready, what of it is followed, and how far models are from it on samples that are held out. */
import { basename } from "node:path";
import { batches, type Dataset, mapSamples, nearestRows, replaceWords } from "../../data/index.ts";
import {
  answersOf,
  type DistillationLoss,
  type DistillationOptions,
  distillationGap,
  distillationLosses,
  ensemble,
  features,
  type JointOptions,
  softTargets,
  teacherInputs,
  transformerTargets,
  wordTable,
} from "../../distill/index.ts";
import { UsageError } from "../../errors.ts";
import { type Model, valuesOf, withGraph } from "../../ir/index.ts";
import { loadModel } from "../../onnx/files.ts";
import { costOf } from "../../ops/index.ts";
import type { ComparedFacts } from "../../report/index.ts";
import { memberFacts } from "../../settings/index.ts";
import { type EvaluateOptions, evaluateModel, type FitOptions } from "../../train/index.ts";
import type { Console } from "../console.ts";
import { fingerprint, inputPorts } from "../model/model-file.ts";
import { trainable } from "../model/readied.ts";
import { assistantsOf } from "./assistants.ts";
import type { DistillationConfig } from "./distillation-config.ts";
import { evaluationOf, fitOptions, type TrainingData } from "./fit-options.ts";
import { made, type NamedChoice, nameOf, present } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";

export interface Teaching {
  /** Whom the run follows, and what it minimises beside: no loss where no labels are read. */
  readonly options: Omit<DistillationOptions, "answersAreFed"> &
    Pick<FitOptions, "data" | "loss" | "output" | "evaluate">;
  /** In which precision the teacher's answers are kept; not at all when absent. */
  readonly kept?: "float32" | "float16";
  readonly notes: readonly string[];
  /** What the teacher comes to where labels are read, and the student as it begins. Nothing where no samples are held out. */
  before(student: Model): Promise<readonly ComparedFacts[]>;
  after(student: Model): Promise<readonly ComparedFacts[]>;
}

/** The digests of the files of teachers and assistants, which tell runs apart. */
export async function teacherDigests(config: TrainingConfig): Promise<readonly string[] | undefined> {
  const { teacher } = config.distillation ?? {};
  if (!teacher) return undefined;
  return Promise.all([...teacher, ...assistantsOf(config)].map(async (path) => (await fingerprint(path)).sha256));
}

/** @throws what reading and comparing the models throws, before anything is trained */
export async function teachingOf(
  config: TrainingConfig,
  student: Model,
  data: TrainingData,
  console: Console,
): Promise<Teaching | undefined> {
  const { distillation: asked } = config;
  if (!asked) return undefined;
  const teacher = await teacherOf(asked, student, data, { config, console });
  const training = withCopies(asked, config, teacher, data.training);
  const joined = joining(asked, config, student, teacher, await classesOf(training));
  const readsLabels = labelsAreRead(asked, config, joined.areScores, training);
  const { output, areScores: _, ...joint } = joined;
  const { loss } = fitOptions(config);
  const { evaluate } = readsLabels ? evaluationOf(config, data) : held(data);
  const measured = { ...joint, output, session: { ep: config.ep, threads: config.threads } };
  const figures = figuresOf(measured, readsLabels && loss !== undefined ? { loss, ...evaluate } : undefined);
  const kept = keptAs(asked, config, { student, teacher: teacher.model });
  const { validation } = data;
  const compared = async (name: string, model: Model): Promise<ComparedFacts> => {
    const own = readsLabels ? await figures.own(model, validation, output) : {};
    return { name, metrics: { ...own, ...(await figures.gaps(model, validation)) } };
  };
  const ofTeacher = async (): Promise<ComparedFacts> => {
    const metrics = await figures.own(joint.teacher, teacher.sees(validation), joint.teacherOutput);
    return { name: "teacher", metrics };
  };
  return {
    options: {
      ...joint,
      output,
      data: training,
      labelWeight: asked.labelWeight,
      ...(readsLabels && loss !== undefined && { loss }),
      ...(evaluate && { evaluate }),
    },
    ...(kept && { kept }),
    notes: [
      followed(asked, joint.losses),
      labelNote(asked, readsLabels, data.training),
      ...(kept ? [`the teacher's answers are kept in ${kept}: it runs once per sample`] : []),
    ],
    async before(model) {
      if (validation.size === 0) return [];
      return [...(readsLabels ? [await ofTeacher()] : []), await compared("student before", model)];
    },
    after: async (model) => (validation.size === 0 ? [] : [await compared("student after", model)]),
  };
}

/** How many times the work of the student the teacher's has to be, that its answers are kept unasked. */
const MUCH = 4;

/** @throws UsageError where answers are to be kept of samples that change */
function keptAs(
  { cache }: DistillationConfig,
  { augment = [], workers = 0, epochs }: TrainingConfig,
  models: { readonly student: Model; readonly teacher: Model },
): Teaching["kept"] {
  const changes = augment.length > 0;
  if (cache === "auto") {
    const [own, other] = [costOf(models.student).macs, costOf(models.teacher).macs];
    return epochs > 1 && !changes && workers === 0 && other > MUCH * own ? "float32" : undefined;
  }
  if (cache === "none") return undefined;
  if (!changes) return cache;
  throw new UsageError("answers are kept for samples as they are, and augmentation changes them every time", {
    expected: "--cache none",
    got: `--cache ${cache} --augment ${augment.map(nameOf).join(",")}`,
  });
}

interface Teacher {
  readonly model: Model;
  /** The teacher's inputs by those of the student. */
  readonly names: ReadonlyMap<string, string>;
  /** The samples under the names of the teacher's inputs. */
  sees(data: Dataset): Dataset;
  /** The answers of each of several, where each is followed, with its weight. */
  readonly each: readonly { readonly output: string; readonly weight: number }[];
}

export type OneTeacher = Omit<Teacher, "each">;

type Place = { readonly config: TrainingConfig; readonly console: Console };

async function teacherOf(
  asked: DistillationConfig,
  student: Model,
  data: TrainingData,
  place: Place,
): Promise<Teacher> {
  const all: Omit<Teacher, "each">[] = [];
  for (const path of asked.teacher) all.push(await oneTeacher(path, student, data, place));
  const { temperature, teacherWeights: weights, combine } = asked;
  const [only] = all;
  if (only && all.length === 1) {
    if (weights === undefined) return { ...only, each: [] };
    throw new UsageError("--teacher-weights weighs several teachers", { got: "one" });
  }
  const outputs = all.map(({ model }) => answersOf(model).output);
  const model = ensemble(
    all.map((each) => each.model),
    { outputs, ...present({ weights, temperature }) },
  );
  const [, ...answers] = model.graph.outputs;
  const each = answers.map(({ name }, i) => ({ output: name, weight: weights?.[i] ?? 1 / all.length }));
  return { model, sees: only!.sees, names: only!.names, each: combine === "each" ? each : [] };
}

/** A teacher of a file, ready for a step graph. */
export async function oneTeacher(
  path: string,
  student: Model,
  { training }: TrainingData,
  { config, console }: Place,
): Promise<OneTeacher> {
  const loaded = await loadModel(path);
  const names = new Map([...teacherInputs(student.graph, loaded.graph)].map(([value, own]) => [own.name, value.name]));
  const sees = (data: Dataset) => underNames(data, names);
  const port = inputPorts(loaded);
  const evaluation = () => batches(sees(training), { port, limit: 64 });
  return { model: await trainable(loaded, { evaluation }, config, console), sees, names };
}

/** Samples whose inputs have other names. */
function underNames(data: Dataset, names: ReadonlyMap<string, string>): Dataset {
  if ([...names].every(([own, other]) => own === other)) return data;
  const renamed = mapSamples(data, (sample) => ({
    ...sample,
    inputs: new Map([...sample.inputs].map(([name, tensor]) => [names.get(name) ?? name, tensor])),
  }));
  return { ...renamed, ...(data.labels && { labels: () => data.labels!() }) };
}

/** The class of each sample; each is one of its own where there are no labels. */
async function classesOf(data: Dataset): Promise<ArrayLike<number>> {
  return (await data.labels?.()) ?? Array.from({ length: data.size }, (_, i) => i);
}

/** What the student is compared with, and by what. */
function joining(
  asked: DistillationConfig,
  { output, seed }: TrainingConfig,
  student: Model,
  { model: teacher, each }: Teacher,
  classes: ArrayLike<number>,
) {
  const [own, other] = [answersOf(student), answersOf(teacher)];
  const answers = {
    student: output ?? own.output,
    teacher: asked.teacherOutput ?? sameOr(own.output, other.output, teacher),
  };
  const usual = own.areScores
    ? softTargets(present({ temperature: asked.temperature }))
    : features({ pairs: [answers] });
  const chosen = asked.loss?.flatMap((choice) => {
    if (nameOf(choice) === LAYERS) return transformerTargets(student, teacher, present({ layers: asked.layers }));
    return [lossOf(choice, asked, { classes, seed })];
  });
  const losses = chosen ?? [usual];
  checkUsed(asked, own.areScores);
  return {
    teacher,
    losses: each.length === 0 ? losses : losses.flatMap((loss) => ofEach(loss, each, answers.student)),
    output: answers.student,
    teacherOutput: answers.teacher,
    areScores: own.areScores,
  } satisfies JointOptions & { areScores: boolean };
}

/** The loss over answers once for every teacher, by its weight; one over values is what it is. */
function ofEach(loss: DistillationLoss, each: Teacher["each"], student: string): readonly DistillationLoss[] {
  if (loss.pairs) return [loss];
  return each.map(({ output, weight }) => ({
    ...loss,
    weight: weight * (loss.weight ?? 1),
    pairs: [{ teacher: output, student }],
  }));
}

/** The losses over all layers of a transformer. */
const LAYERS = "layers";

/** Settings of losses that no chosen loss reads. */
function checkUsed(
  { loss, temperature, pairs, layers, wordCopies, keepTokens }: DistillationConfig,
  areScores: boolean,
): void {
  const names = loss?.map(nameOf) ?? (areScores ? ["softTargets"] : []);
  const facts = names.flatMap((name) => {
    const make = Object.entries(distillationLosses).find(([known]) => known === name)?.[1];
    return make ? [memberFacts(make)] : [];
  });
  const idle = {
    "--temperature": temperature !== undefined && !facts.some(({ settings }) => "temperature" in settings.shape),
    "--pairs": pairs !== undefined && !facts.some(({ given }) => given.includes("pairs")),
    "--layers": layers !== undefined && !names.includes(LAYERS),
    "--keep-tokens": keepTokens !== undefined && wordCopies === undefined,
  };
  const found = Object.entries(idle).find(([, isIdle]) => isIdle);
  if (found) throw new UsageError(`${found[0]} has nothing to do`, { got: `--loss ${names.join(",") || "none"}` });
}

/** The samples with copies in which words are replaced, where they are asked for. */
function withCopies(
  { wordCopies: copies, keepTokens = [0] }: DistillationConfig,
  { seed }: TrainingConfig,
  { model, names }: Teacher,
  data: Dataset,
): Dataset {
  if (copies === undefined) return data;
  const { input: own, table } = wordTable(model);
  const input = [...names].find(([, name]) => name === own)?.[0] ?? own;
  const near = nearestRows(table, NEAR);
  const candidates = (token: number) => (keepTokens.includes(token) ? [] : near(token));
  return replaceWords(data, { input, candidates, copies, seed });
}

/** K, as published. */
const NEAR = 15;

/** The value of the student's name where the teacher gives it out, too. */
function sameOr(name: string, found: string, { graph }: Model): string {
  return graph.outputs.some((value) => value.name === name) ? name : found;
}

/** A loss by its name, with what it compares where that is no answer. */
function lossOf(
  choice: NamedChoice,
  { temperature, pairs }: DistillationConfig,
  { classes, seed }: { readonly classes: ArrayLike<number>; readonly seed: number },
): DistillationLoss {
  const { pairs: own = pairs, ...stated } = typeof choice === "string" ? { name: choice } : choice;
  const name = nameOf(choice) as keyof typeof distillationLosses;
  const facts = Object.hasOwn(distillationLosses, name) ? memberFacts(distillationLosses[name]) : undefined;
  const needsPairs = facts?.given.includes("pairs") ?? false;
  const takes = (key: string) => facts !== undefined && key in facts.settings.shape && !(key in stated);
  if (needsPairs && own === undefined) {
    throw new UsageError(`the loss ${name} compares values of teacher and student that have to be named`, {
      expected: "--pairs teacher_value=student_value",
      hint: "lithe inspect --layers lists the values of a model; a student that lithe prune made keeps the teacher's names.",
    });
  }
  return made<DistillationLoss>("distillation loss", distillationLosses, needsPairs ? stated : choice, {
    ...(needsPairs && { pairs: own }),
    ...(facts?.given.includes("classes") && { classes }),
    ...(takes("seed") && { seed }),
    ...(takes("temperature") && present({ temperature })),
  });
}

/** Labels are read where the data has any that the loss fits, unless they weigh nothing. */
function labelsAreRead(
  { labelWeight }: DistillationConfig,
  { loss }: TrainingConfig,
  areScores: boolean,
  { labels }: Dataset,
): boolean {
  return labels !== undefined && labelWeight > 0 && (areScores || nameOf(loss) !== "crossEntropy");
}

function held({ validation }: TrainingData): Pick<FitOptions, "evaluate"> {
  return validation.size === 0 ? {} : { evaluate: { data: validation } };
}

function followed({ teacher }: DistillationConfig, losses: readonly DistillationLoss[]): string {
  const files = teacher.map((path) => JSON.stringify(basename(path))).join(", ");
  return `follows ${files} by ${losses.map(({ name }) => name).join(", ")}`;
}

function labelNote({ labelWeight }: DistillationConfig, readsLabels: boolean, { labels }: Dataset): string {
  if (readsLabels) return `labels weigh ${labelWeight} beside it`;
  if (labels === undefined) return "the data has no labels: the teacher alone is followed";
  return "the labels are not read: the teacher alone is followed";
}

type Labelled = Pick<EvaluateOptions, "loss" | "metrics" | "batch">;
type Measured = JointOptions & Pick<EvaluateOptions, "session">;

function figuresOf({ session = {}, ...joint }: Measured, labelled: (Labelled & { data?: Dataset }) | undefined) {
  const { data: _, ...by } = labelled ?? {};
  const { metrics: __, ...readsLabels } = by;
  return {
    /** The loss over labels and its metrics. */
    own(model: Model, data: Dataset, output: string): Promise<Record<string, number>> {
      return evaluateModel(exposing(model, output), { ...by, data, output, session });
    },
    gaps(model: Model, data: Dataset): Promise<Record<string, number>> {
      return distillationGap(model, { ...joint, ...readsLabels, data, session });
    },
  };
}

/** The model with a value among its outputs. */
export function exposing(model: Model, name: string): Model {
  const { graph } = model;
  if (graph.outputs.some((value) => value.name === name)) return model;
  const value = [...valuesOf(graph)].find((each) => each.name === name);
  return value ? withGraph(model, { ...graph, outputs: [...graph.outputs, value] }) : model;
}
