/** @file Unstructured pruning: weights that matter little become zeros, and the network keeps its shape. */
import type { Layer } from "../calibration/index.ts";
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import {
  bytesOfTensor,
  checkPatterns,
  floatsOf,
  labelOf,
  type Model,
  type NodePattern,
  storedWeights,
  type Tensor,
  tensor,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type CriterionName, criteria } from "./criteria/index.ts";
import type { Criterion, WeightRows } from "./criterion.ts";
import { checkEvidence, seenOf, type WeightEvidence } from "./evidence.ts";
import { type GranularityName, granularities, patternOf } from "./granularities/index.ts";
import type { CutWeight, Granularity } from "./granularity.ts";
import { leastRows, type SparseRanking } from "./least-rows.ts";
import { type Masks, withMasks } from "./masks.ts";
import { type SparseLayers, sparseLayers, type Untouched } from "./sparse-layers.ts";

/** How much becomes zero: a share of the weights of all layers, or all but N of M neighbours everywhere. */
export type SparsityAmount =
  | { readonly sparsity: number; readonly pattern?: undefined }
  | { readonly pattern: string; readonly sparsity?: undefined };

export type SparsifyOptions = SparsityAmount & SparsifySettings;

export interface SparsifySettings {
  /** What goes or stays as a whole; `"element"` by default. A pattern is one itself. */
  readonly granularity?: GranularityName | Granularity;
  /** What says which weights matter least; `"l1"` by default. */
  readonly criterion?: CriterionName | Criterion;
  /** Whether all layers lose the same share, or all rows of the network are one order; `"local"` by default. */
  readonly ranking?: SparseRanking;
  /** Layers that keep all weights, by the names of nodes; `*` stands for any characters. */
  readonly exclude?: readonly NodePattern[];
  /** For criteria that draw. */
  readonly seed?: number;
  /** For criteria that need gradients or inputs: what `gatherEvidence` found. */
  readonly evidence?: WeightEvidence;
  /** Zeros that stay zeros: what an earlier call has chosen. */
  readonly masks?: Masks;
}

export interface SparseLayerReport {
  readonly layer: string;
  readonly weight: string;
  readonly elements: number;
  /** Numbers of zeros. */
  readonly zeros: { readonly before: number; readonly after: number };
}

export interface SparsityReport {
  readonly layers: readonly SparseLayerReport[];
  /** Over all of these layers. */
  readonly elements: number;
  readonly zeros: { readonly before: number; readonly after: number };
  /** Layers that stayed as they were, and why. */
  readonly untouched: readonly Untouched[];
}

export interface SparseModel {
  readonly model: Model;
  readonly masks: Masks;
  readonly report: SparsityReport;
}

const sparsifyOptionsNames: OptionNames<SparsityAmount & SparsifySettings> = {
  sparsity: true,
  pattern: true,
  granularity: true,
  criterion: true,
  ranking: true,
  exclude: true,
  seed: true,
  evidence: true,
  masks: true,
};

/**
 * The model with zeros in its convolutions and products. What stays keeps its bits, and nothing else changes; kernels of ONNX Runtime are
 * dense, so this makes files smaller and not networks faster.
 *
 * @throws UsageError for an amount out of range, a criterion that says nothing about rows of this granularity or needs evidence that is
 * not given, a model without layers, and names of which no layer is called.
 */
export function sparsifyModel(model: Model, options: SparsifyOptions): SparseModel {
  const stored = storedWeights(model);
  const found = sparseLayersOf(stored, checkOptions(options, sparsifyOptionsNames));
  const masks = masksFor(found.layers, options);
  const changed = withMasks(stored, masks);
  return { model: changed, masks, report: reportOf(found, masks) };
}

/**
 * The layers that the options leave.
 *
 * @throws as `sparsifyModel` does
 */
export function sparseLayersOf(model: Model, { exclude = [] }: Pick<SparsifySettings, "exclude">): SparseLayers {
  checkPatterns(model.graph, { exclude });
  const found = sparseLayers(model, exclude);
  if (found.layers.length > 0) return found;
  throw new UsageError("the model has no weights that could be zeros", {
    expected: "Conv, Gemm or MatMul with float32 weights",
    got: found.untouched.map(({ layer, reason }) => `${layer}: ${reason}`).join("; ") || "none",
  });
}

/** The masks of layers: zeros are the rows that matter least, and those that were zeros for good before. */
export function masksFor(layers: readonly Layer[], options: SparsifyOptions): Masks {
  const { ranking = "local", masks = new Map(), sparsity = 0 } = options;
  const granularity = granularityOf(options);
  const criterion = criterionOf(options);
  checkEvidence(criterion, options.evidence);
  const weights = layers.map((layer, index) => {
    const cut = granularity.cut(layer);
    const scores = scoresOf(layer, cut, index, granularity, criterion, options);
    return { layer, cut, scores: withFirst(scores, cut, masks.get(layer.weight.name)) };
  });
  const gone = leastRows(weights, { share: sparsity, ranking, withinOutputs: criterion.withinOutputs === true });
  return new Map(
    weights.map(({ layer, cut }, i) => [
      layer.weight.name,
      maskOf(layer.weightTensor, cut, nth(gone, i), masks.get(layer.weight.name)),
    ]),
  );
}

/** An amount that may be none. */
interface UncheckedAmount extends Pick<SparsifySettings, "granularity" | "ranking"> {
  readonly sparsity?: number | undefined;
  readonly pattern?: string | undefined;
}

/** @throws UsageError for an amount that is none */
export function granularityOf({ sparsity, pattern, granularity, ranking }: UncheckedAmount): Granularity {
  if ((sparsity === undefined) === (pattern === undefined))
    throw new UsageError("one of sparsity and pattern says how much becomes zero", {
      got: sparsity === undefined ? "none" : "both",
    });
  if (pattern !== undefined) {
    if (granularity !== undefined || ranking !== undefined)
      throw new UsageError("a pattern says itself what goes", {
        got: granularity === undefined ? "a ranking" : "a granularity",
      });
    return patternOf(pattern);
  }
  if (!(sparsity !== undefined && sparsity > 0 && sparsity < 1))
    throw new UsageError("sparsity is out of range", { expected: "above 0 and below 1", got: String(sparsity) });
  const found = typeof granularity === "object" ? granularity : granularities[granularity ?? "element"]();
  if (found.name.includes(":"))
    throw new UsageError("a pattern says itself how much becomes zero", {
      expected: `pattern: ${JSON.stringify(found.name)}`,
      got: `sparsity ${sparsity}`,
    });
  return found;
}

export function criterionOf({ criterion = "l1" }: Pick<SparsifySettings, "criterion">): Criterion {
  return typeof criterion === "string" ? criteria[criterion] : criterion;
}

function scoresOf(
  { node, weight, weightTensor, channelAxis }: Layer,
  cut: CutWeight,
  index: number,
  granularity: Granularity,
  criterion: Criterion,
  { seed = 0, evidence }: SparsifySettings,
): Float64Array {
  const layOut = (source: Float32Array) => laidOut(source, cut);
  const rows: WeightRows = {
    axis: { node, value: weight, axis: channelAxis, role: "out" },
    rows: layOut(floatsOf(weightTensor)),
    count: cut.count,
    width: cut.width,
    index,
    ...seenOf(evidence, weight, layOut),
  };
  const scores = criterion.scores(rows, seed);
  if (scores) return scores;
  throw new UsageError(`the criterion ${criterion.name} says nothing about rows of ${cut.width} weights`, {
    expected: criterion.summary,
    got: `granularity ${granularity.name}`,
    where: labelOf(node),
  });
}

function laidOut(source: Float32Array, { positions }: CutWeight): Float32Array {
  return new Float32Array(positions.length).map((_, i) => source[positions[i] ?? -1] ?? 0);
}

/** Rows that are zeros for good go before all others. */
function withFirst(scores: Float64Array, { positions, width }: CutWeight, before: Tensor | undefined): Float64Array {
  if (!before) return scores;
  const kept = bytesOfTensor(before);
  return scores.map((score, row) => {
    const own = positions.subarray(row * width, (row + 1) * width);
    return own.some((at) => at >= 0 && kept[at] !== 0) ? score : -Infinity;
  });
}

function maskOf(
  { dims }: Tensor,
  { positions, width }: CutWeight,
  gone: Uint8Array,
  before: Tensor | undefined,
): Tensor {
  const kept = before && bytesOfTensor(before).slice();
  const mask = kept ?? new Uint8Array(dims.reduce((a, b) => a * b, 1)).fill(1);
  for (const [i, at] of positions.entries()) if (gone[Math.floor(i / width)] === 1 && at >= 0) mask[at] = 0;
  return tensor("bool", dims, mask);
}

/** What masks of layers do to their zeros. */
export function reportOf({ layers, untouched }: SparseLayers, masks: Masks): SparsityReport {
  const reports = layers.map(({ node, weight, weightTensor }): SparseLayerReport => {
    const [values, mask] = [floatsOf(weightTensor), masks.get(weight.name)];
    const kept = mask && bytesOfTensor(mask);
    let [before, after] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      if (values[i] === 0) before++;
      if (values[i] === 0 || kept?.[i] === 0) after++;
    }
    return { layer: labelOf(node), weight: weight.name, elements: values.length, zeros: { before, after } };
  });
  const sum = (of: (report: SparseLayerReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  return {
    layers: reports,
    elements: sum(({ elements }) => elements),
    zeros: { before: sum(({ zeros }) => zeros.before), after: sum(({ zeros }) => zeros.after) },
    untouched,
  };
}
