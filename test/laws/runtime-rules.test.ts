/** @file Every rule of the runtime: what goes wrong without it, and that a session prevents it. */
import { availableParallelism } from "node:os";
import { Tensor as OrtTensor } from "onnxruntime-common";
import { describe, expect, it } from "vitest";
import { CancelledError, DataError, UnsupportedError, UsageError } from "../../src/errors.ts";
import {
  type DataType,
  dataTypes,
  float,
  floatsOf,
  graphAttribute,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  scalar,
  sizeOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
} from "../../src/ir/index.ts";
import { serve } from "../../src/runtime/host.ts";
import { applyRules, cpuSaturates, type Feeds, openSession, type RuleName, rules } from "../../src/runtime/index.ts";
import { resolveOptions } from "../../src/runtime/options.ts";
import { loadSpec } from "../../src/runtime/prepare.ts";
import type { Channel, Reply } from "../../src/runtime/protocol.ts";
import { openRemote } from "../../src/runtime/remote-session.ts";
import { denseFeeds, denseModel, loopFeeds, loopModel, noise } from "../models.ts";
import { rawFeeds, rawProcess, rawRun, rawSession } from "../raw-runtime.ts";
import { swiftshader } from "../swiftshader.ts";

function feed(name: string, value: Tensor): Feeds {
  return new Map([[name, value]]);
}

async function ours(built: Model, feeds: Feeds, options = {}): Promise<number[]> {
  await using session = await openSession(built, options);
  const [first] = (await session.run(feeds)).values();
  return [...numbersOf(first!)];
}

/** Sessions in a process of their own find the software adapter through the environment. */
async function onGpu(built: Model, feeds: Feeds): Promise<number[]> {
  Object.assign(process.env, swiftshader);
  return ours(built, feeds, { ep: "webgpu", isolate: "process" });
}

function rawGpu(built: Model, body: string): { status: number | null; output: string } {
  return rawProcess(built, body, swiftshader);
}

function farthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

/** One new position of two heads of eight over three past ones; gives the present keys and values or does not. */
function pastModel(opType: "MultiHeadAttention" | "GroupQueryAttention"): (isKept: boolean) => Model {
  return (isKept) => {
    const g = graphBuilder();
    const rows = ["q", "k", "v"].map((name) => g.input(name, "float32", [1, 1, 16]));
    const past = ["past_key", "past_value"].map((name) => g.input(name, "float32", [1, 2, 3, 8]));
    const lengths = [g.constant("before", tensor("int32", [1], [3])), g.constant("total", tensor("int32", [1], [4]))];
    const inputs = {
      MultiHeadAttention: [...rows, undefined, undefined, undefined, ...past],
      GroupQueryAttention: [...rows, ...past, ...lengths],
    }[opType];
    const heads = { num_heads: 2, ...(opType === "GroupQueryAttention" && { kv_num_heads: 2 }) };
    const [y, ...present] = g.unchecked(`com.microsoft::${opType}`, inputs, isKept ? 3 : 1, heads);
    g.output({ ...y, type: tensorType("float32", [1, 1, 16]) }, "y");
    for (const value of present) g.output({ ...value, type: tensorType("float32", [1, 2, 4, 8]) });
    return model(g.build(), { opsets: new Map([["", 21]]).set("com.microsoft", 1) });
  };
}

const pastFeeds = (seed: number): Feeds =>
  new Map(
    Object.entries({
      q: [1, 1, 16],
      k: [1, 1, 16],
      v: [1, 1, 16],
      past_key: [1, 2, 3, 8],
      past_value: [1, 2, 3, 8],
    }).map(([name, dims], i): [string, Tensor] => [name, tensor("float32", dims, noise(sizeOf(dims), i + seed))]),
  );

const ROWS = 8;
const UPDATES = 2_000_000;

/** y = x with ones added at repeating positions. */
function scatterModel(opType: "ScatterND" | "ScatterElements"): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [ROWS, 1]);
  const positions = BigInt64Array.from({ length: UPDATES }, (_, i) => BigInt(i % ROWS));
  const indices = g.constant("indices", tensor("int64", [UPDATES, 1], positions));
  const ones = g.constant("ones", tensor("float32", [UPDATES, 1], new Float32Array(UPDATES).fill(1)));
  g.output(g.op(opType, [x, indices, ones], { reduction: "add" }), "y");
  return model(g.build());
}

const scatterFeeds = feed("x", tensor("float32", [ROWS, 1], new Float32Array(ROWS)));
const scattered = new Array<number>(ROWS).fill(UPDATES / ROWS);

/** Whether one of many runs of the bare runtime on two threads loses an update. */
async function losesUpdates(built: Model): Promise<boolean> {
  const session = await rawSession(built, { intraOpNumThreads: 2 });
  let lost = false;
  for (let i = 0; i < 300 && !lost; i++) {
    const { y } = await session.run(rawFeeds(scatterFeeds));
    lost = (y!.data as Float32Array).some((value, row) => value !== scattered[row]);
  }
  await session.release();
  return lost;
}

/** The updated weight feeds a second consumer, which must still see the old one. */
function updateModel(): Model {
  const g = graphBuilder();
  const w = g.input("w", "float32", [1000]);
  const updated = g.op("Add", [w, g.constant("step", scalar("float32", 1))], {}, { name: "w_new" });
  g.output(updated);
  g.output(g.op("ReduceSum", [g.op("Mul", [w, updated])], { keepdims: 0 }), "sum");
  return model(g.build());
}

/** A branch that reads a value turned behind its quantization. */
function movedCaptureModel(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 4]);
  const scheme = [g.constant("scale", scalar("float32", 1)), g.constant("zero", scalar("uint8", 0))];
  const rounded = g.op("DequantizeLinear", [g.op("QuantizeLinear", [x, ...scheme]), ...scheme]);
  const turned = g.op("Transpose", [rounded], { perm: [1, 0] });
  const [then, other] = [g.subgraph(), g.subgraph()];
  then.output(then.op("Neg", [turned]));
  other.output(other.op("Abs", [turned]));
  const branches = {
    then_branch: graphAttribute(then.build("then")),
    else_branch: graphAttribute(other.build("else")),
  };
  g.output(g.op("If", [g.input("go", "bool", [])], branches), "y");
  return model(g.build());
}

function dropoutModel(): Model {
  const g = graphBuilder();
  const inputs = [
    g.op("Neg", [g.input("x", "float32", [1000])]),
    g.constant("ratio", scalar("float32", 0.5)),
    g.constant("training", scalar("bool", 1)),
  ];
  g.output(g.op("Neg", [g.op("Dropout", inputs, { seed: 7 })]), "y");
  return model(g.build());
}

/** x · dequantize(int8 weights). */
function weightOnlyModel(size = 256): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [4, size]);
  const q = g.constant(
    "q",
    tensorFromNumbers(
      "int8",
      [size, size],
      noise(size * size).map((value) => value * 127),
    ),
  );
  const w = g.op("DequantizeLinear", [q, g.constant("scale", scalar("float32", 0.01))]);
  g.output(g.op("MatMul", [x, w]), "y");
  return model(g.build());
}

/** The exact product in float64. */
function weightOnlyResult(x: Float32Array, size = 256): number[] {
  const q = numbersOf(
    tensorFromNumbers(
      "int8",
      [size, size],
      noise(size * size).map((value) => value * 127),
    ),
  );
  const y = new Array<number>(4 * size).fill(0);
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < size; k++) y[i * size + j]! += x[i * size + k]! * q[k * size + j]! * Math.fround(0.01);
    }
  }
  return y;
}

function plantedModel(): Model {
  const g = graphBuilder();
  const a = g.input("a", "uint8", [8, 64]);
  const w = g.constant("w", tensorFromNumbers("int8", [64, 64], new Float32Array(64 * 64).fill(127)));
  g.output(g.op("MatMulInteger", [a, w]), "y");
  return model(g.build());
}

/** Two quantized convolutions whose weights share one zero point. */
function sharedZeroPointModel(): Model {
  const g = graphBuilder();
  const scale = g.constant("scale", scalar("float32", 0.02));
  const middle = g.constant("middle", tensorFromNumbers("uint8", [], [128]));
  const zero = g.constant("zero", tensorFromNumbers("int8", [], [0]));
  const quantized = (x: Value): Value =>
    g.op("DequantizeLinear", [g.op("QuantizeLinear", [x, scale, middle]), scale, middle]);
  let x = quantized(g.input("x", "float32", [1, 4, 4, 4]));
  for (const seed of [1, 2]) {
    const values = noise(16, seed).map((value) => value * 127);
    const weight = g.constant("weight", tensorFromNumbers("int8", [4, 4, 1, 1], values));
    x = quantized(g.op("Conv", [x, g.op("DequantizeLinear", [weight, scale, zero])]));
  }
  g.output(x, "y");
  return model(g.build());
}

function castModel(dtype: DataType, side: "input" | "output"): Model {
  const g = graphBuilder();
  const from = g.input("x", side === "input" ? dtype : "float32", [4]);
  const code = { int4: 22, bfloat16: 16, float32: 1 }[dtype as "int4"];
  const to = side === "input" ? 1 : code;
  const value = g.op("Cast", [from], { to });
  g.output({ ...value, type: { kind: "tensor", dtype: side === "input" ? "float32" : dtype, dims: [4] } }, undefined);
  const graph = g.build();
  const [node] = graph.nodes;
  return model({ ...graph, nodes: [{ ...node!, outputs: [graph.outputs[0]] }] });
}

/** Absolute values of what is rounded to tenths; the mask of signs has the dims of the integers. */
function absoluteModel(dtype: DataType, between?: "Reshape"): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["n"]);
  const parameters = [
    g.constant("scale", scalar("float32", 0.1)),
    g.constant("zero", tensorFromNumbers(dtype, [], [0])),
  ];
  const rounded = g.op("QuantizeLinear", [x, ...parameters]);
  const q = between ? g.op(between, [rounded, g.constant("dims", tensor("int64", [1], [-1]))]) : rounded;
  const real = g.op("DequantizeLinear", [q, ...parameters]);
  const isPositive = g.op("Greater", [real, g.constant("none", scalar("float32", 0))]);
  g.output(g.op("Where", [isPositive, real, g.op("Neg", [real])]), "y");
  return model(g.build());
}

/** A convolution; with 6 input channels the default WebGPU layout computes it wrong. */
function convModel(channels = 6): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, channels, 8, 8]);
  const w = g.constant("w", tensor("float32", [4, channels, 3, 3], noise(4 * channels * 9)));
  g.output(g.op("Conv", [x, w], { pads: [1, 1, 1, 1] }), "y");
  return model(g.build());
}

const convFeeds = feed("x", tensor("float32", [1, 6, 8, 8], noise(6 * 64, 3)));

function poolModel(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 2, 4, 4]);
  const [y, indices] = g.ops("MaxPool", [x], 2, { kernel_shape: [2, 2], strides: [2, 2] });
  g.output(y, "y");
  g.output(indices, "indices");
  return model(g.build());
}

const poolFeeds = feed("x", tensor("float32", [1, 2, 4, 4], noise(32, 4)));

const gpuRun = (options: string, fill: string) => `
  const s = await ort.InferenceSession.create(bytes, { executionProviders: [{ name: "webgpu" ${options} }], logSeverityLevel: 4 });
  const r = await s.run({ x: new ort.Tensor("float32", Float32Array.from(${fill}), s.inputMetadata[0].shape) });`;

function countTicks(onTick: (ticks: number) => void = () => undefined): { stop(): number } {
  let ticks = 0;
  const timer = setInterval(() => onTick(++ticks), 1);
  return {
    stop() {
      clearInterval(timer);
      return ticks;
    },
  };
}

/** A channel to a runtime that only notes which of its sessions live. */
function channelOver(living: Set<object>): Channel {
  let onReply: (reply: Reply) => void = () => undefined;
  const load = async () => {
    const session = {
      inputMetadata: [],
      outputMetadata: [],
      run: async () => ({}),
      endProfiling: () => undefined,
      release: async () => void living.delete(session),
    };
    living.add(session);
    return session;
  };
  const answer = serve(
    async () => ({ Tensor: OrtTensor, load }),
    (reply) => onReply(reply),
  );
  return {
    post: (request) => void answer(request),
    listen(listener) {
      onReply = listener;
    },
    busy: () => undefined,
    close: async () => undefined,
  };
}

const cases = {
  "external-data": async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1]);
    const data = { location: "package.json", offset: 0, length: 4 };
    g.output(g.op("Add", [x, g.constant("secret", { dtype: "float32", dims: [1], data })]), "y");
    const built = model(g.build());
    const [leak] = await rawRun(built, feed("x", tensor("float32", [1], [0])), { graphOptimizationLevel: "disabled" });
    expect(new Uint8Array(Float32Array.of(leak!).buffer)[0]).toBe("{".charCodeAt(0));
    await expect(openSession(built)).rejects.toThrow(UnsupportedError);
  },
  "scatter-race": async () => {
    const racy = scatterModel("ScatterND");
    await expect(openSession(racy, { threads: 2 })).rejects.toThrow(/races/);
    if (availableParallelism() > 1) expect(await losesUpdates(racy)).toBe(true);
    expect(await ours(racy, scatterFeeds)).toEqual(scattered);
    expect(await ours(scatterModel("ScatterElements"), scatterFeeds, { threads: 2 })).toEqual(scattered);
  },
  "no-alias": async () => {
    const w = new Float32Array(1000).fill(1);
    const session = await rawSession(updateModel());
    const { w: shared } = rawFeeds(feed("w", tensor("float32", [1000], w)));
    const aliased = await session.run({ w: shared! }, { w_new: shared!, sum: null });
    await session.release();
    expect(aliased.sum!.data[0]).not.toBe(2000);
    await using safe = await openSession(updateModel());
    const feeds = feed("w", tensor("float32", [1000], new Float32Array(1000).fill(1)));
    const results = await safe.run(feeds);
    expect(floatsOf(results.get("sum")!)[0]).toBe(2000);
    expect(floatsOf(feeds.get("w")!)[0]).toBe(1);
  },
  "webgpu-layout": async () => {
    const right = await ours(convModel(), convFeeds);
    const list = JSON.stringify([...floatsOf(convFeeds.get("x")!)]);
    const { output } = rawGpu(convModel(), `${gpuRun("", list)} console.log(JSON.stringify([...r.y.data]));`);
    expect(farthest(JSON.parse(output) as number[], right)).toBeGreaterThan(0.1);
    expect(farthest(await onGpu(convModel(), convFeeds), right)).toBeLessThan(1e-4);
    const stock = { ep: "webgpu", isolate: "process", stock: true } as const;
    await expect(openSession(convModel(), stock)).rejects.toThrow(UnsupportedError);
    const feeds = feed("x", tensor("float32", [1, 8, 8, 8], noise(8 * 64, 3)));
    expect(farthest(await ours(convModel(8), feeds, stock), await ours(convModel(8), feeds))).toBeLessThan(1e-4);
  },
  "training-dropout": async () => {
    const feeds = feed("x", tensor("float32", [1000], new Float32Array(1000).fill(1)));
    expect(new Set(await rawRun(dropoutModel(), feeds))).toEqual(new Set([1]));
    expect(new Set(await ours(dropoutModel(), feeds))).toEqual(new Set([0, 2]));
  },
  "moved-captures": async () => {
    const body = "await ort.InferenceSession.create(bytes);";
    expect(rawProcess(movedCaptureModel(), body).status).not.toBe(0);
    const feeds = new Map([
      ["x", tensor("float32", [1, 4], Float32Array.of(0.6, 2, 3.2, 4))],
      ["go", tensorFromNumbers("bool", [], [1])],
    ]);
    for (const stock of [false, true])
      expect(await ours(movedCaptureModel(), feeds, { stock })).toEqual([-1, -2, -3, -4]);
  },
  "unkept-past": async () => {
    for (const built of [pastModel("MultiHeadAttention"), pastModel("GroupQueryAttention")]) {
      const misses: boolean[] = [];
      for (const seed of [1, 50]) {
        const feeds = pastFeeds(seed);
        const bare = await rawRun(built(false), feeds);
        const kept = await rawRun(built(true), feeds);
        // What stands where the past should be may be anything, the right numbers of an earlier run and NaN included.
        misses.push(!(farthest(bare, kept) < 0.1));
        expect(farthest(await ours(built(false), feeds), kept)).toBeLessThan(1e-6);
      }
      expect(misses).toContain(true);
    }
  },
  "training-statistics": async () => {
    const x = tensor("float32", [4, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    const statistics = () =>
      new Map([
        ["mean", tensor("float32", [2], new Float32Array(2))],
        ["variance", tensor("float32", [2], new Float32Array(2).fill(1))],
      ]);
    for (const stored of [false, true]) {
      const built = statisticsModel(stored);
      const feeds = (): Feeds => new Map([["x", x], ...(stored ? [] : statistics())]);
      const raw = await rawSession(built);
      const fed = rawFeeds(feeds());
      const means: number[][] = [];
      for (let i = 0; i < 2; i++) means.push([...((await raw.run(fed)).before!.data as Float32Array)]);
      await raw.release();
      expect(means).toEqual([
        [2, 2.5],
        [3, 3.75],
      ]);
      await using session = await openSession(built);
      const held = await session.hold!(feeds());
      for (let i = 0; i < 2; i++) {
        const results = await held.run();
        expect([...floatsOf(results.get("before")!)]).toEqual([0, 0]);
        expect([...floatsOf(results.get("after")!)]).toEqual([2, 2.5]);
      }
    }
  },
  "hidden-quantization": async () => {
    const numbers = Float32Array.from({ length: 32 }, (_, i) => (i % 16 === 0 ? 0 : Math.cos(i)));
    const feeds = feed("x", tensor("float32", [1, 2, 4, 4], numbers));
    const exact = await rawRun(betweenModel(), feeds, { graphOptimizationLevel: "disabled" });
    expect(farthest(await rawRun(betweenModel(), feeds), exact)).toBeGreaterThan(0.02);
    await using told = await openSession(betweenModel());
    expect(told.notices).toEqual([expect.stringMatching(/rounds the float weights of .*Conv.* to int8/)]);
    const config = new Map([["optimization.disable_specified_optimizers", "WeightBiasQuantization"]]);
    await using kept = await openSession(betweenModel(), { config });
    expect(kept.notices).toEqual([]);
    expect(farthest([...numbersOf((await kept.run(feeds)).get("y")!)], exact)).toBeLessThan(1e-6);
  },
  "reduced-types": async () => {
    const target = { ...resolveOptions({ ep: "webgpu" }), saturates: false, reduced: true };
    for (const dtype of ["float64", "int16", "uint16"] as const) {
      const inside = graphBuilder();
      const cast = inside.op("Cast", [inside.input("x", "float32", [2])], { to: dataTypes[dtype].code });
      inside.output(inside.op("Cast", [cast], { to: dataTypes.float32.code }), "y");
      expect(() => applyRules(model(inside.build()), target)).toThrow(UnsupportedError);
    }
    expect(applyRules(denseModel(), target).notices).toEqual([]);
  },
  "weight-only-accuracy": async () => {
    const x = noise(4 * 256, 9);
    const feeds = feed("x", tensor("float32", [4, 256], x));
    const exact = weightOnlyResult(x);
    expect(farthest(await rawRun(weightOnlyModel(), feeds), exact)).toBeGreaterThan(1e-2);
    expect(farthest(await ours(weightOnlyModel(), feeds), exact)).toBeLessThan(1e-4);
    expect(farthest(await ours(weightOnlyModel(), feeds, { stock: true }), exact)).toBeGreaterThan(1e-2);
  },
  "u8s8-saturation": async () => {
    const feeds = feed("a", { dtype: "uint8", dims: [8, 64], data: new Uint8Array(512).fill(255) });
    const stock = await rawRun(plantedModel(), feeds);
    expect(await cpuSaturates()).toBe(stock.some((value) => value !== 255 * 127 * 64));
    expect(new Set(await ours(plantedModel(), feeds))).toEqual(new Set([255 * 127 * 64]));
    const target = { ...resolveOptions({}), saturates: true, reduced: false };
    const shared = sharedZeroPointModel();
    const image = feed("x", tensor("float32", [1, 4, 4, 4], noise(64)));
    const alone = rawRun(shared, image, { extra: { session: { x64quantprecision: "1" } } });
    await expect(alone).rejects.toThrow("replace the existing tensor");
    const { model: safe, config } = applyRules(shared, target);
    expect(config.get("session.x64quantprecision")).toBe("1");
    expect(farthest(await ours(safe, image, { config }), await ours(shared, image))).toBeLessThanOrEqual(0.021);
  },
  "ignored-options": async () => {
    const nonsense = { threds: 2, extra: { session: { no_such_entry: "1" } } };
    expect((await rawRun(denseModel(), denseFeeds(), nonsense)).length).toBe(6);
    await expect(openSession(denseModel(), { threds: 2 } as object)).rejects.toThrow(UsageError);
    const config = new Map([["session.no_such_entry", "1"]]);
    await expect(openSession(denseModel(), { config })).rejects.toThrow(UsageError);
  },
  "ignored-feeds": async () => {
    const feeds = new Map([...denseFeeds(), ["w", tensor("float32", [4, 3], new Float32Array(12))]]);
    expect(await rawRun(denseModel(), feeds)).toEqual(await rawRun(denseModel(), denseFeeds()));
    await expect(ours(denseModel(), feeds)).rejects.toThrow(DataError);
  },
  "unknown-rank": async () => {
    const g = graphBuilder();
    const shape = g.input("shape", "int64", ["rank"]);
    const x = g.input("x", "float32", ["n"]);
    g.output(g.op("Reshape", [x, shape]), "any");
    const scalarOut = g.op("ReduceSum", [x], { keepdims: 0 });
    g.output({ ...scalarOut, type: { kind: "tensor", dtype: "float32", dims: [] } });
    const built = model(g.build());
    const raw = await rawSession(built);
    expect(raw.outputMetadata.map((port) => port.isTensor && port.shape)).toEqual([[], []]);
    await raw.release();
    await using session = await openSession(built);
    expect(session.outputs.map(({ dims }) => dims)).toEqual([undefined, []]);
  },
  "packed-outputs": async () => {
    const body = `const s = await ort.InferenceSession.create(bytes);
      await s.run({ x: new ort.Tensor("float32", Float32Array.of(1, 2, 3, 4), [4]) });`;
    expect(rawProcess(castModel("int4", "output"), body).status).not.toBe(0);
    await expect(openSession(castModel("int4", "output"))).rejects.toThrow(UnsupportedError);
  },
  "packed-inputs": async () => {
    await expect(openSession(castModel("int4", "input"))).rejects.toThrow(UnsupportedError);
  },
  "packed-reuse": async () => {
    const feeds = feed(
      "x",
      tensor(
        "float32",
        [4096],
        noise(4096, 3).map((value) => 0.7 * value),
      ),
    );
    const [four, eight] = [absoluteModel("int4"), absoluteModel("int8")];
    const right = await rawRun(eight, feeds);
    const body = `const s = await ort.InferenceSession.create(bytes);
      const x = Float32Array.from({ length: 4096 }, (_, i) => 0.65);
      const { y } = await s.run({ x: new ort.Tensor("float32", x, [4096]) });
      console.log(y.data.every((value) => value > 0.5) ? "right" : "overwritten");`;
    expect(rawProcess(four, body).output).not.toContain("right");
    expect(rawProcess(eight, body).output).toContain("right");
    expect(await ours(four, feeds)).toEqual(right);
    const far = feed("x", tensorFromNumbers("float32", [3], [9, -9, 0.3]));
    expect(await ours(four, far)).toEqual([0.7, 0.8, 0.3].map(Math.fround));
    expect(await ours(absoluteModel("uint4"), far)).toEqual([1.5, -0, 0.3].map(Math.fround));
    await expect(openSession(absoluteModel("int4", "Reshape"))).rejects.toThrow(/4-bit elements/);
  },
  "low-precision-ports": async () => {
    for (const side of ["input", "output"] as const) {
      await expect(rawSession(castModel("bfloat16", side))).rejects.toThrow("Unsupported data type: 16");
      await expect(openSession(castModel("bfloat16", side))).rejects.toThrow(/bfloat16.*(input|output|port)/);
    }
  },
  "half-precision-feeds": async () => {
    const g = graphBuilder();
    g.output(g.op("Neg", [g.input("x", "float16", [2])]), "y");
    const feeds = feed("x", tensorFromNumbers("float16", [2], [0.5, 65504]));
    expect(await ours(model(g.build()), feeds)).toEqual([-0.5, -65504]);
    const raw = rawRun(model(g.build()), feeds);
    if ("Float16Array" in globalThis) await expect(raw).rejects.toThrow();
    else expect(await raw).toHaveLength(2);
  },
  "gpu-download": async () => {
    const body = `const s = await ort.InferenceSession.create(bytes, { executionProviders: ["webgpu"], preferredOutputLocation: "gpu-buffer" });
      const r = await s.run({ x: new ort.Tensor("float32", new Float32Array(384), [1, 6, 8, 8]) });
      await r.y.getData(); console.log("downloaded");`;
    expect(rawGpu(convModel(), body).output).not.toContain("downloaded");
    expect(await onGpu(convModel(), convFeeds)).toHaveLength(4 * 64);
  },
  "shared-memory": async () => {
    const data = new Uint8Array(new SharedArrayBuffer(32));
    const feeds = feed("x", { dtype: "float32", dims: [2, 4], data });
    const raw = rawRun(denseModel(), feeds);
    if (Number.parseInt(process.versions.node, 10) < 24) await expect(raw).rejects.toThrow();
    else expect(await raw).toHaveLength(6);
    expect(await ours(denseModel(), feeds)).toEqual([1, 1, 1, 1, 1, 1]);
    await using session = await openSession(denseModel());
    expect((await session.run(feeds, { transfer: true })).size).toBe(1);
  },
  "webgpu-run-time": async () => {
    const list = JSON.stringify([...floatsOf(poolFeeds.get("x")!)]);
    expect(
      rawGpu(poolModel(), `${gpuRun(', preferredLayout: "NCHW"', list)} console.log("ran");`).output,
    ).not.toContain("ran");
    expect(await onGpu(poolModel(), poolFeeds)).toEqual(await ours(poolModel(), poolFeeds));
    const g = graphBuilder();
    g.output(g.op("Neg", [g.input("x", "float16", [2])]), "y");
    const halves = feed("x", tensorFromNumbers("float16", [2], [0.5, 1]));
    await expect(onGpu(model(g.build()), halves)).rejects.toThrow("deploy the float32 file");
  },
  "blocked-thread": async () => {
    const raw = await rawSession(loopModel());
    const blocked = countTicks();
    await raw.run(rawFeeds(loopFeeds(500)));
    expect(blocked.stop()).toBeLessThanOrEqual(1);
    await raw.release();
    await using session = await openSession(loopModel(), { isolate: "process" });
    const controller = new AbortController();
    const free = countTicks((ticks) => ticks > 5 && controller.abort());
    const running = session.run(loopFeeds(50_000), { signal: controller.signal });
    await expect(running).rejects.toThrow(CancelledError);
    free.stop();
  },
  "idle-spinning": async () => {
    const several = { ...resolveOptions({ threads: 2, stock: true }), saturates: false, reduced: false };
    expect(applyRules(denseModel(), several).config.get("session.force_spinning_stop")).toBe("1");
    expect(await ours(denseModel(), denseFeeds(), { threads: 2 })).toEqual(await ours(denseModel(), denseFeeds()));
  },
  "native-leak": async () => {
    const living = new Set<object>();
    const { spec, types } = loadSpec(denseModel(), { ...resolveOptions({}), saturates: false, reduced: false });
    for (let i = 0; i < 3; i++) {
      const session = await openRemote(channelOver(living), { spec, types });
      expect(living.size).toBe(1);
      await session.release();
      expect(living.size).toBe(0);
    }
  },
  "opset-limit": async () => {
    const late = { ...denseModel(), opsets: new Map([["", 28]]) };
    await expect(rawSession(late)).rejects.toThrow();
    await expect(openSession(late)).rejects.toThrow(UnsupportedError);
  },
  "profile-prefix": async () => {
    await expect(rawSession(denseModel(), { enableProfiling: true })).rejects.toThrow();
    await using session = await openSession(denseModel(), { profile: true });
    await session.run(denseFeeds());
    expect((await session.profile()).length).toBeGreaterThan(0);
  },
} satisfies Record<RuleName, () => Promise<void>>;

/** Running statistics that are fed or stored, and read again behind the normalisation. */
function statisticsModel(stored: boolean): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [4, 2]);
  const two = (name: string, fill: number) => g.constant(name, tensor("float32", [2], new Float32Array(2).fill(fill)));
  const running = (name: string, fill: number) => (stored ? two(name, fill) : g.input(name, "float32", [2]));
  const [mean, variance] = [running("mean", 0), running("variance", 1)];
  const training = { training_mode: 1, momentum: float(0.5) };
  const parts = [x, two("scale", 1), two("bias", 0), mean, variance];
  const [y, nextMean, nextVariance] = g.ops("BatchNormalization", parts, 3, training);
  const late = g.op("Mul", [g.op("ReduceMin", [y], { keepdims: 0 }), g.constant("zero", scalar("float32", 0))]);
  g.output(g.op("Add", [mean, late]), "before");
  g.output(g.op("Abs", [nextMean]), "after");
  g.output(g.op("Abs", [nextVariance]), "spread");
  return model(g.build());
}

/** Conv with float weights, one of them large, between DequantizeLinear and QuantizeLinear. */
function betweenModel(): Model {
  const g = graphBuilder();
  const scaled = (value: Value, size: number): Value => {
    const scale = g.constant("scale", scalar("float32", size));
    const zero = g.constant("zero_point", scalar("uint8", 128));
    return g.op("DequantizeLinear", [g.op("QuantizeLinear", [value, scale, zero]), scale, zero]);
  };
  const numbers = Array.from({ length: 54 }, (_, i) => (i === 0 ? 10 : 0.03 * Math.sin(i)));
  const w = g.constant("w", tensorFromNumbers("float32", [3, 2, 3, 3], numbers));
  const y = g.op("Conv", [scaled(g.input("x", "float32", [1, 2, 4, 4]), 0.01), w], { pads: [1, 1, 1, 1] });
  g.output(scaled(g.op("Relu", [y]), 0.001), "y");
  return model(g.build());
}

const needGpu: ReadonlySet<RuleName> = new Set(["webgpu-layout", "gpu-download", "webgpu-run-time"]);

describe("rules of the runtime", () => {
  for (const name of Object.keys(rules) as RuleName[]) {
    const title = `${name}: ${rules[name].goesWrong}`;
    if (needGpu.has(name) && !swiftshader) it.skip(`${title} [needs SwiftShader]`);
    else it(title, cases[name]);
  }
});
