/** @file The network that a run begins with: a file or one made for the data, with a new head and adapters where asked for. */
import * as z from "zod";
import { type Dataset, type Random, random } from "../../data/index.ts";
import { DataError, UsageError } from "../../errors.ts";
import type { Model, Tensor } from "../../ir/index.ts";
import {
  type ImagenetResnetOptions,
  imagenetResnet,
  lenet,
  type MlpModelOptions,
  mlp,
  type ParaFormerOptions,
  paraFormer,
  type ResnetOptions,
  resnet,
  type VggOptions,
  type VitOptions,
  vgg,
  vit,
} from "../../models/index.ts";
import { combinations, type WeightLevelsName, weightLevels } from "../../nn/index.ts";
import { loadModel } from "../../onnx/files.ts";
import { choice, flag, member, memberOf, whole } from "../../settings/index.ts";
import { addLora, type FitOptions, loraTensors, mergeLora, replaceHead } from "../../train/index.ts";
import { outputCount } from "./class-count.ts";
import { chosen, made, nameOf, present } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";
import { untrainedNotes } from "./untrained.ts";

interface Shape {
  /** Of one sample. */
  readonly input: readonly number[];
  readonly classes: number;
}

type Build = (source: Random, shape: Shape) => Model;
type Of<Options> = Omit<Options, "input" | "classes" | "channels" | "size">;

const share = () => z.number().min(0).lt(1);
const size = { depth: whole(1), width: whole(1) };
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

/** Networks for samples of [channels, height, width]; `mlp` takes any. */
const networks = {
  mlp: member(
    (own: Of<MlpModelOptions>): Build =>
      (source, shape) =>
        mlp(source, { ...own, ...shape }),
    { hidden: z.array(whole(1)), dropout: share() },
  ),
  lenet: member((): Build => (source, shape) => lenet(source, square(shape)), {}),
  resnet: member(
    (own: Of<ResnetOptions>): Build =>
      (source, shape) =>
        resnet(source, { ...own, ...square(shape) }),
    size,
  ),
  resnet20: member((): Build => (source, shape) => resnet(source, { depth: 20, ...square(shape) }), {}),
  resnet56: member((): Build => (source, shape) => resnet(source, { depth: 56, ...square(shape) }), {}),
  imagenetResnet: member(
    (own: Of<ImagenetResnetOptions>): Build =>
      (source, shape) =>
        imagenetResnet(source, { ...own, ...square(shape) }),
    size,
  ),
  vgg: member(
    (own: Of<VggOptions>): Build =>
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
  "vgg-twn": member((): Build => (source, shape) => vgg(source, { weights: "twn", ...square(shape) }), {}),
  "vgg-bwn": member((): Build => (source, shape) => vgg(source, { weights: "bwn", ...square(shape) }), {}),
  "vgg-xnor": member(
    (): Build => (source, shape) => vgg(source, { weights: "bwn", activations: "binary", ...square(shape) }),
    {},
  ),
  vit: member(
    (own: Of<VitOptions>): Build =>
      (source, shape) =>
        vit(source, { ...own, ...square(shape) }),
    { ...tokens, dropPath: share() },
  ),
  "para-former": member(
    (own: Of<ParaFormerOptions>): Build =>
      (source, shape) =>
        paraFormer(source, { ...own, ...square(shape) }),
    { ...tokens, branches: whole(1), combine: memberOf(combinations) },
  ),
};

export const networkNames = Object.keys(networks);

/** The model of the file that the configuration names, or `undefined` when it names a network. */
export async function modelOfFile({ model: choice }: Pick<TrainingConfig, "model">): Promise<Model | undefined> {
  const name = nameOf(choice);
  if (!name.endsWith(".onnx")) {
    chosen("network", networks, choice);
    return undefined;
  }
  if (typeof choice !== "string") {
    throw new UsageError("the model of a file has no settings", { where: name });
  }
  return await loadModel(name);
}

/** A new network for samples like those of the data. */
export async function networkFor({ model: choice, seed, loss }: TrainingConfig, data: Dataset): Promise<Model> {
  return made<Build>(
    "network",
    networks,
    choice,
  )(random(seed), { input: await sampleDims(data), classes: await outputCount(data, loss) });
}

/** A network ready for training, and the way back to an ordinary model. */
export interface Prepared {
  readonly model: Model;
  /** What the options of the training must be beside those that the configuration names. */
  readonly options: Pick<FitOptions, "trainable" | "batchNorm">;
  /** Sentences about the head, the adapters and weights that cannot be trained. */
  readonly notes: readonly string[];
  /** The trained model without traces of adapters. */
  finish(trained: Model): { readonly model: Model; readonly adapters?: ReadonlyMap<string, Tensor> };
}

/** The model with a new head and adapters, where the configuration asks for them. */
export async function prepared(known: Model, config: TrainingConfig, data: Dataset): Promise<Prepared> {
  const { head, lora, output, seed, loss } = config;
  const classes = head && (head.classes ?? (await outputCount(data, loss)));
  const cut = { ...(head?.at !== undefined && { at: head.at }), ...(output !== undefined && { output }) };
  const withHead = classes === undefined ? undefined : replaceHead(known, { classes, seed, ...cut });
  const base = withHead?.model ?? known;
  const headNotes = withHead
    ? [`a new head for ${classes === 1 ? "one number" : `${classes} classes`} reads ${JSON.stringify(withHead.at)}`]
    : [];
  const notes = [...headNotes, ...untrainedNotes(base)];
  if (!lora) return { model: base, options: {}, notes, finish: (model) => ({ model }) };
  const own = withHead?.parameters ?? [];
  const adapted = addLora(base, { seed, except: own, ...present(lora) });
  return {
    model: adapted.model,
    options: { trainable: [...adapted.parameters, ...own], batchNorm: "frozen" },
    notes: [...notes, `${adapted.parameters.length / 2} weights carry adapters of rank ${lora.rank}`],
    finish(trained) {
      const adapters = loraTensors(trained, own);
      return { model: mergeLora(base, adapters), adapters };
    },
  };
}

async function sampleDims(data: Dataset): Promise<readonly number[]> {
  for await (const { inputs } of data.pick([0])) {
    const [tensor] = inputs.values();
    if (tensor && inputs.size === 1 && inputs.has("input")) return tensor.dims;
  }
  throw new DataError("a named network takes samples of one input", {
    expected: 'one input called "input"',
    hint: "Train an .onnx file whose inputs are those of the data.",
  });
}

function square({ input, classes }: Shape): { channels: number; size: number; classes: number } {
  const [channels = 0, height = 0, width] = input;
  if (input.length === 3 && height === width) return { channels, size: height, classes };
  throw new DataError("this network takes square pictures", {
    expected: "[channels, size, size]",
    got: `[${input.join(", ")}]`,
    hint: "Give a preprocessing with a square size, or take mlp.",
  });
}
