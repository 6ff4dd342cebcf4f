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
}

export interface RunOptions {
  /** The outputs to return; all when absent. */
  readonly fetches?: readonly string[];
  readonly signal?: AbortSignal;
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
}

export interface Session extends AsyncDisposable {
  readonly ep: SessionProvider;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Milliseconds that loading took. */
  readonly loadTime: number;
  /** Runs the model. Feeds are checked (names, dtypes, dims) before they reach the runtime. */
  run(feeds: Feeds, options?: RunOptions): Promise<Map<string, Tensor>>;
  /** Runs `rounds` times on the same feeds and returns the times only. */
  time(feeds: Feeds, rounds: number): Promise<Timing>;
  /** Ends profiling and returns the times by node. */
  profile(): Promise<readonly NodeProfile[]>;
  /** Frees the native memory and ends the worker. Calling it twice is harmless. */
  release(): Promise<void>;
}

/** Opens a session; techniques receive it as a parameter. */
export type OpenSession = (model: Model, options?: SessionOptions) => Promise<Session>;
