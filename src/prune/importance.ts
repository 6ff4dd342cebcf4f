/** @file How much each class matters: what a criterion says of all weights at its positions. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { floatsOf, type Model, sizeOf, type Tensor } from "../ir/index.ts";
import { evaluateConstants } from "./constant-values.ts";
import type { Criterion, WeightRows } from "./criterion.ts";
import { checkEvidence, seenOf, type WeightEvidence } from "./evidence.ts";
import type { WeightAxis } from "./weight-axes.ts";

/**
 * The mean over the weight axes that hold a class of its score there, each axis scaled to a mean of 1, so that layers of other sizes
 * compare (as DepGraph does; arXiv:2301.12900). Classes that no weights hold are absent.
 * @throws UsageError when the criterion says nothing about any weights of the model, or needs evidence that is not given.
 */
export function importanceOf(
  model: Model,
  axes: readonly WeightAxis[],
  criterion: Criterion,
  seed: number,
  evidence?: WeightEvidence,
): ReadonlyMap<number, number> {
  checkEvidence(criterion, evidence);
  const tensors = evaluateConstants(model, new Set(axes.map(({ value }) => value)));
  const sums = new Map<number, { total: number; count: number }>();
  for (const [index, axis] of axes.entries()) {
    const tensor = tensors.get(axis.value);
    const scores = tensor && criterion.scores(rowsOf(axis, tensor, index, evidence), seed);
    if (scores) addScores(sums, axis.classes, scores);
  }
  if (sums.size > 0) return new Map([...sums].map(([of, { total, count }]) => [of, total / count]));
  throw new UsageError(`the criterion ${criterion.name} says nothing about this model`, {
    expected: criterion.summary,
    got: `${axes.length} axes of weights without such`,
  });
}

function addScores(
  sums: Map<number, { total: number; count: number }>,
  classes: Int32Array,
  scores: Float64Array,
): void {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const unit = mean > 0 ? 1 / mean : 1;
  for (const [i, of] of classes.entries()) {
    const sum = sums.get(of) ?? { total: 0, count: 0 };
    sums.set(of, { total: sum.total + scores[i]! * unit, count: sum.count + 1 });
  }
}

function rowsOf(axis: WeightAxis, tensor: Tensor, index: number, evidence: WeightEvidence | undefined): WeightRows {
  const { dims } = tensor;
  const count = nth(dims, axis.axis);
  const [outer, inner] = [sizeOf(dims.slice(0, axis.axis)), sizeOf(dims.slice(axis.axis + 1))];
  const layOut = (source: Float32Array) => (outer === 1 ? source : axisFirst(source, outer, count, inner));
  const rows = layOut(floatsOf(tensor));
  return { axis, rows, count, width: outer * inner, index, ...seenOf(evidence, axis.value, layOut) };
}

/** `outer × count × inner` as `count × outer × inner`. */
function axisFirst(source: Float32Array, outer: number, count: number, inner: number): Float32Array {
  const rows = new Float32Array(source.length);
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < count; k++) {
      const from = (o * count + k) * inner;
      rows.set(source.subarray(from, from + inner), (k * outer + o) * inner);
    }
  }
  return rows;
}
