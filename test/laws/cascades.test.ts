/** @file A cascade of experts gives what running all experts and selecting gives, and computes no row that need not go on. */
import { describe, expect, it } from "vitest";
import {
  type CascadeOptions,
  type ConfidenceName,
  cascade,
  cascadeExits,
  chooseThresholds,
  confidences,
  denseCascade,
  type Expert,
  exitCosts,
  exitTerms,
  measureMixture,
  recordExits,
  withoutSideOutputs,
  withParametersOf,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { ShapeError, UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { linear, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";
import { rawRuns, rawSession, rawWasm } from "../raw-runtime.ts";

const WIDTH = 5;
const CLASSES = 3;
const HIDDEN = [2, 8, 16];

function rowsOf(count: number, seed: number): Map<string, Tensor> {
  const source = random(seed);
  const values = Array.from({ length: count * WIDTH }, () => 2 * source.normal());
  return new Map([["x", tensorFromNumbers("float32", [count, WIDTH], values)]]);
}

/** A classifier with `hidden` units that tells how many rows it saw. */
function classifier(hidden: number, told = false): Expert {
  return (n, rows, index) => {
    if (told) n.output(n.op("Shape", [rows], { start: 0, end: 1 }), `seen/${index}`);
    return linear(n.scope("out"), n.op("Tanh", [linear(n.scope("in"), rows, hidden)]), CLASSES);
  };
}

const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

type Build = typeof cascade;

function built(
  build: Build,
  options: Partial<CascadeOptions> & Pick<CascadeOptions, "thresholds">,
  told = false,
): Model {
  const experts = HIDDEN.map((hidden) => classifier(hidden, told));
  return network(random(3), (n) => {
    const x = n.input("x", "float32", ["batch", WIDTH]);
    n.output(build(n.scope("tail"), x, { experts, ...options }), "logits");
  });
}

/** Parameters after a step. */
function stepped(model: Model, feeds: Map<string, Tensor>): Map<string, number[]> {
  const step = trainingStep(model, { loss: "crossEntropy", output: "logits", optimizer: sgd() });
  const count = feeds.get("x")!.dims[0]!;
  const labels = Array.from({ length: count }, (_, i) => i % CLASSES);
  const results = evaluate(
    step.model,
    new Map<string, Tensor>([
      ...feeds,
      [step.labels!, tensorFromNumbers("int64", [count], labels)],
      [step.learningRate, tensorFromNumbers("float32", [], [1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
      ...step.state.map(({ name, initial }): [string, Tensor] => [name, initial]),
    ]),
  );
  const parameters = step.state.filter(({ kind }) => kind === "parameter");
  return new Map(parameters.map(({ name, output }) => [name, list(results.get(output))]));
}

/** Thresholds at which some rows leave and some go on. */
const thresholds: Record<ConfidenceName, readonly number[]> = {
  "max-probability": [0.45, 0.55],
  entropy: [0.08, 0.12],
  patience: [1, 1],
};

describe.each(Object.keys(confidences) as ConfidenceName[])("a cascade by %s", (confidence) => {
  const options = { confidence, thresholds: thresholds[confidence] };
  const hard = built(cascade, options);
  const dense = built(denseCascade, options);

  it("equals all experts and a selection, in float64 and on both builds of ONNX Runtime", async () => {
    expect(verify(hard)).toEqual([]);
    const bare = await withoutSideOutputs(hard);
    expect(bare.graph.outputs.map(({ name }) => name)).toEqual(["logits"]);
    await using native = await rawRuns(rawSession, [bare]);
    await using wasm = await rawRuns(rawWasm, [bare]);
    const answered = new Set<number>();
    for (const count of [20, 1, 2]) {
      const feeds = rowsOf(count, count);
      const expected = list(evaluate(dense, feeds).get("logits"));
      const made = evaluate(hard, feeds);
      expect(list(made.get("logits"))).toEqual(expected);
      for (const route of list(made.get("tail/measure/route"))) answered.add(route);
      for (const runs of [native, wasm]) {
        const [got] = await runs.run(feeds);
        got!.get("logits")!.forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 4));
      }
    }
    if (confidence !== "patience") expect([...answered].sort()).toEqual([0, 1, 2]);
  });

  it("has the gradients of the selection", () => {
    const [got, expected] = [hard, dense].map((model) => stepped(model, rowsOf(20, 7)));
    expect([...got!.keys()]).toEqual([...expected!.keys()]);
    for (const [name, values] of got!) {
      values.forEach((value, i) => void expect(value, name).toBeCloseTo(expected!.get(name)![i]!, 8));
    }
  });

  it("computes the rows that go on, and no others", () => {
    const told = built(cascade, options, true);
    const feeds = rowsOf(30, 9);
    const made = evaluate(told, feeds);
    const routes = list(made.get("tail/measure/route"));
    const seen = HIDDEN.map((_, k) => list(made.get(`seen/${k}`))[0]);
    expect(seen).toEqual(HIDDEN.map((_, k) => routes.filter((route) => route >= k).length));
  });
});

describe("a cascade", () => {
  it("ends with the first expert or with the last at extreme thresholds, also where no row goes on", async () => {
    const feeds = rowsOf(6, 4);
    const answers = evaluate(built(denseCascade, { thresholds: [2, 2] }), feeds);
    const first = built(cascade, { thresholds: [-1, -1] });
    expect(list(evaluate(first, feeds).get("logits"))).toEqual(list(answers.get("tail/answer/0")));
    const last = evaluate(built(cascade, { thresholds: [2, 2] }), feeds);
    expect(list(last.get("logits"))).toEqual(list(answers.get("logits")));
    await using session = await openSession(first);
    expect(list((await session.run(feeds)).get("tail/measure/load"))).toEqual([1, 0, 0]);
  });

  it("is trained in the dense form, gets its thresholds from data and keeps its parameters", async () => {
    const experts = HIDDEN.map((hidden) => classifier(hidden));
    const trained = network(random(5), (n) => {
      const x = n.input("x", "float32", ["batch", WIDTH]);
      n.output(denseCascade(n.scope("tail"), x, { experts }), "logits");
    });
    const exits = cascadeExits(trained);
    expect(exits.exits).toEqual(["tail/answer/0", "tail/answer/1"]);
    const step = trainingStep(trained, {
      loss: "crossEntropy",
      output: "logits",
      terms: exitTerms(exits, "crossEntropy", [0.5, 0.5]),
      optimizer: sgd(),
    });
    expect(step.state.filter(({ kind }) => kind === "parameter")).toHaveLength(4 * HIDDEN.length);

    const feeds = rowsOf(40, 6);
    const whole = list(evaluate(trained, feeds).get("logits"));
    const labels = Array.from({ length: 40 }, (_, i) => best(whole.slice(i * CLASSES, (i + 1) * CLASSES)));
    const records = await recordExits(trained, [{ feeds, labels }], { ...exits, open: openReference });
    const costs = exitCosts(trained, exits);
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    const chosen = chooseThresholds(records, { costs, bound: { accuracy: 0.9 } });
    const hard = withParametersOf(built(cascade, { thresholds: chosen.thresholds }), trained);
    const [measures] = await measureMixture(hard, [feeds], openReference);
    const logits = list(evaluate(hard, feeds).get("logits"));
    const hits = labels.filter((label, i) => best(logits.slice(i * CLASSES, (i + 1) * CLASSES)) === label);
    expect(hits.length / 40).toBeCloseTo(chosen.accuracy, 6);
    const cost = measures!.load!.reduce((sum, share, k) => sum + share * costs[k]!, 0);
    expect(cost).toBeCloseTo(chosen.cost, 1);
  });

  it("refuses wrong use by name", () => {
    expect(() => built(cascade, { thresholds: [0.5] })).toThrow(UsageError);
    expect(() => built(cascade, { thresholds: [0.5, Number.NaN] })).toThrow(UsageError);
    expect(() => cascadeExits(built(cascade, { thresholds: [1, 1] }))).toThrow(UsageError);
    const wide: Expert = (n, rows) => linear(n, rows, CLASSES + 1);
    const experts = [classifier(2), wide];
    for (const build of [cascade, denseCascade]) {
      const uneven = () => {
        network(random(1), (n) => {
          n.output(build(n, n.input("x", "float32", ["batch", WIDTH]), { experts, thresholds: [0.5] }), "y");
        });
      };
      expect(uneven).toThrow(ShapeError);
    }
  });
});

function best(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}
