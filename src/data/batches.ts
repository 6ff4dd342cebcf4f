/** @file Samples stacked into the feeds of a model. */
import { nth } from "../checked.ts";
import { DataError, ensure } from "../errors.ts";
import { bytesOfTensor, formatType, type Tensor, tensor, tensorType } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import type { Dataset, InputPort, Sample } from "./dataset.ts";
import { concat } from "./inflate.ts";

export interface Batch {
  /** By input name, with the batch axis in front. */
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** One per real sample; absent unless every sample has one. */
  readonly labels?: readonly number[];
  /** float32 [count, classes]: the probabilities of each real sample's classes; absent unless every sample has them. */
  readonly targets?: Tensor;
  /** Where the real samples came from. */
  readonly sources: readonly string[];
  /** The number of real samples. Beyond them a model of fixed batch size gets its last sample again. */
  readonly count: number;
}

export interface BatchOptions {
  /** Samples per batch; default is the model's fixed batch size, or 1. */
  readonly batch?: number;
  /** At most this many samples. */
  readonly limit?: number;
  /** The model's inputs: checked against the samples, and the source of a fixed batch size. */
  readonly port?: InputPort | readonly InputPort[];
}

const batchOptionsNames: OptionNames<BatchOptions> = { batch: true, limit: true, port: true };

/**
 * Groups a dataset's samples in order. Every sample appears exactly once; the last batch may be smaller. An input whose
 * rank in the model is that of the sample has no batch axis and is fed as it is, one sample at a time. Samples that
 * differ in dims or dtype from the first of their batch, or from the model, are a `DataError`.
 */
export async function* batches(dataset: Dataset, options: BatchOptions = {}): AsyncGenerator<Batch> {
  checkOptions(options, batchOptionsNames);
  checkCounts(options);
  const ports = portsOf(options);
  const limit = Math.min(dataset.size, options.limit ?? Number.POSITIVE_INFINITY);
  const whole = limit === dataset.size;
  const samples = whole ? dataset : dataset.pick(Array.from({ length: limit }, (_, i) => i));
  let layout: Layout | undefined;
  let group: Sample[] = [];
  for await (const sample of samples) {
    layout ??= layoutFor(sample, ports, options.batch);
    group.push(sample);
    if (group.length < layout.size) continue;
    yield stack(group, layout, layout.size);
    group = [];
  }
  if (layout && group.length > 0) yield stack(group, layout, layout.fixed ? layout.size : group.length);
}

const batchOfOptionNames: OptionNames<Omit<BatchOptions, "limit">> = { batch: true, port: true };

/** One batch of these samples, at most as many as a batch holds; none is a `DataError`. See `batches`. */
export function batchOf(samples: readonly Sample[], options: Omit<BatchOptions, "limit"> = {}): Batch {
  checkOptions(options, batchOfOptionNames);
  checkCounts(options);
  const [first] = samples;
  ensure(first !== undefined, () => new DataError("a batch needs a sample"));
  const layout = layoutFor(first, portsOf(options), options.batch ?? samples.length);
  return stack(samples, layout, layout.fixed ? layout.size : samples.length);
}

function portsOf({ port }: BatchOptions): readonly InputPort[] | undefined {
  return port === undefined ? undefined : [port].flat();
}

interface Layout {
  readonly ports: readonly InputPort[] | undefined;
  readonly names: readonly string[];
  /** Samples per batch. */
  readonly size: number;
  /** Whether the model accepts no other size. */
  readonly fixed: boolean;
  /** The inputs that have no batch axis. */
  readonly single: ReadonlySet<string>;
}

function checkCounts({ batch = 1, limit = 0 }: BatchOptions): void {
  checkCount("batch", batch);
  checkCount("limit", limit, { least: 0 });
}

function layoutFor(sample: Sample, ports: readonly InputPort[] | undefined, wanted: number | undefined): Layout {
  const names = ports?.map(({ name }) => name) ?? [...sample.inputs.keys()];
  const isSingle = ({ name, dims }: InputPort) => dims?.length === inputOf(sample, name).dims.length;
  const single = new Set(ports?.filter(isSingle).map(({ name }) => name));
  const first = ports?.filter(({ name }) => !single.has(name)).map(({ dims }) => dims?.[0]);
  const stated = first?.find((dim): dim is number => typeof dim === "number" && dim > 0);
  const fixed = single.size > 0 ? 1 : stated;
  if (fixed === undefined) return { ports, names, size: wanted ?? 1, fixed: false, single };
  if (wanted === undefined || wanted === fixed) return { ports, names, size: fixed, fixed: true, single };
  throw new DataError("the model has a fixed batch size", {
    expected: `${fixed}`,
    got: `${wanted}`,
    hint: "Leave the batch out, or give the model a dynamic batch dimension.",
  });
}

/** One batch of `size` rows from at most `size` samples, the last repeated as often as needed. */
function stack(samples: readonly Sample[], { ports, names, single }: Layout, size: number): Batch {
  const feeds = new Map<string, Tensor>();
  for (const name of names) {
    const rows = samples.map((sample) => inputOf(sample, name));
    const feed = single.has(name) ? nth(rows, 0) : stackTensors(rows, samples, size);
    const port = ports?.find((candidate) => candidate.name === name);
    if (port) checkFeed(feed, port, nth(samples, 0).source);
    feeds.set(name, feed);
  }
  const labels = samples.map(({ label }) => label).filter((label) => label !== undefined);
  return {
    feeds,
    ...(labels.length === samples.length && { labels }),
    ...targetsOf(samples),
    sources: samples.map(({ source }) => source),
    count: samples.length,
  };
}

function targetsOf(samples: readonly Sample[]): Pick<Batch, "targets"> {
  const targets = samples.map(({ target }) => target).filter((target) => target !== undefined);
  if (targets.length < samples.length) return {};
  const rows = targets.map((target) => tensor("float32", [target.length], target));
  return { targets: stackTensors(rows, samples, samples.length) };
}

function inputOf(sample: Sample, name: string): Tensor {
  const value = sample.inputs.get(name);
  if (value) return value;
  throw new DataError("a sample lacks one of the inputs", {
    expected: JSON.stringify(name),
    got: [...sample.inputs.keys()].map((key) => JSON.stringify(key)).join(", "),
    where: sample.source,
  });
}

function stackTensors(rows: readonly Tensor[], samples: readonly Sample[], size: number): Tensor {
  const first = nth(rows, 0);
  for (const [i, row] of rows.entries()) {
    if (row.dtype === first.dtype && sameDims(row.dims, first.dims)) continue;
    throw new DataError("the samples of a batch differ in shape", {
      expected: formatType(tensorType(first.dtype, first.dims)),
      got: formatType(tensorType(row.dtype, row.dims)),
      where: nth(samples, i).source,
      hint: "Give a preprocessing with a fixed size, or a batch of 1.",
    });
  }
  const parts = Array.from({ length: size }, (_, i) => bytesOfTensor(nth(rows, Math.min(i, rows.length - 1))));
  const data = concat(parts, size * nth(parts, 0).byteLength);
  return { dtype: first.dtype, dims: [size, ...first.dims], data };
}

function checkFeed({ dtype, dims }: Tensor, port: InputPort, where: string): void {
  const fits =
    (port.dtype === undefined || port.dtype === dtype) &&
    (port.dims === undefined ||
      (port.dims.length === dims.length &&
        port.dims.every((dim, i) => typeof dim === "string" || dim < 0 || dim === dims[i])));
  if (fits) return;
  throw new DataError("the data does not fit the model's input", {
    expected: `${port.dtype ? formatType(tensorType(port.dtype, port.dims)) : `[${port.dims}]`} for "${port.name}"`,
    got: formatType(tensorType(dtype, dims)),
    where,
    hint: "Images need a preprocessing that gives this size and layout.",
  });
}

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}
