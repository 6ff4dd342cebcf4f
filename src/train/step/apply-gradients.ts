/** @file From gradients to the next parameters and state: accumulation, scaling, clipping, the optimizer, averages. */
import { graphAttribute, type Tensor, type Value } from "../../ir/index.ts";
import type { Optimizer, OptimizerState } from "../optimizers/index.ts";
import { dimsOf, dtypeOf, type StepBuilder } from "./step-builder.ts";

export interface Trained {
  readonly parameter: Value;
  readonly gradient: Value;
  readonly state: OptimizerState;
  readonly decays: boolean;
  /** The running average of the parameter. */
  readonly average?: Value;
  /** The sum of the gradients of the batches before. */
  readonly accumulator?: Value;
  /** False where the parameter stays 0. */
  readonly mask?: Value;
  /** What the gradient is multiplied with before anything else. */
  readonly factor?: Tensor;
}

export interface ApplyOptions {
  readonly optimizer: Optimizer;
  readonly learningRate: Value;
  readonly step: Value;
  /** The largest norm of all gradients together. */
  readonly clip?: number;
  /** d of average ← d·average + (1 − d)·parameter. */
  readonly averageDecay?: number;
  /** Batches per update, and the input that says whether this one ends with the update. */
  readonly accumulate?: { readonly batches: number; readonly apply: Value };
  /** The factor of the loss before differentiation. */
  readonly lossScale?: Value;
}

/** The next values of one parameter, in the order parameter, state, average. */
export interface Applied {
  readonly next: ReadonlyMap<Value, Value>;
  /** ‖gradients‖ before clipping; given where it was needed. */
  readonly gradientNorm?: Value;
  /** Whether all gradients are finite; given with a loss scale. */
  readonly finite?: Value;
}

/** Emits one update of all parameters. The result maps every state value that goes in to the one that comes out. */
export function applyGradients(g: StepBuilder, trained: readonly Trained[], options: ApplyOptions): Applied {
  const next = new Map<Value, Value>();
  const totals = trained.map((item) => {
    const gradient = where(g, item.mask, scaled(g, item));
    return item.accumulator ? g.add(item.accumulator, gradient) : gradient;
  });
  const unit = unitOf(g, options, dtypeOf(totals[0]!));
  const needsNorm = options.clip !== undefined || options.lossScale !== undefined;
  const norm = needsNorm ? gradientNorm(g, totals, unit) : undefined;
  const finite = options.lossScale && norm ? g.op("Less", [norm, g.number(Infinity, dtypeOf(norm))]) : undefined;
  const factor = factorOf(g, unit, norm, options.clip);
  const update = (inner: StepBuilder) => updateAll(inner, trained, totals, factor, options);
  const condition = conditionOf(g, options.accumulate?.apply, finite);
  const before = trained.flatMap(slotsOf);
  const after = condition ? either(g, condition, before, update) : update(g);
  before.forEach((value, i) => void next.set(value, after[i]!));
  trained.forEach(({ accumulator }, i) => {
    if (accumulator) next.set(accumulator, emptied(g, options.accumulate!.apply, totals[i]!));
  });
  return { next, ...(norm && { gradientNorm: norm }), ...(finite && { finite }) };
}

function scaled(g: StepBuilder, { parameter, gradient, factor }: Trained): Value {
  if (!factor) return gradient;
  return g.mul(gradient, g.cast(g.constant(`${parameter.name}:factor`, factor), dtypeOf(gradient)));
}

/** Zeros in the place of what the mask takes away. */
function where(g: StepBuilder, mask: Value | undefined, value: Value): Value {
  return mask ? g.where(mask, value, g.number(0, dtypeOf(value))) : value;
}

function slotsOf({ parameter, state, average }: Trained): Value[] {
  return [parameter, ...state.values(), ...(average ? [average] : [])];
}

/** 1 / (batches · loss scale); absent when it is 1. */
function unitOf(g: StepBuilder, { accumulate, lossScale }: ApplyOptions, dtype: ReturnType<typeof dtypeOf>) {
  const batches = accumulate?.batches ?? 1;
  if (!lossScale) return batches === 1 ? undefined : g.number(1 / batches, dtype);
  return g.cast(g.div(1 / batches, lossScale), dtype);
}

function gradientNorm(g: StepBuilder, totals: readonly Value[], unit: Value | undefined): Value {
  const dtype = dtypeOf(totals[0]!);
  const squares = totals.map((total) => g.cast(g.sumOfSquares(total), dtype));
  const norm = g.sqrt(squares.reduce((sum, square) => g.add(sum, square)));
  return unit ? g.mul(norm, unit) : norm;
}

/** What every gradient is multiplied with: the unit, and min(1, clip / (norm + 1e-6)) as torch.nn.utils clips. */
function factorOf(g: StepBuilder, unit: Value | undefined, norm: Value | undefined, clip: number | undefined) {
  if (clip === undefined || !norm) return unit;
  const kept = g.min(g.div(clip, g.add(norm, 1e-6)), 1);
  return unit ? g.mul(kept, unit) : kept;
}

function conditionOf(g: StepBuilder, apply: Value | undefined, finite: Value | undefined): Value | undefined {
  return apply && finite ? g.op("And", [apply, finite]) : (apply ?? finite);
}

function updateAll(
  g: StepBuilder,
  trained: readonly Trained[],
  totals: readonly Value[],
  factor: Value | undefined,
  { optimizer, learningRate, step, averageDecay }: ApplyOptions,
): Value[] {
  return trained.flatMap(({ parameter, state, decays, average, mask }, i) => {
    const dtype = dtypeOf(parameter);
    const rate = g.shared(`rate ${dtype}`, () => g.cast(learningRate, dtype));
    const scale = factor && g.shared(`scale ${dtype}`, () => g.cast(factor, dtype));
    const gradient = scale ? g.mul(totals[i]!, scale) : totals[i]!;
    const updated = optimizer.update(g, { parameter, gradient, state, learningRate: rate, step, decays });
    const states = [...state.keys()].map((name) => updated.state.get(name)!);
    const next = where(g, mask, updated.parameter);
    if (!average || averageDecay === undefined) return [next, ...states];
    const moved = g.mul(g.sub(next, average), 1 - averageDecay);
    return [next, ...states, where(g, mask, g.add(average, moved))];
  });
}

/** `update` where the condition holds, else the values as they were. */
function either(
  g: StepBuilder,
  condition: Value,
  before: readonly Value[],
  update: (inner: StepBuilder) => readonly Value[],
): readonly Value[] {
  const branch = (values: (inner: StepBuilder) => readonly Value[]) => {
    const inner = g.inside();
    for (const value of values(inner)) inner.raw.output(value);
    return graphAttribute(inner.raw.build("branch"));
  };
  const kept = branch((inner) => before.map((value) => inner.op("Identity", [value])));
  return g.raw.ops("If", [condition], before.length, { then_branch: branch(update), else_branch: kept });
}

/** Zeros after an update, else the sum so far. */
function emptied(g: StepBuilder, apply: Value, total: Value): Value {
  const zeros = g.inside();
  zeros.raw.output(zeros.op("Expand", [zeros.number(0, dtypeOf(total)), zeros.ints(dimsOf(total) as number[])]));
  const kept = g.inside();
  kept.raw.output(kept.op("Identity", [total]));
  return g.op("If", [apply], {
    then_branch: graphAttribute(zeros.raw.build("empty")),
    else_branch: graphAttribute(kept.raw.build("kept")),
  });
}
