import type { Value } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import { type Combination, type CombinationName, combinations } from "./combinations/index.ts";
import type { Layers } from "./network.ts";

/** Any part of a network: a layer, a block, a chain of them. Its parameters are named under the scope that it is given. */
export type Layer = (n: Layers, x: Value) => Value;

export interface BranchOptions {
  /** Branches side by side. */
  readonly branches: number;
  /** `sum` by default. */
  readonly combine?: Combination | CombinationName;
}

const branchOptionsNames: OptionNames<BranchOptions> = { branches: true, combine: true };

/** n branches over x and their combination. Branch j is built under the scope `branchJ/`. */
export function branches(n: Layers, x: Value, build: Layer, options: BranchOptions): Value {
  const { branches: count, combine = "sum" } = checkOptions(options, branchOptionsNames);
  const combination = typeof combine === "string" ? combinations[combine] : combine;
  const outputs = counted(count, "branches").map((j) => build(n.scope(`branch${j}`), x));
  return combination(n, x, outputs);
}

/** m blocks, each over the output of the one before. Block i is built under the scope `blockI/`. */
export function chain(n: Layers, x: Value, build: (n: Layers, x: Value, i: number) => Value, depth: number): Value {
  return counted(depth, "depth").reduce((y, i) => build(n.scope(`block${i}`), y, i), x);
}

const parallelChainsOptionNames: OptionNames<BranchOptions & { readonly depth: number }> = {
  branches: true,
  combine: true,
  depth: true,
};

/** The body of a Para-Former-m-n: n branches, each a chain of m blocks. Latency with enough devices goes with m, work with m·n. */
export function parallelChains(
  n: Layers,
  x: Value,
  build: Layer,
  given: BranchOptions & { readonly depth: number },
): Value {
  const { depth, ...options } = checkOptions(given, parallelChainsOptionNames);
  return branches(n, x, (branch, input) => chain(branch, input, build, depth), options);
}

function counted(count: number, what: string): number[] {
  checkCount(`the number of ${what}`, count);
  return Array.from({ length: count }, (_, i) => i);
}
