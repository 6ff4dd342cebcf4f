/**
 * @file AWQ (Lin et al. 2023, arXiv:2306.00978): before weights are rounded, those that meet large activations are made larger, so that they lose
 * less.
 *
 * For every value that matrices read, `s_j = mean|x_j|^r`, divided by √(max s · min s); r is searched on a grid for the least error of what the matrices
 * put out when they are rounded to nearest, `Σ E‖(w − ŵ) x‖²` over the second moments of x. r = 0 changes nothing, so the error is never
 * larger than without. The search for clipped ranges, which the authors do
 * afterwards, is the rounding `clip`.
 */
import { type Layer, type Moments, quadraticForm, rowsOf, withoutConstant } from "../../calibration/index.ts";
import { must, nth } from "../../checked.ts";
import {
  type Draft,
  floatsOf,
  labelOf,
  type Model,
  makeNode,
  type Node,
  storedConstants,
  tensor,
  type Value,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { gatherLayers } from "../calibration/layer-moments.ts";
import { dequantizeValue, quantizeValue } from "../scheme.ts";
import { type BlockLayout, blockLimits, blockParameters, checkLayout } from "../weights/weight-blocks.ts";
import { channelStatistics } from "./channel-statistics.ts";
import { type Rewrites, rewritesOf } from "./rewrites.ts";
import { applyScales, type ScaledInput, scaledInputs } from "./scaled-inputs.ts";
import type { ObserveOptions, Transformed, TransformNote } from "./transform.ts";

export interface AwqOptions extends ObserveOptions, Partial<BlockLayout> {
  /** Exponents that are tried, `k / grid`; default 20. */
  readonly grid?: number;
}

const awqOptionsNames: OptionNames<AwqOptions> = {
  grid: true,
  bits: true,
  size: true,
  symmetric: true,
  open: true,
  calibration: true,
  threads: true,
  signal: true,
  exclude: true,
  include: true,
};

/** Scales are folded into what makes the value where that is exact in reals; else a Mul divides it. */
export async function awq(model: Model, options: AwqOptions): Promise<Transformed> {
  const { grid = 20, bits = 4, size = 32, symmetric = false, ...observed } = checkOptions(options, awqOptionsNames);
  const layout = { bits, size, symmetric };
  checkLayout(layout);
  const stored = storedConstants(model);
  const { inputs, notes: left } = scaledInputs(stored, options);
  const notes: TransformNote[] = [...left];
  if (inputs.length === 0) return { model, notes };
  const { open, calibration, threads, signal } = observed;
  const statistics = await channelStatistics(
    stored,
    inputs.map(({ value }) => value),
    observed,
  );
  const firsts = new Map(inputs.map(({ layers }) => [nth(layers, 0).node, nth(layers, 0)]));
  const layerInputs = new Map([...firsts].map(([node, { input }]) => [node, input]));
  const capture = { open, batches: calibration, threads, signal, batchCount: await counted(calibration) };
  const moments = await gatherLayers({ model: stored, layerInputs }, firsts, undefined, capture);
  const rewrites = rewritesOf(stored);
  for (const input of inputs) {
    const seen = moments.get(nth(input.layers, 0).node)?.[0];
    if (!seen) continue;
    const { ratio, scales } = search(input.layers, must(statistics, input.value).mean, seen, layout, grid);
    for (const note of noted(input, ratio)) notes.push(note);
    if (ratio === 0) continue;
    applyScales(rewrites, input, scales);
    if (typeof input.home === "string") divideInput(rewrites, input, scales);
  }
  return { model: rewrites.written(), notes };
}

async function counted(batches: ObserveOptions["calibration"]): Promise<number> {
  let count = 0;
  for await (const _ of batches()) count++;
  return Math.max(1, count);
}

function noted({ layers, home }: ScaledInput, ratio: number): TransformNote[] {
  const where =
    typeof home === "string"
      ? `by a Mul, as ${home}`
      : `folded into ${[...new Set(home.map(({ node }) => labelOf(node)))].join(", ")}`;
  const what = ratio === 0 ? "no scales help" : `scales mean|x|^${ratio.toFixed(2)} ${where}`;
  return layers.map(({ node }) => ({ node: labelOf(node), done: ratio > 0, what }));
}

/** The exponent with the least error, the first of equals. */
function search(layers: readonly Layer[], mean: Float64Array, seen: Moments, layout: BlockLayout, grid: number) {
  const { columns } = nth(layers, 0);
  const { gram } = withoutConstant(seen, columns);
  let best = { ratio: 0, scales: new Float64Array(columns).fill(1) as Float64Array, error: Number.POSITIVE_INFINITY };
  for (let k = 0; k < grid; k++) {
    const scales = awqScales(mean, k / grid);
    let error = 0;
    for (const layer of layers) error += roundingError(layer, scales, gram, layout);
    if (error < best.error) best = { ratio: k / grid, scales, error };
  }
  return best;
}

/** `mean^ratio` over the geometric mean of the largest and the smallest. */
export function awqScales(mean: Float64Array, ratio: number): Float64Array {
  const powers = mean.map((each) => Math.max(1e-4, each ** ratio));
  const [most, least] = powers.reduce(([a, b], each) => [Math.max(a, each), Math.min(b, each)], [0, Infinity]);
  const unit = Math.sqrt((most ?? 1) * (least ?? 1));
  return powers.map((each) => each / unit);
}

/** Σ E‖(w − ŵ / s) x‖² with ŵ the weights times s, rounded to nearest in blocks. */
export function roundingError(layer: Layer, scales: Float64Array, gram: Float64Array, layout: BlockLayout): number {
  const { rows, columns, weightTensor } = layer;
  const limits = blockLimits(layout);
  const reals = floatsOf(weightTensor);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const own = rowsOf(layer, reals, row, 1);
    const scaled = new Float32Array(columns).map((_, j) => (own[j] ?? 0) * (scales[j] ?? 0));
    const errors = new Float64Array(columns);
    for (let from = 0; from < columns; from += layout.size) {
      const to = Math.min(from + layout.size, columns);
      const parameters = blockParameters(scaled, layout, from, to);
      for (let j = from; j < to; j++) {
        errors[j] =
          (own[j] ?? 0) -
          dequantizeValue(quantizeValue(scaled[j] ?? 0, parameters, limits), parameters) / (scales[j] ?? 0);
      }
    }
    total += quadraticForm(gram, columns, errors);
  }
  return total;
}

/** One division for all matrices that read the value, before the first of them. */
function divideInput(rewrites: Rewrites, { value, layers }: ScaledInput, scales: Float64Array): void {
  let divided: Value | undefined;
  for (const { node } of layers) {
    rewrites.replace(node, (draft: Draft, next: Node) => {
      const before: Node[] = [];
      if (!divided) {
        divided = draft.value(`${value.name}_scaled`);
        const inverse = draft.constant(
          `${value.name}_scale`,
          tensor(
            "float32",
            [scales.length],
            new Float32Array(scales.length).map((_, j) => 1 / (scales[j] ?? 0)),
          ),
        );
        before.push(makeNode("Mul", [value, inverse], [divided], { name: divided.name }));
      }
      return [...before, { ...next, inputs: next.inputs.map((input, i) => (i === 0 ? divided : input)) }];
    });
  }
}
