/** @file Networks that a training finds by name, made for the samples and the classes of its data. */
import * as z from "zod";
import type { Random } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import {
  type GooglenetOptions,
  googlenet,
  type ImagenetResnetOptions,
  type ImagenetVggOptions,
  imagenetResnet,
  imagenetVgg,
  lenet,
  type MlpModelOptions,
  type MobilenetV1Options,
  type MobilenetV2Options,
  type MobilenetV3Options,
  mlp,
  mobilenetV1,
  mobilenetV2,
  mobilenetV3,
  type NinOptions,
  nin,
  type ParaFormerOptions,
  paraFormer,
  type QuasiRecurrentOptions,
  quasiRecurrent,
  type RecurrentModelOptions,
  type ReformerOptions,
  type ResnetOptions,
  recurrent,
  reformer,
  resnet,
  type ShufflenetOptions,
  type ShufflenetV2Options,
  type SlicedOptions,
  type SqueezenetOptions,
  shufflenet,
  shufflenetV2,
  sliced,
  squeezenet,
  type VggOptions,
  type VitOptions,
  vgg,
  vit,
} from "../../models/index.ts";
import { combinations, type WeightLevelsName, weightLevels } from "../../nn/index.ts";
import { choice, flag, member, memberOf, whole } from "../../settings/index.ts";

interface Shape {
  /** Of one sample. */
  readonly input: readonly number[];
  readonly classes: number;
}

export type BuildNetwork = (source: Random, shape: Shape) => Model;
type Of<Options> = Omit<Options, "input" | "classes" | "channels" | "size">;

type OfSequence<Options> = Omit<Options, "input" | "classes" | "vocabulary">;

const share = () => z.number().min(0).lt(1);
const size = { depth: whole(1), width: whole(1) };
/** Of all widths. */
const factor = () => z.number().min(0.01).max(16);
const scaled = { width: factor(), most: whole(1) };
const cells = { hidden: whole(1), embedding: whole(1), dropout: share() };
const levelNames = Object.keys(weightLevels) as WeightLevelsName[];
const tokens = {
  patch: whole(1),
  width: whole(1),
  depth: whole(1),
  heads: whole(1),
  expansion: whole(1),
  pooling: choice(["mean", "class"]),
  dropout: share(),
};

/** Networks for samples of [channels, height, width]; `mlp` takes any, and those of sequences [time, features] too. */
export const networks = {
  mlp: member(
    (own: Of<MlpModelOptions>): BuildNetwork =>
      (source, shape) =>
        mlp(source, { ...own, ...shape }),
    { hidden: z.array(whole(1)), dropout: share() },
  ),
  lenet: member((): BuildNetwork => (source, shape) => lenet(source, square(shape)), {}),
  resnet: member(
    (own: Of<ResnetOptions>): BuildNetwork =>
      (source, shape) =>
        resnet(source, { ...own, ...square(shape) }),
    size,
  ),
  resnet20: member((): BuildNetwork => (source, shape) => resnet(source, { depth: 20, ...square(shape) }), {}),
  resnet56: member((): BuildNetwork => (source, shape) => resnet(source, { depth: 56, ...square(shape) }), {}),
  imagenetResnet: member(
    (own: Of<ImagenetResnetOptions>): BuildNetwork =>
      (source, shape) =>
        imagenetResnet(source, { ...own, ...square(shape) }),
    size,
  ),
  vgg: member(
    (own: Of<VggOptions>): BuildNetwork =>
      (source, shape) =>
        vgg(source, { ...own, ...square(shape) }),
    {
      width: whole(1),
      weights: choice(["float", ...levelNames]),
      activations: choice(["float", "binary"]),
      inputScale: flag(),
      order: choice(["norm-first", "layer-first"]),
    },
  ),
  "vgg-twn": member((): BuildNetwork => (source, shape) => vgg(source, { weights: "twn", ...square(shape) }), {}),
  "vgg-bwn": member((): BuildNetwork => (source, shape) => vgg(source, { weights: "bwn", ...square(shape) }), {}),
  "vgg-xnor": member(
    (): BuildNetwork => (source, shape) => vgg(source, { weights: "bwn", activations: "binary", ...square(shape) }),
    {},
  ),
  vit: member(
    (own: Of<VitOptions>): BuildNetwork =>
      (source, shape) =>
        vit(source, { ...own, ...square(shape) }),
    { ...tokens, dropPath: share() },
  ),
  nin: member(
    (own: Of<NinOptions>): BuildNetwork =>
      (source, shape) =>
        nin(source, { ...own, ...square(shape) }),
    { width: factor(), dropout: share() },
  ),
  imagenetVgg: member(
    (own: Of<ImagenetVggOptions>): BuildNetwork =>
      (source, shape) =>
        imagenetVgg(source, { ...own, ...square(shape) }),
    { ...size, hidden: whole(1), norm: flag(), dropout: share() },
  ),
  googlenet: member(
    (own: Of<GooglenetOptions>): BuildNetwork =>
      (source, shape) =>
        googlenet(source, { ...own, ...square(shape) }),
    { form: choice(["paper", "torchvision"]), width: factor(), dropout: share() },
  ),
  squeezenet: member(
    (own: Of<SqueezenetOptions>): BuildNetwork =>
      (source, shape) =>
        squeezenet(source, { ...own, ...square(shape) }),
    { version: choice(["1.0", "1.1"]), width: factor(), dropout: share() },
  ),
  mobilenetV1: member(
    (own: Of<MobilenetV1Options>): BuildNetwork =>
      (source, shape) =>
        mobilenetV1(source, { ...own, ...square(shape) }),
    { ...scaled },
  ),
  mobilenetV2: member(
    (own: Of<MobilenetV2Options>): BuildNetwork =>
      (source, shape) =>
        mobilenetV2(source, { ...own, ...square(shape) }),
    { ...scaled, dropout: share() },
  ),
  mobilenetV3: member(
    (own: Of<MobilenetV3Options>): BuildNetwork =>
      (source, shape) =>
        mobilenetV3(source, { ...own, ...square(shape) }),
    { form: choice(["small", "large"]), ...scaled, dropout: share() },
  ),
  shufflenet: member(
    (own: Of<ShufflenetOptions>): BuildNetwork =>
      (source, shape) =>
        shufflenet(source, { ...own, ...square(shape) }),
    { groups: whole(1), ...scaled },
  ),
  shufflenetV2: member(
    (own: Of<ShufflenetV2Options>): BuildNetwork =>
      (source, shape) =>
        shufflenetV2(source, { ...own, ...square(shape) }),
    { ...scaled, last: whole(1) },
  ),
  recurrent: member(
    (own: OfSequence<RecurrentModelOptions>): BuildNetwork =>
      (source, shape) =>
        recurrent(source, { ...own, ...shape }),
    { cell: choice(["gru", "lstm"]), ...cells, depth: whole(1) },
  ),
  quasiRecurrent: member(
    (own: OfSequence<QuasiRecurrentOptions>): BuildNetwork =>
      (source, shape) =>
        quasiRecurrent(source, { ...own, ...shape }),
    {
      ...cells,
      depth: whole(1),
      window: whole(1),
      pooling: choice(["f", "fo", "ifo"]),
      form: choice(["scan", "doubling"]),
      dense: flag(),
    },
  ),
  sliced: member(
    (own: OfSequence<SlicedOptions>): BuildNetwork =>
      (source, shape) =>
        sliced(source, { ...own, ...shape }),
    { ...cells, parts: whole(2), times: whole(0) },
  ),
  reformer: member(
    (own: OfSequence<ReformerOptions>): BuildNetwork =>
      (source, shape) =>
        reformer(source, { ...own, ...shape }),
    { width: whole(1), depth: whole(1), heads: whole(1), bucket: whole(1), hashes: whole(1), chunks: whole(1) },
  ),
  "para-former": member(
    (own: Of<ParaFormerOptions>): BuildNetwork =>
      (source, shape) =>
        paraFormer(source, { ...own, ...square(shape) }),
    { ...tokens, branches: whole(1), combine: memberOf(combinations) },
  ),
};

export const networkNames = Object.keys(networks);

function square({ input, classes }: Shape): { channels: number; size: number; classes: number } {
  const [channels = 0, height = 0, width] = input;
  if (input.length === 3 && height === width) return { channels, size: height, classes };
  throw new DataError("this network takes square pictures", {
    expected: "[channels, size, size]",
    got: `[${input.join(", ")}]`,
    hint: "Give a preprocessing with a square size, or take mlp.",
  });
}
