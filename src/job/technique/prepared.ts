/** @file A model made ready for a technique, with its original to compare with: the original itself is let go of. */
import type { Model } from "../../ir/index.ts";
import { loadModel } from "../../onnx/files.ts";
import type { ModelFacts } from "../../report/index.ts";
import type { Technique } from "../../technique/index.ts";
import type { Console } from "../console.ts";
import { loadData } from "../data/load.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import { modelFacts } from "../model/model-facts.ts";
import { fingerprint } from "../model/model-file.ts";
import { cleaned, readied } from "../model/readied.ts";
import { requireLabels } from "../verify/bounds.ts";
import { type Original, openOriginal } from "../verify/compare-with-original.ts";
import type { SharedSettings } from "./settings.ts";
import type { TechniqueTarget } from "./target.ts";

export class Prepared implements AsyncDisposable {
  readonly original: Original;
  readonly facts: ModelFacts;
  readonly data: LoadedData;
  /** The models beside the one that is changed. */
  readonly others: readonly Model[];
  #model: Model | undefined;

  constructor(original: Original, facts: ModelFacts, data: LoadedData, model: Model, others: readonly Model[]) {
    this.original = original;
    this.facts = facts;
    this.data = data;
    this.others = others;
    this.#model = model;
  }

  /** The model that is ready. */
  get model(): Model {
    return this.#model!;
  }

  /** The same for the last time: a large one is let go of when who takes it has done with it. */
  take(): Model {
    const model = this.model;
    this.#model = undefined;
    return model;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.original[Symbol.asyncDispose]());
  }
}

/** Loads model and data, and makes the model ready. */
export async function prepare(
  { ready }: Technique,
  { path, name, others }: TechniqueTarget,
  shared: SharedSettings,
  console: Console,
): Promise<Prepared> {
  const model = await loadModel(path);
  const data = await loadData(model, { ...shared, data: shared.data ?? "random" }, console);
  requireLabels(shared, data.hasLabels);
  const facts = modelFacts(name, model, await fingerprint(path));
  const original = await openOriginal(path, model, shared);
  try {
    const changed = await madeReady(ready, model, original, data, shared, console);
    const beside: Model[] = [];
    for (const other of others) beside.push(await otherReady(ready, other, data, shared, console));
    return new Prepared(original, facts, data, changed, beside);
  } catch (error) {
    await original[Symbol.asyncDispose]();
    throw error;
  }
}

async function madeReady(
  ready: Technique["ready"],
  model: Model,
  { session }: Original,
  data: LoadedData,
  shared: SharedSettings,
  console: Console,
): Promise<Model> {
  if (ready === "nothing") return model;
  return await (ready === "cleaned" ? cleaned : readied)(model, session, data, shared, console);
}

async function otherReady(
  ready: Technique["ready"],
  path: string,
  data: LoadedData,
  shared: SharedSettings,
  console: Console,
): Promise<Model> {
  const model = await loadModel(path);
  await using original = await openOriginal(path, model, shared);
  return await madeReady(ready, model, original, data, shared, console);
}
