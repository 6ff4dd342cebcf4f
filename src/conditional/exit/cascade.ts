/** @file A cascade: a cheap expert answers, and rows of which it is not sure go on to the next. Wang et al., "IDK cascades" (2017), arXiv:1706.00885. */
import { lastOf, nth } from "../../checked.ts";
import { ShapeError, UsageError } from "../../errors.ts";
import { type Model, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { dimsOf, type Layers } from "../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { countRows, takeRows } from "../moe/dispatch/rows.ts";
import type { Expert } from "../moe/expert.ts";
import { announceRoutes } from "../moe/side-outputs.ts";
import { type Confidence, type ConfidenceName, confidenceOf } from "./index.ts";

export interface CascadeOptions {
  /** Cheap ones first. Each answers with logits [rows, classes]. */
  readonly experts: readonly Expert[];
  /** For each expert but the last the least score at which its answer stands. */
  readonly thresholds: readonly number[];
  /** `max-probability` by default. */
  readonly confidence?: Confidence | ConfidenceName;
}

/** Outputs with the answers of a `denseCascade`, behind the path of the layer. */
const ANSWER = "answer/";

const cascadeOptionsNames: OptionNames<CascadeOptions> = { experts: true, thresholds: true, confidence: true };

/**
 * Logits [rows, classes]: of each row those of the first expert whose score reaches its threshold, else those of the last. An expert
 * computes only the rows that got to it, none included. Which one answered becomes a measure of the network, as the routes of a mixture
 * do. Train and choose thresholds with `denseCascade`.
 *
 * @throws UsageError for thresholds that do not fit, ShapeError for answers that are not logits of the same classes.
 */
export function cascade(n: Layers, rows: Value, options: CascadeOptions): Value {
  checkOptions(options, cascadeOptionsNames);
  const { experts, thresholds, measure } = checked(options);
  let here = rows;
  let answers = [answerOf(n, experts, 0, rows)];
  let output = nth(answers, 0);
  let route = n.op("ConstantOfShape", [countRows(n, rows)], { value: tensorFromNumbers("int64", [1], [0]) });
  let places: Value | undefined;
  for (const [k, threshold] of thresholds.entries()) {
    const isSure = sureOf(n, measure, answers, threshold);
    const left = n.squeeze(n.op("NonZero", [n.not(isSure)]), [0]);
    here = takeRows(n, here, left);
    places = places ? takeRows(n, places, left) : left;
    const made = answerOf(n, experts, k + 1, here);
    requireAlike(output, made, k + 1);
    answers = [...answers.map((answer) => takeRows(n, answer, left)), made];
    output = written(n, output, places, made);
    const number = n.expand(n.ints([k + 1]), countRows(n, places));
    route = written(n, route, places, number);
  }
  announceRoutes(n, n.unsqueeze(route, [1]), experts.length);
  return output;
}

const denseCascadeOptionNames: OptionNames<Omit<CascadeOptions, "thresholds"> & Partial<CascadeOptions>> = {
  experts: true,
  confidence: true,
  thresholds: true,
};

/**
 * The same with every expert over every row: what `cascade` is held against, and the form for training. Answers of all experts but the
 * last become outputs, see `cascadeExits`. Without thresholds the last expert answers.
 *
 * @throws as `cascade` does.
 */
export function denseCascade(
  n: Layers,
  rows: Value,
  options: Omit<CascadeOptions, "thresholds"> & Partial<CascadeOptions>,
): Value {
  checkOptions(options, denseCascadeOptionNames);
  const never = options.experts.slice(1).map(() => Number.POSITIVE_INFINITY);
  const { experts, thresholds, measure } = checked({ thresholds: never, ...options });
  const answers = experts.map((_, k) => answerOf(n, experts, k, rows));
  const last = lastOf(answers);
  for (const [k, answer] of answers.entries()) requireAlike(last, answer, k);
  answers.slice(0, -1).forEach((answer, k) => void n.output(answer, `${n.path}${ANSWER}${k}`));
  const decided = thresholds.map((threshold, k) => sureOf(n, measure, answers.slice(0, k + 1), threshold));
  return decided.reduceRight((rest, isSure, k) => {
    const column = n.unsqueeze(isSure, [1]);
    return n.where(column, nth(answers, k), rest);
  }, last);
}

/** The answers of the model's `denseCascade` in the terms of early exit: for `exitTerms`, `recordExits` and `exitCosts`. */
export function cascadeExits({ graph }: Model): { readonly exits: readonly string[] } {
  const exits = graph.outputs.map(({ name }) => name).filter((name) => /(^|\/)answer\/\d+$/.test(name));
  if (exits.length > 0) return { exits };
  throw new UsageError("the model has no dense cascade", { expected: `outputs named …/${ANSWER}0` });
}

function checked({ experts, thresholds, confidence = "max-probability" }: CascadeOptions) {
  const fits = thresholds.length === experts.length - 1 && !thresholds.some(Number.isNaN);
  if (experts.length < 2 || !fits) {
    throw new UsageError("the thresholds of a cascade do not fit its experts", {
      expected: "two experts or more, and a number for each but the last",
      got: `${experts.length} experts, thresholds ${thresholds.join(", ") || "none"}`,
    });
  }
  const measure = confidenceOf(confidence);
  return { experts, thresholds, measure };
}

function answerOf(n: Layers, experts: readonly Expert[], k: number, rows: Value): Value {
  return nth(experts, k)(n.scope(`expert${k}`), rows, k);
}

/** bool [rows]; a score that is no number is not sure. ONNX Runtime 1.30 keeps an axis that it reduces when there are no rows. */
function sureOf(n: Layers, measure: Confidence, answers: readonly Value[], threshold: number): Value {
  const score = measure.build(n.scope(`confidence${answers.length - 1}`), answers);
  return n.reshape(n.op("GreaterOrEqual", [score, n.number(threshold)]), [-1]);
}

/** `rows` with others at `places`, all of which differ. */
function written(n: Layers, rows: Value, places: Value, others: Value): Value {
  const shape = [
    -1,
    ...dimsOf(others)
      .slice(1)
      .map(() => 1),
  ];
  const indices = n.expand(n.reshape(places, shape), n.shape(others));
  return n.op("ScatterElements", [rows, indices, others], { axis: 0 });
}

function requireAlike(expected: Value, got: Value, expert: number): void {
  const [wanted, found] = [dimsOf(expected), dimsOf(got)];
  if (wanted.length === 2 && found.length === 2 && wanted[1] === found[1]) return;
  throw new ShapeError("the experts of a cascade answer with logits of the same classes", {
    expected: `[rows, ${wanted[1]}]`,
    got: `[${found.join(", ")}]`,
    where: `expert ${expert}`,
  });
}
