/** @file Heads side by side over a common trunk: one per task, or several of one task as an ensemble. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import type { Layer } from "./branches.ts";
import { type Combination, type CombinationName, combinations } from "./combinations/index.ts";
import type { Layers } from "./network.ts";

/** A head over x; `name` is that of its task. */
export type Head = (n: Layers, x: Value, name: string) => Value;

/**
 * One head per name over the common x, in that order: a network of several tasks. The parameters of a head are named under its own
 * name, `NAME/`. Nothing is made an output.
 *
 * @throws UsageError without a name, and for one that is given twice.
 */
export function parallelHeads(n: Layers, x: Value, build: Head, names: readonly string[]): ReadonlyMap<string, Value> {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (names.length === 0 || repeated !== undefined) {
    throw new UsageError("heads need names of their own", {
      expected: "at least one, each once",
      got: repeated === undefined ? "none" : `${JSON.stringify(repeated)} twice`,
    });
  }
  return new Map(names.map((name) => [name, build(n.scope(name), x, name)]));
}

export interface EnsembleOptions {
  /** Heads side by side. */
  readonly heads: number;
  /** `mean` by default. */
  readonly combine?: Combination | CombinationName;
}

const ensembleOptionsNames: OptionNames<EnsembleOptions> = { heads: true, combine: true };

/**
 * The combination of heads of one form that begin with weights of their own. Head j is built under the scope `headJ/`. The mean of
 * logits is the geometric mean of the heads' probabilities, up to normalisation.
 *
 * @throws UsageError for a number of heads that is none.
 */
export function headEnsemble(n: Layers, x: Value, build: Layer, options: EnsembleOptions): Value {
  const { heads, combine = "mean" } = checkOptions(options, ensembleOptionsNames);
  checkCount("heads", heads);
  const names = Array.from({ length: heads }, (_, j) => `head${j}`);
  const combination = typeof combine === "string" ? combinations[combine] : combine;
  const each = parallelHeads(n, x, (scope, y) => build(scope, y), names);
  return combination(n, x, [...each.values()]);
}
