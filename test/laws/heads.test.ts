/** @file Laws of heads over a common trunk: each is what it would be alone, an ensemble is their combination, fused they are the same. */
import { describe, expect, it } from "vitest";
import { fuseBranches, headGroupsOf, stackedParameters, unfuseBranches } from "../../src/branches/index.ts";
import { UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, type Value, verify } from "../../src/ir/index.ts";
import {
  type CombinationName,
  headEnsemble,
  type Layers,
  linear,
  mlpBlock,
  network,
  parallelHeads,
  uniform,
} from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { checked } from "../../src/rewrite/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { type StepBuilder, sgd, type TermContext, trainingStep, withParameters } from "../../src/train/index.ts";
import { trainedTensors } from "../../src/train/loop/trained-model.ts";
import { distance, feedsOf, plainSource } from "../branch-networks.ts";
import { numbers } from "./pass-graphs.ts";

const varied = { weight: uniform(0.3), biasInitial: uniform(0.2) };

function trunk(n: Layers): Value {
  const x = n.input("x", "float32", ["batch", 6]);
  return n.op("Relu", [linear(n.scope("trunk"), x, 8, varied)]);
}

const head = (n: Layers, x: Value, classes = 3): Value =>
  linear(n.scope("out"), mlpBlock(n.scope("mlp"), x, { hidden: 10, ...varied }), classes, varied);

/** Heads of several tasks, each an output under its name. */
function tasks(names: readonly string[], classes: Readonly<Record<string, number>> = {}): Model {
  return network(plainSource(), (n) => {
    const build = (scope: Layers, y: Value, name: string) => head(scope, y, classes[name]);
    for (const [name, value] of parallelHeads(n, trunk(n), build, names)) n.output(value, `${name}/logits`);
  });
}

function parametersOf({ graph }: Model): Map<string, Tensor> {
  return new Map([...graph.initializers].map(([{ name }, data]) => [name, data as Tensor]));
}

const names = ["colour", "shape", "size", "place", "kind"];

describe("heads of several tasks", () => {
  const whole = tasks(names);
  const answers = evaluate(whole, feedsOf(whole, 3));

  it.each(names)("%s is what it would be alone", (name) => {
    const alone = withParameters(tasks([name]), parametersOf(whole));
    const [only] = evaluate(alone, feedsOf(whole, 3));
    expect(only![1]).toEqual(answers.get(`${name}/logits`));
  });

  it("may differ from each other, and then stay as they are", async () => {
    const model = tasks(names.slice(0, 2), { colour: 5, shape: 2 });
    expect(verify(model)).toEqual([]);
    expect(headGroupsOf(model.graph)).toEqual([]);
    expect((await fuseBranches().run(model)).model).toBe(model);
  });

  it("become one with stacked weights and are cut apart at the end, on ONNX Runtime too", async () => {
    expect(headGroupsOf(whole.graph).map(({ nodes, outputs }) => [nodes.length, outputs.length])).toEqual([[5, 5]]);
    const { model: fused, notes } = await checked(fuseBranches()).run(whole);
    expect(notes).toMatchObject([{ kind: "applied", reason: expect.stringMatching(/^5 heads, \d+ nodes, became/) }]);
    expect(fused.graph.nodes.length).toBeLessThan(whole.graph.nodes.length);
    expect(fused.graph.outputs).toEqual(whole.graph.outputs);
    expect(distance(answers, evaluate(fused, feedsOf(whole, 3)))).toBeLessThan(1e-12);
    await using session = await openSession(fused, { threads: 1, stock: true });
    expect(distance(answers, await session.run(feedsOf(whole, 3)))).toBeLessThan(1e-5);
    expect(stackedParameters(fused).every(({ parts }) => parts.length === 5)).toBe(true);
    expect(unfuseBranches(fused, whole).graph.initializers).toEqual(whole.graph.initializers);
    expect((await fuseBranches().run(fused)).model).toBe(fused);
  });

  it("learn the same when they are fused", async () => {
    const targets = names.map((_, j) => tensorFromNumbers("float32", [3, 3], numbers(9, j)));
    const learned = (model: Model): Model => {
      const terms = names.map((name, j) => ({
        name,
        build: (g: StepBuilder, { output }: TermContext) => {
          const difference = g.sub(output(`${name}/logits`), g.constant("target", targets[j]!));
          return g.mean(g.mul(difference, difference));
        },
      }));
      const step = trainingStep(model, { terms, optimizer: sgd({ momentum: 0.9 }) });
      let state = new Map(step.state.map((entry) => [entry.name, entry.initial]));
      for (const i of [1, 2]) {
        const fed = new Map([
          ...feedsOf(model, 3),
          ...state,
          [step.learningRate, tensorFromNumbers("float32", [], [0.1])] as const,
          [step.step, tensorFromNumbers("int64", [], [i])] as const,
        ]);
        const results = evaluate(step.model, fed);
        state = new Map(step.state.map((entry) => [entry.name, results.get(entry.output)!]));
      }
      return withParameters(model, trainedTensors(step, state));
    };
    const { model: fused } = await fuseBranches().run(whole);
    const [plain, back] = [learned(whole), unfuseBranches(learned(fused), whole)];
    expect(distance(parametersOf(plain), parametersOf(back))).toBeLessThan(1e-6);
    expect(distance(parametersOf(whole), parametersOf(back))).toBeGreaterThan(1e-3);
  });

  it("stay apart where that takes fewer nodes, and where something else reads what lies within one", async () => {
    const short = network(plainSource(), (n) => {
      const build = (scope: Layers, y: Value) => linear(scope, y, 3, varied);
      for (const [name, value] of parallelHeads(n, trunk(n), build, ["a", "b"])) n.output(value, name);
    });
    expect(headGroupsOf(short.graph)).toHaveLength(1);
    expect((await fuseBranches().run(short)).model).toBe(short);
    const read = network(plainSource(), (n) => {
      const inner: Value[] = [];
      const build = (scope: Layers, y: Value) => {
        inner.push(linear(scope.scope("inner"), y, 4, varied));
        return linear(scope, inner.at(-1)!, 3, varied);
      };
      for (const [name, value] of parallelHeads(n, trunk(n), build, names)) n.output(value, name);
      n.output(inner[2]!, "features");
    });
    expect(headGroupsOf(read.graph)).toEqual([]);
  });

  it("need names, each once", () => {
    expect(() => tasks([])).toThrow(/heads need names.*none/);
    expect(() => tasks(["colour", "colour"])).toThrow(UsageError);
  });
});

/** [batch, classes] of heads as their ensemble should have it. */
const expected: Partial<Record<CombinationName, (sum: number, heads: number) => number>> = {
  mean: (sum, heads) => sum / heads,
  sum: (sum) => sum,
};

describe.each(Object.entries(expected))("an ensemble by its %s", (combine, combined) => {
  const HEADS = 4;
  const model = network(plainSource(), (n) => {
    n.output(headEnsemble(n, trunk(n), head, { heads: HEADS, combine: combine as CombinationName }), "logits");
  });
  const feeds = feedsOf(model, 3);
  const logits = evaluate(model, feeds);

  it("is that of its heads computed apart", () => {
    const apart = tasks(Array.from({ length: HEADS }, (_, j) => `head${j}`));
    const each = [...evaluate(withParameters(apart, parametersOf(model)), feeds).values()];
    const lists = each.map((tensor) => numbersOf(tensor));
    const values = lists[0]!.map((_, i) =>
      combined(
        lists.reduce((sum, list) => sum + list[i]!, 0),
        HEADS,
      ),
    );
    const computed = tensorFromNumbers("float64", each[0]!.dims, values);
    expect(distance(logits, new Map([["logits", computed]]))).toBeLessThan(1e-6);
  });

  it("is fused like branches", async () => {
    const { model: fused } = await fuseBranches().run(model);
    expect(fused.graph.nodes.length).toBeLessThan(model.graph.nodes.length);
    expect(distance(logits, evaluate(fused, feeds))).toBeLessThan(1e-12);
  });
});

it("an ensemble has a whole number of heads", () => {
  const build = (heads: number) => () =>
    network(plainSource(), (n) => n.output(headEnsemble(n, trunk(n), head, { heads }), "logits"));
  expect(build(0)).toThrow(/heads must be a whole number/);
  expect(verify(build(1)())).toEqual([]);
});
