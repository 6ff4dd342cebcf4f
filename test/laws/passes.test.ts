/** @file Laws of every pass in the index: what it makes is valid, computes the same, keeps the signature, and is stable. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type DataType,
  dataTypes,
  formatType,
  type GraphBuilder,
  int64s,
  type Model,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  verify,
} from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { checked, type Evaluate, type Pass } from "../../src/rewrite/index.ts";
import { openSession, type Session } from "../../src/runtime/index.ts";
import { type EveryPassName, everyPass } from "../every-pass.ts";
import { describeShared, sharedPath } from "../shared.ts";
import { build, floats, graphs, numbers } from "./pass-graphs.ts";

const byReference: Evaluate = async (model, feeds) => evaluate(model, feeds, { precision: "declared" });
const names = Object.keys(everyPass) as EveryPassName[];

/** Largest difference over the largest magnitude that each promise allows, in single precision. */
const tolerance = { exact: 0, rounding: 1e-4, approximate: 2e-2 } as const;

function passNamed(name: EveryPassName): Pass {
  return checked(everyPass[name]({ evaluate: byReference }));
}

/** Inputs that a caller has to feed, and outputs, with their types. */
function signature({ graph }: Model): string[] {
  const describeValue = ({ name, type }: Value): string => `${name}: ${formatType(type)}`;
  const fed = graph.inputs.filter((value) => !graph.initializers.has(value));
  return [...fed.map(describeValue), "→", ...graph.outputs.map(describeValue)];
}

function feedsFor(model: Model, lengths: ReadonlyMap<string, readonly number[]> = new Map()): Map<string, Tensor> {
  const fed = model.graph.inputs.filter((value) => !model.graph.initializers.has(value));
  return new Map(
    fed.map(({ name, type }, i): [string, Tensor] => {
      if (type?.kind !== "tensor") throw new Error(`input "${name}" is no tensor`);
      const dims = lengths.get(name) ?? (type.dims ?? []).map((dim) => (typeof dim === "number" && dim > 0 ? dim : 1));
      return [name, tensorFromNumbers(type.dtype, dims, inputNumbers(type.dtype, sizeOf(dims), i, name))];
    }),
  );
}

function inputNumbers(dtype: DataType, count: number, seed: number, name: string): Float64Array {
  if (name === "sr") return new Float64Array(count).fill(16000);
  const unit = numbers(count, seed + 11);
  return dataTypes[dtype].kind === "float" ? unit : unit.map((x) => (x > 0 ? 1 : 0));
}

/** Largest difference relative to the largest magnitude; infinite when dims, dtypes or NaNs differ. */
function distance(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number {
  let worst = 0;
  for (const [name, expected] of a) {
    const got = b.get(name);
    if (!got || got.dtype !== expected.dtype || got.dims.join() !== expected.dims.join())
      return Number.POSITIVE_INFINITY;
    const [x, y] = [numbersOf(expected), numbersOf(got)];
    const scale = x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
    for (const [i, value] of x.entries()) {
      if (Object.is(value, y[i]!)) continue;
      const difference = Math.abs(value - y[i]!);
      worst = Math.max(
        worst,
        Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(difference / scale, 1e-300),
      );
    }
  }
  return worst;
}

describe.each(names)("%s", (name) => {
  it.each(Object.entries(graphs))("keeps its promises on: %s", async (_, make) => {
    const model = make();
    expect(verify(model)).toEqual([]);
    const pass = passNamed(name);
    const { model: after, notes = [] } = await pass.run(model);
    expect(verify(after)).toEqual([]);
    expect(signature(after)).toEqual(signature(model));
    expect(pass.name).toBe(name);
    if (after === model) expect(notes.filter(({ kind }) => kind === "applied")).toEqual([]);
    const feeds = feedsFor(model);
    const wide = pass.exactness === "exact" ? "float64" : "declared";
    const distanceNow = distance(
      evaluate(model, feeds, { precision: wide }),
      evaluate(after, feeds, { precision: wide }),
    );
    expect(distanceNow).toBeLessThanOrEqual(tolerance[pass.exactness]);
    expect((await pass.run(after)).model).toBe(after);
  });

  it("changes some graph of the collection", async () => {
    const changed = await Promise.all(
      Object.values(graphs).map(async (make) => {
        const model = make();
        return (await passNamed(name).run(model)).model !== model;
      }),
    );
    expect(changed).toContain(true);
  });
});

const exactOnRuntime = { exact: 0, rounding: 2e-4, approximate: 5e-2 } as const;

interface Real {
  readonly file: string;
  /** Dims of inputs whose declared ones do not say enough. */
  readonly dims?: ReadonlyMap<string, readonly number[]>;
  /** Passes whose promise the runtime does not keep here, with the tolerance that holds and why. */
  readonly except?: Partial<Record<EveryPassName, readonly [tolerance: number, why: string]>>;
}

const halfNetwork = [1e-3, "the runtime puts its own casts elsewhere in a float16 network"] as const;

const quantizedNetwork = [0.2, "a rounding at a quantizer's border moves a whole step, layer after layer"] as const;

const models: readonly Real[] = [
  { file: "bert-toy.onnx" },
  { file: "cifar10-resnet20.onnx" },
  { file: "cifar10-resnet8-nhwc.onnx" },
  { file: "mcunet-320kb.onnx" },
  { file: "mnist-8.onnx" },
  { file: "mnist-cnn.onnx" },
  {
    file: "mobilenetv2-qdq-int8.onnx",
    except: { "convert-float16": quantizedNetwork },
  },
  { file: "shufflenet-v2-int8.onnx", except: { "convert-float16": quantizedNetwork } },
  {
    file: "silero-vad.onnx",
    dims: new Map([
      ["input", [1, 512]],
      ["state", [2, 1, 128]],
    ]),
  },
  {
    file: "squeezenet1.0-fp16.onnx",
    except: { "upgrade-opset": halfNetwork, "eliminate-dropout": halfNetwork, cleanup: halfNetwork },
  },
  { file: "squeezenet1.1.onnx" },
  { file: "style-candy.onnx" },
  { file: "super-resolution.onnx" },
  {
    file: "yolox-nano.onnx",
    except: { "convert-float16": [1, "noise drives its activations into cancellation; pictures do not"] },
  },
];

describeShared("passes on real models", () => {
  it.each(models)("$file", async ({ file, dims, except = {} }) => {
    const model = decodeModel(new Uint8Array(readFileSync(sharedPath(`models/${file}`))));
    const feeds = feedsFor(model, dims);
    const before = await ran(model, feeds);
    for (const name of names) {
      const pass = passNamed(name);
      const { model: after } = await pass.run(model);
      if (after === model) continue;
      expect(signature(after), name).toEqual(signature(model));
      expect((await pass.run(after)).model === after, `${name} again`).toBe(true);
      const bound = except[name]?.[0] ?? exactOnRuntime[pass.exactness];
      expect(distance(before, await ran(after, feeds)), name).toBeLessThanOrEqual(bound);
    }
  });
});

/** Without the runtime's own rewriting, so that what a pass did is what runs. */
async function ran(model: Model, feeds: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>> {
  const session: Session = await openSession(model, { optimization: "disabled" });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

type Step = (g: GraphBuilder, x: Value, seed: number) => Value;

/** Steps over [2, 4, 6, 6]; each keeps these dims. */
const steps: Record<string, Step> = {
  relu: (g, x) => g.op("Relu", [x]),
  identity: (g, x) => g.op("Identity", [x]),
  sigmoidTwice: (g, x) => g.op("Mul", [g.op("Sigmoid", [x]), g.op("Sigmoid", [x])]),
  timesOne: (g, x) => g.op("Mul", [x, g.constant("one", tensorFromNumbers("float32", [1], [1]))]),
  shift: (g, x, seed) => g.op("Add", [x, g.constant("shift", floats([4, 1, 1], seed))]),
  computedShift: (g, x, seed) => g.op("Sub", [x, g.op("Neg", [g.constant("shift", floats([1, 4, 1, 1], seed))])]),
  conv: (g, x, seed) => g.op("Conv", [x, g.constant("w", floats([4, 4, 3, 3], seed))], { pads: [1, 1, 1, 1] }),
  padConv: (g, x, seed) => {
    const pads = g.constant("pads", int64s([0, 0, 1, 1, 0, 0, 1, 1]));
    return g.op("Conv", [g.op("Pad", [x, pads]), g.constant("w", floats([4, 2, 3, 3], seed))], { group: 2 });
  },
  norm: (g, x, seed) => {
    const [scale, bias, mean] = [1, 2, 3].map((i) => g.constant("p", floats([4], seed + i)));
    const variance = tensorFromNumbers("float32", [4], [0.5, 1, 1.5, 2]);
    return g.op("BatchNormalization", [x, scale, bias, mean, g.constant("variance", variance)]);
  },
  transposeThereAndBack: (g, x) =>
    g.op("Transpose", [g.op("Transpose", [x], { perm: [0, 2, 3, 1] })], { perm: [0, 3, 1, 2] }),
  transposeOnce: (g, x) => g.op("Transpose", [x], { perm: [0, 1, 3, 2] }),
  reshapeThereAndBack: (g, x) => {
    const flat = g.op("Reshape", [x, g.constant("flat", int64s([2, -1]))]);
    return g.op("Reshape", [flat, g.constant("back", int64s([2, 4, 6, 6]))]);
  },
  shapeOfItself: (g, x) => g.op("Reshape", [g.op("Flatten", [x]), g.op("Shape", [x])]),
  unreadBranch: (g, x) => {
    g.op("Exp", [x]);
    return g.op("Neg", [x]);
  },
};

function randomModel(plan: readonly (readonly [string, number])[], alsoReturned: number): Model {
  return build((g) => {
    let x = g.input("x", "float32", [2, 4, 6, 6]);
    for (const [i, [step, seed]] of plan.entries()) {
      x = steps[step]!(g, x, seed);
      if (i === alsoReturned) g.output(x, "middle");
    }
    g.output(g.op("Tanh", [x]), "y");
  });
}

describe("cleanup of random graphs", () => {
  it("computes the same and is stable", async () => {
    const plan = fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.integer({ min: 1, max: 50 })), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(plan, fc.nat(7), async (chosen, alsoReturned) => {
        const model = randomModel(chosen, alsoReturned);
        const pass = passNamed("cleanup");
        const { model: after } = await pass.run(model);
        const feeds = feedsFor(model);
        expect(distance(evaluate(model, feeds), evaluate(after, feeds))).toBeLessThanOrEqual(tolerance.rounding);
        expect((await pass.run(after)).model).toBe(after);
      }),
      { numRuns: 60, seed: 20 },
    );
  });
});
