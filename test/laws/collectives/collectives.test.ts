import { describe, expect, it } from "vitest";
import {
  allReduce,
  barrier,
  type Communicator,
  localTransports,
  openCommunicator,
  portsBetween,
  portTransport,
  type Transport,
} from "../../../src/distributed/index.ts";
import { openTcpTransport } from "../../../src/distributed/sockets.ts";
import { collectiveLaws } from "./laws.ts";

/** Every transport whose ends can be in one process, by its name: the ends of so many ranks. */
const transports: Readonly<Record<string, (size: number) => Promise<Transport[]>>> = {
  local: async (size) => localTransports(size),
  ports: async (size) => portsBetween(size).map((ports, rank) => portTransport(rank, ports)),
  tcp: tcpTransports,
};

function tcpTransports(size: number): Promise<Transport[]> {
  // A law may keep this thread busy for longer than a rank may be silent.
  const options = { size, token: "a token for tests alone", beat: 60_000 };
  return new Promise((resolve, reject) => {
    const onListening = (address: string) => {
      const others = Array.from({ length: size - 1 }, (_, i) => openTcpTransport({ ...options, rank: i + 1, address }));
      Promise.all([first, ...others]).then(resolve, reject);
    };
    const first = openTcpTransport({ ...options, rank: 0, address: "127.0.0.1:0", onListening });
    if (size === 1) first.then((end) => resolve([end]), reject);
  });
}

/** Runs the same function as every rank. */
async function asRanks(
  open: (size: number) => Promise<Transport[]>,
  size: number,
  work: (rank: Communicator) => unknown,
) {
  const ranks = (await open(size)).map(openCommunicator);
  try {
    await Promise.all(ranks.map(work));
  } finally {
    await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  }
}

describe.each(Object.entries(transports))("collectives over %s", (_, open) => {
  it.each(Object.entries(collectiveLaws))("%s", async (_, law) => {
    for (const size of [1, 2, 3, 4, 5, 8]) await asRanks(open, size, law);
  });

  it("no rank leaves a barrier before the last has come", async () => {
    for (const size of [1, 2, 3, 5]) {
      let come = 0;
      await asRanks(open, size, async (rank) => {
        if (rank.rank === size - 1) await Promise.resolve();
        come++;
        await barrier(rank.begin());
        expect(come).toBe(size);
      });
    }
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

it("a law that does not hold is told", async () => {
  const broken = asRanks(transports.local!, 2, async (rank) => {
    const [sum] = await allReduce(rank.begin(), Float32Array.of(1));
    expect(sum).toBe(3);
  });
  await expect(broken).rejects.toThrow("expected 2 to be 3");
});
