/** @file Every optimizer against its formula in float64, and against recorded trajectories of PyTorch. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { graphBuilder, model, numbersOf, sizeOf, type Tensor, tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type Optimizer, type OptimizerName, optimizers } from "../../src/train/index.ts";
import { stepBuilder } from "../../src/train/step/step-builder.ts";
import { references } from "./optimizer-references.ts";

interface Trajectory {
  readonly dims: readonly number[];
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly learningRates: readonly number[];
}

interface Recorded extends Trajectory {
  readonly optimizer: OptimizerName;
  readonly options: object;
  readonly results: readonly (readonly number[])[];
}

const recorded: { torch: string; cases: readonly Recorded[] } = JSON.parse(
  readFileSync(new URL("../fixtures/optimizers/torch.json", import.meta.url), "utf8"),
);

/** The parameter after each update, by the optimizer's own graph. */
function follow(optimizer: Optimizer, { dims, start, gradients, learningRates }: Trajectory, decays = true) {
  const g = graphBuilder({ infer: builderInference(21) });
  const parameter = g.input("w", "float64", dims);
  const gradient = g.input("g", "float64", dims);
  const learningRate = g.input("lr", "float64", []);
  const step = g.input("step", "int64", []);
  const initial = optimizer.init({ name: "w", dtype: "float64", dims });
  const state = new Map([...initial].map(([name, { dims }]) => [name, g.input(name, "float64", dims)]));
  const next = optimizer.update(stepBuilder(g), { parameter, gradient, learningRate, step, state, decays });
  expect([...next.state.keys()]).toEqual([...initial.keys()]);
  g.output(next.parameter, "w:next");
  for (const [name, value] of next.state) g.output(value, `${name}:next`);
  const update = model(g.build());
  let held: ReadonlyMap<string, Tensor> = new Map([...initial, ["w", tensor("float64", dims, start)]]);
  return gradients.map((numbers, i) => {
    const results = evaluate(
      update,
      new Map([
        ...held,
        ["g", tensor("float64", dims, numbers)],
        ["lr", tensor("float64", [], [learningRates[i]!])],
        ["step", tensorFromNumbers("int64", [], [i + 1])],
      ]),
    );
    held = new Map([...held.keys()].map((name) => [name, results.get(`${name}:next`)!]));
    return Array.from(numbersOf(held.get("w")!));
  });
}

function expectClose(got: readonly (readonly number[])[], expected: readonly (readonly number[])[], tolerance: number) {
  expect(got.length).toBe(expected.length);
  got.forEach((numbers, step) => {
    const difference = Math.max(...numbers.map((x, i) => Math.abs(x - expected[step]![i]!)));
    expect(difference, `step ${step + 1}`).toBeLessThan(tolerance);
  });
}

const steps: Trajectory = {
  dims: [3, 4],
  start: wave(12, 1),
  gradients: [wave(12, 2), wave(12, 3), wave(12, 5), wave(12, 7)],
  learningRates: [0.1, 0.05, 0.05, 0.2],
};

/** Numbers between −2 and 2 without a pattern. */
function wave(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => 2 * Math.sin(seed * 12.9898 + i * 78.233));
}

describe.each(Object.keys(optimizers) as OptimizerName[])("%s", (name) => {
  const make = optimizers[name] as (options?: object) => Optimizer;

  it("follows its formula", () => {
    for (const options of references[name].options) {
      const expected = references[name].follow(steps, { ...references[name].defaults, ...options }, true);
      expectClose(follow(make(options), steps), expected, 1e-12);
    }
  });

  it("leaves excluded parameters undecayed", () => {
    const options = { weightDecay: 0.3 };
    const expected = references[name].follow(steps, { ...references[name].defaults, ...options }, false);
    expectClose(follow(make(options), steps, false), expected, 1e-12);
  });

  it("begins with a state of the parameter's dtype", () => {
    const initial = make().init({ name: "w", dtype: "float32", dims: [2, 3] });
    for (const { dtype, dims } of initial.values()) {
      expect(dtype).toBe("float32");
      expect(sizeOf(dims)).toBe(6);
    }
  });
});

describe(`PyTorch ${recorded.torch}`, () => {
  it.each(recorded.cases)("$optimizer $options of a $shape", ({ optimizer, options, results, ...trajectory }) => {
    const make = optimizers[optimizer] as (options?: object) => Optimizer;
    expectClose(follow(make(options), trajectory), results, 1e-12);
  });
});

describe("settings out of range", () => {
  it("are refused", () => {
    expect(() => optimizers.sgd({ momentum: 1 })).toThrow(/momentum is out of range/);
    expect(() => optimizers.adamw({ betas: [0.9, -1] })).toThrow(/betas\[1\]/);
    expect(() => optimizers.adam({ weightDecay: Number.NaN })).toThrow(/weightDecay/);
  });
});
