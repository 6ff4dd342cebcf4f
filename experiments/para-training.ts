/** @file Small Para-Formers on real pictures: the data, the budget and the training that several experiments share. */
import { type Dataset, inMemory, openData, presets, random, split, subset } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { type ParaFormerOptions, paraFormer } from "../src/models/index.ts";
import type { CombinationName } from "../src/nn/index.ts";
import { adamw, evaluateModel, type FitOptions, fit, warmup } from "../src/train/index.ts";
import type { ExperimentContext } from "./experiment.ts";

export const TRAINING = 6000;
export const EPOCHS = 2;
const BATCH = 32;
const VALIDATION = 2000;
const TEST = 5000;

export const budget = `${TRAINING} training pictures in batches of ${BATCH}, ${VALIDATION} held out of the training set for choices, ${TEST} of the test set at the end; width 48, 3 heads, 16 patches, AdamW, cosine after a warm-up; stock ONNX Runtime on the CPU, one thread`;

/** Updates of so many passes. */
export function updates(passes: number): number {
  return passes * Math.ceil(TRAINING / BATCH);
}

/** The pictures of one seed: other seeds train and validate on other ones and start from other values. */
export interface Pictures {
  readonly seed: number;
  readonly training: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
  /** What the network has to know of them. */
  readonly shape: Pick<ParaFormerOptions, "channels" | "size" | "patch">;
}

/** Two data sets, from which every seed takes its pictures. */
export interface Source {
  readonly training: Dataset;
  readonly test: Dataset;
  readonly shape: Pictures["shape"];
}

export async function fashionPictures(shared: string): Promise<Source> {
  const folder = `${shared}/data/fashion-mnist`;
  const open = (name: string) => openData(`${folder}/${name}-images-idx3-ubyte.gz`, { preprocess: presets.mnist });
  const shape = { channels: 1, size: 28, patch: 7 };
  return { training: await open("train"), test: await firstOf(await open("t10k")), shape };
}

export async function cifarPictures(shared: string): Promise<Source> {
  const open = (name: string) => openData(`${shared}/data/cifar10/${name}.bin`, { preprocess: presets.cifar10 });
  const shape = { channels: 3, size: 32, patch: 8 };
  return { training: await open("train-20000"), test: await firstOf(await open("test-5000")), shape };
}

async function firstOf(data: Dataset): Promise<Dataset> {
  return inMemory(
    subset(
      data,
      Array.from({ length: TEST }, (_, i) => i),
    ),
  );
}

export async function picturesOf({ training, test, shape }: Source, seed: number): Promise<Pictures> {
  const parts = await split(training, { calibration: TRAINING, evaluation: VALIDATION, seed });
  return {
    seed,
    test,
    shape,
    training: await inMemory(parts.calibration),
    validation: await inMemory(parts.evaluation),
  };
}

/** Para-Former-m-n for these pictures. */
export function smallParaFormer(
  { seed, shape }: Pictures,
  { depth, branches, combine }: Omit<Settings, "rate">,
): Model {
  return paraFormer(random(seed), { ...shape, width: 48, heads: 3, depth, branches, combine });
}

export const trainingOptions = {
  epochs: EPOCHS,
  batch: BATCH,
  loss: "crossEntropy",
  schedule: warmup({ steps: 0.1 }),
  clip: 1,
  session: { threads: 1 },
} as const satisfies Partial<FitOptions>;

/** The accuracy of a model on pictures, under the input and the loss of training. */
export async function accuracyOn(model: Model, data: Dataset): Promise<number> {
  const { loss, session } = trainingOptions;
  const { accuracy } = await evaluateModel(model, { data, loss, session, metrics: ["accuracy"], batch: 250 });
  return accuracy!;
}

export interface Shape {
  /** m, blocks one behind the other. */
  readonly depth: number;
  /** n, branches side by side. */
  readonly branches: number;
}

export interface Settings extends Shape {
  readonly rate: number;
  readonly combine: CombinationName;
}

/** Trains a network on pictures of one seed. */
export async function trainedOn(pictures: Pictures, model: Model, options: Partial<FitOptions>): Promise<Model> {
  const { training: data, seed } = pictures;
  const optimizer = adamw({ weightDecay: 0.05 });
  const run = fit(model, { ...trainingOptions, data, seed, optimizer, learningRate: 2e-3, ...options });
  return (await run.result).model;
}

/** A network from scratch: its accuracy where choices are made, and on the test set. */
export interface Scores {
  readonly validation: number;
  readonly test: number;
}

export async function scoresOf(model: Model, { validation, test }: Pictures): Promise<Scores> {
  return { validation: await accuracyOn(model, validation), test: await accuracyOn(model, test) };
}

/** The validation accuracy of settings on the pictures of a seed that no result uses. */
export async function triedOut({ once, log }: ExperimentContext, source: Source, settings: Settings): Promise<number> {
  const key = `choice ${nameOf(settings)}, ${settings.combine}, rate ${settings.rate}`;
  const accuracy = await once(key, async () => {
    const pictures = await picturesOf(source, 0);
    const model = await trainedOn(pictures, smallParaFormer(pictures, settings), { learningRate: settings.rate });
    return accuracyOn(model, pictures.validation);
  });
  log(`${key}: ${percent(accuracy)}`);
  return accuracy;
}

/** A network of one shape from scratch, for every seed. */
export async function fromScratch(
  { once, log }: ExperimentContext,
  pictures: Pictures,
  settings: Settings,
  data: string,
): Promise<Scores> {
  const key = `${data}, ${nameOf(settings)}, ${settings.combine}, rate ${settings.rate}, seed ${pictures.seed}`;
  const scores = await once(key, async () => {
    const start = smallParaFormer(pictures, settings);
    return scoresOf(await trainedOn(pictures, start, { learningRate: settings.rate }), pictures);
  });
  log(`${key}: validation ${percent(scores.validation)}, test ${percent(scores.test)}`);
  return scores;
}

export function nameOf({ depth, branches }: Shape): string {
  return `${depth}-${branches}`;
}

export function percent(x: number): string {
  return `${(100 * x).toFixed(2)} %`;
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
}

/** The standard deviation of a sample. */
export function deviation(numbers: readonly number[]): number {
  const centre = mean(numbers);
  return Math.sqrt(numbers.reduce((sum, x) => sum + (x - centre) ** 2, 0) / Math.max(1, numbers.length - 1));
}

/** mean ± standard deviation, in percent. */
export function spread(numbers: readonly number[]): string {
  return `${(100 * mean(numbers)).toFixed(2)} ± ${(100 * deviation(numbers)).toFixed(2)}`;
}
