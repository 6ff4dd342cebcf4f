/** @file The start of a parallel network from a trained serial one: the third experiment of arXiv:2407.21670. */

import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkCount } from "../options.ts";
import { requireRuns, surveyBlocks } from "./block-runs.ts";
import { fullPlan } from "./plan.ts";
import { parallelizeBlocks } from "./regroup.ts";

/**
 * Makes n branches of m blocks from a chain of m·n: block k·n + j becomes the k-th of branch j, all else stays, and every
 * weight keeps its value and name. The branches stand beside one identity path, x + Σ (yⱼ − x), the `residualSum` of
 * `litheml/nn`, which is what the chain is to first order in its blocks. One branch is the model itself. Blocks are found
 * by structure, so the model may come from anywhere. Train it further: the answers change.
 *
 * @throws UnsupportedError when there are no repeated residual blocks, UsageError when n does not divide their number.
 */
export function branchesFromSerial(model: Model, branches: number): Model {
  checkCount("branches", branches);
  if (branches === 1) return model;
  const survey = surveyBlocks(model);
  const lengths = requireRuns(survey).map(({ blocks }) => blocks.length);
  const undivided = lengths.find((length) => length % branches !== 0);
  if (undivided !== undefined || new Set(lengths).size > 1) {
    throw new UsageError("the blocks cannot be divided evenly among the branches", {
      expected: `a multiple of ${branches} blocks in a row`,
      got: `runs of ${lengths.join(", ")} blocks`,
    });
  }
  return parallelizeBlocks(
    model,
    fullPlan(survey, { branches, group: nth(lengths, 0) / branches, arrangement: "interleaved" }),
  );
}
