/**
 * @file SmoothQuant (Xiao et al. 2022, arXiv:2211.10438): channels in which activations are large are divided, and their weights multiplied,
 * so that both have ranges that eight bits can hold.
 */
import { must } from "../../checked.ts";
import { labelOf, type Model, storedConstants } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { channelStatistics } from "./channel-statistics.ts";
import { rewritesOf } from "./rewrites.ts";
import { applyScales, type ScaledInput, scaledInputs } from "./scaled-inputs.ts";
import type { ObserveOptions, Transformed, TransformNote } from "./transform.ts";

export interface SmoothQuantOptions extends ObserveOptions {
  /** How much of the difficulty moves into the weights, 0 to 1; default 0.5. */
  readonly alpha?: number;
}

const smoothQuantOptionsNames: OptionNames<SmoothQuantOptions> = {
  alpha: true,
  open: true,
  calibration: true,
  threads: true,
  signal: true,
  exclude: true,
  include: true,
};

/**
 * For every value that matrices read: `s_j = max|x_j|^α / max|W_j|^(1−α)`, folded into what makes the value. Exact in reals. Where the fold would
 * not be, nothing changes, since a division of its own would cost what int8 gains.
 */
export async function smoothQuant(model: Model, options: SmoothQuantOptions): Promise<Transformed> {
  const { alpha = 0.5, ...observed } = checkOptions(options, smoothQuantOptionsNames);
  const stored = storedConstants(model);
  const { inputs, notes: left } = scaledInputs(stored, options);
  const foldable = inputs.filter(({ home }) => typeof home !== "string");
  const notes = [...left, ...inputs.flatMap(noted)];
  if (foldable.length === 0) return { model, notes };
  const values = foldable.map(({ value }) => value);
  const statistics = await channelStatistics(stored, values, observed);
  const rewrites = rewritesOf(stored);
  for (const input of foldable) {
    const weights = input.layers.map((layer) => {
      const { values } = rewrites.constant(layer.node, 1)!;
      return columnMaxima(layer, values);
    });
    applyScales(rewrites, input, smoothingScales(must(statistics, input.value).largest, maxima(weights), alpha));
  }
  return { model: rewrites.written(), notes };
}

function noted({ layers, home }: ScaledInput): TransformNote[] {
  return layers.map(({ node }) => {
    const isDone = typeof home !== "string";
    const what = isDone
      ? `scales folded into ${[...new Set(home.map((each) => labelOf(each.node)))].join(", ")}`
      : home;
    return { node: labelOf(node), done: isDone, what };
  });
}

/** Channels that are never seen, and those without weights, keep a scale that changes nothing of note. */
export function smoothingScales(inputs: Float64Array, weights: Float64Array, alpha: number): Float64Array {
  return inputs.map((x, j) =>
    Math.max(1e-5, Math.max(1e-5, x) ** alpha / Math.max(1e-5, weights[j] ?? 0) ** (1 - alpha)),
  );
}

function columnMaxima({ rows, columns, position }: ScaledInput["layers"][number], values: Float32Array): Float64Array {
  const most = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < columns; j++) most[j] = Math.max(most[j] ?? 0, Math.abs(values[position(row, j)] ?? 0));
  }
  return most;
}

function maxima(lists: readonly Float64Array[]): Float64Array {
  return lists.reduce((most, list) => most.map((value, j) => Math.max(value, list[j] ?? 0)));
}
