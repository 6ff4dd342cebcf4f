/** @file Pruning by SparseGPT: what goes is chosen column by column, and what stays makes up for it on calibration data. */
import {
  type Batches,
  capture,
  chunksOf,
  gatherMoments,
  type Layer,
  type Moments,
  openGram,
  type Reconstruction,
  reconstructed,
  rowsOf,
  type SparseProblem,
  withoutConstant,
} from "../calibration/index.ts";
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import {
  editAllGraphs,
  floatsOf,
  labelOf,
  type Model,
  type NodePattern,
  storedWeights,
  type Tensor,
  tensor,
  type Value,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { OpenSession } from "../runtime/index.ts";
import { columnsOf, type Granularity } from "./granularity.ts";
import { countOf, takeLeast } from "./least-rows.ts";
import { granularityOf, reportOf, type SparseModel, type SparsityAmount, sparseLayersOf } from "./sparsify.ts";

export type ReconstructOptions = SparsityAmount & ReconstructSettings;

export interface ReconstructSettings {
  readonly open: OpenSession;
  /** Samples; some hundreds are enough. */
  readonly batches: Batches;
  /** Layers that keep all weights, by the names of nodes; `*` stands for any characters. */
  readonly exclude?: readonly NodePattern[];
  /** Columns of which what goes is chosen together, without a pattern; 128 by default. */
  readonly block?: number;
  /** Added to the diagonal of the moments, relative to its mean; 0.01 by default. */
  readonly damping?: number;
  /** Positions that are read of each batch; 2048 by default. */
  readonly positions?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** E‖(w − ŵ) x‖² on the samples: with what stays changed, and with the same zeros alone. */
export interface LayerError {
  readonly layer: string;
  readonly error: number;
  readonly plainError: number;
}

export interface ReconstructedModel extends SparseModel {
  readonly errors: readonly LayerError[];
}

const reconstructOptionsNames: OptionNames<SparsityAmount & ReconstructSettings> = {
  sparsity: true,
  pattern: true,
  open: true,
  batches: true,
  exclude: true,
  block: true,
  damping: true,
  positions: true,
  threads: true,
  signal: true,
};

/** Bytes of moments that may be in memory at once. */
const MEMORY = 2 ** 29;

/**
 * The model with zeros, single ones or by a pattern, and the other weights of each layer changed so that its outputs on the samples stay near
 * those of the model as it was. Layers whose inputs cannot be read are left alone, and told.
 *
 * @throws UsageError as `sparsifyModel` does, and where no layer's inputs can be read; DataError without samples
 */
export async function reconstructModel(model: Model, options: ReconstructOptions): Promise<ReconstructedModel> {
  const { exclude, ...settings } = checkOptions(options, reconstructOptionsNames);
  const granularity = granularityOf(settings);
  const stored = storedWeights(model);
  const { layers, untouched } = sparseLayersOf(stored, exclude ? { exclude } : {});
  const done = new Map<Layer, LayerResult>();
  const sizes = new Map(layers.map((layer) => [layer, 8 * layer.groups * (layer.columns + 1) ** 2]));
  for (const chunk of chunksOf(layers, sizes, MEMORY)) {
    const moments = await momentsOf(stored, chunk, options);
    for (const [layer, own] of moments) done.set(layer, resultOf(layer, own, granularity, options));
  }
  if (done.size === 0) throw new UsageError("the inputs of no layer can be read", { got: `${layers.length} layers` });
  const reached = layers.filter((layer) => done.has(layer));
  const left = layers.filter((layer) => !done.has(layer));
  const found = {
    layers: reached,
    untouched: [
      ...untouched,
      ...left.map(({ node }) => ({ layer: labelOf(node), reason: "its inputs cannot be read" })),
    ],
  };
  const masks = new Map([...done].map(([{ weight }, { mask }]) => [weight.name, mask]));
  const weights = new Map([...done].map(([{ weight }, result]) => [weight, result.tensor]));
  return {
    model: withTensors(stored, weights),
    masks,
    report: reportOf(found, masks),
    errors: [...done].map(([{ node }, { error, plainError }]) => ({ layer: labelOf(node), error, plainError })),
  };
}

function withTensors(model: Model, tensors: ReadonlyMap<Value, Tensor>): Model {
  return editAllGraphs(model, (draft) => {
    for (const [value, next] of tensors) if (draft.graph.initializers.has(value)) draft.setInitializer(value, next);
  });
}

async function momentsOf(
  model: Model,
  layers: readonly Layer[],
  { open, batches, positions = 2048, threads, signal }: ReconstructSettings,
): Promise<ReadonlyMap<Layer, readonly Moments[]>> {
  const outside = new Set(model.graph.nodes);
  const read = layers.filter(({ node }) => outside.has(node));
  await using product = await openGram(open, threads);
  const gatherers = new Map(read.map((layer) => [layer, gatherMoments(layer, product, positions)]));
  const inputs = [...new Set(read.map(({ input }) => input))];
  await capture(model, inputs, { open, batches, threads, signal }, async (values) => {
    for (const [layer, gatherer] of gatherers) {
      const input = values.get(layer.input);
      if (input) await gatherer.add(input);
    }
  });
  return new Map(
    [...gatherers].flatMap(([layer, gatherer]): [Layer, readonly Moments[]][] => {
      const moments = gatherer.moments();
      return moments ? [[layer, moments]] : [];
    }),
  );
}

interface LayerResult extends Omit<LayerError, "layer"> {
  readonly tensor: Tensor;
  readonly mask: Tensor;
}

function resultOf(
  layer: Layer,
  moments: readonly Moments[],
  granularity: Granularity,
  { sparsity, block = 128, damping }: ReconstructOptions,
): LayerResult {
  const { weightTensor, rows, columns, groups, position } = layer;
  const own = rows / groups;
  const source = floatsOf(weightTensor);
  const [values, mask] = [source.slice(), new Uint8Array(source.length).fill(1)];
  const walk = sparsity === undefined ? groupsOf(layer, granularity) : blocksOf(columns, block);
  let [error, plainError] = [0, 0];
  for (let group = 0; group < groups; group++) {
    const made: Reconstruction = reconstructed(
      {
        weights: Float64Array.from(rowsOf(layer, source, group * own, own)),
        rows: own,
        columns,
        gram: withoutConstant(nth(moments, group), columns).gram,
        ...walk,
        choose: walk.keep === undefined ? ofAll(sparsity ?? 0, own) : ofEach(walk.keep, own),
      },
      damping,
    );
    for (let row = 0; row < own; row++) {
      for (let column = 0; column < columns; column++) {
        const at = position(group * own + row, column);
        values[at] = made.weights[row * columns + column] ?? 0;
        mask[at] = made.mask[row * columns + column] ?? 1;
      }
    }
    error += made.error;
    plainError += made.plainError;
  }
  const { dims } = weightTensor;
  return { tensor: tensor("float32", dims, values), mask: tensor("bool", dims, mask), error, plainError };
}

interface Walk extends Pick<SparseProblem, "order" | "ends"> {
  readonly keep?: number;
}

/** Neighbours at one position of the kernel are a block each; all rows are cut alike, so the first one tells. */
function groupsOf(layer: Layer, pattern: Granularity): Walk {
  const { columns } = layer;
  const { inputs, area } = columnsOf(layer);
  const { groups = { ends: Int32Array.of(columns), keep: columns } } = pattern.cut(layer);
  const order = new Int32Array(columns).map((_, i) => (i % inputs) * area + Math.floor(i / inputs));
  const ends = groups.ends.filter((end) => end <= columns);
  return { order, ends, keep: groups.keep };
}

function blocksOf(columns: number, block: number): Walk {
  const order = new Int32Array(columns).map((_, i) => i);
  const ends = new Int32Array(Math.ceil(columns / block)).map((_, i) => Math.min(columns, (i + 1) * block));
  return { order, ends };
}

/** A share of all weights, whichever rows they are in. */
function ofAll(share: number, rows: number): SparseProblem["choose"] {
  let taken = 0;
  return (scores, width, from) => {
    const gone = new Uint8Array(scores.length);
    const count = countOf(share, rows * (from + width)) - taken;
    takeLeast(scores, count, gone);
    taken += count;
    return gone;
  };
}

/** All but so many of each row. */
function ofEach(keep: number, rows: number): SparseProblem["choose"] {
  return (scores, width) => {
    const gone = new Uint8Array(scores.length);
    for (let row = 0; row < rows; row++) {
      const [from, to] = [row * width, (row + 1) * width];
      takeLeast(scores.subarray(from, to), width - Math.min(keep, width), gone.subarray(from, to));
    }
    return gone;
  };
}
