import { describe, expect, it } from "vitest";
import { maxOf } from "../ir/index.ts";
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
  localTransports,
  openCommunicator,
  partOf,
  portsBetween,
  portTransport,
  reduce,
  reduceOperations,
  reduceScatter,
  type Transport,
} from "./index.ts";
import { openTcpTransport } from "./sockets.ts";

type Open = (size: number) => Promise<Transport[]>;

/** Every transport by its name: the ends of so many ranks. */
const transports: Readonly<Record<string, Open>> = {
  local: async (size) => localTransports(size),
  ports: async (size) => portsBetween(size).map((ports, rank) => portTransport(rank, ports)),
  tcp: tcpTransports,
};

function tcpTransports(size: number): Promise<Transport[]> {
  const token = "a token for tests alone";
  return new Promise((resolve, reject) => {
    const onListening = (address: string) => {
      const others = Array.from({ length: size - 1 }, (_, i) =>
        openTcpTransport({ rank: i + 1, size, address, token }),
      );
      Promise.all([first, ...others]).then(resolve, reject);
    };
    const first = openTcpTransport({ rank: 0, size, address: "127.0.0.1:0", token, onListening });
    if (size === 1) first.then((end) => resolve([end]), reject);
  });
}

/** Runs the same function as every rank, and gives what each returned. */
async function asRanks<T>(open: Open, size: number, work: (rank: Communicator) => Promise<T>) {
  const ranks = (await open(size)).map(openCommunicator);
  try {
    return await Promise.all(ranks.map(work));
  } finally {
    await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  }
}

/** What a rank has: no two are alike, and sums of any order differ in their last bits. */
function own(rank: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(1 + rank * 37 + i * 0.7) * 10 ** (rank % 3));
}

/** The reduced values in float64. */
function reduced(size: number, length: number, operation: (typeof reduceOperations)[number]): number[] {
  const combine = { sum: (a: number, b: number) => a + b, max: Math.max, min: Math.min }[operation];
  return Array.from({ length }, (_, i) =>
    Array.from({ length: size }, (_, rank) => own(rank, length)[i]!).reduce((a, b) => combine(a, b)),
  );
}

function expectNear(values: ArrayLike<number>, wanted: readonly number[]): void {
  expect(values.length).toBe(wanted.length);
  const errors = wanted.map((value, i) => Math.abs(values[i]! - value) / Math.max(1, Math.abs(value)));
  expect(maxOf(errors)).toBeLessThan(1e-5);
}

describe.each(Object.keys(transports))("collectives over %s", (name) => {
  const open = transports[name]!;
  const sizes = name === "tcp" ? [1, 2, 3] : [1, 2, 3, 4, 5, 8];

  it.each(Object.keys(allReduceAlgorithms) as AllReduceAlgorithmName[])("all-reduce by %s", async (algorithm) => {
    for (const size of sizes) {
      for (const length of [0, 1, 5, 201]) {
        for (const operation of reduceOperations) {
          const options = { algorithm, operation, ranksPerMachine: 3 };
          const all = await asRanks(open, size, (rank) => allReduce(rank.begin(), own(rank.rank, length), options));
          expectNear(all[0]!, reduced(size, length, operation));
          for (const values of all) expect(values).toEqual(all[0]);
        }
      }
    }
  });

  it("reduce-scatter gives each rank its part, all-gather puts the parts together", async () => {
    for (const size of sizes) {
      const all = await asRanks(open, size, async (rank) => {
        const part = await reduceScatter(rank.begin(), own(rank.rank, 50));
        const whole = new Float32Array(50);
        partOf(whole, rank.rank, size).set(part);
        return await allGatherParts(rank.begin(), whole);
      });
      for (const values of all) expectNear(values, reduced(size, 50, "sum"));
    }
  });

  it("reduce and broadcast have any root", async () => {
    for (const size of sizes) {
      for (let root = 0; root < size; root++) {
        const all = await asRanks(open, size, async (rank) => {
          const values = await reduce(rank.begin(), own(rank.rank, 9), { root });
          const before = values.slice();
          return { before, after: await broadcast(rank.begin(), values, root) };
        });
        all.forEach(({ before, after }, rank) => {
          expectNear(before, rank === root ? reduced(size, 9, "sum") : [...own(rank, 9)]);
          expect(after).toEqual(all[root]!.before);
        });
      }
    }
  });

  it("all-gather and all-to-all carry messages of any length", async () => {
    const message = (from: number, to: number) => new Uint8Array(3 * from + to).fill(16 * from + to);
    for (const size of sizes) {
      const all = await asRanks(open, size, async (rank) => ({
        gathered: await allGather(rank.begin(), message(rank.rank, 1)),
        exchanged: await allToAll(
          rank.begin(),
          Array.from({ length: size }, (_, to) => message(rank.rank, to)),
        ),
      }));
      all.forEach(({ gathered, exchanged }, rank) => {
        expect(gathered).toEqual(Array.from({ length: size }, (_, from) => message(from, 1)));
        expect(exchanged).toEqual(Array.from({ length: size }, (_, from) => message(from, rank)));
      });
    }
  });

  it("no rank leaves a barrier before the last has come", async () => {
    for (const size of sizes) {
      let come = 0;
      await asRanks(open, size, async (rank) => {
        if (rank.rank === size - 1) await Promise.resolve();
        come++;
        await barrier(rank.begin());
        expect(come).toBe(size);
      });
    }
  });

  it("operations side by side see their own messages alone", async () => {
    const all = await asRanks(open, 4, async (rank) => {
      const lines = Array.from({ length: 5 }, () => rank.begin());
      const order = rank.rank % 2 === 0 ? lines.keys() : [...lines.keys()].reverse();
      const results: Float32Array[] = [];
      await Promise.all(
        [...order].map(async (i) => {
          results[i] = await allReduce(lines[i]!, Float32Array.of(i, 1));
        }),
      );
      return results;
    });
    for (const results of all) expect(results.map(([sum]) => sum)).toEqual([0, 4, 8, 12, 16]);
  });

  it("ranks of a colour are a communicator, in the order of their keys", async () => {
    const all = await asRanks(open, 6, async (rank) => {
      const part = await rank.split(rank.rank === 5 ? undefined : rank.rank % 2, -rank.rank);
      if (!part) return undefined;
      const [sum] = await allReduce(part.begin(), Float32Array.of(rank.rank));
      return { rank: part.rank, size: part.size, sum };
    });
    expect(all).toEqual([
      { rank: 2, size: 3, sum: 6 },
      { rank: 1, size: 2, sum: 4 },
      { rank: 1, size: 3, sum: 6 },
      { rank: 0, size: 2, sum: 4 },
      { rank: 0, size: 3, sum: 6 },
      undefined,
    ]);
  });

  it.each(["ring", "halving-doubling"] as const)("%s sends 2 (N-1)/N of the bytes", async (algorithm) => {
    const length = 8 * 3 * 5;
    for (const size of [2, 3, 4, 5, 8]) {
      if (algorithm === "halving-doubling" && size % 2 !== 0) continue;
      const all = await asRanks(open, size, async (rank) => {
        await allReduce(rank.begin(), own(rank.rank, length), { algorithm });
        return { ...rank.traffic };
      });
      const bytes = (2 * (size - 1) * length * Float32Array.BYTES_PER_ELEMENT) / size;
      for (const traffic of all) expect(traffic).toMatchObject({ sentBytes: bytes, receivedBytes: bytes });
    }
  });

  it("refuses another number of values on a rank", async () => {
    const lengths = asRanks(open, 2, (rank) => allReduce(rank.begin(), new Float32Array(4 + 4 * rank.rank)));
    await expect(lengths).rejects.toThrow(
      /ranks reduce the same number of values; expected (8 bytes; got 16|16 bytes; got 8)/,
    );
  });

  it("whoever waits for a rank that leaves is told, after what it had sent", async () => {
    const [first, second] = (await open(2)).map(openCommunicator);
    await first!.tagged("news").send(1, Uint8Array.of(7));
    await first![Symbol.asyncDispose]();
    const line = second!.tagged("news");
    expect(await line.receive(0)).toEqual(Uint8Array.of(7));
    await expect(line.receive(0)).rejects.toThrow("rank 0 is gone; got it has left");
    await expect(line.send(0, Uint8Array.of(1))).rejects.toThrow("rank 0 is gone");
    await second![Symbol.asyncDispose]();
    await expect(second!.tagged("news").receive(0)).rejects.toThrow("this communicator is closed");
  });
});

describe("a communicator", () => {
  const pair = () => localTransports(2).map(openCommunicator);

  it.each([0, 2, -1, 0.5])("sends nothing to rank %s", async (to) => {
    const [first] = pair();
    await expect(first!.begin().send(to, Uint8Array.of(1))).rejects.toThrow("a rank from 0 to 1 other than 0");
  });

  it("sends what the values were when it was called", async () => {
    const [first, second] = pair();
    const values = Float32Array.of(1, 2);
    const sent = first!.begin().send(1, values.subarray(1));
    values.fill(0);
    await sent;
    expect(new Float32Array((await second!.begin().receive(0)).buffer)).toEqual(Float32Array.of(2));
  });

  it("names unknown algorithms, reductions and options", async () => {
    const line = localTransports(1).map(openCommunicator)[0]!.begin();
    const values = new Float32Array(1);
    await expect(allReduce(line, values, { algorithm: "star" as never })).rejects.toThrow("ring, tree");
    await expect(allReduce(line, values, { operation: "product" as never })).rejects.toThrow("sum, max, min");
    await expect(allReduce(line, values, { ranks: 1 } as never)).rejects.toThrow("unknown option");
    await expect(allReduce(line, values, { ranksPerMachine: 0 })).rejects.toThrow("a whole number of at least 1");
    await expect(allToAll(line, [])).rejects.toThrow("one message for each rank; expected 1; got 0");
  });
});
