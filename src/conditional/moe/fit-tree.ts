/** @file Decision trees over features: fitted to classes where there are any, else cut at medians. */
import { nth } from "../../checked.ts";
import { DataError } from "../../errors.ts";
import { maxOf } from "../../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";

/** A complete binary tree in the order of a heap; x goes right where x[feature] > threshold. Leaves are numbered from the left. */
export interface DecisionTree {
  readonly depth: number;
  readonly features: readonly number[];
  readonly thresholds: readonly number[];
}

export interface TreeOptions {
  readonly depth: number;
  /** The class of each row: cuts then lower the Gini impurity most. Without, the feature of the largest variance is cut at its median. */
  readonly classes?: ArrayLike<number>;
  /** Thresholds tried per feature; 16 by default. */
  readonly candidates?: number;
}

const treeOptionsNames: OptionNames<TreeOptions> = { depth: true, classes: true, candidates: true };

/** Breiman et al., "Classification and regression trees" (1984), with cuts at quantiles. `rows` is [count, width]. */
export function fitTree(rows: ArrayLike<number>, width: number, options: TreeOptions): DecisionTree {
  checkOptions(options, treeOptionsNames);
  const { depth, classes, candidates = 16 } = options;
  checkCount("the depth of a tree", depth, { most: 16 });
  const count = rows.length / width;
  if (!Number.isSafeInteger(count) || count < 2) {
    throw new DataError("a tree needs rows of features", {
      expected: `rows of ${width}`,
      got: `${rows.length} numbers`,
    });
  }
  const at = (row: number, feature: number): number => rows[row * width + feature]!;
  const features: number[] = [];
  const thresholds: number[] = [];
  let level: number[][] = [Array.from({ length: count }, (_, i) => i)];
  for (let d = 0; d < depth; d++) {
    const next: number[][] = [];
    for (const members of level) {
      const { feature, threshold } = classes
        ? purestCut(members, width, at, classes, candidates)
        : widestCut(members, width, at);
      features.push(feature);
      thresholds.push(threshold);
      next.push(
        members.filter((row) => at(row, feature) <= threshold),
        members.filter((row) => at(row, feature) > threshold),
      );
    }
    level = next;
  }
  return { depth, features, thresholds };
}

interface Cut {
  readonly feature: number;
  readonly threshold: number;
}

type At = (row: number, feature: number) => number;

function widestCut(members: readonly number[], width: number, at: At): Cut {
  const spreads = Array.from({ length: width }, (_, feature) => variance(members.map((row) => at(row, feature))));
  const feature = spreads.indexOf(maxOf(spreads));
  return { feature, threshold: quantile(sorted(members, feature, at), 0.5) };
}

function variance(values: readonly number[]): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
  return values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
}

function purestCut(
  members: readonly number[],
  width: number,
  at: At,
  classes: ArrayLike<number>,
  candidates: number,
): Cut {
  let best: Cut & { impurity: number } = { ...widestCut(members, width, at), impurity: Number.POSITIVE_INFINITY };
  for (let feature = 0; feature < width; feature++) {
    const values = sorted(members, feature, at);
    for (let i = 1; i <= candidates; i++) {
      const threshold = quantile(values, i / (candidates + 1));
      const impurity = impurityOf(members, (row) => at(row, feature) > threshold, classes);
      if (impurity < best.impurity) best = { feature, threshold, impurity };
    }
  }
  return best;
}

function sorted(members: readonly number[], feature: number, at: At): number[] {
  return members.map((row) => at(row, feature)).sort((a, b) => a - b);
}

function quantile(values: readonly number[], share: number): number {
  return values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
}

/** Σ over both sides of size · (1 − Σ share²); a cut that leaves a side empty is none. */
function impurityOf(members: readonly number[], isRight: (row: number) => boolean, classes: ArrayLike<number>): number {
  const sides = [new Map<number, number>(), new Map<number, number>()];
  for (const row of members) {
    const side = nth(sides, isRight(row) ? 1 : 0);
    side.set(classes[row]!, (side.get(classes[row]!) ?? 0) + 1);
  }
  if (sides.some((side) => side.size === 0)) return Number.POSITIVE_INFINITY;
  return sides.reduce((sum, side) => {
    const size = [...side.values()].reduce((a, b) => a + b, 0);
    const squares = [...side.values()].reduce((a, b) => a + b * b, 0);
    return sum + size - squares / size;
  }, 0);
}
