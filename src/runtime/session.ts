/// <reference lib="esnext.disposable" preserve="true" />
/** @file The one interface to a runtime. Everything above sees `Session` and nothing of ONNX Runtime. */
import type { DataType, Dim, Model, Tensor } from "../ir/index.ts";

export const executionProviders = ["cpu", "webgpu", "wasm"] as const;
export type ExecutionProvider = (typeof executionProviders)[number];

/** What a session runs on: a provider of ONNX Runtime, or lithe's own slow evaluator. */
export type SessionProvider = ExecutionProvider | "reference";

/** A model's input or output as the runtime sees it. */
export interface Port {
  readonly name: string;
  /** `undefined` for what is not a tensor. */
  readonly dtype: DataType | undefined;
  /** Absent when the rank is unknown. Unknown dims are `""`. */
  readonly dims?: readonly Dim[];
}

/** Named tensors. Names come from models, so they are keys of a map and never of an object. */
export type Feeds = ReadonlyMap<string, Tensor>;

export interface SessionOptions {
  readonly ep?: ExecutionProvider;
  /** Threads inside an operator; default 1. */
  readonly threads?: number;
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
  /** Collects per-node times; read them with `profile()`. */
  readonly profile?: boolean;
  /** Further configuration entries of ONNX Runtime, dotted: `"session.x64quantprecision": "1"`. */
  readonly config?: ReadonlyMap<string, string>;
  /**
   * Leaves the runtime's own numeric defaults in place, as an application that deploys the file without lithe has them.
   * For evidence; without it a session prefers right results (see `rules`).
   */
  readonly stock?: boolean;
  /**
   * Where the session lives. By default a process, which may die without taking this one along and may have served an
   * earlier session; `"process"`: one that nothing else ran in. `"thread"`: a thread of this process, which a model can end.
   * A browser has threads only.
   */
  readonly isolate?: "thread" | "process";
  /** Bounds of the process. Breaking one ends it and fails the call with LimitError. Generous ones hold by default. */
  readonly limits?: SessionLimits;
  /** What errors call the model, such as its file's name. */
  readonly name?: string;
  /** What the session is for, as errors say it: `"folding constants"`. */
  readonly step?: string;
  /** URL of the folder with the runtime's wasm files, in the browser; default: beside the runtime's module. */
  readonly assets?: string;
  /**
   * Outputs that only become inputs of the next run, as `reside` has them. On WebGPU in a browser they stay in buffers of
   * the GPU until they are read; in Node they pass through the session's own memory, because its runtime cannot read a
   * buffer of the GPU. The CPU providers have one memory.
   */
  readonly resident?: readonly string[];
}

export interface SessionLimits {
  /** Resident memory in bytes; by default three fifths of what the machine has left. Threads have no bound. */
  readonly memory?: number;
  /**
   * Milliseconds for loading, and for any one run. By default two minutes, and more for loading a large model or for runs
   * after one that took long; none in a thread of Node, which ends when the runtime returns to it.
   */
  readonly time?: number;
}

export interface RunOptions {
  /** The outputs to return; all when absent. */
  readonly fetches?: readonly string[];
  /** Checked before the run starts. Aborting a run that has started abandons it, which releases the session. */
  readonly signal?: AbortSignal;
  /** Hands the feeds' memory over instead of copying it: the caller's arrays may be empty afterwards. */
  readonly transfer?: boolean;
}

/** Time spent in one node, in microseconds over all runs so far. */
export interface NodeProfile {
  readonly name: string;
  readonly opType: string;
  readonly provider: string;
  readonly calls: number;
  readonly micros: number;
}

/** Times of repeated runs measured next to the runtime, without message passing, in milliseconds. */
export interface Timing {
  readonly times: readonly number[];
  readonly firstRun: number;
  /** Processor time of all threads of the process, of these runs together; absent where the platform does not tell. */
  readonly processor?: number;
}

/** Feeds that were sent once and stay next to the runtime. */
export interface HeldFeeds {
  run(options?: RunOptions): Promise<Map<string, Tensor>>;
  time(rounds: number): Promise<Timing>;
  drop(): Promise<void>;
}

/** State that stays next to the runtime: outputs of one run are inputs of the next without travelling. */
export interface ResidentState {
  /** Runs once per batch, in order, and returns what was fetched of each. `fetches` is required unless all is wanted. */
  advance(batches: readonly Feeds[], options?: RunOptions): Promise<Map<string, Tensor>[]>;
  /** A copy of the state as it is now, by input name; all of it without names. */
  read(names?: readonly string[]): Promise<Map<string, Tensor>>;
  drop(): Promise<void>;
}

/** Bytes of resident memory of the process that the session lives in; `peak` over the lifetime of the process. */
export interface MemoryUse {
  readonly resident: number;
  readonly peak: number;
}

export interface Session extends AsyncDisposable {
  readonly ep: SessionProvider;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** What the runtime does to this model although nobody asked for it, in sentences; absent where it does nothing. */
  readonly notices?: readonly string[];
  /** Milliseconds that loading took. */
  readonly loadTime: number;
  /** Runs the model. Feeds are checked (names, dtypes, dims) before they reach the runtime. */
  run(feeds: Feeds, options?: RunOptions): Promise<Map<string, Tensor>>;
  /** Runs `rounds` times on the same feeds and returns the times only. */
  time(feeds: Feeds, rounds: number): Promise<Timing>;
  /** Sends feeds once for many runs. Absent where feeds need no sending. */
  hold?(feeds: Feeds): Promise<HeldFeeds>;
  /**
   * Keeps `state` (inputs) next to the runtime; `next` names the output that each input becomes after every run. Absent
   * where there is no distance to save.
   */
  reside?(state: Feeds, next: ReadonlyMap<string, string>): Promise<ResidentState>;
  /** Absent where the platform does not tell. */
  memory?(): Promise<MemoryUse>;
  /** Ends profiling and returns the times by node. */
  profile(): Promise<readonly NodeProfile[]>;
  /** Frees the native memory and ends the worker. Calling it twice is harmless. */
  release(): Promise<void>;
}

/** Opens a session; techniques receive it as a parameter. */
export type OpenSession = (model: Model, options?: SessionOptions) => Promise<Session>;
