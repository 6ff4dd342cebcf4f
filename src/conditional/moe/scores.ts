/** @file Pieces that gates are made of: scores, choices, measures of balance. All over float32 [tokens, experts]. */
import { UsageError } from "../../errors.ts";
import type { Value } from "../../ir/index.ts";
import { type Initialiser, type Layers, lengthOf, normal } from "../../nn/index.ts";

/** Hidden from a softmax. */
const NEVER = -1e9;

/** x·W without a bias; W is drawn with deviation √(0.1 / width), as small as Switch Transformers begin. */
export function linearScores(n: Layers, tokens: Value, experts: number, initial?: Initialiser): Value {
  const width = lengthOf(tokens, -1);
  const weight = n.parameter("weight", [width, experts], initial ?? normal(Math.sqrt(0.1 / width)));
  return n.matmul(tokens, weight);
}

export interface Chosen {
  /** [tokens, k], falling. */
  readonly values: Value;
  /** int64 [tokens, k]. */
  readonly experts: Value;
}

/** The k largest of each row. */
export function largest(n: Layers, scores: Value, k: number): Chosen {
  const [values, experts] = n.ops("TopK", [scores, n.ints([k])], 2, { axis: -1, largest: 1, sorted: 1 });
  return { values: values, experts: experts };
}

/**
 * The k best experts of each row and what they weigh: their share of a softmax over those chosen, or with k = 1 the probability itself,
 * since a weight that is always 1 would give the gate no gradient.
 */
export function bestExperts(n: Layers, scores: Value, probabilities: Value, k: number) {
  const { values, experts } = largest(n, scores, k);
  return { experts, weights: k === 1 ? pickChosen(n, probabilities, experts) : softmax(n, values) };
}

/** What stands in each row of `of` at the chosen places. */
export function pickChosen(n: Layers, of: Value, experts: Value): Value {
  return n.op("GatherElements", [of, experts], { axis: -1 });
}

/** 1 where a row has chosen the expert, else 0, without a gradient. */
export function chosenMask(n: Layers, experts: Value, count: number): Value {
  const range = n.ints(Array.from({ length: count }, (_, e) => e));
  const equal = n.equal(n.unsqueeze(experts, [-1]), range);
  return n.sum(n.cast(equal, "float32"), [1]);
}

/** Scores where the mask is 1, out of reach elsewhere. */
export function masked(n: Layers, scores: Value, mask: Value): Value {
  const hidden = n.mul(n.sub(1, mask), NEVER);
  return n.add(scores, hidden);
}

export function softmax(n: Layers, scores: Value, axis = -1): Value {
  return n.softmax(scores, axis);
}

/** x / (Σ x + ε) over the rows. */
export function sharesOf(n: Layers, x: Value): Value {
  const sum = n.sum(x, [-1], true);
  return n.div(x, n.add(sum, 1e-9));
}

/** Mean over the tokens, [experts]. */
export function meanOverTokens(n: Layers, x: Value): Value {
  return n.mean(x, [0]);
}

/** −Σ p·log p of the shares of each row, in nats, mean over the tokens: a scalar. */
export function rowEntropy(n: Layers, x: Value): Value {
  const shares = sharesOf(n, x);
  const logs = n.log(n.add(shares, 1e-9));
  const sums = n.sum(n.mul(shares, logs), [-1]);
  return n.neg(n.mean(sums, [0]));
}

/** CV² = variance / (mean² + 10⁻¹⁰) over the experts, with the population's variance; a scalar of [experts]. */
export function squaredVariation(n: Layers, x: Value): Value {
  const mean = n.mean(x);
  const away = n.sub(x, mean);
  const variance = n.mean(n.mul(away, away));
  return n.div(variance, n.add(n.mul(mean, mean), 1e-10));
}

/** mean (log Σ exp scores)², the z-loss of ST-MoE, arXiv:2202.08906. */
export function zLoss(n: Layers, scores: Value): Value {
  const sums = n.op("ReduceLogSumExp", [scores, n.ints([-1])], { keepdims: 0 });
  return n.mean(n.mul(sums, sums));
}

/**
 * E · Σ_e f_e · P_e, the load-balance loss of Switch Transformers, arXiv:2101.03961: f the share of tokens whose choice is e, before any
 * is dropped and without a gradient, P the mean probability. It is 1 where both are uniform.
 */
export function loadBalance(n: Layers, probabilities: Value, experts: Value, count: number): Value {
  const load = meanOverTokens(n, chosenMask(n, experts, count));
  const product = n.mul(load, meanOverTokens(n, probabilities));
  return n.mul(n.sum(product), count);
}

/** @throws UsageError unless 1 ≤ k ≤ experts. */
export function checkChoices(k: number, experts: number, gate: string): void {
  checkExperts(experts, gate);
  if (Number.isSafeInteger(k) && k >= 1 && k <= experts) return;
  throw new UsageError("a gate cannot choose so many experts", {
    expected: `1 to ${experts}`,
    got: `k = ${k}`,
    where: `gate ${gate}`,
  });
}

export function checkExperts(experts: number, gate: string): void {
  if (Number.isSafeInteger(experts) && experts >= 1) return;
  throw new UsageError("a gate needs experts", { expected: "1 or more", got: String(experts), where: `gate ${gate}` });
}

/** @throws UsageError for a factor that is no number of at least `low`. */
export function checkFactor(name: string, value: number, gate: string, low = 0): void {
  if (Number.isFinite(value) && value >= low) return;
  throw new UsageError(`${name} is out of range`, {
    expected: `at least ${low}`,
    got: String(value),
    where: `gate ${gate}`,
  });
}

/** Vectors along an axis at length 1. */
export function unit(n: Layers, x: Value, axis: number): Value {
  const squares = n.sum(n.mul(x, x), [axis], true);
  return n.div(x, n.sqrt(n.add(squares, 1e-12)));
}
