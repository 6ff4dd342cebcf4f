/**
 * @file What holds of ranks, whatever carries their messages. Each law is a function of one rank: all ranks of a job call it, in one process or in
 * many, and each judges for itself. So one list serves every transport.
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { nth } from "../../../src/checked.ts";
import {
  type AllReduceAlgorithmName,
  allGather,
  allGatherParts,
  allReduce,
  allReduceAlgorithms,
  allToAll,
  barrier,
  broadcast,
  type Communicator,
  partOf,
  type ReduceOperation,
  reduce,
  reduceOperations,
  reduceScatter,
  type Values,
} from "../../../src/distributed/index.ts";

export type Law = (rank: Communicator) => Promise<void>;

/** What a rank has: no two are alike, and sums of any order differ in their last bits. */
function own(rank: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(1 + rank * 37 + i * 0.7) * 10 ** (rank % 3));
}

/** The reduced values in float64. */
function reduced(size: number, length: number, operation: ReduceOperation): number[] {
  const combine = { sum: (a: number, b: number) => a + b, max: Math.max, min: Math.min }[operation];
  const all = Array.from({ length: size }, (_, rank) => own(rank, length));
  return Array.from({ length }, (_, i) => all.map((values) => values[i] ?? Number.NaN).reduce((a, b) => combine(a, b)));
}

function near(values: ArrayLike<number>, wanted: readonly number[]): void {
  equal(values.length, wanted.length);
  const errors = wanted.map((value, i) => Math.abs((values[i] ?? Number.NaN) - value) / Math.max(1, Math.abs(value)));
  ok(
    errors.every((error) => error < 1e-5),
    `an error of ${Math.max(...errors)}`,
  );
}

/** Every rank has the same bits. */
async function sameBits(rank: Communicator, values: Values): Promise<void> {
  const all = await allGather(rank.begin(), values);
  for (const each of all) deepEqual(each, all[0]);
}

function allReduceBy(algorithm: AllReduceAlgorithmName | undefined): Law {
  return async (rank) => {
    for (const length of [0, 1, 5, 201]) {
      for (const operation of reduceOperations) {
        const options = { operation, ranksPerMachine: 3, ...(algorithm && { algorithm }) };
        const values = await allReduce(rank.begin(), own(rank.rank, length), options);
        near(values, reduced(rank.size, length, operation));
        await sameBits(rank, values);
      }
    }
  };
}

function bytesOf(algorithm: "ring" | "halving-doubling"): Law {
  return async (rank) => {
    if (algorithm === "halving-doubling" && !Number.isInteger(Math.log2(rank.size))) return;
    const length = rank.size * 15;
    const before = { ...rank.traffic };
    await allReduce(rank.begin(), own(rank.rank, length), { algorithm });
    const bytes = (2 * (rank.size - 1) * length * Float32Array.BYTES_PER_ELEMENT) / rank.size;
    equal(rank.traffic.sentBytes - before.sentBytes, bytes);
    equal(rank.traffic.receivedBytes - before.receivedBytes, bytes);
  };
}

const algorithms = Object.keys(allReduceAlgorithms) as AllReduceAlgorithmName[];

export const collectiveLaws: Readonly<Record<string, Law>> = {
  ...Object.fromEntries(algorithms.map((name) => [`all-reduce by ${name}`, allReduceBy(name)])),

  "all-reduce by what the transport does best": async (rank) => {
    await allReduceBy(undefined)(rank);
    const doubles = await allReduce(rank.begin(), Float64Array.of(rank.rank, 1 / 3));
    deepEqual(Math.round(3 * (doubles[1] ?? 0)), rank.size);
    const whole = await allReduce(rank.begin(), Int32Array.of(rank.rank, -7), { operation: "min" });
    deepEqual([...whole], [0, -7]);
  },

  "reduce-scatter gives each rank its part, all-gather puts the parts together": async (rank) => {
    const part = await reduceScatter(rank.begin(), own(rank.rank, 50));
    const whole = new Float32Array(50);
    partOf(whole, rank.rank, rank.size).set(part);
    near(await allGatherParts(rank.begin(), whole), reduced(rank.size, 50, "sum"));
    await sameBits(rank, whole);
  },

  "reduce and broadcast have any root": async (rank) => {
    for (let root = 0; root < rank.size; root++) {
      const values = await reduce(rank.begin(), own(rank.rank, 9), { root });
      near(values, rank.rank === root ? reduced(rank.size, 9, "sum") : [...own(rank.rank, 9)]);
      near(await broadcast(rank.begin(), values, root), reduced(rank.size, 9, "sum"));
      await sameBits(rank, values);
    }
  },

  "all-gather and all-to-all carry messages of any length": async (rank) => {
    const message = (from: number, to: number) => new Uint8Array(3 * from + to).fill(16 * from + to);
    const everyone = Array.from({ length: rank.size }, (_, each) => each);
    const gathered = await allGather(rank.begin(), message(rank.rank, 1));
    deepEqual(
      gathered,
      everyone.map((from) => message(from, 1)),
    );
    const exchanged = await allToAll(
      rank.begin(),
      everyone.map((to) => message(rank.rank, to)),
    );
    deepEqual(
      exchanged,
      everyone.map((from) => message(from, rank.rank)),
    );
  },

  "large messages arrive whole, both ways at once": async (rank) => {
    const length = 40_001;
    const values = await allReduce(rank.begin(), new Float64Array(length).fill(rank.rank + 1), { algorithm: "tree" });
    ok(values.every((value) => value === (rank.size * (rank.size + 1)) / 2));
    const all = await allToAll(
      rank.begin(),
      Array.from({ length: rank.size }, (_, to) => new Int32Array(length).fill(100 * rank.rank + to)),
    );
    all.forEach(({ buffer }, from) => {
      ok(new Int32Array(buffer).every((value) => value === 100 * from + rank.rank));
    });
  },

  "messages of a line come in the order of sending": async (rank) => {
    const line = rank.tagged("order");
    const [left, right] = [(rank.rank + rank.size - 1) % rank.size, (rank.rank + 1) % rank.size];
    if (rank.size === 1) return;
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => line.send(right, new Uint8Array(i === 3 ? 100_000 : 3).fill(i))),
    );
    for (let i = 0; i < 20; i++) equal((await line.receive(left))[0], i);
  },

  "operations side by side see their own messages alone": async (rank) => {
    const lines = Array.from({ length: 5 }, () => rank.begin());
    const order = rank.rank % 2 === 0 ? [...lines.keys()] : [...lines.keys()].reverse();
    const results: (number | undefined)[] = [];
    await Promise.all(
      order.map(async (i) => {
        [results[i]] = await allReduce(nth(lines, i), Float32Array.of(i, 1), { algorithm: "ring" });
      }),
    );
    deepEqual(
      results,
      [0, 1, 2, 3, 4].map((i) => i * rank.size),
    );
  },

  "fast operations side by side do, too": async (rank) => {
    const results = await Promise.all([1, 2, 3].map((i) => allReduce(rank.begin(), Float32Array.of(i))));
    deepEqual(
      results.map(([sum]) => sum),
      [1, 2, 3].map((i) => i * rank.size),
    );
  },

  "ranks of a colour are a communicator, in the order of their keys": async (rank) => {
    const isOut = rank.size > 2 && rank.rank === rank.size - 1;
    const part = await rank.split(isOut ? undefined : rank.rank % 2, -rank.rank);
    equal(part === undefined, isOut);
    if (!part) return;
    const same = Array.from({ length: rank.size - (rank.size > 2 ? 1 : 0) }, (_, i) => i)
      .filter((other) => other % 2 === rank.rank % 2)
      .reverse();
    deepEqual([part.rank, part.size], [same.indexOf(rank.rank), same.length]);
    const [sum] = await allReduce(part.begin(), Float32Array.of(rank.rank));
    equal(
      sum,
      same.reduce((a, b) => a + b),
    );
    await barrier(part.begin());
  },

  "ring sends 2 (N-1)/N of the bytes": bytesOf("ring"),
  "halving-doubling sends 2 (N-1)/N of the bytes": bytesOf("halving-doubling"),

  "another number of values on a rank is refused": async (rank) => {
    if (rank.size !== 2) return;
    await rejects(
      allReduce(rank.begin(), new Float32Array(4 + 4 * rank.rank), { algorithm: "ring" }),
      /ranks reduce the same number of values; expected (8|16) bytes; got (8|16)/,
    );
  },
};
