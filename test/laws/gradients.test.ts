/**
 * @file Every gradient rule against a directional derivative in float64, (f(x + εv) − f(x − εv)) / 2ε = Σ ∇f·v, and ONNX
 * Runtime's float32 gradients against the float64 ones, on one thread and on two.
 */
import type { InferenceSession } from "onnxruntime-node";
import { afterAll, describe, expect, it } from "vitest";
import { inputForms } from "../../src/autodiff/conv/input-gradient.ts";
import { weightForms } from "../../src/autodiff/conv/weight-gradient.ts";
import { defaultForms, type Forms, gradientTable } from "../../src/autodiff/index.ts";
import { maxPoolForms } from "../../src/autodiff/pool/max-forms.ts";
import { allGraphs, type Model } from "../../src/ir/index.ts";
import type { Feeds } from "../../src/runtime/session.ts";
import { rawFeeds, rawSession } from "../raw-runtime.ts";
import type { GradientCase } from "./gradient-cases/case.ts";
import { gradientCases } from "./gradient-cases/index.ts";
import {
  analytic,
  moved,
  numeric,
  type Prepared,
  prepare,
  type Results,
  reference,
  referenceLoss,
} from "./gradient-check.ts";

const SEEDS = [1, 2, 3];
const counts = {
  float64: 0,
  float32: 0,
  runtime: 0,
  withoutReference: new Set<string>(),
  withoutRuntime: new Set<string>(),
};

describe("gradients in float64", () => {
  for (const testCase of gradientCases) {
    it(testCase.name, async () => {
      for (const seed of SEEDS) await check(prepare(testCase, seed));
    });
  }
});

describe("gradients on ONNX Runtime", () => {
  for (const testCase of gradientCases) {
    if (typeof testCase.runtime === "string") {
      counts.withoutRuntime.add(`${testCase.name}: ${testCase.runtime}`);
      continue;
    }
    it(testCase.name, () => agrees(testCase, [1, 2]));
  }
});

describe("forms of one gradient", () => {
  const names = <Name extends string>(forms: Readonly<Record<Name, unknown>>) => Object.keys(forms) as Name[];
  const only = {
    ...Object.fromEntries(
      names(inputForms).map((form) => [
        `input ${form}`,
        { ...defaultForms, conv: { ...defaultForms.conv, input: () => [form] } },
      ]),
    ),
    ...Object.fromEntries(
      names(weightForms).map((form) => [
        `weight ${form}`,
        { ...defaultForms, conv: { ...defaultForms.conv, weight: () => [form] } },
      ]),
    ),
    ...Object.fromEntries(
      names(maxPoolForms).map((form) => [`maximum ${form}`, { ...defaultForms, pool: { max: () => [form] } }]),
    ),
    "sum reduction": { ...defaultForms, rowSum: "reduction" },
  } satisfies Record<string, Forms>;

  for (const [name, forms] of Object.entries(only)) {
    const operator = name.startsWith("maximum") ? "MaxPool" : name.startsWith("sum") ? "Gemm" : "Conv";
    it(`${name} equals the others`, () => {
      for (const testCase of gradientCases.filter(({ covers }) => covers.includes(operator))) {
        const usual = prepare(testCase, 1);
        const special = prepare(testCase, 1, forms);
        close(analytic(special, reference(special)!), analytic(usual, reference(usual)!), 1e-9);
      }
    });
  }
});

describe("emitted graphs", () => {
  it("never scatter by ScatterND with a reduction, which races", () => {
    const emitted = gradientCases.flatMap((testCase) => {
      const { base, gradient } = prepare(testCase, 1);
      const own = new Set([...allGraphs(base.graph)].flatMap(({ nodes }) => nodes.map(({ name }) => name)));
      return [...allGraphs(gradient.graph)].flatMap(({ nodes }) => nodes.filter(({ name }) => !own.has(name)));
    });
    expect(emitted.filter(({ opType }) => opType === "ScatterND")).toEqual([]);
    expect(emitted.length).toBeGreaterThan(1000);
  });
});

describe("the table of gradients", () => {
  const covered = new Set(gradientCases.flatMap(({ covers }) => covers));
  const entries = Object.entries(gradientTable);

  it("has a case for every rule and expansion", () => {
    const withRule = entries.filter(([, entry]) => typeof entry === "function" || entry.kind === "expand");
    expect(withRule.map(([name]) => name).filter((name) => !covered.has(name))).toEqual([]);
  });

  it("gives every refusal a reason", () => {
    const empty = entries.filter(([, entry]) => "kind" in entry && entry.kind === "refuse" && entry.reason === "");
    expect(empty.map(([name]) => name)).toEqual([]);
  });

  afterAll(() => {
    const kind = (name: string): number =>
      entries.filter(([, entry]) => (typeof entry === "function" ? "rule" : entry.kind) === name).length;
    const lines = [
      `${entries.length} operators: ${kind("rule")} rules, ${kind("expand")} expansions, ${kind("stop")} stops, ${kind("refuse")} refusals`,
      `${gradientCases.length} cases: ${counts.float64} derivatives in float64, ${counts.float32} in float32, ${counts.runtime} runs on ONNX Runtime`,
      ...[...counts.withoutReference].map((name) => `only in float32: ${name}`),
      ...[...counts.withoutRuntime].map((line) => `not on ONNX Runtime: ${line}`),
    ];
    console.log(lines.join("\n"));
  });
});

async function check(prepared: Prepared): Promise<void> {
  const { testCase, gradients, directions } = prepared;
  expect([...gradients.keys()]).toEqual([...directions.keys()]);
  const results = reference(prepared);
  if (testCase.notADerivative !== undefined) return;
  if (!results) return checkOnRuntime(prepared);
  const expected = numeric(prepared, referenceLoss(prepared), 1e-4, "float64");
  close(analytic(prepared, results), expected, testCase.tolerance ?? 1e-6);
  counts.float64++;
}

/** Where the reference lacks an operator: differences of float32 losses, with the tolerance that they allow. */
async function checkOnRuntime(prepared: Prepared): Promise<void> {
  const { testCase, base, gradient, feeds, directions, loss } = prepared;
  counts.withoutReference.add(testCase.name);
  const results = await run(gradient, feeds, 1);
  const session = await rawSession(base);
  const at = async (step: number): Promise<number> => {
    const values = await fetch(session, moved(feeds, directions, step, "float32"));
    return values.get(loss)![0]!;
  };
  const step = 1e-2;
  const [a, b, c, d] = [await at(step), await at(-step), await at(2 * step), await at(-2 * step)];
  await session.release();
  close(analytic(prepared, results), (4 * ((a - b) / 2 / step) - (c - d) / 4 / step) / 3, 2e-2);
  counts.float32++;
}

/** The runtime's loss of the case's own model, and loss and gradients of the gradient model, against float64. */
async function agrees(testCase: GradientCase, threads: readonly number[]): Promise<void> {
  const prepared = prepare(testCase, 1);
  const expected = reference(prepared);
  const tolerance = (testCase.runtime as number | undefined) ?? 1e-4;
  let first: Results | undefined;
  for (const count of threads) {
    const results = await run(prepared.gradient, prepared.feeds, count);
    const truth = expected ?? first ?? results;
    for (const [name, values] of results) same(name, values, truth.get(name)!, tolerance);
    first ??= results;
    counts.runtime++;
  }
  const own = await run(prepared.base, prepared.feeds, 1);
  same("the loss of the model itself", own.get(prepared.loss)!, (expected ?? first!).get(prepared.loss)!, tolerance);
}

async function run(source: Model, feeds: Feeds, threads: number): Promise<Results> {
  const session = await rawSession(source, { intraOpNumThreads: threads });
  const results = await fetch(session, feeds);
  await session.release();
  return results;
}

async function fetch(session: InferenceSession, feeds: Feeds): Promise<Results> {
  const known = new Map([...feeds].filter(([name]) => session.inputNames.includes(name)));
  const results = await session.run(rawFeeds(known));
  return new Map(
    session.outputNames.map((name) => [name, Array.from(results[name]!.data as ArrayLike<number | bigint>, Number)]),
  );
}

function close(got: number, expected: number, tolerance: number): void {
  const error = Math.abs(got - expected) / Math.max(1, Math.abs(expected));
  expect(error, `${got} instead of ${expected}`).toBeLessThan(tolerance);
}

function same(name: string, got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(got.length, name).toBe(expected.length);
  const largest = Math.max(1, ...Array.from(expected, Math.abs));
  const worst = Math.max(0, ...Array.from(got, (x, i) => Math.abs(x - expected[i]!)));
  expect(worst / largest, name).toBeLessThan(tolerance);
}
