/** @file Batches are the same whoever makes them, in order, within bounds, and without waiting where there are threads. */
import { afterEach, describe, expect, it } from "vitest";
import { CancelledError, DataError, RuntimeError, UsageError } from "../../errors.ts";
import { type Augmentation, horizontalFlip, mixup, randomCrop } from "../augment/index.ts";
import type { Batch } from "../batches.ts";
import { collect } from "../collect.ts";
import { type Dataset, datasetOf, subset } from "../dataset.ts";
import { glyphs } from "../glyphs/index.ts";
import { inMemory } from "../in-memory.ts";
import { mapSamples, type SampleTransform } from "../map-samples.ts";
import { fromRecipe, type Recipe } from "../recipe.ts";
import { split } from "../split.ts";
import { tokenWindows } from "../text/index.ts";
import type { BatchRequest } from "./load-batch.ts";
import type { BatchLoader } from "./loader.ts";
import { type LoaderOptions, openLoader } from "./open-loader.ts";

const module = new URL("../../../test/fixtures/load/pictures.mjs", import.meta.url).href;

function recipe(name: string, options: object = {}): Recipe {
  return { module, export: name, arguments: [options] };
}

/** Batches of four over positions 0, 1, 2, …, the last of three. */
function requests(count: number, epoch = 1): BatchRequest[] {
  return Array.from({ length: count }, (_, i) => ({
    positions: Array.from({ length: i === count - 1 ? 3 : 4 }, (_, j) => 4 * i + j),
    seed: 9,
    epoch,
  }));
}

const opened: BatchLoader[] = [];

async function opens(data: Dataset, options: LoaderOptions): Promise<BatchLoader> {
  const loader = await openLoader(data, options);
  opened.push(loader);
  return loader;
}

afterEach(async () => {
  for (const loader of opened.splice(0)) await loader[Symbol.asyncDispose]();
});

async function batchesOf(data: Dataset, options: LoaderOptions, wanted = requests(7)): Promise<Batch[]> {
  return collect((await opens(data, options)).load(wanted));
}

describe("worker threads", () => {
  it.each([1, 3])("%i give the batches that this thread gives, in order", async (workers) => {
    const data = await fromRecipe<Dataset>(recipe("pictures", { size: 40 }));
    const negation = await fromRecipe<Augmentation>(recipe("negation", { probability: 0.5 }));
    const augment = [randomCrop({ padding: 2 }), horizontalFlip(), negation, mixup({ classes: 4 })];
    const inline = await batchesOf(data, { augment });
    expect(inline.map(({ count }) => count)).toEqual([4, 4, 4, 4, 4, 4, 3]);
    expect(inline[0]!.targets!.dims).toEqual([4, 4]);
    expect(await batchesOf(data, { augment, workers })).toEqual(inline);
    expect(await batchesOf(data, { augment, workers }, requests(7, 2))).not.toEqual(inline);
  });

  it("open whatever has a recipe: the embedded set, parts, data in memory, mapped samples, tokens", async () => {
    const glyphParts = await split(glyphs({ split: "train", size: 60, seed: 1 }), {
      calibration: 20,
      evaluation: 40,
      seed: 3,
    });
    const windows = tokenWindows(
      Int32Array.from({ length: 200 }, (_, i) => i % 7),
      { context: 5 },
    );
    const held = await inMemory(subset(glyphParts.evaluation, [...Array(30).keys()]));
    const transform = await fromRecipe<SampleTransform>({ module, export: "relabelled", arguments: [3] });
    for (const data of [mapSamples(held, transform), windows]) {
      expect(await batchesOf(data, { workers: 1 }, requests(3))).toEqual(await batchesOf(data, {}, requests(3)));
    }
  });

  it("work ahead while the caller is busy, within the bound", async () => {
    const shared = new SharedArrayBuffer(8);
    const words = new Int32Array(shared);
    words[1] = -1;
    const data = await fromRecipe<Dataset>(recipe("pictures", { size: 400, shared }));
    const loader = await opens(data, { workers: 1, ahead: 3 });
    let taken = 0;
    for await (const batch of loader.load(requests(30))) {
      taken++;
      const due = Math.min(4 * (taken + 3), 4 * 30 - 1);
      await reaches(words, due);
      // What the worker sent before it began that picture is received within two turns of the event loop.
      await answered();
      await answered();
      expect(words[0]).toBe(due);
      expect(batch.count).toBeGreaterThan(0);
    }
    expect(taken).toBe(30);
    // The first batch, and at most the last, which may have been read but not yet sent.
    expect(loader.waits).toBeLessThanOrEqual(2);
  });

  it("carry errors over with their class and place, and go on with the rest", async () => {
    const data = await fromRecipe<Dataset>(recipe("pictures", { size: 40, broken: 5 }));
    const loader = await opens(data, { workers: 2 });
    await expect(collect(loader.load(requests(3)))).rejects.toThrow(/picture 5 is broken.*pictures\.mjs/);
    await expect(collect(loader.load(requests(3)))).rejects.toBeInstanceOf(DataError);
    const beyond = { positions: [99], seed: 0, epoch: 0 };
    const error = await collect(loader.load([beyond])).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: "DataError", expected: "an integer from 0 to 39", got: "99" });
    expect(await collect(loader.load([{ positions: [0], seed: 0, epoch: 0 }]))).toHaveLength(1);
  });

  it("end at once when they are aborted, even in the middle of a picture", async () => {
    const shared = new SharedArrayBuffer(8);
    new Int32Array(shared)[1] = 2;
    const data = await fromRecipe<Dataset>(recipe("pictures", { size: 40, shared }));
    const controller = new AbortController();
    const loader = await opens(data, { workers: 1, signal: controller.signal });
    const all = collect(loader.load(requests(5)));
    await reaches(new Int32Array(shared), 3);
    controller.abort();
    await expect(all).rejects.toThrow(CancelledError);
    await expect(collect(loader.load(requests(1)))).rejects.toThrow(CancelledError);
  });

  it("say what is wrong with a recipe", async () => {
    const plain = { ...glyphs({ split: "test", size: 10 }) };
    const withRecipe = (wrong: Recipe): Dataset => ({ ...plain, recipe: wrong });
    const load = (data: Dataset) => batchesOf(data, { workers: 1 }, requests(1));
    await expect(load(withRecipe(recipe("nothing")))).rejects.toThrow(/exports no such function/);
    await expect(load(withRecipe(recipe("notAFunction")))).rejects.toThrow(UsageError);
    await expect(load(withRecipe({ ...recipe("x"), module: "no-such-package" }))).rejects.toThrow(/cannot be loaded/);
    await expect(load(withRecipe(recipe("failing")))).rejects.toThrow(/no pictures today/);
    await expect(load(withRecipe(recipe("leaving")))).rejects.toThrow(RuntimeError);
  });
});

describe("openLoader", () => {
  it("refuses what another thread cannot make", async () => {
    const bare = datasetOf({ size: 1, open: () => ({ read: () => ({ inputs: new Map(), source: "x" }) }) });
    await expect(openLoader(bare, { workers: 1 })).rejects.toThrow(/this data cannot be made in another thread/);
    const own: Augmentation = { name: "own", apply: (picture) => picture };
    const data = glyphs({ split: "test", size: 10 });
    await expect(openLoader(data, { workers: 1, augment: [own] })).rejects.toThrow(/augmentation "own"/);
    await expect(openLoader(data, { workers: 0.5 })).rejects.toThrow(UsageError);
    await expect(openLoader(data, { workers: 1, ahead: 0 })).rejects.toThrow(UsageError);
  });

  it("says which samples have no picture", async () => {
    const windows = tokenWindows(new Int32Array(50), { context: 5 });
    const augment = [horizontalFlip()];
    await expect(batchesOf(windows, { augment }, requests(1))).rejects.toThrow(/needs samples with one picture/);
  });
});

/** Resolves when as many pictures were read, while this thread's events go on. */
async function reaches(words: Int32Array, count: number): Promise<void> {
  while (Atomics.load(words, 0) < count) await answered();
}

/** Lets the messages that have arrived be handled. */
function answered(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
