/** @file What quantization-aware training promises for every learned range: what was trained is what is converted, and runs resume to the same bits. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { datasetOf, random } from "../../src/data/index.ts";
import {
  bytesOfTensor,
  floatsOf,
  graphBuilder,
  isSparse,
  type Model,
  model,
  numbersOf,
  scalar,
  tensorFromNumbers,
  type Value,
  verify,
} from "../../src/ir/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import {
  type FakeQuantizeOptions,
  fakeQuantize,
  quantizationAware,
  quantizeStatic,
  type RangeName,
  ranges,
} from "../../src/quantize/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { adamw, type FitOptions, fit, trainingStep } from "../../src/train/index.ts";

const SIDE = 8;
const CLASSES = 4;

/** Convolutions with Relu and Clip, a depthwise one with stray channels, a sum, Pad, pooling, two products. */
function network(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const source = random(7);
  const draw = (name: string, dims: readonly number[], size = 0.4) =>
    g.constant(
      name,
      tensorFromNumbers(
        "float32",
        dims,
        Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => size * source.normal()),
      ),
    );
  const x = g.input("x", "float32", ["batch", 3, SIDE, SIDE]);
  const conv = (from: Value, name: string, dims: readonly number[], attributes = {}) =>
    g.op(
      "Conv",
      [from, draw(`${name}_w`, dims), draw(`${name}_b`, [dims[0]!], 0.1)],
      { kernel_shape: dims.slice(2), ...attributes },
      { name },
    );
  const [low, six] = [g.constant("low", scalar("float32", 0)), g.constant("six", scalar("float32", 6))];
  const stem = g.op("Relu", [conv(x, "stem", [8, 3, 3, 3], { pads: [1, 1, 1, 1] })], {}, { name: "stem_out" });
  const wide = g.op("Clip", [conv(stem, "expand", [16, 8, 1, 1]), low, six], {}, { name: "expand_out" });
  const deep = g.op("Relu", [conv(wide, "depthwise", [16, 1, 3, 3], { pads: [1, 1, 1, 1], group: 16 })]);
  const sum = g.op("Add", [conv(deep, "project", [8, 16, 1, 1]), stem], {}, { name: "sum" });
  const pooled = g.op("MaxPool", [sum], { kernel_shape: [2, 2], strides: [2, 2] }, { name: "pooled" });
  const last = g.op("Relu", [conv(pooled, "last", [12, 8, 3, 3])], {}, { name: "last_out" });
  const flat = g.op("Flatten", [g.op("GlobalAveragePool", [last], {}, { name: "mean" })], { axis: 1 });
  const hidden = g.op("Relu", [
    g.op("Gemm", [flat, draw("hidden_w", [16, 12]), draw("hidden_b", [16], 0.1)], { transB: 1 }),
  ]);
  g.output(g.op("MatMul", [hidden, draw("scores_w", [16, CLASSES])], {}, { name: "scores" }), "y");
  return model(g.build());
}

function sample(position: number) {
  const source = random(3, position);
  const label = position % CLASSES;
  const values = Array.from({ length: 3 * SIDE * SIDE }, (_, i) => source.normal() + (i % CLASSES === label ? 1 : 0));
  return { label, values };
}

const data = (size: number) =>
  datasetOf({
    size,
    labels: async () => Float64Array.from({ length: size }, (_, i) => i % CLASSES),
    open: () => ({
      read(position) {
        const { label, values } = sample(position);
        const inputs = new Map([["x", tensorFromNumbers("float32", [3, SIDE, SIDE], values)]]);
        return { inputs, label, source: `${position}` };
      },
    }),
  });

function feedsFor(first: number, count: number): Feeds {
  const values = Array.from({ length: count }, (_, i) => sample(first + i).values).flat();
  return new Map([["x", tensorFromNumbers("float32", [count, 3, SIDE, SIDE], values)]]);
}

async function* calibration(): AsyncGenerator<Feeds> {
  yield feedsFor(0, 32);
  yield feedsFor(32, 32);
}

const quantizing = { open: openSession, calibration, threads: 1 } as const;

const SEEN = 400;

async function answers(of: Model): Promise<Float32Array> {
  await using session = await openSession(of, { threads: 1 });
  return floatsOf((await session.run(feedsFor(1000, SEEN))).get("y")!);
}

function classes(scores: Float32Array): number[] {
  return Array.from({ length: SEEN }, (_, i) => {
    const row = [...scores.subarray(i * CLASSES, (i + 1) * CLASSES)];
    return row.indexOf(Math.max(...row));
  });
}

/** Converted as trained: one answer in a thousand may differ, by one step of rounding. */
function expectAlike(one: Float32Array, other: Float32Array): void {
  const [a, b] = [classes(one), classes(other)];
  expect(a.filter((found, i) => found !== b[i]).length).toBeLessThanOrEqual(SEEN / 1000);
  const [difference, size] = [one.map((value, i) => value - other[i]!), one].map((list) => Math.hypot(...list));
  expect(difference! / size!).toBeLessThan(0.01);
}

const kinds = ({ graph }: Model) => graph.nodes.map(({ opType }) => opType);

const training: FitOptions = {
  data: data(96),
  epochs: 2,
  batch: 16,
  learningRate: 2e-3,
  loss: "crossEntropy",
  optimizer: adamw({ weightDecay: 0 }),
  clip: 1,
  seed: 2,
  session: { threads: 1 },
};

const settings: readonly (FakeQuantizeOptions & { readonly name: string })[] = [
  { name: "8 bits, a scale for each channel", ...quantizing },
  { name: "8 bits, a scale for each tensor", ...quantizing, perChannel: false },
  { name: "7 bits in weights", ...quantizing, weightBits: 7 },
  { name: "4 bits in weights", ...quantizing, weightBits: 4 },
  { name: "4 bits in weights and activations", ...quantizing, weightBits: 4, activationBits: 4, observer: "mse" },
  { name: "3 bits in weights", ...quantizing, weightBits: 3 },
  { name: "2 bits in weights and activations", ...quantizing, weightBits: 2, activationBits: 2, observer: "mse" },
];

describe.each(settings)("the fake form: $name", ({ name: _, ...options }) => {
  it("has the scales of the integers, computes what they do, and becomes their file", async () => {
    const fake = await fakeQuantize(network(), options);
    expect(verify(fake.model)).toEqual([]);
    const integer = await quantizeStatic(network(), options);
    const converted = fake.convert(fake.model);
    expect(kinds(converted.model)).toEqual(kinds(integer.model));
    const [floats, as, is] = [await answers(fake.model), await answers(converted.model), await answers(integer.model)];
    expectAlike(floats, as);
    expectAlike(as, is);
  });
});

describe.each(Object.keys(ranges) as RangeName[])("training with %s", (range) => {
  it.each(settings.filter(({ name }) => range === "lsq" || !name.includes("7")))(
    "$name: what was trained is what is converted",
    async ({ name: _, ...options }) => {
      const fake = await fakeQuantize(network(), options);
      const { result } = fit(fake.model, { ...training, algorithms: [quantizationAware({ range })] });
      const { model: trained } = await result;
      expect(kinds(trained)).toEqual(kinds(fake.model));
      const moved = (name: string) => numbersIn(trained, name).some((x, i) => x !== numbersIn(fake.model, name)[i]);
      expect(["stem_w", "depthwise_w", "scores_w", "hidden_b"].map(moved)).toEqual([true, true, true, true]);
      expect(moved("stem_w_scale")).toBe(true);
      const converted = fake.convert(trained).model;
      expect(verify(converted)).toEqual([]);
      expect(kinds(converted)).not.toContain("Relu");
      expectAlike(await answers(trained), await answers(converted));
    },
  );

  it("goes on bit for bit where it was interrupted", async () => {
    const { model: fake } = await fakeQuantize(network(), quantizing);
    const run = (folder: string, more: Partial<FitOptions> = {}) =>
      fit(fake, {
        ...training,
        checkpoint: { folder },
        algorithms: [quantizationAware({ range, delay: 0.25, freeze: 0.25 })],
        ...more,
      });
    const whole = await run(await newFolder()).result;
    const folder = await newFolder();
    const broken = run(folder);
    for await (const event of broken) if (event.type === "step" && event.step === 7) broken.cancel();
    await broken.result.catch(() => undefined);
    const resumed = await run(folder, { resume: true }).result;
    expect(bytesIn(resumed.model)).toEqual(bytesIn(whole.model));
  });
});

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "litheml-qat-"));
});
afterAll(() => rm(root, { recursive: true }));

const newFolder = () => mkdtemp(join(root, "run-"));

function numbersIn({ graph }: Model, name: string): ArrayLike<number> & number[] {
  const found = [...graph.initializers].find(([value]) => value.name === name)?.[1];
  expect([name, found !== undefined]).toEqual([name, true]);
  return found && !isSparse(found) ? [...numbersOf(found)] : [];
}

function bytesIn({ graph }: Model): Record<string, string> {
  return Object.fromEntries(
    [...graph.initializers].map(([{ name }, data]) => [
      name,
      isSparse(data) ? "" : Buffer.from(bytesOfTensor(data)).toString("hex"),
    ]),
  );
}

describe("a file of integers", () => {
  it("is not trained without a word: no step would move its weights", async () => {
    const { model: integers } = await quantizeStatic(network(), quantizing);
    const step = { loss: "crossEntropy", optimizer: "sgd" } as const;
    expect(() => trainingStep(integers, step)).toThrow(/weights of the model are integers.*fakeQuantize/s);
  });

  it("of something else is not what a fake form converts", async () => {
    const fake = await fakeQuantize(network(), quantizing);
    expect(() => fake.convert(network())).toThrow("not the fake form that was trained");
  });
});
