/**
 * @file Every gradient rule against a directional derivative in float64, (f(x + εv) − f(x − εv)) / 2ε = Σ ∇f·v, and ONNX
 * Runtime's float32 gradients against the float64 ones, on one thread and on two.
 */
import { afterAll, describe, expect, it } from "vitest";
import { inputForms } from "../../src/autodiff/conv/input-gradient.ts";
import { weightForms } from "../../src/autodiff/conv/weight-gradient.ts";
import { defaultForms, type Forms, gradientTable } from "../../src/autodiff/index.ts";
import { maxPoolForms } from "../../src/autodiff/pool/max-forms.ts";
import { allGraphs } from "../../src/ir/index.ts";
import { gradientCases } from "./gradient-cases/index.ts";
import { analytic, prepare, reference } from "./gradient-check.ts";
import { type Comparison, derivativeCheck, relative, runtimeCheck, SEEDS } from "./gradient-verdicts.ts";

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
      for (const seed of SEEDS) {
        const result = await derivativeCheck(prepare(testCase, seed));
        if (!result) continue;
        holds(result);
        counts[result.precision]++;
        if (result.precision === "float32") counts.withoutReference.add(testCase.name);
      }
    });
  }
});

describe("gradients on ONNX Runtime", () => {
  for (const testCase of gradientCases) {
    if (typeof testCase.runtime === "string") {
      counts.withoutRuntime.add(`${testCase.name}: ${testCase.runtime}`);
      continue;
    }
    it(testCase.name, async () => {
      const results = await runtimeCheck(testCase);
      results.forEach(holds);
      counts.runtime += results.length - 1;
    });
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
    "product fused": { ...defaultForms, weightProduct: "fused" },
  } satisfies Record<string, Forms>;

  const operators: Readonly<Record<string, string>> = {
    input: "Conv",
    weight: "Conv",
    maximum: "MaxPool",
    sum: "Gemm",
    product: "MatMul",
  };

  for (const [name, forms] of Object.entries(only)) {
    const operator = operators[name.split(" ")[0]!]!;
    it(`${name} equals the others`, () => {
      for (const testCase of gradientCases.filter(({ covers }) => covers.includes(operator))) {
        const usual = prepare(testCase, 1);
        const special = prepare(testCase, 1, forms);
        const error = relative(analytic(special, reference(special)!), analytic(usual, reference(usual)!));
        expect(error).toBeLessThan(1e-9);
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

function holds({ what, error, tolerance }: Comparison): void {
  expect(error, what).toBeLessThan(tolerance);
}
