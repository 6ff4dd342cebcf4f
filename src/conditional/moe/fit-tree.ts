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
  /** Quantiles tried per feature; by default each value that rows have, so that the purest cut is found. */
  readonly candidates?: number;
}

const treeOptionsNames: OptionNames<TreeOptions> = { depth: true, classes: true, candidates: true };

/** Breiman et al., "Classification and regression trees" (1984), with cuts at values that rows have. `rows` is [count, width]. */
export function fitTree(rows: ArrayLike<number>, width: number, options: TreeOptions): DecisionTree {
  checkOptions(options, treeOptionsNames);
  const { depth, classes, candidates } = options;
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
  candidates: number | undefined,
): Cut {
  let best: Cut & { impurity: number } = { ...widestCut(members, width, at), impurity: Number.POSITIVE_INFINITY };
  for (let feature = 0; feature < width; feature++) {
    const order = members.toSorted((a, b) => at(a, feature) - at(b, feature));
    const values = order.map((row) => at(row, feature));
    const tried = candidates === undefined ? undefined : quantiles(values, candidates);
    for (const { threshold, impurity } of cutsOf(order, values, classes)) {
      if (tried && !tried.has(threshold)) continue;
      if (impurity < best.impurity) best = { feature, threshold, impurity };
    }
  }
  return best;
}

function quantiles(values: readonly number[], count: number): Set<number> {
  return new Set(Array.from({ length: count }, (_, i) => quantile(values, (i + 1) / (count + 1))));
}

/** Every cut behind a value of sorted rows that leaves no side empty, with Σ over both sides of size · (1 − Σ share²), counted along the way. */
function* cutsOf(order: readonly number[], values: readonly number[], classes: ArrayLike<number>) {
  const [left, right] = [sideOf(), sideOf()];
  for (const row of order) right.add(classes[row] ?? 0, 1);
  for (const [i, row] of order.slice(0, -1).entries()) {
    left.add(classes[row] ?? 0, 1);
    right.add(classes[row] ?? 0, -1);
    const threshold = nth(values, i);
    if (threshold < nth(values, i + 1)) yield { threshold, impurity: left.impurity() + right.impurity() };
  }
}

/** Rows by class, of which Σ count² is kept up. */
function sideOf() {
  const counts = new Map<number, number>();
  let [size, squares] = [0, 0];
  return {
    add(label: number, change: 1 | -1): void {
      const count = counts.get(label) ?? 0;
      counts.set(label, count + change);
      size += change;
      squares += 2 * change * count + 1;
    },
    impurity: () => size - squares / size,
  };
}

function sorted(members: readonly number[], feature: number, at: At): number[] {
  return members.map((row) => at(row, feature)).sort((a, b) => a - b);
}

function quantile(values: readonly number[], share: number): number {
  return values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
}
