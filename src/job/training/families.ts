/** @file Optimizers, schedules, losses and augmentations as a configuration names them, with their settings. */
import * as z from "zod";
import {
  type Augmentation,
  type AugmentationName,
  cutmix,
  cutout,
  horizontalFlip,
  mixup,
  normalise,
  randAugment,
  randomCrop,
  randomErasing,
} from "../../data/index.ts";
import {
  adam,
  adamw,
  binaryCrossEntropy,
  constant,
  cosine,
  crossEntropy,
  focal,
  hinge,
  huber,
  klDivergence,
  type LossName,
  lamb,
  linear,
  lion,
  meanAbsoluteError,
  meanSquaredError,
  muon,
  type OptimizerName,
  oneCycle,
  type ScheduleName,
  sgd,
  softCrossEntropy,
  stepDecay,
  warmup,
} from "../../train/index.ts";
import { member, present } from "./named-choice.ts";

const number = z.number().optional();
const flag = z.boolean().optional();
const none = z.strictObject({});
const betas = z.tuple([z.number(), z.number()]).optional();
const moments = z.strictObject({ betas, epsilon: number, weightDecay: number });

export const optimizerMembers = {
  sgd: member(z.strictObject({ momentum: number, nesterov: flag, weightDecay: number }), (s) => sgd(present(s))),
  adam: member(moments, (s) => adam(present(s))),
  adamw: member(moments, (s) => adamw(present(s))),
  lamb: member(moments, (s) => lamb(present(s))),
  lion: member(z.strictObject({ betas, weightDecay: number }), (s) => lion(present(s))),
  muon: member(
    z.strictObject({
      momentum: number,
      nesterov: flag,
      weightDecay: number,
      iterations: number,
      scale: z.enum(["original", "adamw"]).optional(),
    }),
    (s) => muon(present(s)),
  ),
} satisfies Record<OptimizerName, unknown>;

const floor = z.strictObject({ floor: number });

export const scheduleMembers = {
  constant: member(none, () => constant()),
  step: member(z.strictObject({ factor: number, at: z.union([z.number(), z.array(z.number())]).optional() }), (s) =>
    stepDecay(present(s)),
  ),
  cosine: member(floor, (s) => cosine(present(s))),
  oneCycle: member(z.strictObject({ rise: number, startDivisor: number, endDivisor: number }), (s) =>
    oneCycle(present(s)),
  ),
  linear: member(floor, (s) => linear(present(s))),
  warmup: member(z.strictObject({ steps: number }), (s) => warmup(present(s))),
} satisfies Record<ScheduleName, unknown>;

export const lossMembers = {
  crossEntropy: member(
    z.strictObject({ smoothing: number, weights: z.array(z.number()).optional(), ignoreIndex: number, axis: number }),
    (s) => crossEntropy(present(s)),
  ),
  softCrossEntropy: member(z.strictObject({ smoothing: number, axis: number }), (s) => softCrossEntropy(present(s))),
  binaryCrossEntropy: member(none, () => binaryCrossEntropy()),
  meanSquaredError: member(none, () => meanSquaredError()),
  meanAbsoluteError: member(none, () => meanAbsoluteError()),
  huber: member(z.strictObject({ delta: number }), (s) => huber(present(s))),
  klDivergence: member(none, () => klDivergence()),
  focal: member(z.strictObject({ gamma: number, alpha: number }), (s) => focal(present(s))),
  hinge: member(none, () => hinge()),
} satisfies Record<LossName, unknown>;

/** An augmentation for data of so many classes. */
type Augment = (classes: () => Promise<number>) => Promise<Augmentation>;

const list = z.array(z.number());
const perChannel = { mean: list.optional(), std: list.optional() };
const mixing = z.strictObject({ alpha: number });
const plain =
  <S>(make: (settings: S) => Augmentation) =>
  (settings: S): Augment =>
  async () =>
    make(settings);

export const augmentationMembers = {
  randomCrop: member(
    z.strictObject({ padding: number, fill: z.union([z.number(), list]).optional() }),
    plain((s) => randomCrop(present(s))),
  ),
  horizontalFlip: member(
    z.strictObject({ probability: number }),
    plain((s) => horizontalFlip(present(s))),
  ),
  randAugment: member(
    z.strictObject({ operations: number, magnitude: number, ...perChannel }),
    plain((s) => randAugment(present(s))),
  ),
  mixup: member(
    mixing,
    (s): Augment =>
      async (classes) =>
        mixup({ ...present(s), classes: await classes() }),
  ),
  cutmix: member(
    mixing,
    (s): Augment =>
      async (classes) =>
        cutmix({ ...present(s), classes: await classes() }),
  ),
  cutout: member(
    z.strictObject({ size: number, fill: number }),
    plain((s) => cutout(present(s))),
  ),
  randomErasing: member(
    z.strictObject({
      probability: number,
      area: z.tuple([z.number(), z.number()]).optional(),
      ratio: number,
      fill: z.union([z.literal("noise"), z.number()]).optional(),
    }),
    plain((s) => randomErasing(present(s))),
  ),
  normalise: member(
    z.strictObject(perChannel),
    plain((s) => normalise(present(s))),
  ),
} satisfies Record<AugmentationName, unknown>;
