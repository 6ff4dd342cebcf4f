/** @file The network that a run begins with: a file or one made for the data, with a new head and adapters where asked for. */
import { type Dataset, random } from "../../data/index.ts";
import { DataError, UsageError } from "../../errors.ts";
import type { Model, Tensor } from "../../ir/index.ts";
import { loadModel } from "../../onnx/files.ts";
import { addLora, type FitOptions, loraTensors, mergeLora, replaceHead } from "../../train/index.ts";
import { outputCount } from "./class-count.ts";
import { chosen, made, nameOf, present } from "./named-choice.ts";
import { type BuildNetwork, networks } from "./networks.ts";
import type { TrainingConfig } from "./training-config.ts";
import { untrainedNotes } from "./untrained.ts";

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
  return made<BuildNetwork>(
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
