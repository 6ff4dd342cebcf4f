/** @file Ranks that are functions of one thread: for tests, and for experiments with more ranks than processors. */
import { nth } from "../../checked.ts";
import type { Frame, Transport, TransportListener } from "./transport.ts";

/** The transports of so many ranks, by rank. */
export function localTransports(size: number): Transport[] {
  const ends = Array.from({ length: size }, localEnd);
  return ends.map(({ listen }, rank) => ({
    rank,
    size,
    listen,
    async post(to, frame) {
      nth(ends, to).deliver(rank, frame);
    },
    close: () => Promise.resolve(),
  }));
}

interface LocalEnd {
  deliver(from: number, frame: Frame): void;
  listen(listener: TransportListener): void;
}

function localEnd(): LocalEnd {
  let listener: TransportListener | undefined;
  const early: [number, Frame][] = [];
  return {
    deliver(from, frame) {
      if (listener) listener.frame(from, frame);
      else early.push([from, frame]);
    },
    listen(each) {
      listener = each;
      for (const [from, frame] of early.splice(0)) each.frame(from, frame);
    },
  };
}
