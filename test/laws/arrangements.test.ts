/** @file Every arrangement: what it computes, what it keeps, how deep it is. */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { type Model, numbersOf, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { gpt, vit } from "../../src/models/index.ts";
import {
  type ArrangementName,
  arrangements,
  depthOf,
  fullPlan,
  parallelizeBlocks,
  surveyBlocks,
} from "../../src/parallel/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { minus, residualNetwork, sum, term, type Vector, WIDTH } from "../residual-networks.ts";

const names = Object.keys(arrangements) as ArrangementName[];
const X: Vector = [0.3, 0.7, 0.5];
const PERIOD = 2;

function run(model: Model, x: Vector): Vector {
  const feeds = new Map([["x", tensorFromNumbers("float32", [1, WIDTH], x)]]);
  return [...numbersOf(evaluate(model, feeds).get("y")!)];
}

type Tail = (x: Vector) => Vector;

/** Steps one behind the other. */
function chain(x: Vector, steps: readonly number[], tail: Tail): Vector {
  return steps.reduce((state, step) => tail(sum(state, term(step, PERIOD, state))), x);
}

/** The change that a branch makes: its last step's tail comes after the sum of all branches. */
function change(x: Vector, steps: readonly number[], tail: Tail): Vector {
  const state = chain(x, steps.slice(0, -1), tail);
  return minus(sum(state, term(steps.at(-1)!, PERIOD, state)), x);
}

function sideBySide(x: Vector, branches: readonly (readonly number[])[], tail: Tail): Vector {
  return tail(sum(x, ...branches.map((steps) => change(x, steps, tail))));
}

/** By hand: 4 blocks of 2 steps as 2 branches of 2 blocks. */
const formulas: Record<ArrangementName, (x: Vector, tail: Tail) => Vector> = {
  blocks: (x, tail) =>
    sideBySide(
      x,
      [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ],
      tail,
    ),
  interleaved: (x, tail) =>
    sideBySide(
      x,
      [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
      ],
      tail,
    ),
  sublayers: (x, tail) => [0, 1, 2, 3].reduce((state, k) => sideBySide(state, [[k], [k + 4]], tail), x),
  merged: (x, tail) => [0, 2].reduce((state, k) => sideBySide(state, [[k], [k + 1], [k + 4], [k + 5]], tail), x),
};

const tails: Record<string, { readonly tail?: "Relu"; readonly apply: Tail }> = {
  "without a tail": { apply: (x) => x },
  "with a ReLU after the addition": { tail: "Relu", apply: (x) => x.map((value) => Math.max(0, value)) },
};

describe.each(names)("arrangement %s", (arrangement) => {
  it.each(Object.keys(tails))("computes its formula %s", (kind) => {
    const { apply, ...options } = tails[kind]!;
    const model = residualNetwork({ blocks: 4, ...options });
    const plan = fullPlan(surveyBlocks(model), { branches: 2, group: 2, arrangement });
    const changed = parallelizeBlocks(model, plan);
    expect(verify(changed)).toEqual([]);
    const expected = formulas[arrangement](X, apply).map((value) => -value);
    run(changed, X).forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 6));
    expect(run(model, X)).not.toEqual(run(changed, X));
  });

  it.each([
    ["vit", () => vit(random(1), { channels: 1, size: 8, patch: 4, width: 12, depth: 6, heads: 2 })],
    ["gpt", () => gpt(random(1), { vocabulary: 7, context: 5, width: 8, depth: 6, heads: 2 })],
  ] as const)("keeps weights and signature of %s, and becomes shallower", (_, make) => {
    const model = make();
    const survey = surveyBlocks(model);
    expect(survey.runs.map(({ blocks, period }) => [blocks.length, period])).toEqual([[6, 2]]);
    const plan = fullPlan(survey, { branches: 3, arrangement });
    const changed = parallelizeBlocks(model, plan);
    expect(verify(changed)).toEqual([]);
    expect(changed.graph.initializers).toEqual(model.graph.initializers);
    expect([changed.graph.inputs, changed.graph.outputs]).toEqual([model.graph.inputs, model.graph.outputs]);
    expect(depthOf(survey.runs, plan)).toBe(arrangement === "merged" ? 1 : 2);
    expect(longestPath(changed)).toBeLessThan(longestPath(model));
  });
});

it("leaves what no window covers as it is", () => {
  const model = residualNetwork({ blocks: 5 });
  const changed = parallelizeBlocks(model, { branches: 2, windows: [{ run: 0, first: 1 }] });
  const apply: Tail = (x) => x;
  const expected = chain(
    sideBySide(
      chain(X, [0, 1], apply),
      [
        [2, 3],
        [4, 5],
      ],
      apply,
    ),
    [6, 7, 8, 9],
    apply,
  );
  run(changed, X).forEach((value, i) => void expect(value).toBeCloseTo(-expected[i]!, 6));
});

/** Nodes on the longest path. */
function longestPath({ graph }: Model): number {
  const depths = new Map<object, number>();
  for (const { inputs, outputs } of graph.nodes) {
    const before = Math.max(0, ...inputs.map((value) => (value && depths.get(value)) || 0));
    for (const value of outputs) if (value) depths.set(value, before + 1);
  }
  return Math.max(...depths.values());
}
