import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, UsageError } from "../errors.ts";
import { floatsOf, tensor } from "../ir/index.ts";
import {
  batches,
  collect,
  type Dataset,
  datasetOf,
  mapSamples,
  partition,
  prefetch,
  shuffleSamples,
  split,
  syntheticFeeds,
} from "./index.ts";
import { stratifiedOrder } from "./split.ts";

/** Sample i is the vector [i, −i]; its label is `labels[i]`. */
function numbered(size: number, labels?: readonly number[]): Dataset {
  return datasetOf({
    size,
    ...(labels && { labels: async () => labels }),
    open: () => ({
      read: (i) => ({
        inputs: new Map([["x", tensor("float32", [2], [i, -i])]]),
        ...(labels && { label: labels[i]! }),
        source: `${i}`,
      }),
    }),
  });
}

const sources = async (dataset: Dataset) => (await collect(dataset)).map(({ source }) => Number(source));

describe("split", () => {
  it("is disjoint, covering and determined by the seed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 60 }),
        fc.nat(60),
        fc.nat(),
        fc.boolean(),
        async (size, part, seed, stratify) => {
          const labels = stratify ? Array.from({ length: size }, (_, i) => (i * i) % 3) : undefined;
          const calibration = Math.min(size, part);
          const parts = await split(numbered(size, labels), { calibration, seed });
          const all = [...(await sources(parts.calibration)), ...(await sources(parts.evaluation))];
          expect(parts.calibration.size).toBe(calibration);
          expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
          const again = await split(numbered(size, labels), { calibration, seed });
          expect(await sources(again.calibration)).toEqual(await sources(parts.calibration));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("changes with the seed", async () => {
    const [a, b] = await Promise.all([1, 2].map((seed) => split(numbered(100), { calibration: 50, seed })));
    expect(await sources(a!.calibration)).not.toEqual(await sources(b!.calibration));
  });

  it("keeps the proportions of the classes in every part", async () => {
    const labels = Array.from({ length: 1000 }, (_, i) => (i < 700 ? 0 : i < 900 ? 1 : 2));
    const parts = await split(numbered(1000, labels), { calibration: 100, evaluation: 200, seed: 5 });
    for (const [part, size] of [
      [parts.calibration, 100],
      [parts.evaluation, 200],
    ] as const) {
      const found = Array.from(await part.labels!());
      for (const [label, share] of [0.7, 0.2, 0.1].entries()) {
        expect(Math.abs(found.filter((value) => value === label).length - share * size)).toBeLessThanOrEqual(1);
      }
      expect((await collect(part)).map(({ label }) => label)).toEqual(found);
    }
  });

  it("refuses more samples than there are", async () => {
    await expect(split(numbered(10), { calibration: 8, evaluation: 3, seed: 0 })).rejects.toThrow(DataError);
    await expect(split(numbered(10), { calibration: 11, seed: 0 })).rejects.toThrow(DataError);
  });

  it("orders nothing", () => {
    expect(stratifiedOrder([], 3)).toEqual([]);
  });
});

describe("partition", () => {
  it("names disjoint parts, one of which may be the rest", async () => {
    const parts = await partition(numbered(30), { training: "rest", validation: 6, test: 4 }, 2);
    expect([parts.training.size, parts.validation.size, parts.test.size]).toEqual([20, 6, 4]);
    const all = [];
    for (const part of [parts.training, parts.validation, parts.test]) all.push(...(await sources(part)));
    expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it("refuses two rests and more than there is", async () => {
    await expect(partition(numbered(9), { a: "rest", b: "rest" }, 0)).rejects.toThrow(UsageError);
    await expect(partition(numbered(9), { a: 8, b: 2 }, 0)).rejects.toThrow(/8 for a and 2 for b/);
    await expect(partition(numbered(9), { a: -1, b: "rest" }, 0)).rejects.toThrow(DataError);
  });
});

describe("shuffleSamples", () => {
  it("orders by the seed alone", async () => {
    const data = numbered(50);
    const order = await sources(shuffleSamples(data, 4));
    expect(order).toEqual(await sources(shuffleSamples(data, 4)));
    expect(order).not.toEqual(await sources(shuffleSamples(data, 5)));
    expect([...order].sort((a, b) => a - b)).toEqual(await sources(data));
  });
});

describe("mapSamples", () => {
  it("changes each sample where it is read, and knows its position", async () => {
    const data = mapSamples(numbered(5, [4, 3, 2, 1, 0]), (sample, position) => ({
      ...sample,
      label: 10 * sample.label! + position,
    }));
    expect((await collect(data)).map(({ label }) => label)).toEqual([40, 31, 22, 13, 4]);
    expect((await collect(data.pick([3, 0]))).map(({ label }) => label)).toEqual([13, 40]);
    expect(data.labels).toBeUndefined();
    await expect(collect(data.pick([5]))).rejects.toThrow(DataError);
  });
});

describe("batches", () => {
  it("stacks every sample once, the last batch smaller", async () => {
    const found = await collect(batches(numbered(5, [4, 3, 2, 1, 0]), { batch: 2 }));
    expect(found.map(({ feeds }) => feeds.get("x")!.dims)).toEqual([
      [2, 2],
      [2, 2],
      [1, 2],
    ]);
    expect(found.flatMap(({ feeds }) => [...floatsOf(feeds.get("x")!)])).toEqual([0, -0, 1, -1, 2, -2, 3, -3, 4, -4]);
    expect(found.flatMap(({ labels }) => labels)).toEqual([4, 3, 2, 1, 0]);
  });

  it("repeats the last sample where the model's batch is fixed, and says how many are real", async () => {
    const port = { name: "x", dtype: "float32", dims: [4, 2] } as const;
    const found = await collect(batches(numbered(5), { port }));
    expect(found.map(({ count }) => count)).toEqual([4, 1]);
    expect([...floatsOf(found[1]!.feeds.get("x")!)]).toEqual([4, -4, 4, -4, 4, -4, 4, -4]);
    expect(found[1]!.labels).toBeUndefined();
  });

  it("feeds inputs without a batch axis one sample at a time", async () => {
    const port = { name: "x", dtype: "float32", dims: [2] } as const;
    const found = await collect(batches(numbered(2), { port }));
    expect(found.map(({ feeds }) => feeds.get("x"))).toEqual([
      tensor("float32", [2], [0, -0]),
      tensor("float32", [2], [1, -1]),
    ]);
    await expect(collect(batches(numbered(2), { port, batch: 2 }))).rejects.toThrow(/fixed batch/);
  });

  it("stops at the limit", async () => {
    const found = await collect(batches(numbered(9), { batch: 4, limit: 6 }));
    expect(found.map(({ count }) => count)).toEqual([4, 2]);
  });

  it.each([
    [
      "a batch that contradicts the model",
      { batch: 3, port: { name: "x", dtype: "float32", dims: [4, 2] } },
      DataError,
    ],
    ["another dtype", { port: { name: "x", dtype: "int64", dims: ["n", 2] } }, DataError],
    ["another size", { port: { name: "x", dtype: "float32", dims: ["n", 3] } }, DataError],
    ["a missing input", { port: { name: "y", dtype: "float32" } }, DataError],
    ["a fraction", { batch: 1.5 }, UsageError],
  ] as const)("refuses %s", async (_, options, error) => {
    await expect(collect(batches(numbered(4), options))).rejects.toThrow(error);
  });

  it("refuses samples of different shapes", async () => {
    const ragged = datasetOf({
      size: 2,
      open: () => ({
        read: (i) => ({
          inputs: new Map([["x", tensor("float32", [i + 1], new Float32Array(i + 1))]]),
          source: `${i}`,
        }),
      }),
    });
    await expect(collect(batches(ragged, { batch: 2 }))).rejects.toThrow(/differ in shape/);
  });
});

describe("datasets", () => {
  it("close their reader however an iteration ends", async () => {
    const log: string[] = [];
    const data = datasetOf({
      size: 3,
      open: () => {
        log.push("open");
        return {
          read: (i) => ({ inputs: new Map(), source: `${i}` }),
          close: async () => void log.push("close"),
        };
      },
    });
    for await (const _ of data) break;
    await expect(collect(data.pick([1, 3]))).rejects.toThrow(DataError);
    expect(log).toEqual(["open", "close", "open", "close"]);
  });
});

describe("prefetch", () => {
  async function* count(to: number) {
    for (let i = 0; i < to; i++) {
      if (i === 5) throw new DataError("five");
      yield i;
    }
  }

  it("keeps the order", async () => {
    expect(await collect(prefetch(count(5), 3))).toEqual([0, 1, 2, 3, 4]);
  });

  it("hands on an error at its place", async () => {
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const i of prefetch(count(9), 4)) seen.push(i);
      })(),
    ).rejects.toThrow("five");
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("syntheticFeeds", () => {
  const ports = [
    { name: "ids", dtype: "int64", dims: ["batch", "seq"] },
    { name: "attention_mask", dtype: "int64", dims: ["batch", "seq"] },
    { name: "image", dtype: "float32", dims: ["batch", 3, "h", ""] },
  ] as const;

  it("binds equal symbols to equal sizes and draws by dtype", () => {
    const { feeds, assumptions } = syntheticFeeds(ports, {
      seed: 1,
      batch: 2,
      dims: new Map([["seq", 7]]),
      vocabulary: 9,
    });
    expect([...feeds.values()].map(({ dims }) => dims)).toEqual([
      [2, 7],
      [2, 7],
      [2, 3, 224, 224],
    ]);
    expect(floatsOf(feeds.get("ids")!).every((id) => id >= 0 && id < 9)).toBe(true);
    const [first, second] = [0, 7].map((row) => [...floatsOf(feeds.get("attention_mask")!).subarray(row, row + 7)]);
    for (const row of [first!, second!]) expect(row.join("")).toMatch(/^1{4,7}0{0,3}$/);
    expect([...first!, ...second!]).toContain(0);
    expect(assumptions.join()).toContain('"h"');
    expect(syntheticFeeds(ports, { seed: 1, batch: 2 }).feeds.get("ids")!.dims).toEqual([2, 16]);
    const small = () => syntheticFeeds(ports, { seed: 3, unknown: 5 }).feeds;
    expect(small()).toEqual(small());
    expect(small().get("image")!.dims).toEqual([1, 3, 5, 5]);
  });

  it("needs a rank", () => {
    expect(() => syntheticFeeds([{ name: "x", dtype: "float32" }], { seed: 0 })).toThrow(DataError);
  });
});
