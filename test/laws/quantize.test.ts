/** @file What every observer, rounding and quantizer promises; each family's index is iterated over. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import {
  floatsOf,
  graphBuilder,
  int64s,
  type Model,
  model,
  opsetOf,
  scalar,
  tensor,
  verify,
} from "../../src/ir/index.ts";
import {
  alignChannels,
  equalize,
  type Form,
  fastestPlacement,
  limitsOf,
  nearest,
  type ObserverName,
  observers,
  type QuantizeOptions,
  quantize,
  quantizers,
  quantizeStatic,
  quantizeWeights,
  type RoundingName,
  roundings,
  sensitivity,
} from "../../src/quantize/index.ts";
import { parametersOf, quantizeValue } from "../../src/quantize/scheme.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { noise } from "../models.ts";

const SIDE = 12;

function filled(dims: readonly number[], seed: number, size = 0.5) {
  const values = noise(
    dims.reduce((a, b) => a * b, 1),
    seed,
  );
  return tensor(
    "float32",
    dims,
    values.map((value) => value * size),
  );
}

/** The same with the levels of a network that was trained to have two. */
function signed(dims: readonly number[], seed: number) {
  return tensor(
    "float32",
    dims,
    floatsOf(filled(dims, seed)).map((value) => (value < 0 ? -0.25 : 0.25)),
  );
}

/** Convolutions with Relu and Clip, a depthwise one, two branches joined by Concat and Add, pooling, a product with bias. */
function network(weights = filled): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 3, SIDE, SIDE]);
  const conv = (from: typeof x, name: string, dims: readonly number[], seed: number, attributes = {}) =>
    g.op(
      "Conv",
      [from, g.constant(`${name}_w`, weights(dims, seed)), g.constant(`${name}_b`, filled([dims[0]!], seed + 1))],
      { kernel_shape: dims.slice(2), ...attributes },
      { name },
    );
  const low = g.constant("low", scalar("float32", 0));
  const six = g.constant("six", scalar("float32", 6));
  const stem = g.op("Relu", [conv(x, "stem", [8, 3, 3, 3], 3, { pads: [1, 1, 1, 1] })], {}, { name: "stem_out" });
  const wide = g.op("Clip", [conv(stem, "expand", [24, 8, 1, 1], 5), low, six], {}, { name: "expand_out" });
  const deep = conv(wide, "depthwise", [24, 1, 3, 3], 7, { pads: [1, 1, 1, 1], group: 24 });
  const spread = g.op("Relu", [deep], {}, { name: "depthwise_out" });
  const narrow = conv(spread, "project", [8, 24, 1, 1], 9);
  const sum = g.op("Relu", [g.op("Add", [narrow, stem], {}, { name: "sum" })], {}, { name: "sum_out" });
  const joined = g.op("Concat", [sum, stem], { axis: 1 }, { name: "joined" });
  const pooled = g.op("MaxPool", [joined], { kernel_shape: [2, 2], strides: [2, 2] }, { name: "pooled" });
  const last = g.op("Relu", [conv(pooled, "last", [10, 16, 3, 3], 11)], {}, { name: "last_out" });
  const mean = g.op("GlobalAveragePool", [last], {}, { name: "mean" });
  const flat = g.op("Reshape", [mean, g.constant("shape", int64s([-1, 10]))], {}, { name: "flat" });
  const head = [g.constant("head_w", weights([32, 10], 13)), g.constant("head_b", filled([32], 14))];
  const hidden = g.op("Relu", [g.op("Gemm", [flat, ...head], { transB: 1 }, { name: "head" })], {}, { name: "hidden" });
  g.output(g.op("MatMul", [hidden, g.constant("scores_w", weights([32, 5], 15))], {}, { name: "scores" }), "y");
  return model(g.build());
}

function feeds(batch: number, seed: number): Feeds {
  return new Map([["x", filled([batch, 3, SIDE, SIDE], seed, 2)]]);
}

async function* calibration(): AsyncGenerator<Feeds> {
  for (let seed = 1; seed <= 4; seed++) yield feeds(4, seed);
}

async function outputOf(source: Model, config?: ReadonlyMap<string, string>): Promise<Float32Array> {
  await using session = await openSession(source, config ? { config } : {});
  return floatsOf((await session.run(feeds(8, 99))).get("y")!);
}

/** What a node reads as its second input, where that is stored. */
function weightOf({ graph }: Model, name: string) {
  const node = graph.nodes.find((each) => each.name === name);
  return node?.inputs[1] && graph.initializers.get(node.inputs[1]);
}

function relativeError(expected: Float32Array, actual: Float32Array): number {
  const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(expected.map((value, i) => value - actual[i]!)) / norm(expected);
}

const data = { open: openSession, calibration };
const options: Record<Form, QuantizeOptions & { readonly bound: number }> = {
  static: { form: "static", ...data, bound: 0.05 },
  dynamic: { form: "dynamic", bound: 0.05 },
  "weight-only": { form: "weight-only", bits: 8, convolutions: true, bound: 0.02 },
  float16: { form: "float16", bound: 0.005 },
  levels: { form: "levels", bound: 1e-6 },
};

describe.each(Object.keys(observers) as ObserverName[])("observer %s", (name) => {
  const values = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 50 });

  it("gives a range inside of what was seen, widened at most to zero", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const observer = observers[name]();
        observer.observe(a);
        observer.observe(b);
        const { min, max } = observer.range();
        expect(min).toBeLessThanOrEqual(max);
        expect(min).toBeGreaterThanOrEqual(Math.min(0, ...a, ...b));
        expect(max).toBeLessThanOrEqual(Math.max(0, ...a, ...b));
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it("leads to parameters with an exact zero, and errors within half a scale inside of the range", () => {
    fc.assert(
      fc.property(values, (list) => {
        const observer = observers[name]();
        observer.observe(list);
        const range = observer.range();
        const limits = limitsOf({ dtype: "uint8", symmetric: false });
        const { scale, zeroPoint } = parametersOf(range, limits, false);
        expect(Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255).toBe(true);
        for (const value of list) {
          if (value < range.min || value > range.max) continue;
          const back = (quantizeValue(value, { scale, zeroPoint }, limits) - zeroPoint) * scale;
          // The zero point is rounded too, so the ends of the range may lie half a step outside.
          expect(Math.abs(back - value)).toBeLessThanOrEqual(scale * 1.001);
        }
      }),
      { seed: 2, numRuns: 40 },
    );
  });

  it("is silent about what it has not seen", () => {
    expect(observers[name]().range()).toEqual({ min: 0, max: 0 });
  });

  it("works in static quantization", async () => {
    const { model: quantized } = await quantizeStatic(network(), { ...data, observer: name });
    expect(relativeError(await outputOf(network()), await outputOf(quantized))).toBeLessThan(0.2);
  });
});

it("min-max: two batches are as good as one", () => {
  const values = fc.array(fc.double({ noNaN: true }), { maxLength: 20 });
  fc.assert(
    fc.property(values, values, (a, b) => {
      const [split, whole] = [observers["min-max"](), observers["min-max"]()];
      split.observe(a);
      split.observe(b);
      whole.observe([...a, ...b]);
      expect(split.range()).toEqual(whole.range());
    }),
  );
});

describe.each(Object.keys(roundings) as RoundingName[])("rounding %s", (name) => {
  it("keeps within the limits, and is nearest where it knows nothing", () => {
    const limits = { low: -7, high: 7 };
    const problem = {
      weights: Float64Array.from(noise(12)),
      bias: new Float64Array(3),
      rows: 3,
      columns: 4,
      parameters: () => ({ scale: 0.1, zeroPoint: 0 }),
      limits,
    };
    const result = roundings[name]()(problem);
    expect(result).toEqual(nearest(problem));
    expect([...result.values].every((value) => value >= limits.low && value <= limits.high)).toBe(true);
  });

  it("works in static quantization, better than a bound", async () => {
    const { model: quantized } = await quantizeStatic(network(), { ...data, rounding: name });
    expect(relativeError(await outputOf(network()), await outputOf(quantized))).toBeLessThan(0.05);
  });
});

describe.each(Object.keys(quantizers) as Form[])("quantizer %s", (form) => {
  const { bound, ...chosen } = options[form];
  const subject = () => network(form === "levels" ? signed : filled);

  it("gives a valid model with the same signature that computes nearly the same", async () => {
    const source = subject();
    const { model: quantized, report } = await quantize(source, chosen);
    expect(verify(quantized)).toEqual([]);
    expect(opsetOf(quantized)).toBe(opsetOf(source));
    expect(quantized.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(quantized.graph.outputs.map(({ name }) => name)).toEqual(["y"]);
    expect(relativeError(await outputOf(source), await outputOf(quantized))).toBeLessThan(bound);
    expect(report.form).toBe(form);
    const reported = new Map(report.layers.map((layer) => [layer.node, layer]));
    for (const name of ["stem", "expand", "depthwise", "project", "last", "head", "scores"]) {
      expect(reported.get(name)?.quantized).toBe(true);
    }
  });

  it("leaves the model that it was given as it was", async () => {
    const source = subject();
    const before = await outputOf(source);
    await quantize(source, chosen);
    expect(await outputOf(source)).toEqual(before);
  });

  it("refuses a model that is quantized already, by name", async () => {
    const { bound: _, ...first } = options.static;
    const { model: once } = await quantize(subject(), first as QuantizeOptions);
    await expect(quantize(once, chosen)).rejects.toThrow(UnsupportedError);
    await expect(quantize(once, chosen)).rejects.toThrow(/quantized already/);
  });

  it("keeps what is excluded in floats, and says so", async () => {
    const { model, report } = await quantize(subject(), { ...chosen, exclude: ["sc*s"] } as QuantizeOptions);
    const entry = report.layers.find(({ node }) => node === "scores");
    expect(entry).toMatchObject({ quantized: false, reason: "excluded by name" });
    expect(weightOf(model, "scores")).toMatchObject({ dtype: "float32" });
  });

  it("keeps what is not included in floats, and says so", async () => {
    const { model, report } = await quantize(subject(), { ...chosen, include: ["scores"] } as QuantizeOptions);
    const kept = report.layers.filter(({ quantized }) => !quantized);
    expect(kept.map(({ node }) => node)).toContain("expand");
    expect(new Set(kept.map(({ reason }) => reason))).toEqual(new Set(["not among the nodes to quantize"]));
    expect(weightOf(model, "expand")).toMatchObject({ dtype: "float32" });
  });

  it("refuses a pattern that matches no node, and lists near names", async () => {
    for (const which of ["exclude", "include"]) {
      const run = quantize(subject(), { ...chosen, [which]: ["scores", "expnd"] } as QuantizeOptions);
      await expect(run).rejects.toThrow(UsageError);
      await expect(run).rejects.toMatchObject({
        got: '"expnd"',
        where: which,
        expected: expect.stringContaining('"expand"'),
      });
    }
  });
});

it("names the forms when one is asked for that does not exist", async () => {
  await expect(quantize(network(), { form: "analog" } as never)).rejects.toThrow(
    /static, dynamic, weight-only, float16/,
  );
});

describe("static", () => {
  it("names tensors as ONNX Runtime's loss debugger expects", async () => {
    const { model: quantized } = await quantizeStatic(network(), {
      ...data,
      alignChannels: false,
      exclude: ["scores"],
    });
    const names = new Set(
      quantized.graph.nodes.flatMap((node) => [...node.inputs, ...node.outputs].map((v) => v?.name)),
    );
    for (const name of [
      "x_scale",
      "x_zero_point",
      "x_QuantizeLinear_Output",
      "x_DequantizeLinear_Output",
      "expand_w_quantized",
      "expand_w_scale",
      "expand_w_zero_point",
      "expand_w_DequantizeLinear_Output",
      "expand_b_quantized",
      "stem_out_DequantizeLinear_Output",
    ]) {
      expect([...names]).toContain(name);
    }
  });

  it("runs on integer kernels, with the clamps gone", async () => {
    const { model: quantized } = await quantizeStatic(network(), { ...data });
    await using session = await openSession(quantized, { profile: true });
    await session.time(feeds(1, 1), 1);
    const types = new Set((await session.profile()).map(({ opType }) => opType));
    expect([...types]).toEqual(expect.arrayContaining(["QLinearConv", "QLinearAdd", "QLinearConcat", "QGemm"]));
    for (const clamp of ["Relu", "Clip", "Conv"]) expect([...types]).not.toContain(clamp);
  });

  it("shares scales where values are only moved", async () => {
    const { model: quantized } = await quantizeStatic(network(), { ...data });
    const scaleOf = (name: string): number => {
      const found = [...quantized.graph.initializers].find(([value]) => value.name === `${name}_scale`)!;
      return floatsOf(found[1] as Parameters<typeof floatsOf>[0])[0]!;
    };
    expect(scaleOf("pooled")).toBe(scaleOf("joined"));
    expect(scaleOf("sum_out")).toBe(scaleOf("joined"));
    expect(scaleOf("stem_out")).toBe(scaleOf("joined"));
  });

  it("does not share between a clamped value and another, since the range does the clamping", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 3, SIDE, SIDE]);
    const conv = (seed: number) => g.op("Conv", [x, g.constant("w", filled([4, 3, 1, 1], seed))]);
    const clip = (high: number) => [
      g.constant("low", scalar("float32", 0)),
      g.constant("high", scalar("float32", high)),
    ];
    const parts = [conv(1), g.op("Relu", [conv(2)]), g.op("Clip", [conv(3), ...clip(0.2)])];
    g.output(g.op("Conv", [g.op("Concat", parts, { axis: 1 }), g.constant("w", filled([4, 12, 1, 1], 4))]), "y");
    const source = model(g.build());
    const { model: quantized } = await quantizeStatic(source, { ...data });
    expect(relativeError(await outputOf(source), await outputOf(quantized))).toBeLessThan(0.02);
  });

  it("leaves no node whose output nothing reads", async () => {
    const { model: quantized } = await quantizeStatic(network(), { ...data });
    const read = new Set([...quantized.graph.nodes.flatMap(({ inputs }) => inputs), ...quantized.graph.outputs]);
    for (const node of quantized.graph.nodes) expect(node.outputs.some((output) => read.has(output))).toBe(true);
  });

  it("keeps the channels last behind a stem in floats, by a convolution that changes nothing", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 3, SIDE, SIDE]);
    const conv = (from: typeof x, inputs: number, seed: number, name: string) =>
      g.op("Conv", [from, g.constant("w", filled([8, inputs, 1, 1], seed))], {}, { name });
    const stem = g.op("Relu", [conv(x, 3, 1, "stem")], {}, { name: "stem_out" });
    const sum = g.op("Add", [conv(stem, 8, 2, "branch"), stem], {}, { name: "sum" });
    g.output(conv(g.op("Relu", [sum]), 8, 3, "last"), "y");
    const source = model(g.build());
    const { model: quantized } = await quantizeStatic(source, { ...data, exclude: ["stem"] });
    expect(relativeError(await outputOf(source), await outputOf(quantized))).toBeLessThan(0.02);
    await using session = await openSession(quantized, { profile: true });
    await session.time(feeds(1, 1), 1);
    const types = (await session.profile()).map(({ opType }) => opType);
    expect(types.filter((type) => type === "QLinearConv")).toHaveLength(3);
    // One on the way in, one on the way out.
    expect(types.filter((type) => type === "Transpose").length).toBeLessThanOrEqual(2);
  });

  it("keeps 7-bit weights within half the range", async () => {
    const { model: quantized } = await quantizeStatic(network(), { ...data, weightBits: 7, rounding: "second-order" });
    const weights = [...quantized.graph.initializers].filter(([{ name }]) => name.endsWith("_w_quantized"));
    expect(weights.length).toBeGreaterThan(3);
    for (const [, weight] of weights) {
      const bytes = new Int8Array((weight as { data: Uint8Array }).data);
      expect(bytes.every((value) => value >= -64 && value <= 64)).toBe(true);
    }
  });

  it("applies overrides to the layers that they name", async () => {
    const overrides = [{ nodes: ["last"], weightBits: 7, perChannel: false }] as const;
    const { report } = await quantizeStatic(network(), { ...data, overrides });
    const layers = new Map(report.layers.map((layer) => [layer.node, layer]));
    expect(layers.get("last")).toMatchObject({ bits: 7, granularity: "tensor" });
    expect(layers.get("stem")).toMatchObject({ bits: 8, granularity: "channel" });
  });

  it("asks for batches", async () => {
    const none = async function* (): AsyncGenerator<Feeds> {};
    await expect(quantizeStatic(network(), { ...data, calibration: none })).rejects.toThrow(/at least one batch/);
  });
});

describe("transformations before", () => {
  it("aligned channels compute the same", async () => {
    const source = network();
    const aligned = alignChannels(source, () => true);
    const width = [...aligned.graph.initializers].find(([{ name }]) => name === "depthwise_w")![1].dims[0];
    expect(width).toBe(32);
    expect(verify(aligned)).toEqual([]);
    expect(relativeError(await outputOf(source), await outputOf(aligned))).toBeLessThan(1e-6);
  });

  it("equalized channels compute the same", async () => {
    const source = network();
    const equal = equalize(source);
    expect(equal).not.toBe(source);
    expect(relativeError(await outputOf(source), await outputOf(equal))).toBeLessThan(1e-5);
  });
});

describe("weights in blocks", () => {
  it.each([8, 4, 2] as const)(
    "MatMulNBits of %d bits computes with the weights that dequantizing gives",
    async (bits) => {
      const g = graphBuilder();
      const x = g.input("x", "float32", ["batch", 3, SIDE, SIDE]);
      const flat = g.op("Reshape", [x, g.constant("shape", int64s([-1, 3 * SIDE * SIDE]))]);
      const w = g.constant("w", filled([3 * SIDE * SIDE, 6], 5));
      g.output(g.op("MatMul", [flat, w], {}, { name: "product" }), "y");
      const source = model(g.build());
      const rms = async (symmetric: boolean): Promise<number> => {
        const { model: packed } = await quantizeWeights(source, { bits, symmetric, accuracyLevel: 0 });
        return relativeError(await outputOf(source), await outputOf(packed));
      };
      // Uniform weights in blocks of about the same range: an error of step/√12 against an RMS of range/√12.
      const step = 1 / (2 ** bits - 1);
      expect(await rms(false)).toBeLessThan(step * 1.2);
      expect(await rms(false)).toBeGreaterThan(step * 0.5);
      expect(await rms(true)).toBeLessThan(step * 1.6);
    },
  );
});

it("sensitivity names every layer once, each with a divergence", async () => {
  for (const mode of ["one", "all-but-one"] as const) {
    const found = await sensitivity(network(), { ...data, mode });
    expect(found.map(({ node }) => node).sort()).toEqual(
      ["depthwise", "expand", "head", "last", "project", "scores", "stem"].sort(),
    );
    expect(found.every(({ divergence }) => divergence >= 0 && Number.isFinite(divergence))).toBe(true);
  }
});

it("the fastest placement costs no more than floats alone", async () => {
  const found = await fastestPlacement(network(), { ...data, sessions: 1, runs: 3 });
  expect(found.mixed).toBeLessThanOrEqual(found.float + 1e-6);
  const names = new Set(found.nodes.map(({ node }) => node));
  for (const node of found.exclude) expect([...names]).toContain(node);
});
