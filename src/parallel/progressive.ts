/** @file Progressive training of branches: ParaFormer, arXiv:2510.15425. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { type Tensor, tensorFromNumbers } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { Drive } from "../train/index.ts";

export interface ProgressiveOptions {
  /** The share of the updates, at the end of the run, that train all branches together; 1/(n + 1) by default. */
  readonly together?: number;
}

const progressiveOptionsNames: OptionNames<ProgressiveOptions> = { together: true };

/**
 * What feeds the mask of `maskBranches` in a run: the updates take turns over the first branch, the first two, … all n,
 * then a last part trains all together, so that each branch learns to add to those before it and `keepBranches` needs no
 * training.
 *
 * The paper spends n updates on every mini-batch before it takes the next one, and ends with an ordinary pass over the
 * data; here every update has a mini-batch of its own. n epochs of this are one of the paper's.
 */
export function progressiveBranches(branches: number, options: ProgressiveOptions = {}): Drive {
  const { together = 1 / (branches + 1) } = checkOptions(options, progressiveOptionsNames);
  if (!(together >= 0 && together <= 1)) {
    throw new UsageError("the share of updates is out of range", { expected: "0 to 1", got: String(together) });
  }
  const masks = Array.from({ length: branches }, (_, i) => prefix(branches, i + 1));
  const all = prefix(branches, branches);
  return {
    train: ({ update, updates }) => (update >= (1 - together) * updates ? all : nth(masks, update % branches)),
    evaluate: all,
  };
}

/** k ones, then zeros. */
function prefix(branches: number, kept: number): Tensor {
  return tensorFromNumbers(
    "float32",
    [branches],
    Array.from({ length: branches }, (_, j) => (j < kept ? 1 : 0)),
  );
}
