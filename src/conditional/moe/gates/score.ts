/** @file The general gate G(x) = P(N(x·W)): Shazeer et al. (2017), arXiv:1701.06538, and its relatives as settings. */
import { UsageError } from "../../../errors.ts";
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { type NormalisationName, normalisations } from "../normalisations.ts";
import { largest, linearScores, masked, pickChosen } from "../scores.ts";
import { type Selection, topK } from "../selections.ts";

export interface ScoreOptions {
  /** N; `softmax` by default. */
  readonly normalise?: NormalisationName;
  /** P; the two best by default. */
  readonly select?: Selection;
  /** `normalise`: P(N(s)), the weights of those kept need not sum to 1. `select` (default): N over what P keeps. */
  readonly first?: "normalise" | "select";
  /** `hard` (default): experts see only the tokens that chose them. `soft`: all answer, and the others weigh nothing. */
  readonly mode?: "hard" | "soft";
}

const scoreOptionsNames: OptionNames<ScoreOptions> = { normalise: true, select: true, first: true, mode: true };

/**
 * Scores s = x·W, of which P keeps some and N makes weights. With k = 1 and `first: "select"` a softmax over one score is 1 and the
 * gate learns nothing, so that combination is refused.
 */
export function score(options: ScoreOptions = {}): Gate {
  checkOptions(options, scoreOptionsNames);
  const { normalise = "softmax", select = topK(2), first = "select", mode = "hard" } = options;
  if (select.count === 1 && first === "select" && normalise === "softmax") {
    throw new UsageError("a softmax over one score is always 1, so the gate would learn nothing", {
      hint: 'Take { first: "normalise" } with one expert per token.',
    });
  }
  if (mode === "hard" && select.count === undefined) {
    throw new UsageError("a hard gate sends each token to a fixed number of experts", {
      expected: "a selection with a count, or the soft mode",
      got: select.name,
    });
  }
  return {
    name: "score",
    learnable: true,
    hard: mode === "hard",
    build(n, { tokens }, experts) {
      const scores = linearScores(n, tokens, experts);
      const weights = weigh(n, scores, select, normalise, first, experts);
      const routing =
        mode === "soft" ? ({ kind: "dense", weights } as const) : tokenChoice(n, weights, scores, select.count!);
      return { routing, losses: [], affinity: weights };
    },
  };
}

function weigh(
  n: Layers,
  scores: Value,
  select: Selection,
  normalise: NormalisationName,
  first: "normalise" | "select",
  experts: number,
): Value {
  if (first === "normalise") {
    const all = normalisations[normalise](n, scores);
    return n.mul(all, select.keep(n, all, experts));
  }
  const mask = select.keep(n, scores, experts);
  const kept = normalise === "softmax" ? masked(n, scores, mask) : scores;
  return n.mul(normalisations[normalise](n, kept), mask);
}

function tokenChoice(n: Layers, weights: Value, scores: Value, k: number) {
  const { experts } = largest(n, scores, k);
  return { kind: "token-choice", experts, weights: pickChosen(n, weights, experts) } as const;
}
