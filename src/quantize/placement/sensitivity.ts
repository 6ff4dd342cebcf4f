/** @file Sensitivity: what quantizing one layer at a time, or all but one, does to the model's output. */
import { type Batches, type CaptureOptions, capture } from "../../calibration/index.ts";
import { must, nth } from "../../checked.ts";
import { dataTypes, floatsOf, labelOf, type Model, type Node, type Tensor, type Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { insertQdq, type LayerConstants } from "../qdq/insert-qdq.ts";
import { placementOptions, type StaticOptions, staticOptionsNames } from "../quantizers/static-options.ts";
import { type StaticPlan, staticPlan } from "../quantizers/static-plan.ts";
import { roundLayers } from "../quantizers/static-rounding.ts";
import { type Placement, place } from "./placement.ts";

export interface SensitivityOptions extends StaticOptions {
  /** `one`: only this layer is quantized; `all-but-one`: only this layer is not. Default `one`. */
  readonly mode?: "one" | "all-but-one";
  /** Inputs on which outputs are compared; those of the calibration when absent. */
  readonly evaluation?: Batches;
  /** What the outputs are: scores of classes on the last axis, or numbers. By default each that has two axes is scores. */
  readonly task?: Task;
}

/** `classification`: KL divergence of softmaxed scores, in nats; `regression`: ‖y − ŷ‖² / ‖y‖². */
export type Task = "classification" | "regression";

export interface LayerSensitivity {
  readonly node: string;
  readonly opType: string;
  /** How far the outputs move, averaged over the samples, then over the outputs of floats (over all where none is of floats). */
  readonly divergence: number;
}

const sensitivityOptionsNames: OptionNames<SensitivityOptions> = {
  ...staticOptionsNames,
  mode: true,
  evaluation: true,
  task: true,
};

/**
 * The divergence for every layer that static quantization would take, the most sensitive first in mode `one`, and those whose
 * absence helps most first in mode `all-but-one`. Weights are rounded to nearest.
 */
export async function sensitivity(model: Model, options: SensitivityOptions): Promise<LayerSensitivity[]> {
  checkOptions(options, sensitivityOptionsNames);
  const { mode = "one", calibration, evaluation = calibration, signal, threads, open } = options;
  const plan = await staticPlan(model, options);
  const constants = await roundLayers(plan, { ...options, rounding: "nearest", biasCorrection: false, overrides: [] });
  const positions = comparedOutputs(plan.source);
  const run = (candidate: Model): Promise<Tensor[][]> =>
    outputsOf(candidate, positions, { open, batches: evaluation, signal, threads });
  const expected = await run(plan.source);
  const layers = [...plan.placement.layers.keys()];
  const found: LayerSensitivity[] = [];
  for (const node of layers) {
    const stays = (other: Node): boolean => (mode === "one" ? other !== node : other === node);
    const candidate = partlyQuantized(plan, constants, stays, options);
    const divergence = meanDivergence(expected, await run(candidate), options.task);
    found.push({ node: labelOf(node), opType: node.opType, divergence });
    options.onEvent?.({ type: "sensitivity", node: labelOf(node), done: found.length, total: layers.length });
  }
  const sign = mode === "one" ? 1 : -1;
  return found.sort((a, b) => sign * (b.divergence - a.divergence));
}

/** The model with some of the plan's layers quantized, with the plan's ranges. */
function partlyQuantized(
  plan: StaticPlan,
  constants: ReadonlyMap<Node, LayerConstants>,
  stays: (node: Node) => boolean,
  options: StaticOptions,
): Model {
  const base = placementOptions(options, plan.source);
  const placement: Placement = place(plan.source.graph, {
    ...base,
    float: (node) => base.float(node) ?? (plan.placement.layers.has(node) && stays(node) ? "left out" : undefined),
  });
  return insertQdq(plan.source, { ...plan, placement, constants }).model;
}

/** Positions of the outputs that rounding moves: those of floats, or all where there are none. */
function comparedOutputs({ graph: { outputs } }: Model): readonly number[] {
  const isFloat = ({ type }: Value): boolean =>
    type === undefined || (type.kind === "tensor" && dataTypes[type.dtype].kind === "float");
  const floats = [...outputs.keys()].filter((i) => isFloat(nth(outputs, i)));
  return floats.length > 0 ? floats : [...outputs.keys()];
}

/** By output, every batch. */
async function outputsOf(model: Model, positions: readonly number[], options: CaptureOptions): Promise<Tensor[][]> {
  const outputs = positions.map((i) => nth(model.graph.outputs, i));
  const found = outputs.map((): Tensor[] => []);
  if (outputs.length === 0) return found;
  await capture(model, outputs, options, (values) => {
    for (const [i, output] of outputs.entries()) if (values.has(output)) nth(found, i).push(must(values, output));
  });
  return found;
}

function meanDivergence(expected: readonly Tensor[][], actual: readonly Tensor[][], task: Task | undefined): number {
  if (expected.length === 0) return 0;
  const sum = expected.reduce(
    (all, output, i) => all + divergenceOf(output, nth(actual, i), task ?? taskOf(output)),
    0,
  );
  return sum / expected.length;
}

function taskOf([first]: readonly Tensor[]): Task {
  return first?.dims.length === 2 && nth(first.dims, 1) > 1 ? "classification" : "regression";
}

/** Divergence of `actual` from `expected`, batch by batch in the same order. */
export function divergenceOf(expected: readonly Tensor[], actual: readonly Tensor[], task: Task): number {
  return task === "classification" ? scoreDivergence(expected, actual) : relativeError(expected, actual);
}

function scoreDivergence(expected: readonly Tensor[], actual: readonly Tensor[]): number {
  let sum = 0;
  let rows = 0;
  expected.forEach((tensor, i) => {
    const classes = tensor.dims.at(-1) ?? 1;
    const [p, q] = [floatsOf(tensor), floatsOf(nth(actual, i))];
    for (let at = 0; at < p.length; at += classes) {
      sum += klDivergence(p.subarray(at, at + classes), q.subarray(at, at + classes));
      rows++;
    }
  });
  return rows === 0 ? 0 : sum / rows;
}

/** KL(softmax(p) ‖ softmax(q)). */
function klDivergence(p: Float32Array, q: Float32Array): number {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  return logP.reduce((sum, value, i) => sum + Math.exp(value) * (value - logQ[i]!), 0);
}

function logSoftmax(scores: Float32Array): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
  return new Float64Array(scores.length).map((_, i) => scores[i]! - most - Math.log(total));
}

function relativeError(expected: readonly Tensor[], actual: readonly Tensor[]): number {
  let error = 0;
  let energy = 0;
  expected.forEach((tensor, i) => {
    const [y, z] = [floatsOf(tensor), floatsOf(nth(actual, i))];
    for (let j = 0; j < y.length; j++) {
      error += (y[j]! - z[j]!) ** 2;
      energy += y[j]! ** 2;
    }
  });
  return energy === 0 ? 0 : error / energy;
}
