/** @file What `lithe bench` measured, for people. */
import type { Console } from "../job/console.ts";
import type { Benchmark } from "../measure/index.ts";
import { formatBytes, formatMilliseconds } from "../report/index.ts";
import type { NodeProfile } from "../runtime/index.ts";
import { table } from "./text-table.ts";

export function showBenchmark(
  result: Benchmark & { ep: string; threads: number; batch: number; data: string },
  nodes: readonly NodeProfile[] | undefined,
  { say }: Console,
): void {
  const { ep, threads, batch, data, p50, p95, min, throughput, firstRun, loadTime, peakMemory, rounds } = result;
  const inTurn = result.inputs > 1 ? `, ${result.inputs} inputs in turn` : "";
  say(`${ep}, ${threads} thread${threads === 1 ? "" : "s"}, batch ${batch}, ${data}, ${rounds} runs${inTurn}`);
  say(
    `p50 ${formatMilliseconds(p50)}, p95 ${formatMilliseconds(p95)}, min ${formatMilliseconds(min)}, ${throughput.toFixed(1)} samples/s`,
  );
  say(
    `loading ${formatMilliseconds(loadTime)}, first run ${formatMilliseconds(firstRun)}${peakMemory === undefined ? "" : `, peak memory ${formatBytes(peakMemory)}`}`,
  );
  if (!nodes) return;
  const total = nodes.reduce((sum, { micros }) => sum + micros, 0);
  const rows = nodes
    .slice(0, 30)
    .map(({ name, opType, provider, micros, calls }) => [
      name,
      opType,
      provider,
      (micros / calls).toFixed(1),
      `${((100 * micros) / total).toFixed(1)} %`,
    ]);
  for (const line of table(["node", "operator", "provider", "µs/run", "share"], rows)) say(line);
}
