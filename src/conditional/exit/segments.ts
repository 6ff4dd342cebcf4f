/// <reference lib="esnext.disposable" preserve="true" />
/** @file A network with exits cut into models, and runs over them in which the samples that are sure drop out. */
import { must, nth } from "../../checked.ts";
import { DataError, UnsupportedError } from "../../errors.ts";
import {
  ancestors,
  bytesOfTensor,
  dependents,
  fedInputs,
  type Graph,
  type Model,
  type Node,
  numbersOf,
  producerOf,
  readsOf,
  type Tensor,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import type { Feeds, OpenSession, RunOptions, Session, SessionOptions } from "../../runtime/index.ts";
import { checkThresholds, type EarlyExitOptions } from "./export-early-exit.ts";
import { named, type StageOptions, stagesOf, withScores } from "./staged-model.ts";

/** A part of the network that ends with an exit, the last with the network. */
export interface Segment {
  /** Inputs and outputs are named after the values of the whole network; the first axis of all is the batch. */
  readonly model: Model;
  readonly logits: string;
  /** Absent in the last segment. */
  readonly score?: string;
}

/**
 * Cuts at the exits. What only constants go into is computed in every segment that reads it.
 *
 * @throws UnsupportedError when a value that goes from one segment to another has no batch axis in front, or the batch is fixed.
 */
export function exitSegments(model: Model, options: StageOptions): Segment[] {
  const scored = withScores(model, options);
  const { graph } = scored.model;
  const ends = [
    ...scored.exits.map((name, i) => ({ logits: name, score: nth(scored.scores, i) })),
    { logits: scored.output },
  ];
  const wanted = ends.map((end) => Object.values(end).map((name) => named(graph, name)));
  const moving = dependents(graph.nodes, new Set(fedInputs(graph)));
  const stages = stagesOf(graph, wanted).map((nodes) =>
    nodes.filter((node) => node.outputs.some((value) => value && moving.has(value))),
  );
  const batch = batchOf(graph);
  return ends.map((end, k) => {
    const nodes = withConstants(graph, nth(stages, k), moving);
    const read = new Set(
      nth(stages, k)
        .flatMap(readsOf)
        .filter((value) => moving.has(value)),
    );
    const made = new Set(nodes.flatMap(({ outputs }) => outputs));
    const inputs = [...read].filter((value) => !made.has(value));
    const later = new Set(stages.slice(k + 1).flatMap((rest) => rest.flatMap(readsOf)));
    const carried = [...made].filter((value): value is Value => value !== undefined && later.has(value));
    for (const value of [...inputs, ...carried.filter((x) => moving.has(x))]) requireBatch(value, batch);
    const outputs = [...new Set([...nth(wanted, k), ...carried.filter((value) => moving.has(value))])];
    const reads = new Set([...nodes.flatMap(readsOf), ...outputs]);
    const initializers = new Map([...graph.initializers].filter(([value]) => reads.has(value)));
    return { model: withGraph(scored.model, { ...graph, inputs, outputs, nodes, initializers }), ...end };
  });
}

/** The nodes and those that make constants for them, in the order of the graph. */
function withConstants(graph: Graph, nodes: readonly Node[], moving: ReadonlySet<Value>): Node[] {
  const constants = ancestors(nodes.flatMap(readsOf), (value) =>
    moving.has(value) ? undefined : producerOf(graph, value),
  );
  const needed = new Set([...nodes, ...constants]);
  return graph.nodes.filter((node) => needed.has(node));
}

function batchOf({ inputs, initializers }: Graph): string {
  const dims = inputs.filter((value) => !initializers.has(value)).map((value) => firstDim(value));
  const [batch] = dims;
  if (typeof batch === "string" && batch !== "" && dims.every((dim) => dim === batch)) return batch;
  throw new UnsupportedError("samples can only drop out of a batch of variable size", {
    expected: "one symbol as the first dim of every input",
    got: dims.join(", "),
    hint: "Run the pass dynamicBatch first.",
  });
}

function firstDim({ type }: Value): number | string | undefined {
  return type?.kind === "tensor" ? type.dims?.[0] : undefined;
}

function requireBatch(value: Value, batch: string): void {
  if (firstDim(value) === batch) return;
  throw new UnsupportedError("a value between two exits is not a row per sample", {
    expected: `${batch} as its first dim`,
    got: String(firstDim(value)),
    where: `value ${JSON.stringify(value.name)}`,
  });
}

export interface ExitedBatch {
  /** [batch, classes]. */
  readonly logits: Tensor;
  /** Which exit each sample took; the number of exits where none. */
  readonly exits: readonly number[];
}

/** A session per segment. Release it when it is no longer needed. */
export class EarlyExitSession implements AsyncDisposable {
  readonly #segments: readonly Segment[];
  readonly #sessions: readonly Session[];
  readonly #thresholds: readonly number[];

  constructor(segments: readonly Segment[], sessions: readonly Session[], thresholds: readonly number[]) {
    this.#segments = segments;
    this.#sessions = sessions;
    this.#thresholds = thresholds;
  }

  /** Runs each segment on the samples that are left. Every sample gets what it would get alone. */
  async run(feeds: Feeds, { signal }: Pick<RunOptions, "signal"> = {}): Promise<ExitedBatch> {
    const size = [...feeds.values()][0]?.dims[0] ?? 0;
    if (size === 0) throw new DataError("a batch has no samples", { expected: "one row or more", got: "0" });
    const exits = new Array<number>(size).fill(this.#thresholds.length);
    const parts: Tensor[] = [];
    const order: number[] = [];
    let held = new Map(feeds);
    let samples = Array.from({ length: size }, (_, i) => i);
    for (const [k, { model, logits, score }] of this.#segments.entries()) {
      if (samples.length === 0) break;
      const own = model.graph.inputs.map(({ name }) => [name, must(held, name)] as const);
      const made = await nth(this.#sessions, k).run(new Map(own), signal ? { signal } : {});
      const isSure = score === undefined ? () => true : reaching(must(made, score), nth(this.#thresholds, k));
      const rows = samples.map((_, row) => row);
      const leaving = rows.filter(isSure);
      const staying = rows.filter((row) => !isSure(row));
      parts.push(takeRows(must(made, logits), leaving));
      for (const row of leaving) {
        order.push(nth(samples, row));
        exits[nth(samples, row)] = k;
      }
      held = new Map([...held, ...made].map(([name, value]) => [name, takeRows(value, staying)]));
      samples = staying.map((row) => nth(samples, row));
    }
    return { logits: inOrder(parts, order), exits };
  }

  async release(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.release()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/**
 * Opens the segments of a network with exits for batches.
 *
 * @throws UsageError for thresholds that do not fit, UnsupportedError as `exitSegments`, and as `open` does.
 */
export async function openEarlyExit(
  model: Model,
  { thresholds, ...options }: EarlyExitOptions,
  open: OpenSession,
  session: SessionOptions = {},
): Promise<EarlyExitSession> {
  checkThresholds(thresholds, options.exits);
  const segments = exitSegments(model, options);
  const sessions: Session[] = [];
  try {
    for (const segment of segments) sessions.push(await open(segment.model, { step: "timing exits", ...session }));
  } catch (error) {
    await Promise.all(sessions.map((opened) => opened.release()));
    throw error;
  }
  return new EarlyExitSession(segments, sessions, thresholds);
}

/** Thresholds are float32 in a model, so they are here. */
function reaching(scores: Tensor, threshold: number): (row: number) => boolean {
  const least = Math.fround(threshold);
  const values = numbersOf(scores);
  return (row) => values[row]! >= least;
}

function takeRows(value: Tensor, rows: readonly number[]): Tensor {
  const bytes = bytesOfTensor(value);
  const [count = 0, ...rest] = value.dims;
  const width = count === 0 ? 0 : bytes.byteLength / count;
  const data = new Uint8Array(width * rows.length);
  rows.forEach((row, i) => void data.set(bytes.subarray(row * width, (row + 1) * width), i * width));
  return { dtype: value.dtype, dims: [rows.length, ...rest], data };
}

/** The rows of all parts, row i at the place `order[i]`. */
function inOrder(parts: readonly Tensor[], order: readonly number[]): Tensor {
  const first = nth(parts, 0);
  const data = new Uint8Array(parts.reduce((sum, part) => sum + bytesOfTensor(part).byteLength, 0));
  let end = 0;
  for (const part of parts) {
    data.set(bytesOfTensor(part), end);
    end += bytesOfTensor(part).byteLength;
  }
  const places = new Array<number>(order.length);
  for (const [row, sample] of order.entries()) places[sample] = row;
  return takeRows({ dtype: first.dtype, dims: [order.length, ...first.dims.slice(1)], data }, places);
}
