/** @file Speed of reading, checking and writing models, and whether the main thread stays free. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Experiment, markdownTable } from "./experiment.ts";
import type { Judgement } from "./judgement.ts";

interface Times {
  readonly bytes: number;
  readonly nodes: number;
  readonly decodeMs: number;
  readonly verifyMs: number;
  readonly encodeMs: number;
  readonly totalMs: number;
}

interface Result {
  readonly heavy: Times;
  readonly long: Times;
  readonly standStill: { readonly session: number; readonly bareRuntime: number };
}

const root = fileURLToPath(new URL("../", import.meta.url));

function bench(name: string): string {
  return execFileSync(process.execPath, ["--import", `${root}scripts/typescript.mjs`, `${root}bench/${name}.ts`], {
    encoding: "utf8",
  });
}

export const codec: Experiment<Result> = {
  name: "codec",
  claim:
    "A 100 MB model is decoded, verified and encoded in under 1 s, a graph of 20,000 nodes in under 2 s, and a running session never blocks the main thread for 50 ms.",
  source: "lithe",
  workload:
    "Generated models, medians of five runs (`bench/codec.ts`); the longest gap between timer ticks while a session runs (`bench/event-loop.ts`).",
  seeds: [],
  criterion: "all three bounds hold.",
  async run() {
    const { heavy, long } = JSON.parse(bench("codec")) as Pick<Result, "heavy" | "long">;
    const gaps = [...bench("event-loop").matchAll(/: +([\d.]+) ms/g)].map(([, gap]) => Number(gap));
    return { heavy, long, standStill: { session: gaps[0] ?? Number.NaN, bareRuntime: gaps[1] ?? Number.NaN } };
  },
  judge: ({ heavy, long, standStill }) => [
    below("100 MB are decoded, verified and encoded in under 1 s", heavy.totalMs, 1000),
    below("20,000 nodes are in under 2 s", long.totalMs, 2000),
    below("a session blocks the main thread for less than 50 ms", standStill.session, 50),
  ],
  page({ heavy, long, standStill }) {
    const rows = [heavy, long].map(({ bytes, nodes, decodeMs, verifyMs, encodeMs, totalMs }) => [
      `${(bytes / 1e6).toFixed(0)} MB, ${nodes} nodes`,
      decodeMs,
      verifyMs,
      encodeMs,
      totalMs,
    ]);
    const table = markdownTable(["model", "decode ms", "verify ms", "encode ms", "all ms"], rows);
    return `${table}\n\nLongest stand-still of the main thread: ${standStill.session} ms with a session of lithe's, ${standStill.bareRuntime} ms with the runtime called directly.`;
  },
};

function below(what: string, ms: number, bound: number): Judgement {
  return { what, holds: Number.isFinite(ms) ? ms < bound : undefined, figure: `${ms} ms` };
}
