import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  floatsOf,
  graphBuilder,
  type Model,
  makeNode,
  model,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { type Preparation, sgd, type TrainingStep, trainingStep } from "../../train/index.ts";
import { stages } from "../qat/learning-form.ts";
import { type QuantizationAwareOptions, quantizationAware } from "../qat/quantization-aware.ts";
import { bitsMetadata } from "../qdq/bits.ts";
import { type LearnedRange, lsqRange, minMaxRange, pactRange, type RangeName, ranges } from "./index.ts";
import { leastErrorScale } from "./least-error-scale.ts";

interface Reference {
  readonly range: RangeName;
  readonly name: string;
  readonly dims: readonly number[];
  readonly x: readonly number[];
  readonly c: readonly number[];
  readonly y: readonly number[];
  readonly dx: readonly number[];
  readonly scale: readonly number[];
  readonly zero: number;
  readonly low: number;
  readonly high: number;
  readonly axis?: number;
  readonly dscale?: readonly number[];
  readonly dalpha?: readonly number[];
}

const path = new URL("../../../test/fixtures/ranges/torch.json", import.meta.url);
const { cases }: { cases: readonly Reference[] } = JSON.parse(readFileSync(path, "utf8"));

const float = (dims: readonly number[], values: ArrayLike<number>) => tensorFromNumbers("float32", dims, values);

/** What is rounded is trained: y = x after a pair, x a weight or, with values of the batch added, an activation. */
function network({
  dims,
  x,
  scale,
  zero,
  low,
  high,
  axis,
}: Omit<Reference, "range" | "name" | "c" | "y" | "dx">): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const isSigned = low < 0;
  const width = Math.log2(high - low + 1);
  const dtype = isSigned ? "int8" : "uint8";
  const weight = g.constant("x", float(dims, x));
  const batch = g.input("batch", "float32", dims);
  const source = isSigned ? weight : g.op("Add", [batch, weight]);
  const groups = axis === undefined ? [] : [scale.length];
  const s = g.constant("scale", float(groups, scale));
  const z = g.constant(
    "zero",
    tensorFromNumbers(
      dtype,
      groups,
      scale.map(() => zero),
    ),
  );
  const metadata = bitsMetadata({ dtype, bits: width });
  const q: Value = { name: "q", type: { kind: "tensor", dtype, dims } };
  const y: Value = { name: "y", type: { kind: "tensor", dtype: "float32", dims } };
  const attributes = { axis };
  const pair = [
    makeNode("QuantizeLinear", [source, s, z], [q], { attributes, ...(metadata && { metadata }) }),
    makeNode("DequantizeLinear", [q, s, z], [y], { attributes }),
  ];
  const out = isSigned ? makeNode("Add", [batch, y], [{ ...y, name: "out" }]) : undefined;
  const built = g.build();
  const nodes = [...built.nodes, ...pair, ...(out ? [out] : [])];
  return model({ ...built, nodes, outputs: [out?.outputs[0] ?? y] });
}

/** The step that descends by the gradient itself, minimising Σ c·y. */
async function stepOf(source: Model, c: Tensor, range: LearnedRange, options: QuantizationAwareOptions = {}) {
  const hooks = quantizationAware({ range, ...options }).start();
  const output = source.graph.outputs[0]!.name;
  const before: Preparation = {
    model: source,
    step: {
      optimizer: sgd(),
      terms: [{ name: "told", build: (g, { output: of }) => g.sum(g.mul(of(output), g.constant("c", c))) }],
    },
  };
  const prepared = await hooks.prepare!(before);
  return { step: trainingStep(prepared.model, prepared.step), stage: Object.keys(prepared.drive!)[0]!, hooks };
}

function taken(step: TrainingStep, stageName: string, stage: number, batch: Tensor, state = initial(step), rate = 1) {
  const feeds = new Map([
    ...state,
    ["batch", batch] as const,
    [stageName, float([], [stage])] as const,
    [step.learningRate, float([], [rate])] as const,
    [step.step, tensorFromNumbers("int64", [], [1])] as const,
  ]);
  const results = evaluate(step.model, feeds);
  const next = new Map(step.state.map(({ name, output }) => [name, results.get(output)!]));
  return { results, next };
}

const initial = ({ state }: TrainingStep) => new Map(state.map(({ name, initial: tensor }) => [name, tensor]));

const zeros = (dims: readonly number[]) => float(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  const size = Math.max(...expected.map(Math.abs), 1e-6);
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(value - actual[i]!) / size).toBeLessThan(2e-4);
}

/** The paper's scales start where the reference's do. */
const fromCalibrated = (range: LearnedRange): LearnedRange => ({
  ...range,
  learn: (g, { weight: _, ...site }) => range.learn(g, site),
});

const members: Readonly<Record<RangeName, () => LearnedRange>> = {
  lsq: () => fromCalibrated(lsqRange()),
  "min-max": () => minMaxRange({ rate: 0.25 }),
  pact: () => pactRange({ decay: 0 }),
};

describe("fake quantization is that of PyTorch", () => {
  it("has numbers for every range", () => {
    expect(new Set(cases.map(({ range }) => range))).toEqual(new Set(Object.keys(ranges)));
  });

  it.each(cases)("$range: $name", async (reference) => {
    const { dims, x, c, y, dx, scale, dscale, dalpha, high, zero } = reference;
    const { step, stage } = await stepOf(network(reference), float(dims, c), members[reference.range]());
    const { results, next } = taken(step, stage, stages.learning, zeros(dims));
    expectClose(numbersOf(results.get(step.outputs[0]!)!), y);
    expectClose(
      numbersOf(next.get("x")!).map((after, i) => x[i]! - after),
      dx,
    );
    const multiple = step.state.find(({ name, kind }) => kind === "parameter" && name.endsWith("/multiple"));
    if (!dscale && !dalpha) return expect(multiple).toBeUndefined();
    const begin = dalpha ? [scale[0]! * (high - zero)] : scale;
    const moved = numbersOf(next.get(multiple!.name)!).map((after, i) => begin[i]! * (1 - after));
    expectClose(moved, (dscale ?? dalpha)!);
  });
});

/** Activations of 8 bits from 0 to 2.55. */
const plain = { dims: [2, 3], x: [0.113, 0.5, 1.7, 3, 0.009, -0.4], scale: [0.01], zero: 0, low: 0, high: 255 };
const ones = float([2, 3], [1, 1, 1, 1, 1, 1]);

describe.each(Object.keys(ranges) as RangeName[])("range %s", (name) => {
  it("moves in training, stays where it is frozen, and what was used is kept", async () => {
    const { step, stage } = await stepOf(network(plain), ones, ranges[name]());
    const first = taken(step, stage, stages.learning, zeros(plain.dims), initial(step), 1e-4).next;
    const second = taken(step, stage, stages.learning, zeros(plain.dims), first, 1e-4).next;
    const scaleOf = (state: typeof first) => floatsOf(state.get("scale")!)[0]!;
    expect(scaleOf(first)).toBeCloseTo(0.01, 5);
    expect(scaleOf(second)).not.toBe(scaleOf(first));
    const frozen = taken(step, stage, stages.frozen, zeros(plain.dims), second, 1e-4).next;
    expect(scaleOf(frozen)).toBe(scaleOf(second));
    const zero = frozen.get("zero");
    expect(zero ? numbersOf(zero)[0] : 0).toBe(0);
  });

  it("leaves activations as floats in the first stage, and trains what they are made of", async () => {
    const { step, stage } = await stepOf(network(plain), ones, ranges[name]());
    const { results, next } = taken(step, stage, stages.float, zeros(plain.dims));
    expectClose(numbersOf(results.get(step.outputs[0]!)!), plain.x);
    expectClose(
      numbersOf(next.get("x")!),
      plain.x.map((x) => x - 1),
    );
  });

  it("keeps its scale positive under any gradient", async () => {
    const { step, stage } = await stepOf(network(plain), ones, ranges[name]());
    const wild = taken(step, stage, stages.learning, zeros(plain.dims), initial(step), 1e4).next;
    const after = taken(step, stage, stages.learning, zeros(plain.dims), wild, 0).next;
    expect(floatsOf(after.get("scale")!)[0]).toBeGreaterThan(0);
  });

  it("never reaches above the Clip in front of it, so that it can take the Clip's place", async () => {
    const clipped = withClip(network(plain), 2);
    const { step, stage } = await stepOf(clipped, float([2, 3], [-1, -1, -1, -1, -1, -1]), ranges[name]());
    const { next } = taken(step, stage, stages.learning, zeros(plain.dims));
    expect(255 * floatsOf(next.get("scale")!)[0]!).toBeLessThanOrEqual(2 + 1e-6);
  });
});

function withClip(source: Model, most: number): Model {
  const { graph } = source;
  const [add, quantize, dequantize] = graph.nodes;
  const end = (name: string, value: number): [Value, Tensor] => [{ name }, float([], [value])];
  const [low, high] = [end("low", 0), end("high", most)];
  const y: Value = { ...add!.outputs[0]!, name: "clipped" };
  const clip = makeNode("Clip", [add!.outputs[0], low[0], high[0]], [y]);
  const nodes = [add!, clip, { ...quantize!, inputs: [y, ...quantize!.inputs.slice(1)] }, dequantize!];
  return { ...source, graph: { ...graph, nodes, initializers: new Map([...graph.initializers, low, high]) } };
}

describe("min-max", () => {
  it("moves both ends by a share of the way to those of the batch, and the zero point with them", async () => {
    const source = network({ ...plain, x: [-2, 1, 1, 1, 1, 1], zero: 100 });
    const { step, stage } = await stepOf(source, ones, minMaxRange({ rate: 0.25 }));
    const first = taken(step, stage, stages.learning, zeros(plain.dims), initial(step), 0).next;
    const second = taken(step, stage, stages.learning, zeros(plain.dims), first, 0).next;
    // Ends −1 … 1.55, a quarter of the way to −2 … 1.
    const [least, most] = [-1.25, 1.4125];
    expect(floatsOf(second.get("scale")!)[0]).toBeCloseTo((most - least) / 255, 6);
    expect(numbersOf(second.get("zero")!)[0]).toBe(Math.round((-255 * least) / (most - least)));
  });
});

describe("pact", () => {
  it("pulls its clip down by its decay", async () => {
    const { step, stage } = await stepOf(network({ ...plain, x: [0, 0, 0, 0, 0, 0] }), ones, pactRange({ decay: 0.1 }));
    const { next } = taken(step, stage, stages.learning, zeros(plain.dims));
    const [alpha] = [2.55];
    const multiple = step.state.find(({ name }) => name.endsWith("/multiple"))!;
    expect(alpha * floatsOf(next.get(multiple.name)!)[0]!).toBeCloseTo(alpha - 0.1 * alpha, 5);
  });
});

describe("the scale that weights begin with", () => {
  it("is the calibrated one where bits are many, and a part of it where they are few and one weight is large", () => {
    const weight = float([101], [...Array.from({ length: 100 }, (_, i) => Math.sin(i)), 4]);
    const at = (high: number) =>
      leastErrorScale({ scale: float([], [4 / high]), limits: { low: -high, high } }, weight)[0]! / (4 / high);
    expect(at(127)).toBeCloseTo(1, 6);
    expect(at(3)).toBeLessThan(0.7);
  });
});

describe("an algorithm of quantization-aware training", () => {
  it.each([
    [{ range: "absent" }, "there is no such range"],
    [{ delay: -1 }, "delay is out of range"],
    [{ freeze: 2 }, "freeze is out of range"],
    [{ delay: 0.6, freeze: 0.6 }, "activations cannot stay floats"],
  ])("refuses %o", (options, message) => {
    expect(() => quantizationAware(options as QuantizationAwareOptions)).toThrow(message);
  });

  it("refuses a model in which nothing is rounded", async () => {
    const { graph } = network(plain);
    const bare = model({ ...graph, nodes: graph.nodes.slice(0, 1), outputs: graph.nodes[0]!.outputs as Value[] });
    await expect(stepOf(bare, ones, lsqRange())).rejects.toThrow("nothing of the model is rounded");
  });

  it("says by the run's own turns which stage it is in", async () => {
    const { drive } = await quantizationAware({ delay: 0.25, freeze: 0.25 }).start().prepare!({
      model: network(plain),
      step: { optimizer: "sgd", terms: [] },
    });
    const [{ train, evaluate: evaluation }] = Object.values(drive!) as [NonNullable<typeof drive>[string]];
    const at = (update: number) => floatsOf(train({ batch: update, update, updates: 8, seed: 0 }))[0];
    expect([0, 1, 2, 5, 6, 7].map(at)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(floatsOf(evaluation)[0]).toBe(stages.frozen);
  });
});
