/** @file Laws of every compressor with every memory, over the indexes. */
import { describe, expect, it } from "vitest";
import { must, nth } from "../../checked.ts";
import { random } from "../../data/index.ts";
import { FormatError } from "../../errors.ts";
import { maxOf } from "../../ir/index.ts";
import {
  type ByteCompressor,
  type Compressor,
  type CompressorName,
  compressedExchange,
  compressors,
  denseExchange,
  type GradientExchange,
  type LocalGradient,
  localTransports,
  type MemoryName,
  memories,
  oneBitAdam,
  openCommunicator,
  type Place,
} from "../index.ts";
import { deepGradientCompression } from "./dgc.ts";

const compressorNames = Object.keys(compressors) as CompressorName[];
const memoryNames = Object.keys(memories) as MemoryName[];
const byteCompressors = compressorNames.flatMap((name) => {
  const compressor = compressors[name]();
  return compressor.kind === "bytes" ? [{ name, compressor }] : [];
});

/** A gradient of one rank in one update. */
function drawn(dims: readonly number[], ...stream: [number, number]): Float32Array {
  const { normal } = random(5, ...stream);
  return new Float32Array(dims.reduce((a, b) => a * b, 1)).map(normal);
}

const shapes = [
  ["kernel", [6, 4, 3]],
  ["matrix", [20, 30]],
  ["bias", [7]],
  ["scalar", []],
] as const;

const ownGradients = (rank: number, update: number): LocalGradient[] =>
  shapes.map(([name, dims], i) => ({ name, dims, values: drawn(dims, rank * 10 + i, update) }));

/** Exchanges the same updates on all ranks; what each had after each. */
async function exchanged(
  exchanges: readonly GradientExchange[],
  updates: readonly number[],
  gradients: (rank: number, update: number) => LocalGradient[] = ownGradients,
) {
  const ranks = localTransports(exchanges.length).map(openCommunicator);
  const all: (readonly LocalGradient[])[][] = [];
  try {
    for (const update of updates) {
      const own = ranks.map(({ rank }) => gradients(rank, update));
      await Promise.all(ranks.map((rank, i) => nth(exchanges, i).average(rank, nth(own, i), update)));
      all.push(own);
    }
    return { all, traffic: ranks.map(({ traffic }) => ({ ...traffic })) };
  } finally {
    await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  }
}

const bitsOf = (own: readonly Pick<LocalGradient, "values">[]): string =>
  own.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("latin1")).join();

const stateBits = (exchange: GradientExchange): string =>
  [...exchange.readState()].map(([name, values]) => name + bitsOf([{ values }])).join();

const makers: Readonly<Record<string, () => GradientExchange>> = {
  ...Object.fromEntries(
    compressorNames.flatMap((compressor) =>
      memoryNames.map((memory) => [
        `${compressor} with ${memory}`,
        () => compressedExchange({ compressor: compressors[compressor](), memory: memories[memory]() }),
      ]),
    ),
  ),
  "Deep Gradient Compression": () => deepGradientCompression({ clip: 3, nesterov: true, warmupUpdates: 4 }),
  "1-bit Adam": () => oneBitAdam({ warmupUpdates: 2 }),
};

describe.each(Object.keys(makers))("%s", (name) => {
  const make = must(new Map(Object.entries(makers)), name);

  it("gives all ranks the same bits, and goes on from its state bit for bit", async () => {
    for (const size of [1, 2, 3, 4, 5]) {
      const exchanges = Array.from({ length: size }, make);
      const { all } = await exchanged(exchanges, [1, 2, 3]);
      for (const ranks of all) for (const own of ranks) expect(bitsOf(own)).toBe(bitsOf(nth(ranks, 0)));
      const again = exchanges.map((exchange) => {
        const copy = make();
        copy.restore(exchange.readState());
        return copy;
      });
      const [on, resumed] = [await exchanged(exchanges, [4, 5]), await exchanged(again, [4, 5])];
      expect(resumed.all.flat().map(bitsOf)).toEqual(on.all.flat().map(bitsOf));
      expect(again.map(stateBits)).toEqual(exchanges.map(stateBits));
    }
  });

  it("takes gradients of nothing, of one value and of zeros", async () => {
    const gradients = () => [
      { name: "none", dims: [0, 3], values: new Float32Array(0) },
      { name: "one", dims: [1, 1], values: Float32Array.of(0.5) },
      { name: "zeros", dims: [20, 30], values: new Float32Array(600) },
      { name: "bias", dims: [0], values: new Float32Array(0) },
    ];
    const { all } = await exchanged([make(), make()], [1, 2, 3], gradients);
    for (const [, one] of all.flat(2).map((own) => [own, own] as const)) {
      expect(one.values.every(Number.isFinite)).toBe(true);
    }
    for (const own of all.flat()) expect(nth(own, 2).values.every((value) => value === 0)).toBe(true);
  });

  it("names the tensor whose gradient is not finite, and keeps nothing of it", async () => {
    const exchange = make();
    const [rank] = localTransports(1).map(openCommunicator);
    const gradients = ownGradients(0, 1);
    nth(gradients, 1).values[3] = Number.NaN;
    const work = Promise.resolve().then(() => exchange.average(rank!, gradients, 1));
    await expect(work).rejects.toThrow('a gradient is not finite; got NaN; at tensor "matrix" of rank 0');
    expect(exchange.readState().size).toBe(0);
  });

  it("refuses the state of another exchange", () => {
    expect(() => make().restore(new Map([["memory u kernel", new Float32Array(1)]]))).toThrow("a state belongs to");
    expect(() => make().restore(new Map([["kernel", new Float32Array(1)]]))).toThrow("a state belongs to");
  });
});

describe.each(compressorNames)("%s", (name) => {
  it("leaves in the residual what was not sent: their sum is the gradient's", async () => {
    const size = 3;
    const exchanges = Array.from({ length: size }, () =>
      compressedExchange({ compressor: compressors[name](), memory: memories.residual() }),
    );
    const { all } = await exchanged(exchanges, [1]);
    for (const [i, tensor] of ["kernel", "matrix"].entries()) {
      const mean = nth(nth(nth(all, 0), 0), i).values;
      const states = exchanges.map((exchange) => must(exchange.readState(), `memory residual ${tensor}`));
      const given = exchanges.map((_, rank) => nth(ownGradients(rank, 1), i).values);
      const sumAt = (arrays: readonly Float32Array[], at: number) => arrays.reduce((sum, array) => sum + array[at]!, 0);
      const far = mean.map((value, at) => Math.abs(value * size + sumAt(states, at) - sumAt(given, at)));
      expect(maxOf([...far])).toBeLessThan(1e-5);
    }
  });

  it("sends a gradient that stays the same, as a mean over many updates", async () => {
    const dims = [20, 15];
    const fixed = drawn(dims, 1, 1);
    const gradient = () => [{ name: "w", dims, values: fixed.slice() }];
    const options = name.endsWith("k") ? { density: 0.05 } : {};
    const make: (options: object) => Compressor = compressors[name];
    const compressor = make(options);
    const updates = Array.from({ length: 200 }, (_, i) => i + 1);
    const { all } = await exchanged([compressedExchange({ compressor })], updates, gradient);
    const total = new Float64Array(fixed.length);
    for (const own of all.flat()) {
      nth(own, 0).values.forEach((value, i) => {
        total[i]! += value / updates.length;
      });
    }
    const far = total.reduce((sum, value, i) => sum + (value - fixed[i]!) ** 2, 0);
    const norm = fixed.reduce((sum, value) => sum + value ** 2, 0);
    expect(Math.sqrt(far / norm)).toBeLessThan(0.2);
  });
});

const place: Place = { name: "w", dims: [9, 8], index: 0, update: 1, rank: 0 };

describe.each(byteCompressors)("$name", ({ compressor }) => {
  it("keeps exactly p − sent in float32", () => {
    const gradient = drawn(place.dims, 3, 3);
    const memory = memories.residual();
    const p = memory.compensate(gradient, place);
    expect(p).toEqual(gradient);
    const sent = compressor.decompress(compressor.compress(p, place), place);
    memory.update(p, sent, place);
    const kept = must(memory.readState(), "residual w");
    expect(kept).toEqual(p.map((value, i) => value - sent[i]!));
    expect(memory.compensate(new Float32Array(72), place)).toEqual(kept);
  });

  it("refuses bytes that it cannot have written", () => {
    const bytes = compressor.compress(drawn(place.dims, 4, 4), place);
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    for (const wrong of [longer, bytes.subarray(0, bytes.length - 1), bytes.subarray(0, 1)]) {
      expect(() => compressor.decompress(wrong, place)).toThrow(FormatError);
    }
    const { word } = random(1);
    for (let trial = 0; trial < 200; trial++) {
      const hostile = bytes.map((byte) => (word() % 4 === 0 ? word() : byte));
      try {
        expect(compressor.decompress(hostile, place).every(Number.isFinite)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  });

  it("takes the greatest numbers that there are", () => {
    const most = (2 - 2 ** -23) * 2 ** 127;
    const values = Float32Array.of(most, -most, 1e-45, 0, most, 1);
    const six = { ...place, dims: [2, 3] };
    expect(compressor.decompress(compressor.compress(values, six), six).every(Number.isFinite)).toBe(true);
  });
});

it.each([
  ["qsgd", compressors.qsgd({ bits: 3, bucket: 24 })],
  ["terngrad", compressors.terngrad()],
  ["random-k", compressors["random-k"]({ density: 0.25, unbiased: true })],
] as const)("%s is right on average", (_, compressor: ByteCompressor) => {
  const values = drawn(place.dims, 6, 6).map((value) => value + Math.sign(value) / 5);
  const draws = 4000;
  const [sum, squares] = [new Float64Array(72), new Float64Array(72)];
  for (let update = 1; update <= draws; update++) {
    const at = { ...place, update };
    compressor.decompress(compressor.compress(values, at), at).forEach((value, i) => {
      sum[i]! += value;
      squares[i]! += value ** 2;
    });
  }
  const scores = [...values].map((value, i) => {
    const mean = sum[i]! / draws;
    const deviation = Math.sqrt(Math.max(1e-8, squares[i]! / draws - mean ** 2) / draws);
    return (mean - value) / deviation;
  });
  expect(Math.max(...scores.map(Math.abs))).toBeLessThan(4.5);
  expect(scores.reduce((total, score) => total + score ** 2, 0) / scores.length).toBeLessThan(1.6);
});

it.each([
  ["none", 32 * 1200],
  ["float16", 16 * 1200],
  ["int8", 8 * 1200 + 32],
  ["top-k", 48 * 12],
  ["random-k", 32 * 12],
  ["sign", 1200 + 32],
  ["qsgd", 4 * 1200 + 3 * 32],
  ["terngrad", 2 * 1200 + 32],
] as const)("%s sends as many bits as it says", async (name, bits) => {
  const make = () => compressedExchange({ compressor: compressors[name](), memory: memories.none() });
  for (const size of [2, 3]) {
    const gradients = () => [{ name: "w", dims: [40, 30], values: drawn([40, 30], 1, 1) }];
    const { traffic } = await exchanged(Array.from({ length: size }, make), [1], gradients);
    const bytes = (size - 1) * (bits / 8 + 4);
    for (const each of traffic) expect(each).toMatchObject({ sentBytes: bytes, receivedBytes: bytes });
  }
});

it("values are selected by magnitude, sampled or not", () => {
  const dims = [500, 600];
  const values = drawn(dims, 8, 8);
  const compressor = compressors["sampled-top-k"]({ density: 0.002 });
  const magnitudes = values.map(Math.abs);
  for (let update = 1; update <= 5; update++) {
    const at = { ...place, dims, update };
    const sent = compressor.decompress(compressor.compress(values, at), at);
    const isSent = (_: number, i: number) => sent[i] !== 0;
    const count = magnitudes.filter(isSent).length;
    expect(count).toBeGreaterThanOrEqual(0.8 * 600);
    expect(count).toBeLessThanOrEqual(1.3 * 600);
    const least = magnitudes.filter(isSent).reduce((a, b) => Math.min(a, b));
    expect(magnitudes.filter((_, i) => sent[i] === 0).every((value) => value <= least)).toBe(true);
  }
});

it("Deep Gradient Compression sends what its formula says of a million parameters", async () => {
  const dims = [[256, 1000], [640, 1152], [1000], [256]] as const;
  const sizes = dims.map((each) => each.reduce((a: number, b: number) => a * b, 1));
  const total = sizes.reduce((a, b) => a + b, 0);
  const source = random(3);
  const values = sizes.map((size) => new Float32Array(size).map(() => 2 ** 31 / (source.word() - 2 ** 31 + 0.5)));
  const gradients = () => dims.map((each, i) => ({ name: `t${i}`, dims: each, values: nth(values, i).slice() }));
  const updates = [1, 2];
  const { traffic } = await exchanged(
    [0, 1].map(() => deepGradientCompression()),
    updates,
    gradients,
  );
  const dense = await exchanged(
    [0, 1].map(() => denseExchange()),
    [1],
    gradients,
  );
  const ratio = nth(dense.traffic, 0).sentBytes / (nth(traffic, 0).sentBytes / updates.length);
  const share = 1256 / total;
  const formula = 32 / (32 * share + 48 * 0.001 * (1 - share));
  expect(formula).toBeGreaterThan(360);
  expect(Math.abs(ratio / formula - 1)).toBeLessThan(0.1);
});

it("the density of the warm-up falls, each of its shares for as many updates", () => {
  const compressor = compressors["sampled-top-k"]({ density: 0.001, warmupUpdates: 8, sample: 1 });
  const dims = [100, 100];
  const values = drawn(dims, 9, 9);
  const counts = Array.from(
    { length: 10 },
    (_, i) => compressor.compress(values, { ...place, dims, update: i + 1 }).length / 6,
  );
  expect(counts).toEqual([2500, 2500, 625, 625, 157, 157, 40, 40, 10, 10]);
});

it("a rank that sends what is no gradient is named", async () => {
  const honest = compressors["top-k"]();
  const broken: ByteCompressor = { ...honest, compress: () => Uint8Array.of(1, 2, 3) };
  const work = exchanged([compressedExchange({ compressor: honest }), compressedExchange({ compressor: broken })], [1]);
  await expect(work).rejects.toThrow('at tensor "kernel" of rank 1');
});

it.each([
  ["top-k", { density: 0 }],
  ["random-k", { density: 1.5 }],
  ["random-k", { seed: -1 }],
  ["threshold", { threshold: Number.NaN }],
  ["qsgd", { bits: 1 }],
  ["qsgd", { bucket: 0 }],
  ["terngrad", { clip: 0 }],
  ["powersgd", { rank: 0 }],
  ["sampled-top-k", { bounds: [1.1, 1.3] }],
  ["sampled-top-k", { warmupDensities: [2] }],
] as const)("%s refuses %o", (name, options) => {
  expect(() => compressors[name](options as never)).toThrow(/expected|unknown option|a whole number/);
});

it("exchanges refuse settings that mean nothing", () => {
  expect(() => deepGradientCompression({ clip: 0 })).toThrow("clip is a norm");
  expect(() => deepGradientCompression({ momentum: 1 })).toThrow("momentum is a factor");
  expect(() => oneBitAdam({ warmupUpdates: 0 })).toThrow("warmupUpdates must be a whole number of at least 1");
  expect(() => oneBitAdam({ warmupUpdates: 1, betas: [0.9, 1] })).toThrow("betas[1] is a factor");
});
