/** @file The facts of `lithe parallelize`, put together for the report; the time on several workers. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Model } from "../ir/index.ts";
import { agreementFacts } from "../job/accelerate/job-report.ts";
import type { Console } from "../job/console.ts";
import { firstBatch } from "../job/data/load.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { modelFacts } from "../job/model/model-facts.ts";
import { fingerprint } from "../job/model/model-file.ts";
import { environment } from "../job/run/environment.ts";
import { timestamp } from "../job/run/timestamp.ts";
import { commandOf } from "../job/settings/command-line.ts";
import { type Comparison, compareLatency } from "../measure/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { type Parallelized, partitionBranches, type Window, windowLength } from "../parallel/index.ts";
import type { ParallelReport, WindowFacts } from "../report/index.ts";
import { openPartition, openSession } from "../runtime/index.ts";
import type { ParallelizeFlags } from "./parallelize-flags.ts";

export interface ParallelFacts {
  readonly path: string;
  readonly out: string;
  readonly flags: ParallelizeFlags;
  readonly original: Model;
  readonly data: LoadedData;
  readonly found: Parallelized;
  readonly runs: ParallelReport["runs"];
  readonly comparison: Comparison;
  readonly spread: ParallelReport["spread"];
  readonly broken: readonly string[];
}

export async function parallelReport(facts: ParallelFacts): Promise<ParallelReport> {
  const { path, out, flags, original, data, found, runs, spread, broken } = facts;
  const { size, latency, agreement, accuracy } = facts.comparison;
  const { curve, training, depth, plan } = found;
  const bytes = encodeModel(found.model);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { branches, group, arrangement } = flags;
  return {
    schema: 1,
    kind: "parallel",
    title: `lithe: ${basename(path)} in parallel`,
    command: commandOf("parallelize", path, flags),
    created: timestamp(),
    seed: flags.seed,
    environment: await environment(),
    original: modelFacts(basename(path), original, await fingerprint(path)),
    result: modelFacts(basename(out), found.model, { sha256, bytes: bytes.byteLength }),
    data: {
      source: data.source,
      selection: curve.length > 0 ? data.calibrationSize : 0,
      training: training?.samples ?? 0,
      verification: data.evaluationSize,
    },
    shape: { branches, group, arrangement },
    runs,
    depth,
    windows: windowFacts(found, windowLength(plan)),
    curve: curve.map(({ windows: _, ...point }) => point),
    comparison: {
      size,
      latency,
      agreement: agreementFacts(agreement, data.evaluationSize),
      ...(accuracy && { accuracy: { a: accuracy.a, b: accuracy.b, n: accuracy.n } }),
    },
    ...(spread && { spread }),
    ...(training && { training }),
    broken,
  };
}

/** Those that were measured; those of the plan where none were. */
function windowFacts({ windows, plan }: Parallelized, length: number): WindowFacts[] {
  const keyOf = ({ run, first }: Window) => `${run} ${first}`;
  const chosen = new Set(plan.windows.map(keyOf));
  const all: readonly (Window & { readonly divergence?: number })[] = windows.length > 0 ? windows : plan.windows;
  return all.map((window) => ({
    place: `run ${window.run + 1}, blocks ${window.first + 1} to ${window.first + length}`,
    ...(window.divergence !== undefined && { divergence: window.divergence }),
    isParallel: chosen.has(keyOf(window)),
  }));
}

/** The original in one session against the result on `--workers` workers, in turns. */
export async function spreadLatency(
  original: Model,
  model: Model,
  data: LoadedData,
  { ep, threads, seed, workers }: ParallelizeFlags,
  { signal }: Pick<Console, "signal">,
): Promise<ParallelReport["spread"]> {
  if (workers === undefined) return undefined;
  const { feeds, count } = await firstBatch(data);
  await using one = await openSession(original, { ep, threads });
  await using many = await openPartition(partitionBranches(model, workers), { ep, threads });
  const { a, b, ratio, spread } = await compareLatency(one, many, feeds, { seed, signal });
  return { workers, ep: one.ep, threads, batch: count, a, b, ratio, spread };
}
