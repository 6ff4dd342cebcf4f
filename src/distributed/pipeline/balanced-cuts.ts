/** @file Where a row of nodes is cut so that the dearest piece is as cheap as possible. */
import { UsageError } from "../../errors.ts";
import { checkCount } from "../../options.ts";

export interface Row {
  /** By node. */
  readonly costs: readonly number[];
  /** By position from 0 to the number of nodes, what a cut there costs the pieces on both sides. */
  readonly boundaries: readonly number[];
  /** By node, whether it has something that a piece must have at least one of. */
  readonly needed: readonly boolean[];
}

/**
 * The positions of `pieces` − 1 cuts, by dynamic programming: the greatest cost of a piece, its two cuts included, is the least there is, and among those
 * the cuts together cost least.
 *
 * @throws UsageError where there are fewer nodes with what a piece needs than pieces
 */
export function balancedCuts({ costs, boundaries, needed }: Row, pieces: number): number[] {
  const count = costs.length;
  const most = needed.filter(Boolean).length;
  checkCount("the number of stages", pieces);
  if (pieces > Math.max(1, most)) {
    throw new UsageError("the model cannot be cut into that many stages", {
      expected: `at most ${most}, as many as nodes with weights`,
      got: String(pieces),
    });
  }
  const [sums, holds] = [running(costs), running(needed.map(Number))];
  const at = (list: ArrayLike<number>, index: number): number => list[index] ?? 0;
  let best = new Float64Array(count + 1).map((_, end) =>
    at(holds, end) > 0 || pieces === 1 ? at(sums, end) + at(boundaries, end) : Number.POSITIVE_INFINITY,
  );
  let spent = new Float64Array(boundaries);
  const chosen: Int32Array[] = [];
  for (let piece = 2; piece <= pieces; piece++) {
    const next = new Float64Array(count + 1).fill(Number.POSITIVE_INFINITY);
    const nextSpent = new Float64Array(count + 1).fill(Number.POSITIVE_INFINITY);
    const from = new Int32Array(count + 1);
    for (let end = piece; end <= count; end++) {
      for (let start = end - 1; start >= piece - 1; start--) {
        const work = at(sums, end) - at(sums, start);
        if (work > at(next, end)) break;
        if (at(holds, end) === at(holds, start)) continue;
        const cost = Math.max(at(best, start), work + at(boundaries, start) + at(boundaries, end));
        const total = at(spent, start) + at(boundaries, end);
        if (cost > at(next, end) || (cost === at(next, end) && total >= at(nextSpent, end))) continue;
        next[end] = cost;
        nextSpent[end] = total;
        from[end] = start;
      }
    }
    [best, spent] = [next, nextSpent];
    chosen.push(from);
  }
  const cuts: number[] = [];
  let end = count;
  for (const from of chosen.toReversed()) {
    end = at(from, end);
    cuts.unshift(end);
  }
  return cuts;
}

function running(values: readonly number[]): Float64Array {
  const sums = new Float64Array(values.length + 1);
  values.forEach((value, i) => {
    sums[i + 1] = (sums[i] ?? 0) + value;
  });
  return sums;
}
