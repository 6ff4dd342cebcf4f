import { expect, it } from "vitest";
import { graphBuilder, type Model, model, numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { sgd } from "../optimizers/index.ts";
import type { TrainingStepOptions } from "./step.ts";
import { trainingStep } from "./training-step.ts";

const float = (values: readonly number[]) => tensorFromNumbers("float32", [values.length], values);

/** y = a·b. */
function product(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const both = g.op("Mul", [g.constant("a", float([2, 3])), g.constant("b", float([5, 7]))], {}, { name: "both" });
  g.output(g.op("Mul", [g.input("x", "float32", [2]), both]), "y");
  return model(g.build());
}

/** What plain descent takes from a and from b where the loss is Σ x·a·b. */
function taken(options: Partial<TrainingStepOptions> = {}) {
  const step = trainingStep(product(), {
    optimizer: sgd(),
    terms: [{ name: "sum", build: (g, { output }) => g.sum(output("y")) }],
    ...options,
  });
  const feeds = new Map([
    ...step.state.map(({ name, initial }) => [name, initial] as const),
    ["x", float([1, 1])] as const,
    [step.learningRate, tensorFromNumbers("float32", [], [1])] as const,
    [step.step, tensorFromNumbers("int64", [], [1])] as const,
  ]);
  const results = evaluate(step.model, feeds);
  const moved = step.state.map(({ of, output, initial }): [string, number[]] => [
    of!,
    [...numbersOf(initial).map((before, i) => before - numbersOf(results.get(output)!)[i]!)],
  ]);
  return Object.fromEntries(moved);
}

it("a gradient is multiplied with its factor, and bounded as what comes out", () => {
  expect(taken()).toEqual({ a: [5, 7], b: [2, 3] });
  expect(taken({ gradientFactors: new Map([["a", float([0.5, 2])]]) })).toEqual({ a: [2.5, 14], b: [2, 3] });
  const { a } = taken({ trainable: ["a"], gradientFactors: new Map([["a", float([0.6, 0])]]), clip: 1 });
  expect(a![0]).toBeCloseTo(1, 5);
});

it("a factor of another form, or of nothing, is refused", () => {
  expect(() => taken({ gradientFactors: new Map([["a", float([1])]]) })).toThrow(
    /factor fits no initializer.*\[2\].*\[1\]/s,
  );
  expect(() => taken({ gradientFactors: new Map([["c", float([1])]]) })).toThrow(/factor fits no initializer.*"c"/s);
});

it("no gradient goes through a value at which it is stopped", () => {
  expect(() => taken({ stopAt: ["both"] })).toThrow(/no gradient|depends on none/);
  expect(() => taken({ stopAt: ["absent"] })).toThrow(/no such value to stop a gradient at.*"absent"/s);
});
