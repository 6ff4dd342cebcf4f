/** @file Ranks that are threads, in Node or in a page: a message port between each two of them. */
import { nth } from "../../checked.ts";
import type { Frame, Transport } from "./transport.ts";

/** The ports of a rank, by the rank at their other end; none to itself. They go to its thread in the list of transferred objects. */
export type RankPorts = readonly (MessagePort | undefined)[];

/** The ports of so many ranks, by rank. */
export function portsBetween(size: number): RankPorts[] {
  const all = Array.from({ length: size }, (): (MessagePort | undefined)[] => Array(size).fill(undefined));
  for (let a = 0; a < size; a++) {
    for (let b = a + 1; b < size; b++) {
      const { port1, port2 } = new MessageChannel();
      nth(all, a)[b] = port1;
      nth(all, b)[a] = port2;
    }
  }
  return all;
}

/** The end of a thread. A frame moves to the other thread without a copy; a thread that ends is lost to the others. */
export function portTransport(rank: number, ports: RankPorts): Transport {
  let isOpen = true;
  return {
    rank,
    size: ports.length,
    listen(listener) {
      for (const [from, port] of ports.entries()) {
        if (!port) continue;
        port.addEventListener("message", ({ data }: MessageEvent<Frame>) => listener.frame(from, data));
        port.addEventListener("close", () => {
          if (isOpen) listener.lost(from, "its thread ended");
        });
        port.start();
      }
    },
    async post(to, frame) {
      nth(ports, to).postMessage(frame, [frame.payload.buffer]);
    },
    async close() {
      isOpen = false;
      for (const port of ports) port?.close();
    },
  };
}
