/// <reference lib="esnext.disposable" preserve="true" />
/** @file Runs a model and hands out intermediate values, batch by batch. */

import { CancelledError, DataError } from "../errors.ts";
import { editModel, type Model, readsOf, type Tensor, tensorType, type Value, withGraph } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { Feeds, OpenSession } from "../runtime/index.ts";

/** Batches of named inputs; every call starts anew. */
export type Batches = () => AsyncIterable<Feeds>;

export interface CaptureOptions {
  readonly open: OpenSession;
  readonly batches: Batches;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of captured values that may be in memory at once; default 256 MiB. */
  readonly memory?: number | undefined;
  readonly threads?: number | undefined;
}

const MEMORY = 256 * 2 ** 20;
const FIRST_CHUNK = 8;
const STEP = "running the model on calibration data";

/** A session of which any of the values named can be asked for. */
export interface Probe extends AsyncDisposable {
  /** The values for one batch; inputs of the model are taken from the feeds. */
  read(feeds: Feeds, values: readonly Value[]): Promise<Map<Value, Tensor>>;
}

/** Opens `model` with `values` as further outputs. */
export async function openProbe(
  model: Model,
  values: readonly Value[],
  { open, signal, threads = 1 }: Omit<CaptureOptions, "batches">,
): Promise<Probe> {
  const inputs = new Set(model.graph.inputs);
  const computed = values.filter((value) => !inputs.has(value));
  const session =
    computed.length > 0 ? await open(upTo(model, computed), { optimization: "basic", threads, step: STEP }) : undefined;
  return {
    async read(feeds, wanted) {
      if (signal?.aborted) throw new CancelledError("calibration was cancelled", { cause: signal.reason });
      const fetches = wanted.filter((value) => !inputs.has(value)).map(({ name }) => name);
      const outputs = (fetches.length > 0 && (await session?.run(feeds, { fetches }))) || new Map<string, Tensor>();
      return new Map(wanted.map((value) => [value, required(inputs.has(value) ? feeds : outputs, value)]));
    },
    [Symbol.asyncDispose]: async () => session?.release(),
  };
}

export const captureOptionsNames: OptionNames<CaptureOptions> = {
  open: true,
  batches: true,
  signal: true,
  memory: true,
  threads: true,
};

/**
 * Feeds every batch to `model` and calls `take` with the values named, in chunks that stay under the memory bound.
 *
 * @returns the number of batches.
 * @throws DataError when there is no batch.
 */
export async function capture(
  model: Model,
  values: readonly Value[],
  options: CaptureOptions,
  take: (values: ReadonlyMap<Value, Tensor>, batch: number) => void | Promise<void>,
): Promise<number> {
  checkOptions(options, captureOptionsNames);
  await using probe = await openProbe(model, values, options);
  const sizes = new Map<Value, number>();
  let count = 0;
  for await (const feeds of options.batches()) {
    for (const chunk of chunksOf(values, sizes, options.memory ?? MEMORY)) {
      const found = await probe.read(feeds, chunk);
      for (const [value, tensor] of found) sizes.set(value, bytesIn(tensor));
      await take(found, count);
    }
    count++;
  }
  if (count === 0) throw noBatches();
  return count;
}

export function noBatches(): DataError {
  return new DataError("calibration needs at least one batch", { expected: "batches", got: "none" });
}

/** Bytes of a tensor of four-byte elements. */
export function bytesIn({ dims }: Tensor): number {
  return dims.reduce((a, b) => a * b, 4);
}

function required(tensors: ReadonlyMap<string, Tensor>, { name }: Value): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new DataError("a batch lacks a value", { expected: JSON.stringify(name) });
  return tensor;
}

/** The part of the model that computes `values`, with these as its outputs, as float32 where their type is not known. */
export function upTo(model: Model, values: readonly Value[]): Model {
  const { graph } = model;
  const needed = new Set<Value>(values);
  const nodes = [...graph.nodes].reverse().filter((node) => {
    if (!node.outputs.some((output) => output && needed.has(output))) return false;
    for (const value of readsOf(node)) needed.add(value);
    return true;
  });
  const initializers = new Map([...graph.initializers].filter(([value]) => needed.has(value)));
  const part = withGraph(model, { ...graph, nodes: nodes.reverse(), initializers, outputs: values });
  return editModel(part, (draft) => {
    for (const value of values) if (!value.type) draft.substitute(value, { ...value, type: tensorType("float32") });
  });
}

/** Splits items into runs whose sizes stay under `memory`; of unknown ones a few at a time. */
export function* chunksOf<T>(items: readonly T[], sizes: ReadonlyMap<T, number>, memory = MEMORY): Generator<T[]> {
  let chunk: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizes.get(item) ?? memory / FIRST_CHUNK;
    if (chunk.length > 0 && bytes + size > memory) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
