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
  #model: Model | undefined;

  constructor(original: Original, facts: ModelFacts, data: LoadedData, model: Model) {
    this.original = original;
    this.facts = facts;
    this.data = data;
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
  { path, name }: TechniqueTarget,
  shared: SharedSettings,
  console: Console,
): Promise<Prepared> {
  const model = await loadModel(path);
  const data = await loadData(model, { ...shared, data: shared.data ?? "random" }, console);
  requireLabels(shared, data.hasLabels);
  const facts = modelFacts(name, model, await fingerprint(path));
  const original = await openOriginal(path, model, shared);
  try {
    if (ready === "nothing") return new Prepared(original, facts, data, model);
    const make = ready === "cleaned" ? cleaned : readied;
    return new Prepared(original, facts, data, await make(model, original.session, data, shared, console));
  } catch (error) {
    await original[Symbol.asyncDispose]();
    throw error;
  }
}
