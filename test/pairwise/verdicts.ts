/**
 * @file What is checked of a pairwise case. The reference evaluator and inference against ONNX Runtime without optimisations;
 * the gradient against central differences through ONNX Runtime and through the evaluator in float64, its graph on ONNX
 * Runtime, and the same with symbolic dims.
 */
import type { InferenceSession, Tensor as RawTensor } from "onnxruntime-node";
import { gradient, gradientTable } from "../../src/autodiff/index.ts";
import {
  type DataType,
  type Dim,
  type GraphBuilder,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  qualifiedName,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../../src/ir/index.ts";
import { inferShapes } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { Feeds } from "../../src/runtime/session.ts";
import { shortened } from "../conformance/runtime.ts";
import { generator, moved, numeric } from "../laws/gradient-check.ts";
import { relative } from "../laws/gradient-verdicts.ts";
import { rawFeeds, rawSession } from "../raw-runtime.ts";
import { type PairCase, tensorOf } from "./family.ts";
import { knownDifference, refusals } from "./known.ts";

export type Check = "evaluator" | "inference" | "gradient" | "symbolic gradient";

export interface Difference {
  readonly check: Check;
  readonly how: string;
}

export interface Verdict {
  /** What was compared. */
  readonly checks: readonly Check[];
  /** What differed, and how. */
  readonly differences: readonly Difference[];
  /** Why the runtime does not run the model; nothing is compared then. */
  readonly refused?: string;
  /** What lithe itself says of a gradient that it does not give. */
  readonly withoutGradient?: string;
  /** The known difference of the runtime that the case meets. */
  readonly known?: string;
}

interface Built {
  readonly model: Model;
  readonly feeds: Map<string, Tensor>;
  /** Names of the inputs to differentiate with respect to. */
  readonly wrt: readonly string[];
}

interface BuildOptions {
  readonly seed: number;
  readonly real?: DataType;
  readonly isSymbolic?: boolean;
  /** The outputs that the loss is made of; without them, the node's own outputs are the model's. */
  readonly floats?: readonly number[];
}

export function hasGradient({ op, domain }: PairCase): boolean {
  const entry = (gradientTable as Readonly<Record<string, unknown>>)[domain ? `${domain}::${op}` : op];
  return typeof entry === "function" || (entry as { kind?: string } | undefined)?.kind === "expand";
}

export async function judge(one: PairCase, seed: number): Promise<Verdict> {
  const checks: Check[] = [];
  const differences: Difference[] = [];
  const note = (check: Check, how: string | undefined): void => {
    checks.push(check);
    if (how !== undefined) differences.push({ check, how });
  };
  const known = knownDifference(one);
  if (known !== undefined) return { checks, differences, known };
  const plain = built(one, { seed });
  const actual = await runOrRefusal(plain);
  if (typeof actual === "string") return { checks, differences, refused: actual };
  note("evaluator", await attempt(() => evaluatorDifference(plain, actual)));
  note("inference", await attempt(() => inferenceDifference(plain.model, actual)));
  note("inference", await attempt(() => inferenceDifference(built(one, { seed, isSymbolic: true }).model, actual)));
  const floats = [...actual.values()].flatMap(({ dtype }, i) => (dtype === "float32" ? [i] : []));
  if (!hasGradient(one) || plain.wrt.length === 0 || floats.length === 0) return { checks, differences };
  for (const [check, difference] of [
    ["gradient", gradientDifference],
    ["symbolic gradient", symbolicDifference],
  ] as const) {
    const how = await attempt(() => difference(one, { seed, floats }));
    const withoutGradient = refusals.find((reason) => how?.includes(reason));
    if (withoutGradient !== undefined) return { checks, differences, withoutGradient };
    note(check, how);
  }
  return { checks, differences };
}

async function attempt(work: () => Promise<string | undefined> | string | undefined): Promise<string | undefined> {
  try {
    return await work();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message.split("\n").slice(0, 3).join(" ")}`;
  }
}

/** The node over its inputs; with `floats`, the loss: a weighted sum Σ y·sin(y + c) over these outputs. */
function built(one: PairCase, { seed, real = "float32", isSymbolic = false, floats }: BuildOptions): Built {
  const g = graphBuilder();
  const feeds = new Map<string, Tensor>();
  const wrt: string[] = [];
  const values = one.inputs.map((input, i) => {
    if (!input) return undefined;
    const name = String.fromCharCode(97 + i);
    const data = tensorOf({ ...input, dtype: realType(one, i, real) }, seed * 31 + i + 1);
    if (input.constant) return g.constant(name, data);
    const known = isSymbolic ? one.widths(input.dims.length, i) : [...input.dims.keys()];
    const dims = input.dims.map((length, axis): Dim => (known.includes(axis) ? length : `${name}${axis}`));
    feeds.set(name, data);
    if (input.differentiable !== false && (input.dtype ?? "float32") === "float32") wrt.push(name);
    return g.input(name, data.dtype, dims);
  });
  const results = g
    .unchecked(qualifiedName({ opType: one.op, domain: one.domain ?? "" }), values, one.outputs, one.attributes)
    .slice(0, one.outputs);
  const shown = floats
    ? [
        lossOf(
          g,
          floats.map((i) => results[i]!),
          real,
          seed,
        ),
      ]
    : results;
  for (const value of shown) g.output(value);
  const opsets = new Map([
    ["", one.opset],
    ["com.microsoft", 1],
  ]);
  return { model: model(g.build(), { opsets }), feeds, wrt };
}

/** Scales of Resize and Upsample are float32 whatever is resized. */
function realType({ op, inputs }: PairCase, i: number, real: DataType): DataType {
  const { dtype = "float32" } = inputs[i]!;
  const isScale = (op === "Resize" || op === "Upsample") && i > 1;
  return dtype === "float32" && !isScale ? real : dtype;
}

function lossOf(g: GraphBuilder, results: readonly Value[], real: DataType, seed: number): Value {
  const random = generator(seed + 3);
  const parts = results.map((y) => {
    const shift = g.constant("shift", tensorFromNumbers(real, [], [random() * 3]));
    const weighted = g.op("Mul", [y, g.op("Sin", [g.op("Add", [y, shift])])]);
    return g.op("ReduceSum", [weighted], { keepdims: 0 });
  });
  return parts.reduce((a, b) => g.op("Add", [a, b]));
}

async function runOrRefusal({ model: source, feeds }: Built): Promise<ReadonlyMap<string, Tensor> | string> {
  try {
    const session = await opened(source);
    const results = await session.run(rawFeeds(feeds));
    await session.release();
    return new Map(source.graph.outputs.map(({ name }) => [name, fromRaw(results[name]!)]));
  } catch (error) {
    return shortened((error as Error).message);
  }
}

function opened(source: Model): Promise<InferenceSession> {
  return rawSession(source, { graphOptimizationLevel: "disabled" });
}

function fromRaw({ type, dims, data }: RawTensor): Tensor {
  return tensorFromNumbers(type as DataType, dims, Array.from(data as ArrayLike<number | bigint>, Number));
}

function evaluatorDifference({ model: source, feeds }: Built, actual: ReadonlyMap<string, Tensor>): string | undefined {
  const expected = evaluate(source, feeds, { precision: "declared" });
  for (const [name, got] of actual) {
    const own = expected.get(name)!;
    if (own.dtype !== got.dtype) return `${name}: ${own.dtype}, not ${got.dtype}`;
    if (`${own.dims}` !== `${got.dims}`) return `${name}: [${own.dims}], not [${got.dims}]`;
    const error = farthest(numbersOf(own), numbersOf(got));
    if (!(error < 2e-5)) return `${name}: values differ by ${error}`;
  }
  return undefined;
}

/** The largest difference over the largest magnitude; equal infinities and NaNs are no difference. */
function farthest(own: ArrayLike<number>, got: ArrayLike<number>): number {
  const magnitudes = Array.from(got, Math.abs).filter(Number.isFinite);
  const scale = magnitudes.reduce((a, b) => Math.max(a, b), 1);
  const errors = Array.from(own, (x, i) => (Object.is(x, got[i]) || x === got[i] ? 0 : Math.abs(x - got[i]!) / scale));
  return errors.some(Number.isNaN) ? Number.NaN : errors.reduce((a, b) => Math.max(a, b), 0);
}

function inferenceDifference(source: Model, actual: ReadonlyMap<string, Tensor>): string | undefined {
  for (const { name, type } of inferShapes(source).graph.outputs) {
    const { dims, dtype } = actual.get(name)!;
    if (type?.kind !== "tensor") return `${name} is not typed`;
    if (type.dtype !== dtype) return `${name}: ${type.dtype}, not ${dtype}`;
    const known = type.dims;
    if (!known) continue;
    const fits = known.length === dims.length && known.every((dim, i) => typeof dim !== "number" || dim === dims[i]);
    if (!fits) return `${name}: [${known.map((dim) => (dim === "" ? "?" : dim))}], not [${dims}]`;
  }
  return undefined;
}

interface Drawn {
  readonly seed: number;
  readonly floats: readonly number[];
}

async function gradientDifference(one: PairCase, drawn: Drawn): Promise<string | undefined> {
  const single = built(one, drawn);
  const loss = single.model.graph.outputs[0]!.name;
  const differentiated = await gradient(single.model, { of: loss, wrt: single.wrt, keepOutputs: true });
  const own = evaluate(differentiated, single.feeds);
  const directions = directionsOf(single, drawn.seed);
  const slope = along(own, directions);
  const atReference = (feeds: Feeds): number => numbersOf(evaluate(single.model, feeds).get(loss)!)[0]!;
  const expected = numeric({ feeds: single.feeds, directions }, atReference, 1e-4, "float64");
  if (!Number.isFinite(atReference(single.feeds))) return undefined;
  if (!(relative(slope, expected) < 1e-5)) return `${slope} along a direction, not ${expected}`;
  const measured = await measuredSlopes(one, drawn, directions);
  if (!measured.some((found) => relative(slope, found.slope) < found.within)) {
    return `${slope} along a direction, ${measured.map((found) => found.slope).join(" or ")} on the runtime`;
  }
  return onRuntime(differentiated, single.feeds, own);
}

function directionsOf({ feeds, wrt }: Built, seed: number): Map<string, Float64Array> {
  const random = generator(seed + 11);
  return new Map(wrt.map((name) => [name, numbersOf(feeds.get(name)!).map(() => random() * 2 - 1)]));
}

function along(gradients: ReadonlyMap<string, Tensor>, directions: ReadonlyMap<string, Float64Array>): number {
  let sum = 0;
  for (const [name, direction] of directions) {
    const values = numbersOf(gradients.get(`${name}_grad`)!);
    if (values.length !== direction.length) return Number.NaN;
    for (let i = 0; i < values.length; i++) sum += values[i]! * direction[i]!;
  }
  return sum;
}

/** Central differences through ONNX Runtime: in float64 where it has kernels for it, some of which compute in float32. */
async function measuredSlopes(one: PairCase, drawn: Drawn, directions: ReadonlyMap<string, Float64Array>) {
  const slopes: { slope: number; within: number }[] = [];
  for (const real of ["float64", "float32"] as const) {
    const { model: source, feeds } = built(one, { ...drawn, real });
    // Some kernels are found for float64 and fail when they run.
    const session = await opened(source).catch(() => undefined);
    if (!session || !(await runs(session, feeds))) continue;
    const at = async (step: number): Promise<number> => {
      const results = await session.run(rawFeeds(moved(feeds, directions, step, real)));
      return Number(results[session.outputNames[0]!]!.data[0]);
    };
    const central = async (step: number): Promise<number> =>
      (4 * (((await at(step)) - (await at(-step))) / 2) - ((await at(2 * step)) - (await at(-2 * step))) / 4) /
      3 /
      step;
    if (real === "float64") slopes.push({ slope: await central(1e-4), within: 1e-5 });
    for (const step of [1e-2, 2e-3]) slopes.push({ slope: await central(step), within: 2e-2 });
    await session.release();
  }
  return slopes;
}

async function runs(session: InferenceSession, feeds: Feeds): Promise<boolean> {
  return session.run(rawFeeds(feeds)).then(
    () => true,
    () => false,
  );
}

async function onRuntime(
  source: Model,
  feeds: Feeds,
  expected: ReadonlyMap<string, Tensor>,
): Promise<string | undefined> {
  const session = await rawSession(source);
  const known = new Map([...feeds].filter(([name]) => session.inputNames.includes(name)));
  const results = await session.run(rawFeeds(known));
  await session.release();
  for (const { name } of source.graph.outputs) {
    const [own, got] = [expected.get(name)!, fromRaw(results[name]!)];
    if (`${own.dims}` !== `${got.dims}`) return `${name}: [${got.dims}] on the runtime, not [${own.dims}]`;
    const error = farthest(numbersOf(own), numbersOf(got));
    if (!(error < 2e-4)) return `${name}: differs on the runtime by ${error}`;
  }
  return undefined;
}

/** The gradient built without a single known length of the inputs is that with all of them. */
async function symbolicDifference(one: PairCase, drawn: Drawn): Promise<string | undefined> {
  const [fixed, open] = [built(one, drawn), built(one, { ...drawn, isSymbolic: true })];
  const make = (source: Model): Promise<Model> =>
    gradient(source, { of: source.graph.outputs[0]!.name, wrt: fixed.wrt, keepOutputs: true });
  const expected = evaluate(await make(fixed.model), fixed.feeds);
  const differentiated = await make(open.model);
  return onRuntime(differentiated, fixed.feeds, expected);
}
