/** @file The entry to loaders of batches. */
import { ensure, UsageError } from "../../errors.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import type { Dataset } from "../dataset.ts";
import type { BatchForm } from "./load-batch.ts";
import { type BatchLoader, inlineLoader } from "./loader.ts";

export interface LoaderOptions extends BatchForm {
  /** Threads that read, augment and stack; with 0 (default) this thread does it. Node only. */
  readonly workers?: number;
  /** Batches that are ready or under way at once, which bounds the memory; twice the workers by default. */
  readonly ahead?: number;
  /** Ends the threads at once, and what was asked of them with a `CancelledError`. */
  readonly signal?: AbortSignal;
}

const loaderOptionsNames: OptionNames<LoaderOptions> = {
  workers: true,
  ahead: true,
  signal: true,
  port: true,
  augment: true,
};

/**
 * A loader with the same batches, bit for bit, whoever makes them. Worker threads open the data again by its recipe, so
 * data and augmentations need one: what `openData`, `glyphs`, `tokenWindows` and `fromRecipe` give has it, and so has a
 * `subset`, a part of a `split` and a dataset held `inMemory` of those. Others are a `UsageError`.
 */
export async function openLoader(dataset: Dataset, options: LoaderOptions = {}): Promise<BatchLoader> {
  checkOptions(options, loaderOptionsNames);
  const { workers = 0, ahead = 2 * workers, signal, ...form } = options;
  checkCount("workers", workers, { least: 0 });
  if (workers === 0) return inlineLoader(dataset, form);
  checkCount("ahead", ahead);
  const { recipe } = dataset;
  ensure(recipe !== undefined, () => withoutRecipe("this data"));
  const augment = (form.augment ?? []).map(({ name, recipe: made }) => {
    ensure(made !== undefined, () => withoutRecipe(`the augmentation "${name}"`));
    return made;
  });
  const { workerLoader } = await import("../node/worker-loader.ts");
  const job = { data: recipe, augment, ...(form.port && { port: form.port }) };
  return workerLoader(job, { workers, ahead, ...(signal && { signal }) });
}

function withoutRecipe(what: string): UsageError {
  return new UsageError(`${what} cannot be made in another thread`, {
    hint: "Make it with fromRecipe, from a module that the thread can load, or load without workers.",
  });
}
