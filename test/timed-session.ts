/** @file A session that computes nothing and takes what it is told. */
import type { Feeds, Session } from "../src/runtime/index.ts";

/** `time`: milliseconds of a run, by the runs before. */
export function timedSession(time: (run: number) => number): Session {
  let runs = 0;
  const unused = () => Promise.reject(new Error("not asked for"));
  return {
    ...{ ep: "cpu", inputs: [], outputs: [], loadTime: 0, run: unused, profile: unused },
    async time(_: Feeds, rounds: number) {
      const times = Array.from({ length: rounds }, () => time(runs++));
      return { times, firstRun: times[0] ?? 0, processor: times.length };
    },
    async release() {},
    async [Symbol.asyncDispose]() {},
  };
}
