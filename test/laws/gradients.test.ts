/** @file Every gradient rule against a directional derivative in float64: (f(x + εv) − f(x − εv)) / 2ε = Σ ∇f·v. */
import { describe, expect, it } from "vitest";
import { differentiateGraph } from "../../src/autodiff/gradient.ts";
import { ruleOf } from "../../src/autodiff/rules/index.ts";
import { graphBuilder, model, numbersOf, type Tensor, tensorFromNumbers, type Value } from "../../src/ir/index.ts";
import { inferShapes } from "../../src/ops/index.ts";
import { evaluate } from "../../src/runtime/reference/index.ts";
import { type GradientCase, gradientCases } from "./gradient-cases.ts";

const EPSILON = 1e-5;

describe("gradients", () => {
  for (const testCase of gradientCases) {
    it(testCase.name, () => {
      for (let seed = 1; seed <= 3; seed++) check(testCase, seed);
    });
  }
});

function check(testCase: GradientCase, seed: number): void {
  const random = generator(seed);
  const built = buildModel(testCase, random);
  const infer = inferShapes(built);
  const wrt = infer.graph.inputs.filter((value) => testCase.inputs[value.name]?.differentiable !== false);
  const loss = infer.graph.outputs[0]!;
  const { graph, gradients } = differentiateGraph(infer.graph, ruleOf, { of: loss, wrt, opset: 21 });
  expect([...gradients.keys()].map(({ name }) => name)).toEqual(wrt.map(({ name }) => name));
  const outputs = [...gradients.values()];
  const gradientModel = { ...infer, graph: { ...graph, outputs: [loss, ...new Set(outputs)] } };
  const feeds = feedsOf(testCase, random);
  const result = evaluate(gradientModel, feeds);
  const directions = new Map(wrt.map((value) => [value, drawLike(feeds.get(value.name)!, random)]));
  let analytic = 0;
  for (const [value, gradient] of gradients) {
    const numbers = numbersOf(result.get(gradient.name)!);
    expect([...result.get(gradient.name)!.dims]).toEqual([...feeds.get(value.name)!.dims]);
    numbers.forEach((x, i) => {
      analytic += x * directions.get(value)![i]!;
    });
  }
  const numeric =
    (shifted(infer, loss, feeds, directions, EPSILON) - shifted(infer, loss, feeds, directions, -EPSILON)) /
    (2 * EPSILON);
  expect(Math.abs(analytic - numeric) / Math.max(1, Math.abs(numeric))).toBeLessThan(testCase.tolerance ?? 1e-6);
}

/** The case's operator under a weighted sum of all its float outputs. */
function buildModel({ build, inputs }: GradientCase, random: () => number) {
  const g = graphBuilder();
  const values = new Map(
    Object.entries(inputs).map(([name, { dims, dtype = "float64" }]) => [name, g.input(name, dtype, dims)]),
  );
  const outputs = build(g, (name) => values.get(name)!);
  const parts = outputs.map((y) => {
    const weighted = g.op("Mul", [
      y,
      g.op("Sin", [g.op("Add", [y, g.constant("w", tensorFromNumbers("float64", [], [random() * 3]))])]),
    ]);
    return g.op("ReduceSum", [weighted], { keepdims: 0 });
  });
  g.output(parts.reduce((a: Value, b: Value) => g.op("Add", [a, b])));
  return model(g.build(), {
    opsets: new Map([
      ["", 21],
      ["com.microsoft", 1],
    ]),
  });
}

function feedsOf({ inputs }: GradientCase, random: () => number): Map<string, Tensor> {
  return new Map(
    Object.entries(inputs).map(([name, { dims, dtype = "float64", values, low = -2, high = 2 }]) => {
      const count = dims.reduce((n, d) => n * d, 1);
      const numbers = values ?? Array.from({ length: count }, () => low + (high - low) * random());
      return [name, tensorFromNumbers(dtype, dims, numbers)];
    }),
  );
}

function shifted(
  base: ReturnType<typeof model>,
  loss: Value,
  feeds: ReadonlyMap<string, Tensor>,
  directions: ReadonlyMap<Value, Float64Array>,
  step: number,
): number {
  const moved = new Map(feeds);
  for (const [value, direction] of directions) {
    const at = feeds.get(value.name)!;
    moved.set(
      value.name,
      tensorFromNumbers(
        "float64",
        at.dims,
        numbersOf(at).map((x, i) => x + step * direction[i]!),
      ),
    );
  }
  return numbersOf(evaluate(base, moved).get(loss.name)!)[0]!;
}

function drawLike(t: Tensor, random: () => number): Float64Array {
  return numbersOf(t).map(() => random() * 2 - 1);
}

/** A small multiplicative generator; quality does not matter here, repeatability does. */
function generator(seed: number): () => number {
  let state = seed * 48271;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
