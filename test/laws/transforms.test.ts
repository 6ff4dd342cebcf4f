/** @file Every transform before quantization leaves the function of a model, and makes weights or activations easier to round. */
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../../src/errors.ts";
import { floatsOf, graphBuilder, type Model, model, type Tensor, tensor, verify } from "../../src/ir/index.ts";
import { cleanup } from "../../src/passes/index.ts";
import {
  quantizeStatic,
  quantizeWeights,
  separateOutliers,
  type Transformed,
  type TransformName,
  transforms,
} from "../../src/quantize/index.ts";
import { rewritesOf } from "../../src/quantize/transforms/rewrites.ts";
import { applyScales, scaledInputs } from "../../src/quantize/transforms/scaled-inputs.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { noise } from "../models.ts";
import { sampleOf, smallNetworks } from "../small-networks.ts";

type Name = "gpt" | "vit";

const feedsOf = (name: Name, seed: number): Feeds =>
  new Map([[smallNetworks[name].input, sampleOf(smallNetworks[name], seed)]]);

function observed(name: Name) {
  return {
    open: openSession,
    async *calibration() {
      for (const seed of [1, 2, 3]) yield feedsOf(name, seed);
    },
  };
}

async function cleaned(name: Name): Promise<Model> {
  const evaluated = async (each: Model, feeds: Feeds) => evaluate(each, feeds);
  return (await cleanup({ evaluate: evaluated }).run(smallNetworks[name].make(1))).model;
}

const made: Readonly<
  Record<TransformName | "outliers", (model: Model, name: Name) => Transformed | Promise<Transformed>>
> = {
  smoothquant: (model, name) => transforms.smoothquant(model, observed(name)),
  awq: (model, name) => transforms.awq(model, { ...observed(name), bits: 3, size: 16 }),
  hadamard: (model) => transforms.hadamard(model),
  outliers: (model) => separateOutliers(model, { share: 0.05 }),
};

function outputOf(model: Model, name: Name): Float64Array {
  const [output] = evaluate(model, feedsOf(name, 9)).values();
  return Float64Array.from(floatsOf(output as Tensor));
}

function relative(a: Float64Array, b: Float64Array): number {
  const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i]!)) / norm(a);
}

it("every transform of the index has its case", () => {
  expect(Object.keys(made).filter((name) => name !== "outliers")).toEqual(Object.keys(transforms));
});

describe.each(Object.keys(made) as (keyof typeof made)[])("the transform %s", (name) => {
  it.each((["gpt", "vit"] as const).filter((network) => name !== "hadamard" || network === "gpt"))(
    "leaves the function of %s, and changes weights",
    async (network) => {
      const before = await cleaned(network);
      const { model, notes } = await made[name](before, network);
      expect(verify(model)).toEqual([]);
      expect(notes.some(({ done }) => done)).toBe(true);
      expect(model.graph.initializers).not.toEqual(before.graph.initializers);
      expect(relative(outputOf(before, network), outputOf(model, network))).toBeLessThan(1e-5);
    },
  );

  it("is followed by quantization that runs", async () => {
    const before = await cleaned("gpt");
    const { model } = await made[name](before, "gpt");
    const { model: stored } = await quantizeWeights(model, { bits: 8, blockSize: 16 });
    await using session = await openSession(stored);
    const [output] = (await session.run(feedsOf("gpt", 9))).values();
    expect(relative(outputOf(before, "gpt"), Float64Array.from(floatsOf(output!)))).toBeLessThan(0.05);
  });
});

it("a rotation is refused where the stream is read by more than matrices, with the node", async () => {
  const before = await cleaned("vit");
  expect(() => transforms.hadamard(before)).toThrow(UnsupportedError);
  expect(() => transforms.hadamard(before)).toThrow(/ReduceMean reads it; at "reducemean"/);
});

describe("where one channel is a hundred times larger than the others, and its weights as much smaller", () => {
  async function spiked(network: Name): Promise<Model> {
    const model = await cleaned(network);
    const rewrites = rewritesOf(model);
    for (const input of scaledInputs(model, {}).inputs) {
      if (typeof input.home === "string") continue;
      const scales = new Float64Array(input.layers[0]!.columns).fill(1);
      scales[3] = 0.01;
      applyScales(rewrites, input, scales);
    }
    return rewrites.written();
  }

  it.each([
    ["smoothquant", "gpt"],
    ["hadamard", "gpt"],
  ] as const)("%s makes static int8 of %s better", async (name, network) => {
    const before = await spiked(network);
    const { model: changed } = await made[name](before, network);
    const errorOf = async (source: Model) => {
      const { model: quantized } = await quantizeStatic(source, observed(network));
      return relative(outputOf(before, network), outputOf(quantized, network));
    };
    expect(await errorOf(changed)).toBeLessThan(0.5 * (await errorOf(before)));
  });
});

it("awq makes weights of 3 bits better where few inputs are large, folded into the norm before or with a Mul", async () => {
  const width = 64;
  for (const isFolded of [true, false]) {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", width]);
    const scales = new Float32Array(width).fill(1);
    for (const i of [3, 20, 50]) scales[i] = 20;
    const constants = [g.constant("scale", tensor("float32", [width], scales)), g.constant("bias", filled([width], 2))];
    const norm = g.op("LayerNormalization", [x, ...constants], {}, { name: "norm" });
    const read = isFolded ? norm : g.op("Tanh", [norm]);
    g.output(g.op("MatMul", [read, g.constant("w", filled([width, 32], 3))], {}, { name: "product" }), "y");
    const before = { ...model(g.build()), opsets: new Map([["", 21]]) };
    const feeds = (seed: number): Feeds => new Map([["x", filled([8, width], seed)]]);
    const calibration = async function* () {
      for (const seed of [4, 5, 6]) yield feeds(seed);
    };
    const layout = { bits: 3, symmetric: false } as const;
    const { model: after } = await transforms.awq(before, { open: openSession, calibration, ...layout, size: 16 });
    expect(after.graph.nodes.some(({ opType }) => opType === "Mul")).toBe(!isFolded);
    const answer = (of: Model) => Float64Array.from(floatsOf(evaluate(of, feeds(7)).get("y") as Tensor));
    const errorOf = async (of: Model) => {
      const { model: stored } = await quantizeWeights(of, { ...layout, blockSize: 16 });
      return relative(answer(before), answer(stored));
    };
    const [plain, found] = [await errorOf(before), await errorOf(after)];
    expect(found).toBeLessThan((isFolded ? 0.7 : 1) * plain);
  }
});

function filled(dims: readonly number[], seed: number): Tensor {
  return tensor(
    "float32",
    dims,
    noise(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
}
