/**
 * @file The checks of the gradient law as comparisons, for the test and for the recorded figure: a directional derivative in
 * float64, (f(x + εv) − f(x − εv)) / 2ε = Σ ∇f·v, and ONNX Runtime's float32 gradients against the float64 ones.
 */
import type { InferenceSession } from "onnxruntime-node";
import type { Model } from "../../src/ir/index.ts";
import type { Feeds } from "../../src/runtime/session.ts";
import { rawFeeds, rawSession } from "../raw-runtime.ts";
import type { GradientCase } from "./gradient-cases/case.ts";
import {
  analytic,
  moved,
  numeric,
  type Prepared,
  prepare,
  type Results,
  reference,
  referenceLoss,
} from "./gradient-check.ts";

export const SEEDS = [1, 2, 3];
export const THREADS = [1, 2];

/** A relative error, and what it has to stay below. */
export interface Comparison {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
}

export interface DerivativeCheck extends Comparison {
  /** Which evaluator the derivative comes from: float32 where the reference lacks an operator. */
  readonly precision: "float64" | "float32";
}

/** The gradient along a random direction; absent where the case says that it is no derivative. */
export async function derivativeCheck(prepared: Prepared): Promise<DerivativeCheck | undefined> {
  const { testCase, gradients, directions } = prepared;
  if (`${[...gradients.keys()]}` !== `${[...directions.keys()]}`) throw new Error("a wanted gradient is missing");
  const results = reference(prepared);
  if (testCase.notADerivative !== undefined) return undefined;
  if (!results) return onRuntime(prepared);
  const expected = numeric(prepared, referenceLoss(prepared), 1e-4, "float64");
  return {
    what: "derivative in float64",
    error: relative(analytic(prepared, results), expected),
    tolerance: testCase.tolerance ?? 1e-6,
    precision: "float64",
  };
}

/** Where the reference lacks an operator: differences of float32 losses, with the tolerance that they allow. */
async function onRuntime(prepared: Prepared): Promise<DerivativeCheck> {
  const { base, gradient, feeds, directions, loss } = prepared;
  const results = await run(gradient, feeds, 1);
  const session = await rawSession(base);
  const at = async (step: number): Promise<number> => {
    const values = await fetched(session, moved(feeds, directions, step, "float32"));
    return values.get(loss)![0]!;
  };
  const step = 1e-2;
  const [a, b, c, d] = [await at(step), await at(-step), await at(2 * step), await at(-2 * step)];
  await session.release();
  const expected = (4 * ((a - b) / 2 / step) - (c - d) / 4 / step) / 3;
  return {
    what: "derivative in float32",
    error: relative(analytic(prepared, results), expected),
    tolerance: 2e-2,
    precision: "float32",
  };
}

/** Loss and gradients on ONNX Runtime at each number of threads, and the loss of the case's own model. */
export async function runtimeCheck(testCase: GradientCase, threads = THREADS): Promise<Comparison[]> {
  const prepared = prepare(testCase, 1);
  const expected = reference(prepared);
  const tolerance = (testCase.runtime as number | undefined) ?? 1e-4;
  const comparisons: Comparison[] = [];
  let first: Results | undefined;
  for (const count of threads) {
    const results = await run(prepared.gradient, prepared.feeds, count);
    const truth = expected ?? first ?? results;
    const errors = [...results].map(([name, values]) => farthest(values, truth.get(name)!));
    comparisons.push({ what: `gradients on ${count} threads`, error: Math.max(0, ...errors), tolerance });
    first ??= results;
  }
  const own = await run(prepared.base, prepared.feeds, 1);
  const error = farthest(own.get(prepared.loss)!, (expected ?? first!).get(prepared.loss)!);
  return [...comparisons, { what: "the loss of the model itself", error, tolerance }];
}

async function run(source: Model, feeds: Feeds, threads: number): Promise<Results> {
  const session = await rawSession(source, { intraOpNumThreads: threads });
  const results = await fetched(session, feeds);
  await session.release();
  return results;
}

async function fetched(session: InferenceSession, feeds: Feeds): Promise<Results> {
  const known = new Map([...feeds].filter(([name]) => session.inputNames.includes(name)));
  const results = await session.run(rawFeeds(known));
  return new Map(
    session.outputNames.map((name) => [name, Array.from(results[name]!.data as ArrayLike<number | bigint>, Number)]),
  );
}

/** |got − expected| / max(1, |expected|). */
export function relative(got: number, expected: number): number {
  return Math.abs(got - expected) / Math.max(1, Math.abs(expected));
}

/** The largest difference over the largest magnitude; infinite when the lengths differ, NaN when a number is none. */
function farthest(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  const largest = Math.max(1, ...Array.from(expected, Math.abs));
  return Math.max(0, ...Array.from(got, (x, i) => Math.abs(x - expected[i]!))) / largest;
}
