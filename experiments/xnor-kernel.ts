/** @file The kernel of products of signs against the runtime's products of floats and of bytes, in WebAssembly on one thread. */
import { nth } from "../src/checked.ts";
import { random } from "../src/data/index.ts";
import {
  isSparse,
  type Model,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  withGraph,
} from "../src/ir/index.ts";
import { type VggOptions, vgg } from "../src/models/index.ts";
import { binaryConnect, binaryConv, binaryLinear, conv, type Layers, linear, network } from "../src/nn/index.ts";
import { partitionSigns } from "../src/parallel/index.ts";
import { cleanup } from "../src/passes/index.ts";
import { quantizeStatic } from "../src/quantize/index.ts";
import { evaluate } from "../src/reference/index.ts";
import { type Feeds, openPartition, openSession, type Session } from "../src/runtime/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, isAtLeast, type Judgement, ratio as shown } from "./judgement.ts";

interface Shape {
  readonly dims: readonly number[];
  readonly float: (n: Layers, x: Value) => Value;
  readonly signs: (n: Layers, x: Value) => Value;
  /** What the kernel's speed over floats is to be. */
  readonly bound?: number;
}

const levels = binaryConnect();

const product = (rows: number, inputs: number, outputs: number, bound?: number): Shape => ({
  dims: [rows, inputs],
  float: (n, x) => linear(n, x, outputs, { bias: false }),
  signs: (n, x) => binaryLinear(n, x, outputs, { levels }),
  ...(bound !== undefined && { bound }),
});

const convolution = (channels: number, side: number, outputs: number): Shape => ({
  dims: [1, channels, side, side],
  float: (n, x) => conv(n, x, outputs, { kernel: 3, bias: false }),
  signs: (n, x) => binaryConv(n, x, outputs, { kernel: 3, levels }),
  bound: 3,
});

/** With normalisations that move what they see, as trained ones do: sums of signs that are 0 would round to either side in floats. */
function net(options: VggOptions): Model {
  const drawn = random(2);
  const model = vgg(random(1), { width: 64, ...options });
  const initializers = [...model.graph.initializers].map(([value, data]) => {
    if (!value.name.endsWith("bias") || isSparse(data)) return [value, data] as const;
    const numbers = Array.from({ length: sizeOf(data.dims) }, () => 0.3 * drawn.normal());
    return [value, tensorFromNumbers("float32", data.dims, numbers)] as const;
  });
  return withGraph(model, { ...model.graph, initializers: new Map(initializers) });
}

const shapes: Readonly<Record<string, Shape>> = {
  "64 × 1024 by 1024 × 1024": product(64, 1024, 1024, 8),
  "1 × 1024 by 1024 × 1024": product(1, 1024, 1024),
  "64 × 4096 by 4096 × 4096": product(64, 4096, 4096),
  "3×3, 64 to 64 channels, 28 × 28": convolution(64, 28, 64),
  "3×3, 64 to 64 channels, 56 × 56": convolution(64, 56, 64),
  "3×3, 256 to 256 channels, 14 × 14": convolution(256, 14, 256),
};

const ROUNDS = 15;
const RUNS = 5;

/** Time of another over that of the kernel: the median over the rounds, and quartiles. */
type Speed = readonly [ratio: number, low: number, high: number];

interface Row {
  readonly name: string;
  readonly bound?: number;
  /** Milliseconds of the kernel with packing, scaling and copies, the median over the rounds. */
  readonly milliseconds: number;
  readonly overFloat: Speed;
  /** Absent where int8 does not run. */
  readonly overInt8?: Speed;
  /** Largest difference from the signs in floats. */
  readonly error: number;
}

const byReference = cleanup({
  evaluate: async (part, feeds) => evaluate(part, feeds, { precision: "declared" }),
  maxBytes: 2 ** 28,
});

function feedsOf(dims: readonly number[]): Feeds {
  const source = random(5);
  const numbers = Float32Array.from({ length: sizeOf(dims) }, () => source.normal());
  return new Map([["input", tensorFromNumbers("float32", dims, numbers)]]);
}

function median(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return nth(sorted, Math.floor(sorted.length / 2));
}

/** Every session in turns; the first one is the kernel's. */
async function raced(sessions: readonly Session[], feeds: Feeds): Promise<number[][]> {
  const times: number[][] = sessions.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, session] of sessions.entries()) times[i]!.push(median((await session.time(feeds, RUNS)).times));
  }
  return times;
}

function speed(own: readonly number[], other: readonly number[]): Speed {
  const ratios = other.map((time, i) => time / own[i]!).sort((a, b) => a - b);
  const at = (part: number) => nth(ratios, Math.floor(part * (ratios.length - 1)));
  return [at(0.5), at(0.25), at(0.75)];
}

interface Compared {
  readonly name: string;
  readonly dims: readonly number[];
  readonly bound?: number;
  readonly float: Model;
  readonly signs: Model;
}

async function compared(
  { name, dims, bound, float, signs }: Compared,
  { log }: Pick<ExperimentContext, "log">,
): Promise<Row> {
  const feeds = feedsOf(dims);
  const ep = "wasm" as const;
  const [floats, clean] = [(await byReference.run(float)).model, (await byReference.run(signs)).model];
  const calibration = async function* () {
    yield feeds;
  };
  const { model: int8 } = await quantizeStatic(floats, { open: openSession, calibration });
  await using kernel = await openPartition(partitionSigns(clean), { ep });
  await using simulated = await openSession(clean, { ep });
  await using plain = await openSession(floats, { ep });
  await using bytes = await openSession(int8, { ep });
  const [own, expected] = [await kernel.run(feeds), await simulated.run(feeds)].map((results) => firstOf(results));
  const error = own!.reduce((most, x, i) => Math.max(most, Math.abs(x - expected![i]!)), 0);
  const [times, ofFloats, ofBytes] = await raced([kernel, plain, bytes], feeds);
  const row = {
    name,
    ...(bound !== undefined && { bound }),
    milliseconds: median(times!),
    overFloat: speed(times!, ofFloats!),
    overInt8: speed(times!, ofBytes!),
    error,
  };
  log(
    `${name}: ${row.milliseconds.toFixed(3)} ms, floats ${shown(row.overFloat[0])} times, int8 ${shown(row.overInt8[0])} times`,
  );
  return row;
}

function firstOf(results: ReadonlyMap<string, Tensor>): Float32Array {
  const [tensor] = results.values();
  const { buffer, byteOffset, byteLength } = tensor!.data as Uint8Array;
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

const networks: readonly Compared[] = [
  {
    name: "a whole VGG of 64 to 256 channels, 32 × 32",
    dims: [1, 3, 32, 32],
    bound: 1,
    float: net({}),
    signs: net({ weights: "bwn", activations: "binary" }),
  },
];

function single({ dims, float, signs, bound }: Shape, name: string): Compared {
  const made = (layer: Shape["float"]) =>
    network(random(1), (n) => n.output(layer(n, n.input("input", "float32", dims)), "y"));
  return { name, dims, float: made(float), signs: made(signs), ...(bound !== undefined && { bound }) };
}

function fastEnough(rows: readonly Row[]): Judgement[] {
  const bounded = rows.filter(({ bound }) => bound !== undefined);
  return [
    everyOne(
      "the kernel, packing counted, is as many times as fast as floats as its bound says",
      bounded,
      ({ overFloat: [, low, high], bound }) => isAtLeast([low, high], bound!),
      ({ name, overFloat: [middle, low, high], bound }) =>
        `${name}: ${shown(middle)} (${shown(low)} to ${shown(high)}) of ${bound}`,
    ),
    everyOne(
      "single layers give the same numbers as the signs in floats",
      rows.filter(({ name }) => name in shapes),
      ({ error }) => error === 0,
      ({ name, error }) => `${name}: ${error}`,
    ),
  ];
}

export const xnorKernel: Experiment<readonly Row[]> = {
  name: "xnor-kernel",
  claim:
    "Products of signs packed into bits are 8 times as fast in WebAssembly as the runtime's products of floats of 64 × 1024 by 1024 × 1024, and 3 times for convolutions, with the packing of the inputs counted; so a whole binary network is faster.",
  source: "lithe, after Rastegari et al. (2016), arXiv:1603.05279, section 4.1",
  workload: `Layers and a network in Node's WebAssembly, one thread: a partition whose layers of signs are the kernel's, against the same in float32 and in static int8 on onnxruntime-web, in turns, ${ROUNDS} rounds of ${RUNS} runs.`,
  seeds: [],
  criterion:
    "the quartiles of the ratio to floats lie at or above the bound of each shape, and single layers agree exactly.",
  async run(context) {
    const rows: Row[] = [];
    const all = [...Object.entries(shapes).map(([name, shape]) => single(shape, name)), ...networks];
    for (const each of all) rows.push(await context.once(each.name, () => compared(each, context)));
    return rows;
  },
  judge: fastEnough,
  page: (rows) =>
    markdownTable(
      ["layer or network", "kernel, ms", "times as fast as floats", "as int8", "largest difference"],
      rows.map(({ name, milliseconds, overFloat, overInt8, error }) => [
        name,
        milliseconds.toFixed(3),
        speedText(overFloat),
        overInt8 ? speedText(overInt8) : "–",
        error === 0 ? "0" : error.toExponential(1),
      ]),
    ),
};

function speedText([middle, low, high]: Speed): string {
  return `${shown(middle)} (${shown(low)} to ${shown(high)})`;
}
