/** @file Terms beside the loss, values that are carried, inputs that the run feeds itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { moons } from "../../../test/moons.ts";
import { UsageError } from "../../errors.ts";
import { graphBuilder, type Model, model, numbersOf, type Tensor, tensor, tensorFromNumbers } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import {
  crossEntropy,
  evaluateModel,
  type FitOptions,
  fit,
  type LossTerm,
  sgd,
  type TrainEvent,
  trainingStep,
} from "../index.ts";

/** 2 → 3 with an input `gain` that scales the logits, and a running centre of the hidden layer among the outputs. */
function network(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", ["batch", 2]);
  const gain = g.input("gain", "float32", []);
  const centre = g.constant("centre", tensorFromNumbers("float32", [3], [0, 0, 0]));
  const weight = g.constant("weight", tensorFromNumbers("float32", [2, 3], [0.4, -0.3, 0.2, 0.1, 0.5, -0.6]));
  const hidden = g.op("MatMul", [x, weight]);
  const axis = g.constant("axis", tensorFromNumbers("int64", [1], [0]));
  const mean = g.op("ReduceMean", [hidden, axis], { keepdims: 0 });
  const half = g.constant("half", tensor("float32", [], [0.5]));
  g.output(g.op("Mul", [hidden, gain]), "logits");
  g.output(g.op("Mul", [g.op("Add", [centre, mean]), half]), "centre_next");
  g.output(hidden, "hidden");
  return model(g.build());
}

const penalty: LossTerm = {
  name: "penalty",
  weight: 0.25,
  build: (g, { output }) => g.mean(g.mul(output("hidden"), output("hidden"))),
};

const x = tensorFromNumbers("float32", [2, 2], [1, 2, -1, 0.5]);
const one = tensor("float32", [], [1]);
const feeds = (gain: Tensor) => ({ x, gain, learning_rate: one, step: tensorFromNumbers("int64", [], [1]) });

function stepped(options: Parameters<typeof trainingStep>[1], extra: Record<string, Tensor> = {}) {
  const step = trainingStep(network(), options);
  const state = step.state.map(({ name, initial }): [string, Tensor] => [name, initial]);
  const results = evaluate(step.model, new Map([...Object.entries({ ...feeds(one), ...extra }), ...state]));
  return { step, results, at: (name: string) => Array.from(numbersOf(results.get(name)!)) };
}

describe("terms", () => {
  const labels = tensorFromNumbers("int64", [2], [0, 2]);

  it("add up with the loss, and are told one by one", () => {
    const { step, at } = stepped({ loss: "crossEntropy", terms: [penalty], optimizer: sgd() }, { labels });
    const alone = stepped({ loss: "crossEntropy", optimizer: sgd() }, { labels });
    const [term] = step.terms;
    expect(term).toMatchObject({ name: "penalty" });
    expect(at(step.loss)[0]).toBeCloseTo(alone.at(alone.step.loss)[0]! + 0.25 * at(term!.output)[0]!, 6);
  });

  it("need no loss and no labels", () => {
    const { step, at } = stepped({ terms: [penalty], optimizer: sgd() });
    expect(step.labels).toBeUndefined();
    // d(0.25 · mean h²)/dW = 0.25 · 2/6 · xᵀh
    const weight = [0.4, -0.3, 0.2, 0.1, 0.5, -0.6];
    const inputs = [
      [1, 2],
      [-1, 0.5],
    ];
    const hidden = inputs.map(([a, b]) => [0, 1, 2].map((j) => a! * weight[j]! + b! * weight[3 + j]!));
    const expected = weight.map((w, at) => {
      const [row, column] = [Math.floor(at / 3), at % 3];
      return w - (0.5 / 6) * inputs.reduce((sum, sample, i) => sum + sample[row]! * hidden[i]![column]!, 0);
    });
    at("weight:next").forEach((w, i) => void expect(w).toBeCloseTo(expected[i]!, 6));
  });

  it("read labels where a loss brings them", () => {
    const second: LossTerm = {
      name: "second",
      build: (g, { output, labels: given }) => crossEntropy().build(g, output("hidden"), given()),
    };
    const { step, at } = stepped({ loss: "crossEntropy", terms: [second], optimizer: sgd() }, { labels });
    expect(at(step.loss)[0]).toBeCloseTo(2 * at(step.terms[0]!.output)[0]!, 6);
    expect(() => trainingStep(network(), { terms: [second], optimizer: sgd() })).toThrow(UsageError);
  });

  it("are refused when they share a name, are no scalars, or read what is not there", () => {
    const refused = (terms: readonly LossTerm[]) => () => trainingStep(network(), { terms, optimizer: sgd() });
    expect(refused([])).toThrow(/nothing to minimise/);
    expect(refused([penalty, penalty])).toThrow(/name of its own/);
    expect(refused([{ ...penalty, name: "loss" }])).toThrow(/name of its own/);
    expect(refused([{ ...penalty, weight: Number.NaN }])).toThrow(/weight/);
    expect(refused([{ ...penalty, build: (_, { output }) => output("hidden") }])).toThrow(/scalar/);
    expect(refused([{ ...penalty, build: (_, { output }) => output("nowhere") }])).toThrow(/no such output/);
  });
});

describe("carry", () => {
  it("makes an output the next value of an initializer, which no gradient trains", () => {
    const { step, at } = stepped({ terms: [penalty], carry: { centre: "centre_next" }, optimizer: sgd() });
    expect(step.state.find(({ name }) => name === "centre")).toMatchObject({ kind: "statistic", of: "centre" });
    expect(at("centre:next")).toEqual(at("centre_next"));
    expect(at("centre_next").some((value) => value !== 0)).toBe(true);
  });

  it("is refused for other names and other types", () => {
    const refused = (carry: Record<string, string>) => () =>
      trainingStep(network(), { terms: [penalty], carry, optimizer: sgd() });
    expect(refused({ nothing: "centre_next" })).toThrow(/no such initializer/);
    expect(refused({ centre: "nothing" })).toThrow(/no such output/);
    expect(refused({ centre: "logits" })).toThrow(/differ in type/);
  });
});

describe("evaluation", () => {
  it("takes batches of the size that the model has, and says when there are too few samples for one", async () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", [8, 2]);
    g.output(g.op("Mul", [x, g.constant("two", tensor("float32", [], [2]))]), "logits");
    const fixed = model(g.build());
    const { loss } = await evaluateModel(fixed, { data: moons(20, 1), loss: "crossEntropy" });
    expect(loss).toBeCloseTo((await evaluateModel(fixed, { data: moons(16, 1), loss: "crossEntropy" })).loss!, 6);
    await expect(evaluateModel(fixed, { data: moons(5, 1), loss: "crossEntropy" })).rejects.toThrow(/too few samples/);
  });
});

describe("drive", () => {
  const gains = (scale: number): FitOptions => ({
    data: moons(24, 1),
    epochs: 2,
    batch: 8,
    learningRate: 0.1,
    loss: "crossEntropy",
    terms: [penalty],
    optimizer: sgd(),
    carry: { centre: "centre_next" },
    evaluate: { data: moons(8, 2), metrics: ["accuracy"] },
    drive: { gain: { train: ({ batch }) => tensor("float32", [], [scale * (batch + 1)]), evaluate: one } },
  });

  async function run(options: FitOptions) {
    const events: TrainEvent[] = [];
    const going = fit(network(), options);
    for await (const event of going) events.push(event);
    const { model: trained, report } = await going.result;
    const weights = [...trained.graph.initializers].map(([{ name }, data]) => [name, numbersOf(data as Tensor)]);
    return { events, report, weights };
  }

  it("feeds inputs by the turn in training and by one value in evaluation", async () => {
    const first = await run(gains(1));
    const steps = first.events.filter((event) => event.type === "step");
    expect(steps[0]!.terms!.penalty).toBeGreaterThan(0);
    expect(first.report.evaluations[0]!.metrics).toHaveProperty("penalty");
    expect((await run(gains(1))).weights).toEqual(first.weights);
    expect((await run({ ...gains(1), stepsPerRun: 2 })).weights).toEqual(first.weights);
    expect((await run(gains(2))).weights).not.toEqual(first.weights);
  });

  it("is part of what a checkpoint belongs to", async () => {
    const folder = await mkdtemp(join(tmpdir(), "litheml-drive-"));
    const checkpoint = { folder };
    await run({ ...gains(1), checkpoint });
    await expect(run({ ...gains(2), checkpoint, resume: true })).rejects.toThrow(/another model, data or settings/);
    await rm(folder, { recursive: true });
  });

  it("is refused for what is no input", () => {
    const options = { ...gains(1), drive: { nothing: { train: () => one, evaluate: one } } };
    return expect(fit(network(), options).result).rejects.toThrow(/no such input/);
  });
});
