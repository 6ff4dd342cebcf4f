/** @file The side of a session on which ONNX Runtime runs: one session, one call at a time. */
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common";
import { MissingPackageError, UnsupportedError } from "../errors.ts";
import type { DataType } from "../ir/index.ts";
import {
  buffersOf,
  type CallName,
  type Calls,
  type Failure,
  type LoadSpec,
  type Reply,
  type Request,
  type WireFeeds,
  type WirePort,
  type WireState,
  type WireTensor,
} from "./protocol.ts";
import type { MemoryUse, NodeProfile } from "./session.ts";

/** What the host needs of a session of ONNX Runtime. */
export type LoadedSession = Pick<InferenceSession, "inputMetadata" | "outputMetadata" | "endProfiling" | "release"> & {
  run(feeds: OrtTensors, fetches: readonly string[]): Promise<OrtTensors>;
};

export type OrtTensors = Readonly<Record<string, OrtTensor>>;

/** What a platform supplies: the runtime itself, and what only the platform can do. */
export interface Backend<Spec = LoadSpec> {
  readonly Tensor: TensorConstructor;
  load(spec: Spec): Promise<LoadedSession>;
  /** Reads the profile that the runtime has just finished writing. */
  readProfile?(): Promise<readonly NodeProfile[]>;
  memory?(): MemoryUse;
  /** Milliseconds of processor time of all threads of the process until now. */
  processor?(): number;
}

export type LoadBackend<Spec = LoadSpec> = (spec: Spec) => Promise<Backend<Spec>>;

interface State {
  readonly backend: Omit<Backend, "load">;
  readonly session: LoadedSession;
  readonly held: Map<number, Record<string, OrtTensor>>;
  readonly resident: Map<number, Resident>;
  firstRun: number | undefined;
  holds: number;
}

interface Resident {
  readonly tensors: Map<string, OrtTensor>;
  readonly next: WireState["next"];
}

type Answer<C extends CallName> = Calls[C]["result"] | Promise<Calls[C]["result"]>;
type Methods<Spec> = { readonly [C in CallName]: (args: Calls<Spec>[C]["args"]) => Answer<C> };

/** Answers requests through `post`. The client sends one at a time. */
export function serve<Spec = LoadSpec>(
  load: LoadBackend<Spec>,
  post: (reply: Reply, transfer: ArrayBuffer[]) => void,
): (request: Request<Spec>) => Promise<void> {
  let running = 0;
  const methods = methodsOver(
    load,
    pacer(() => post({ id: running, running: true }, [])),
  );
  return async ({ id, call, args }) => {
    running = id;
    try {
      const method = methods[call] as (args: unknown) => unknown;
      const value = await method(args);
      post({ id, value }, movedBy(call, value));
    } catch (error) {
      post({ id, error: failureOf(error) }, []);
    }
  };
}

/** Milliseconds between signs of progress at least. */
const PACE = 50;

/** Calls `tell`, but not too often. */
function pacer(tell: () => void): () => void {
  let told = performance.now();
  return () => {
    const now = performance.now();
    if (now - told < PACE) return;
    told = now;
    tell();
  };
}

/** What leaves for good. The state that `read` answers with stays, so it is copied. */
function movedBy(call: CallName, value: unknown): ArrayBuffer[] {
  if (call === "run") return buffersOf(value as Calls["run"]["result"]);
  return call === "advance" ? buffersOf((value as Calls["advance"]["result"]).flat()) : [];
}

/** @param progress called after every run of several. */
function methodsOver<Spec>(load: LoadBackend<Spec>, progress: () => void): Methods<Spec> {
  let state: State | undefined;
  const opened = (): State => {
    if (!state) throw new Error("the session is not open");
    return state;
  };
  return {
    async open(spec) {
      const backend = await load(spec);
      const start = performance.now();
      const session = await backend.load(spec);
      const loadTime = performance.now() - start;
      state = { backend, session, held: new Map(), resident: new Map(), firstRun: undefined, holds: 0 };
      return { inputs: portsOf(session.inputMetadata), outputs: portsOf(session.outputMetadata), loadTime };
    },
    hold(feeds) {
      const current = opened();
      const id = current.holds++;
      current.held.set(id, ortFeeds(current, feeds));
      return id;
    },
    drop(id) {
      const { held, resident } = opened();
      held.delete(id);
      resident.get(id)?.tensors.forEach(forget);
      resident.delete(id);
      return undefined;
    },
    reside({ tensors, next }) {
      const current = opened();
      const id = current.holds++;
      current.resident.set(id, { tensors: new Map(Object.entries(ortFeeds(current, tensors))), next });
      return id;
    },
    advance: (args) => advance(opened(), args, progress),
    read({ state, names }) {
      const { tensors } = residentOf(opened(), state);
      return Promise.all(names.map((name) => wireTensor(name, tensors.get(name)!)));
    },
    run: ({ feeds, fetches }) => run(opened(), feeds, fetches),
    time: (args) => time(opened(), args, progress),
    profile: () => profile(opened()),
    memory() {
      const { memory } = opened().backend;
      if (!memory) throw new UnsupportedError("this platform does not tell the memory in use");
      return memory();
    },
    async release() {
      const left = state;
      state = undefined;
      await left?.session.release();
      return left?.backend.memory?.().peak;
    },
  };
}

async function run(state: State, feeds: WireFeeds, fetches: readonly string[]): Promise<WireTensor[]> {
  const inputs = ortFeeds(state, feeds);
  const start = performance.now();
  const results = await state.session.run(inputs, fetches);
  state.firstRun ??= performance.now() - start;
  const answers = await Promise.all(fetches.map((name) => wireTensor(name, results[name]!)));
  Object.values(results).forEach(forget);
  return answers;
}

/**
 * Runs once per batch. The tensors that come out take the place of those that went in; the runtime never sees one buffer
 * as both.
 */
async function advance(
  state: State,
  { state: id, batches, fetches }: Calls["advance"]["args"],
  progress: () => void,
): Promise<Calls["advance"]["result"]> {
  const { tensors, next } = residentOf(state, id);
  const wanted = [...new Set([...fetches, ...next.map(([, output]) => output)])];
  const kept = new Set(next.map(([, output]) => output));
  const answers: WireTensor[][] = [];
  for (const batch of batches) {
    const results = await state.session.run({ ...Object.fromEntries(tensors), ...ortFeeds(state, batch) }, wanted);
    answers.push(await Promise.all(fetches.map((name) => wireTensor(name, results[name]!, kept.has(name)))));
    for (const [input, output] of next) {
      forget(tensors.get(input)!);
      tensors.set(input, results[output]!);
    }
    progress();
  }
  return answers;
}

function residentOf({ resident }: State, id: number): Resident {
  const found = resident.get(id);
  if (!found) throw new Error("the resident state was dropped");
  return found;
}

async function time(
  state: State,
  { feeds, fetches, rounds }: Calls["time"]["args"],
  progress: () => void,
): Promise<Calls["time"]["result"]> {
  const inputs = ortFeeds(state, feeds);
  const { processor } = state.backend;
  const times: number[] = [];
  let before: number | undefined;
  for (let round = state.firstRun === undefined ? -1 : 0; round < rounds; round++) {
    if (round === 0) before = processor?.();
    const start = performance.now();
    const results = await state.session.run(inputs, fetches);
    const elapsed = performance.now() - start;
    Object.values(results).forEach(forget);
    if (round < 0) state.firstRun = elapsed;
    else times.push(elapsed);
    progress();
  }
  const spent = before === undefined ? {} : { processor: processor!() - before };
  return { times, firstRun: state.firstRun ?? 0, ...spent };
}

async function profile({ session, backend }: State): Promise<readonly NodeProfile[]> {
  if (!backend.readProfile) throw new UnsupportedError("this build of the runtime writes no profile");
  session.endProfiling();
  return backend.readProfile();
}

function ortFeeds(state: State, feeds: WireFeeds): Record<string, OrtTensor> {
  if (typeof feeds !== "number") {
    const { Tensor } = state.backend;
    return Object.fromEntries(feeds.map((feed) => [feed.name, ortTensor(Tensor, feed)]));
  }
  const held = state.held.get(feeds);
  if (!held) throw new Error("the held feeds were dropped");
  return held;
}

type View = new (buffer: ArrayBuffer) => ArrayBufferView;

const views: ReadonlyMap<DataType, View> = new Map<DataType, View>([
  ["float32", Float32Array],
  ["float64", Float64Array],
  ["int8", Int8Array],
  ["uint8", Uint8Array],
  ["bool", Uint8Array],
  ["int16", Int16Array],
  ["uint16", Uint16Array],
  ["int32", Int32Array],
  ["uint32", Uint32Array],
  ["int64", BigInt64Array],
  ["uint64", BigUint64Array],
]);

/** Names that are safe as keys come from here alone: `Object.fromEntries` defines own properties, even `__proto__`. */
export function ortTensor(Tensor: TensorConstructor, { dtype, dims, data }: WireTensor): OrtTensor {
  const create = Tensor as unknown as new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
  if (!(data instanceof Uint8Array)) return new create(dtype, [...data], dims);
  const ViewOf = dtype === "float16" ? halfView() : views.get(dtype);
  if (!ViewOf) throw new UnsupportedError(`${dtype} tensors cannot be fed`);
  return new create(dtype, new ViewOf(ownBytes(data).buffer), dims);
}

/** Asked when it is needed, since a platform may take the type away first. */
function halfView(): View {
  return (globalThis as { Float16Array?: View }).Float16Array ?? Uint16Array;
}

/** Reads a tensor, from the GPU if it is there. */
export async function wireTensor(name: string, tensor: OrtTensor, copied = false): Promise<WireTensor> {
  const { type, dims } = tensor;
  const data = tensor.location === "gpu-buffer" ? await tensor.getData() : tensor.data;
  const dtype = type as DataType;
  if (Array.isArray(data)) return { name, dtype, dims, data };
  const bytes = ownBytes(data as ArrayBufferView);
  return { name, dtype, dims, data: copied ? bytes.slice() : bytes };
}

/** Gives up a buffer of the GPU, which no garbage collector knows. */
function forget(tensor: OrtTensor): void {
  if (tensor.location === "gpu-buffer") tensor.dispose();
}

/** Bytes that fill their buffer; what a pipe delivers are pieces of a larger one. */
function ownBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const whole = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength;
  return whole ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

function portsOf(metadata: readonly InferenceSession.ValueMetadata[]): WirePort[] {
  return metadata.map((port) =>
    port.isTensor
      ? { name: port.name, dtype: port.type as DataType, dims: port.shape }
      : { name: port.name, dtype: undefined, dims: [] },
  );
}

function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof MissingPackageError) return { message, missing: error.got ?? "" };
  return error instanceof UnsupportedError ? { message, unsupported: true } : { message };
}
