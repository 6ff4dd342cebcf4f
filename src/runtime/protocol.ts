/** @file The messages between a session and the thread, process or web worker in which the runtime runs. */
import type { DataType, Dim } from "../ir/index.ts";
import type { SignStep, SumStep } from "./partition.ts";
import type { ExecutionProvider, MemoryUse, NodeProfile, Timing } from "./session.ts";

/** A tensor on its way; `data` owns its whole buffer, so that it can be transferred. */
export interface WireTensor {
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: Uint8Array<ArrayBuffer> | readonly string[];
}

/** What the runtime says about an input or output; an unknown rank and a scalar both read `[]`. */
export interface WirePort {
  readonly name: string;
  readonly dtype: DataType | undefined;
  readonly dims: readonly Dim[];
}

export interface ExternalBytes {
  readonly path: string;
  readonly data: Uint8Array;
}

/** Everything that opening a session takes; the options were checked already. */
export interface LoadSpec {
  readonly model: Uint8Array;
  readonly external: readonly ExternalBytes[];
  /** The folder of external data that the runtime maps into memory instead. */
  readonly folder?: string;
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly optimization: "disabled" | "basic" | "extended" | "all";
  readonly profile: boolean;
  readonly config: readonly (readonly [string, string])[];
  /** Names of nodes that a GPU provider must leave to the CPU. */
  readonly cpuNodes: readonly string[];
  /** The layout of the WebGPU provider; its own choice when absent. */
  readonly layout?: "NCHW";
  /** Outputs that stay on the device where the platform can read them from there. */
  readonly resident: readonly string[];
  /** Where the browser finds the runtime's files. */
  readonly assets?: string;
  /** Milliseconds in which the runtime has to be ready in a browser, downloads included. */
  readonly start?: number;
}

/** What one of several ranks loads: its parts of a partition, and the memory that it shares with the others. */
export interface RankSpec {
  readonly rank: number;
  readonly memory: { readonly size: number; readonly buffer: SharedArrayBuffer };
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly inputs: readonly WirePort[];
  readonly outputs: readonly WirePort[];
  readonly steps: readonly (RankPart | SumStep | SignStep)[];
}

export interface RankPart {
  readonly kind: "run";
  readonly spec: LoadSpec;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface Opened {
  readonly inputs: readonly WirePort[];
  readonly outputs: readonly WirePort[];
  readonly loadTime: number;
}

/** Feeds, or the number of feeds that were held before. */
export type WireFeeds = readonly WireTensor[] | number;

/** Inputs that stay next to the runtime, and the output that each becomes after a run. */
export interface WireState {
  readonly tensors: readonly WireTensor[];
  readonly next: readonly (readonly [input: string, output: string])[];
}

/** Every call with its arguments and its answer; `Spec` is what the other side loads. */
export interface Calls<Spec = LoadSpec> {
  open: { readonly args: Spec; readonly result: Opened };
  hold: { readonly args: readonly WireTensor[]; readonly result: number };
  drop: { readonly args: number; readonly result: undefined };
  run: {
    readonly args: { readonly feeds: WireFeeds; readonly fetches: readonly string[] };
    readonly result: readonly WireTensor[];
  };
  /** Keeps state; the answer is its number, which `drop` takes too. */
  reside: { readonly args: WireState; readonly result: number };
  advance: {
    readonly args: {
      readonly state: number;
      readonly batches: readonly (readonly WireTensor[])[];
      readonly fetches: readonly string[];
    };
    readonly result: readonly (readonly WireTensor[])[];
  };
  read: {
    readonly args: { readonly state: number; readonly names: readonly string[] };
    readonly result: readonly WireTensor[];
  };
  time: {
    readonly args: { readonly feeds: WireFeeds; readonly fetches: readonly string[]; readonly rounds: number };
    readonly result: Timing;
  };
  profile: { readonly args: undefined; readonly result: readonly NodeProfile[] };
  memory: { readonly args: undefined; readonly result: MemoryUse };
  /** The answer is the most memory that the other side has ever taken, where the platform tells. */
  release: { readonly args: undefined; readonly result: number | undefined };
}

export type CallName = keyof Calls;

export interface Request<Spec = LoadSpec, C extends CallName = CallName> {
  readonly id: number;
  readonly call: C;
  readonly args: Calls<Spec>[C]["args"];
}

export interface Failure {
  readonly message: string;
  /** The package that is not installed. */
  readonly missing?: string;
  /** The session cannot do this at all. */
  readonly unsupported?: boolean;
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: Failure }
  | Progress;

/** One of the runs that a call asks for has ended, and more follow; sent now and then. */
export interface Progress {
  readonly id: number;
  readonly running: true;
}

export function isProgress(reply: Reply): reply is Progress {
  return "running" in reply;
}

/** How the other side came to an end. */
export interface End {
  readonly reason: string;
  /** The bound that it broke. */
  readonly limit?: "memory" | "start";
}

/** The client's end of a line to a host. */
export interface Channel<Spec = LoadSpec> {
  post(request: Request<Spec>, transfer: readonly ArrayBuffer[]): void;
  /** `onReply` for every answer; `onEnd` once, when the other side has ended by itself. */
  listen(onReply: (reply: Reply) => void, onEnd: (end: End) => void): void;
  /** Whether an answer is awaited: an idle line does not keep the program alive. */
  busy(busy: boolean): void;
  /** Ends the other side: a process at once, a thread as soon as the runtime has returned. */
  close(): Promise<void>;
}

/** The buffers under tensors, to be moved instead of copied. */
export function buffersOf(tensors: readonly WireTensor[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) if (data instanceof Uint8Array) buffers.add(data.buffer);
  return [...buffers];
}
