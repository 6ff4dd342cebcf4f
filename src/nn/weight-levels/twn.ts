/** @file Ternary weight networks: Li et al. (2016), arXiv:1605.04711. */
import { UsageError } from "../../errors.ts";
import { scalar, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { dimsOf, type Layers } from "../network.ts";
import { plainSign, straightThrough } from "../straight-through.ts";
import { countAlong } from "./count-along.ts";
import type { WeightLevels } from "./weight-levels.ts";

export interface TwnOptions {
  /**
   * Weights up to this many times the mean magnitude become 0: 0.7 by default, as in the authors' release, 0.75 in the text for normal
   * weights; `best` sorts the magnitudes of each output for the threshold that is nearest to the weights.
   */
  readonly threshold?: number | "best";
}

const twnOptionsNames: OptionNames<TwnOptions> = { threshold: true };

/**
 * −α, 0 and +α of each output, with Δ from the mean of |W| and α the mean of the |W| above it. The gradient is taken at the levels and given
 * to the weights as it is.
 *
 * @throws UsageError for a threshold that is no positive number
 */
export function twn(options: TwnOptions = {}): WeightLevels {
  const { threshold = 0.7 } = checkOptions(options, twnOptionsNames);
  if (threshold !== "best" && !(threshold > 0 && Number.isFinite(threshold))) {
    throw new UsageError("a threshold of ternary weights is out of range", {
      expected: 'a positive number, or "best"',
      got: String(threshold),
    });
  }
  return (n, weight, inputs) => {
    const magnitude = n.abs(weight);
    const below =
      threshold === "best"
        ? n.less(magnitude, leastKept(n, magnitude, inputs))
        : n.not(n.greater(magnitude, n.mul(n.mean(magnitude, inputs, true), threshold)));
    const kept = n.mask(n.not(below), weight);
    const total = n.sum(n.mul(magnitude, kept), inputs, true);
    const scale = n.div(total, n.max(n.sum(kept, inputs, true), 1));
    return straightThrough(n, n.mul(n.mul(plainSign(n, weight), kept), scale), weight);
  };
}

/**
 * The smallest magnitude that is kept by the best threshold. ‖W − αT‖² = ‖W‖² − (Σ |W| of those kept)² / their number, and those kept are
 * the largest, so the best number is found among the sums of the sorted magnitudes.
 */
function leastKept(n: Layers, magnitude: Value, inputs: readonly number[]): Value {
  const count = countAlong(magnitude, inputs);
  const dims = dimsOf(magnitude).map(Number);
  const rows = n.reshape(n.transpose(magnitude, [...outputsOf(dims, inputs), ...inputs]), [-1, count]);
  const [sorted] = n.ops("TopK", [rows, n.ints([count])], 2, { axis: 1 });
  const sums = n.op("CumSum", [sorted, n.constant("axis", scalar("int64", 1))]);
  const counts = new Float64Array(count).map((_, i) => i + 1);
  const gains = n.div(n.mul(sums, sums), n.constant("counts", tensorFromNumbers("float32", [count], counts)));
  const best = n.op("ArgMax", [gains], { axis: 1 });
  const least = n.op("GatherElements", [sorted, best], { axis: 1 });
  return n.reshape(
    least,
    dims.map((dim, axis) => (inputs.includes(axis) ? 1 : dim)),
  );
}

function outputsOf(dims: readonly number[], inputs: readonly number[]): number[] {
  return dims.flatMap((_, axis) => (inputs.includes(axis) ? [] : [axis]));
}
