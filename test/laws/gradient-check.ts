/** @file One case of the gradient law: its model, its gradient's model, and derivatives to compare with. */
import { defaultForms, differentiateGraph, type Forms } from "../../src/autodiff/index.ts";
import { UnsupportedError } from "../../src/errors.ts";
import {
  type DataType,
  dataTypes,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../../src/ir/index.ts";
import { builderInference, inferShapes } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { Feeds } from "../../src/runtime/session.ts";
import type { GradientCase } from "./gradient-cases/case.ts";

export interface Prepared {
  readonly testCase: GradientCase;
  readonly base: Model;
  /** Outputs the loss, then a gradient per wanted value. */
  readonly gradient: Model;
  readonly loss: string;
  /** Name of the gradient by name of the wanted input. */
  readonly gradients: ReadonlyMap<string, string>;
  readonly feeds: Feeds;
  readonly directions: ReadonlyMap<string, Float64Array>;
}

export function prepare(testCase: GradientCase, seed: number, forms: Forms = defaultForms): Prepared {
  const random = generator(seed);
  const base = inferShapes(buildModel(testCase, random));
  const opset = testCase.opset ?? 21;
  const wrt = base.graph.inputs.filter((value) => testCase.inputs[value.name]?.differentiable !== false);
  const loss = base.graph.outputs[0]!;
  const { graph, gradients } = differentiateGraph(base.graph, { of: loss, wrt, opset, forms });
  const feeds = feedsOf(testCase, random);
  const outputs = [loss, ...new Set(gradients.values())];
  return {
    testCase,
    base,
    gradient: { ...base, graph: { ...graph, outputs } },
    loss: loss.name,
    gradients: new Map([...gradients].map(([value, { name }]) => [value.name, name])),
    feeds,
    directions: new Map(wrt.map(({ name }) => [name, numbersOf(feeds.get(name)!).map(() => random() * 2 - 1)])),
  };
}

/** A part with a weighted sum over every float output: Σ y·sin(y + c), c drawn anew for each. */
function buildModel({ build, inputs, opset = 21 }: GradientCase, random: () => number): Model {
  const g = graphBuilder({ infer: builderInference(opset) });
  const values = new Map(
    Object.entries(inputs).map(([name, { dims, dtype = "float32" }]) => [name, g.input(name, dtype, dims)]),
  );
  const parts = build(g, (name) => values.get(name)!).map((y) => {
    const plain = g.op("Cast", [y], { to: dataTypes.float32.code });
    const shift = g.constant("shift", tensorFromNumbers("float32", [], [random() * 3]));
    const weighted = g.op("Mul", [plain, g.op("Sin", [g.op("Add", [plain, shift])])]);
    return g.op("ReduceSum", [weighted], { keepdims: 0 });
  });
  g.output(parts.reduce((a: Value, b: Value) => g.op("Add", [a, b])));
  const opsets = new Map([
    ["", opset],
    ["com.microsoft", 1],
  ]);
  return model(g.build(), { opsets });
}

function feedsOf({ inputs }: GradientCase, random: () => number): Map<string, Tensor> {
  return new Map(
    Object.entries(inputs).map(([name, { dims, dtype = "float32", values, low = -2, high = 2 }]) => {
      const count = dims.reduce((n, d) => n * d, 1);
      const numbers = values ?? Array.from({ length: count }, () => low + (high - low) * random());
      return [name, tensorFromNumbers(dtype, dims, numbers)];
    }),
  );
}

export type Results = ReadonlyMap<string, ArrayLike<number>>;

/** The gradient model in float64; `undefined` where the reference lacks an operator. */
export function reference({ gradient, feeds }: Prepared): Results | undefined {
  return evaluated(gradient, feeds);
}

function evaluated(source: Model, feeds: Feeds): Results | undefined {
  try {
    return new Map([...evaluate(source, feeds)].map(([name, t]) => [name, numbersOf(t)]));
  } catch (error) {
    if (error instanceof UnsupportedError && error.message.includes("the reference has no operator")) return undefined;
    throw error;
  }
}

/** Σ gradient·direction. */
export function analytic({ gradients, directions }: Prepared, results: Results): number {
  let sum = 0;
  for (const [name, gradient] of gradients) {
    const direction = directions.get(name)!;
    Array.from(results.get(gradient)!).forEach((x, i) => {
      sum += x * direction[i]!;
    });
  }
  return sum;
}

export type Loss = (feeds: Feeds) => number;

/** The loss in float64, of the case's own model where the reference can run it, else of its expansion. */
export function referenceLoss({ base, gradient, loss, feeds }: Prepared): Loss {
  const source = evaluated(base, feeds)
    ? base
    : { ...gradient, graph: { ...gradient.graph, outputs: base.graph.outputs } };
  return (moved) => evaluated(source, moved)!.get(loss)![0]!;
}

/** (f(x + εv) − f(x − εv)) / 2ε, fourth-order: with the doubled step subtracted. */
export function numeric(
  { feeds, directions }: Pick<Prepared, "feeds" | "directions">,
  loss: Loss,
  epsilon: number,
  dtype: DataType,
): number {
  const difference = (step: number): number =>
    (loss(moved(feeds, directions, step, dtype)) - loss(moved(feeds, directions, -step, dtype))) / (2 * step);
  return (4 * difference(epsilon) - difference(2 * epsilon)) / 3;
}

export function moved(
  feeds: Feeds,
  directions: ReadonlyMap<string, Float64Array>,
  step: number,
  dtype: DataType,
): Map<string, Tensor> {
  const next = new Map(feeds);
  for (const [name, direction] of directions) {
    const at = feeds.get(name)!;
    const values = numbersOf(at).map((x, i) => x + step * direction[i]!);
    next.set(name, tensorFromNumbers(dtype, at.dims, values));
  }
  return next;
}

/** A small multiplicative generator; quality does not matter here, repeatability does. */
export function generator(seed: number): () => number {
  let state = seed * 48271;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
