import { describe, expect, it } from "vitest";
import {
  type BuilderAttributes,
  float,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { trainingStep } from "../index.ts";

type Builder = ReturnType<typeof graphBuilder>;

const vector = (numbers: readonly number[]) => tensorFromNumbers("float32", [numbers.length], numbers);

/** Two channels scaled by a weight, and what `layer` makes of them. */
function network(layer: (g: Builder, x: Value) => Value): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", ["batch", 2]);
  g.output(layer(g, g.op("Mul", [x, g.constant("gain", vector([1, 2]))])), "y");
  return model(g.build());
}

const stepOf = (source: Model, batchNorm: "train" | "frozen" = "train") =>
  trainingStep(source, { loss: "meanSquaredError", optimizer: "sgd", trainable: ["gain"], batchNorm });

function statisticsOf(g: Builder): Value[] {
  return [g.constant("mean", vector([1, -1])), g.constant("var", vector([4, 1]))];
}

function normalised(g: Builder, x: Value, [mean, variance]: readonly Value[], attributes: BuilderAttributes = {}) {
  const [scale, bias] = [g.constant("scale", vector([1, 1])), g.constant("bias", vector([0.5, 0]))];
  return g.op("BatchNormalization", [x, scale, bias, mean, variance], attributes);
}

/** The running statistics behind one step on the rows (0, 0) and (2, 4): of mean 1, 4 and variance 2, 32 behind the gain. */
function statisticsBehind(source: Model): Record<string, number[]> {
  const step = stepOf(source);
  const results = evaluate(
    step.model,
    new Map([
      ["x", tensorFromNumbers("float32", [2, 2], [0, 0, 2, 4])],
      [step.labels!, tensorFromNumbers("float32", [2, 2], [0, 0, 0, 0])],
      [step.learningRate, tensor("float32", [], [0])],
      [step.step, tensorFromNumbers("int64", [], [1])],
      ...step.state.map(({ name, initial }) => [name, initial] as const),
    ]),
  );
  const statistics = step.state.filter(({ kind }) => kind === "statistic");
  return Object.fromEntries(statistics.map(({ name, output }) => [name, Array.from(numbersOf(results.get(output)!))]));
}

function expectClose(got: readonly number[] | undefined, expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  expected.forEach((x, i) => void expect(got![i]).toBeCloseTo(x, 5));
}

describe("the running statistics", () => {
  it("keep nine tenths of themselves where the model does not say how much", () => {
    const { mean, var: variance } = statisticsBehind(network((g, x) => normalised(g, x, statisticsOf(g))));
    expectClose(mean, [0.9 * 1 + 0.1 * 1, 0.9 * -1 + 0.1 * 4]);
    expectClose(variance, [0.9 * 4 + 0.1 * 2, 0.9 * 1 + 0.1 * 32]);
  });

  it("keep as much as the model says", () => {
    const half = { momentum: float(0.5) };
    const { mean } = statisticsBehind(network((g, x) => normalised(g, x, statisticsOf(g), half)));
    expectClose(mean, [0.5 * 1 + 0.5 * 1, 0.5 * -1 + 0.5 * 4]);
  });

  it("that two layers share take both batches, one after the other", () => {
    const shared = network((g, x) => {
      const statistics = statisticsOf(g);
      return normalised(g, normalised(g, x, statistics), statistics);
    });
    // The second layer sees what the first one made: its bias as the mean, twice 1 over 2 − 1 as the variance.
    const { mean, var: variance } = statisticsBehind(shared);
    expectClose(mean, [0.9 * 1 + 0.1 * 0.5, 0.9 * (0.9 * -1 + 0.1 * 4)]);
    expectClose(variance, [0.9 * 3.8 + 0.1 * 2, 0.9 * 4.1 + 0.1 * 2]);
  });

  it("have to be stored in the model, unless they stay as they are", () => {
    const fed = network((g, x) => normalised(g, x, [g.input("mean", "float32", [2]), statisticsOf(g)[1]!]));
    expect(() => stepOf(fed)).toThrow(/running statistics .* are no initializers.*frozen/);
    expect(stepOf(fed, "frozen").batch).toEqual(["x", "mean"]);
  });

  it("are not those of a layer that is in training mode already", () => {
    const training = network((g, x) => {
      const [y] = g.ops("BatchNormalization", inputsOf(g, x), 3, { training_mode: 1 });
      return y;
    });
    expect(() => stepOf(training)).toThrow(/in training mode already/);
  });
});

function inputsOf(g: Builder, x: Value): Value[] {
  return [x, g.constant("scale", vector([1, 1])), g.constant("bias", vector([0, 0])), ...statisticsOf(g)];
}

describe("Dropout", () => {
  it("of nothing is no Dropout any more, and asks for no key", () => {
    const step = stepOf(network((g, x) => g.op("Dropout", [x, g.constant("ratio", tensor("float32", [], [0]))])));
    expect(step.maskKey).toBeUndefined();
    expect(step.model.graph.nodes.map(({ opType }) => opType)).not.toContain("Dropout");
  });

  it("drops half where the model does not say how much", () => {
    const doubled = (source: Model) => {
      const step = stepOf(source);
      const ones = tensorFromNumbers("float32", [200, 2], Array(400).fill(1));
      const results = evaluate(
        step.model,
        new Map([
          ["x", ones],
          [step.labels!, ones],
          [step.learningRate, tensor("float32", [], [0])],
          [step.step, tensorFromNumbers("int64", [], [1])],
          [step.maskKey!, tensorFromNumbers("uint32", [2], [1, 2])],
          ...step.state.map(({ name, initial }) => [name, initial] as const),
        ]),
      );
      return new Set(numbersOf(results.get("y")!));
    };
    expect(doubled(network((g, x) => g.op("Dropout", [x])))).toEqual(new Set([0, 2, 4]));
  });

  it("by a ratio that is computed is refused", () => {
    const fed = network((g, x) => g.op("Dropout", [x, g.input("ratio", "float32", [])]));
    expect(() => stepOf(fed)).toThrow(/needs a constant ratio/);
  });

  it("whose mask is read is refused", () => {
    const read = network((g, x) => {
      const [y, mask] = g.ops("Dropout", [x], 2);
      return g.op("Where", [mask, y, x]);
    });
    expect(() => stepOf(read)).toThrow(/mask is read/);
  });
});
