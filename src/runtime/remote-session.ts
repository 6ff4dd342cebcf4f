/** @file A session whose runtime is at the other end of a channel. */

import { CancelledError, DataError, type LitheError, RuntimeError, UnsupportedError, UsageError } from "../errors.ts";
import type { Tensor } from "../ir/index.ts";
import { checkCount } from "../options.ts";
import { printable } from "../printable.ts";
import { checkFeeds, formatPort, tensorFromWire, wireFeeds } from "./feeds.ts";
import { missingPackage } from "./missing.ts";
import { lateStart, PendingCalls, type Subject, type TimeLimit } from "./pending-calls.ts";
import { portsFrom, type TypesByName } from "./ports.ts";
import {
  buffersOf,
  type CallName,
  type Calls,
  type Channel,
  type Failure,
  isProgress,
  type LoadSpec,
  type Reply,
  type WireFeeds,
} from "./protocol.ts";
import { isFetchable } from "./rules/fetchable.ts";
import { checkCancelled } from "./run.ts";
import type {
  ExecutionProvider,
  Feeds,
  HeldFeeds,
  MemoryUse,
  NodeProfile,
  Port,
  ResidentState,
  RunOptions,
  Session,
  Timing,
} from "./session.ts";

/** What a session knows of the spec that it loads. */
type AnySpec = Pick<LoadSpec, "ep" | "profile"> & Partial<Pick<LoadSpec, "resident">>;

export interface RemoteOptions<Spec extends AnySpec = LoadSpec> extends Subject {
  readonly spec: Spec;
  readonly types: TypesByName;
  /** What the session's rules have to say of the model; nothing when absent. */
  readonly notices?: readonly string[];
  readonly limit?: TimeLimit;
  /** Hands the model's bytes over instead of copying them. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Ends the loading. */
  readonly signal?: AbortSignal;
}

/** Loads a model at the other end of `channel`; a failure closes the channel. */
export async function openRemote<Spec extends AnySpec>(
  channel: Channel<Spec>,
  options: RemoteOptions<Spec>,
): Promise<Session> {
  const session = new RemoteSession(channel, options);
  try {
    await session.open(options);
    return session;
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Sessions that await an answer: the answer alone may be what somebody still waits for. */
const busy = new Set<Session>();

const leaked = new FinalizationRegistry<string>((where) => {
  console.warn(`litheml: ${printable(where)} was not released; call release() or use "await using"`);
});

class RemoteSession<Spec extends AnySpec> implements Session {
  readonly ep: ExecutionProvider;
  readonly profiling: boolean;
  readonly notices: readonly string[];
  inputs: readonly Port[] = [];
  outputs: readonly Port[] = [];
  loadTime = 0;
  readonly #channel: Channel<Spec>;
  readonly #pending: PendingCalls;
  #queue: Promise<unknown> = Promise.resolve();
  #ended: LitheError | undefined;
  #released: Promise<void> | undefined;

  constructor(channel: Channel<Spec>, options: RemoteOptions<Spec>) {
    const { spec, notices = [], limit } = options;
    this.#channel = channel;
    this.#pending = new PendingCalls(limit, options, this.#whenLate());
    this.ep = spec.ep;
    this.profiling = spec.profile;
    this.notices = notices;
    // The channel outlives a session that was forgotten, so it must not be what keeps it in memory.
    const weak = new WeakRef(this);
    channel.listen(
      (reply) => {
        const session = weak.deref();
        if (session) session.#settle(reply);
      },
      (end) => {
        const session = weak.deref();
        if (session) session.#end(session.#pending.endedBy(end));
      },
    );
  }

  /** Made here, because functions of one scope hold on to all that any of them does. */
  #whenLate(): (error: LitheError) => void {
    return (error) => {
      this.#end(error);
      void this.release();
    };
  }

  async open({ spec, types, transfer = [], signal }: RemoteOptions<Spec>): Promise<void> {
    checkCancelled(signal);
    const call = this.#call("open", spec, transfer);
    const { inputs, outputs, loadTime } = await (signal ? this.#abandonable(call, signal) : call);
    this.inputs = portsFrom(inputs, types);
    this.outputs = portsFrom(outputs, types);
    this.loadTime = loadTime;
    if (spec.resident && spec.resident.length > 0) checkFetches(spec.resident, this.outputs);
    leaked.register(this, `a session on ${this.ep}`, this);
  }

  async run(feeds: Feeds, options: RunOptions = {}): Promise<Map<string, Tensor>> {
    checkFeeds(feeds, this.inputs);
    return this.#run(() => wireFeeds(feeds, options.transfer ?? false), options);
  }

  async time(feeds: Feeds, rounds: number): Promise<Timing> {
    checkCount("rounds", rounds, { least: 0 });
    checkFeeds(feeds, this.inputs);
    return this.#queued(() => {
      const wire = wireFeeds(feeds, false);
      return this.#time(wire, rounds, buffersOf(wire));
    });
  }

  #time(feeds: WireFeeds, rounds: number, transfer: readonly ArrayBuffer[]): Promise<Timing> {
    return this.#call("time", { feeds, fetches: checkFetches(undefined, this.outputs), rounds }, transfer);
  }

  async hold(feeds: Feeds): Promise<HeldFeeds> {
    checkFeeds(feeds, this.inputs);
    const held = await this.#queued(() => {
      const wire = wireFeeds(feeds, false);
      return this.#call("hold", wire, buffersOf(wire));
    });
    return {
      run: (options = {}) => this.#run(() => held, options),
      time: async (rounds) => {
        checkCount("rounds", rounds, { least: 0 });
        return this.#queued(() => this.#time(held, rounds, []));
      },
      drop: () => this.#queued(() => this.#call("drop", held)),
    };
  }

  async reside(state: Feeds, next: ReadonlyMap<string, string>): Promise<ResidentState> {
    const kept = this.inputs.filter(({ name }) => state.has(name));
    const fed = this.inputs.filter(({ name }) => !state.has(name));
    checkFeeds(state, kept);
    checkNext(next, kept, this.outputs);
    const id = await this.#queued(() => {
      const tensors = wireFeeds(state, false);
      return this.#call("reside", { tensors, next: [...next] }, buffersOf(tensors));
    });
    return {
      advance: (batches, options = {}) => this.#advance(id, fed, batches, options),
      read: async (names = [...state.keys()]) => {
        checkNames(names, kept);
        const values = await this.#queued(() => this.#call("read", { state: id, names }));
        return new Map(values.map((value) => [value.name, tensorFromWire(value)]));
      },
      drop: () => this.#queued(() => this.#call("drop", id)),
    };
  }

  async #advance(id: number, fed: readonly Port[], batches: readonly Feeds[], options: RunOptions) {
    for (const batch of batches) checkFeeds(batch, fed);
    const fetches = checkFetches(options.fetches, this.outputs);
    checkCancelled(options.signal);
    const answers = await this.#queued(async () => {
      checkCancelled(options.signal);
      const wire = batches.map((batch) => wireFeeds(batch, options.transfer ?? false));
      const call = this.#call("advance", { state: id, batches: wire, fetches }, buffersOf(wire.flat()));
      return options.signal ? this.#abandonable(call, options.signal) : call;
    });
    return answers.map((results) => new Map(results.map((result) => [result.name, tensorFromWire(result)])));
  }

  memory(): Promise<MemoryUse> {
    return this.#queued(() => this.#call("memory", undefined));
  }

  async profile(): Promise<readonly NodeProfile[]> {
    if (!this.profiling)
      throw new UsageError("this session does not profile", { hint: "Open it with { profile: true }." });
    return this.#queued(() => this.#call("profile", undefined));
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  async #release(): Promise<void> {
    leaked.unregister(this);
    if (!this.#ended) await this.#queued(() => this.#call("release", undefined)).catch(() => undefined);
    this.#end(new RuntimeError("the session was released"));
    await this.#channel.close();
  }

  async #run(feeds: () => WireFeeds, { fetches, signal }: RunOptions): Promise<Map<string, Tensor>> {
    const names = checkFetches(fetches, this.outputs);
    checkCancelled(signal);
    const results = await this.#queued(async () => {
      checkCancelled(signal);
      const wire = feeds();
      const call = this.#call("run", { feeds: wire, fetches: names }, typeof wire === "number" ? [] : buffersOf(wire));
      return signal ? this.#abandonable(call, signal) : call;
    });
    return new Map(results.map((result) => [result.name, tensorFromWire(result)]));
  }

  /** The runtime cannot be interrupted, so an aborted run takes its thread and with it the session. */
  async #abandonable<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
    const abandon = (): void => {
      this.#end(new CancelledError("the run was abandoned and its session released", { cause: signal.reason }));
      void this.release();
    };
    signal.addEventListener("abort", abandon, { once: true });
    try {
      return await call;
    } finally {
      signal.removeEventListener("abort", abandon);
    }
  }

  /** One call at a time, in order: a queued run can still be cancelled, and web builds refuse overlapping runs. */
  #queued<T>(start: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(start);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #call<C extends CallName>(
    call: C,
    args: Calls<Spec>[C]["args"],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Calls[C]["result"]> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const id = this.#pending.add(call, resolve as (value: unknown) => void, reject);
      this.#setBusy(true);
      try {
        this.#channel.post({ id, call, args }, transfer);
      } catch (cause) {
        this.#take(id);
        reject(new DataError("a message to the runtime could not be sent", { cause }));
      }
    });
  }

  #setBusy(isBusy: boolean): void {
    this.#channel.busy(isBusy);
    if (isBusy) busy.add(this);
    else busy.delete(this);
  }

  #settle(reply: Reply): void {
    if (isProgress(reply)) {
      this.#pending.advance(reply.id);
      return;
    }
    const pending = this.#take(reply.id);
    if (!pending) return;
    if ("error" in reply) pending.reject(errorFrom(reply.error, this.#pending.where(pending.call)));
    else pending.resolve(reply.value);
  }

  #take(id: number) {
    const pending = this.#pending.take(id);
    this.#setBusy(this.#pending.size > 0);
    return pending;
  }

  #end(error: LitheError): void {
    this.#ended ??= error;
    this.#pending.rejectAll(this.#ended);
    this.#setBusy(false);
  }
}

/** The outputs to fetch: by default all that can be. */
function checkFetches(fetches: readonly string[] | undefined, outputs: readonly Port[]): readonly string[] {
  const names = fetches ?? outputs.filter(canFetch).map(({ name }) => name);
  const ports = new Map(outputs.map((port) => [port.name, port]));
  for (const name of names) {
    const port = ports.get(name);
    const where = `output ${JSON.stringify(name)}`;
    if (!port) {
      const expected = outputs.map((output) => JSON.stringify(output.name)).join(", ");
      throw new UsageError("there is no such output", { expected, got: JSON.stringify(name) });
    }
    if (!canFetch(port)) throw new UnsupportedError("this output cannot be fetched", { got: formatPort(port), where });
  }
  if (names.length > 0) return names;
  throw new UnsupportedError("a run needs an output to fetch", { expected: "a tensor among the outputs" });
}

/** Every output that becomes an input exists and fits it. */
function checkNext(next: ReadonlyMap<string, string>, inputs: readonly Port[], outputs: readonly Port[]): void {
  checkNames([...next.keys()], inputs);
  checkFetches([...next.values()], outputs);
  const ports = new Map([...inputs, ...outputs].map((port) => [port.name, port]));
  for (const [input, output] of next) {
    if (ports.get(input)!.dtype === ports.get(output)!.dtype) continue;
    throw new UsageError("an output cannot become this input", {
      expected: formatPort(ports.get(input)!),
      got: formatPort(ports.get(output)!),
    });
  }
}

function checkNames(names: readonly string[], ports: readonly Port[]): void {
  const known = new Set(ports.map(({ name }) => name));
  const unknown = names.find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new UsageError("this input is no part of the state", {
    expected: [...known].map((name) => JSON.stringify(name)).join(", "),
    got: JSON.stringify(unknown),
  });
}

function canFetch({ dtype }: Port): boolean {
  return dtype !== undefined && isFetchable(dtype);
}

function errorFrom({ message, missing, unsupported }: Failure, where: string): LitheError {
  if (missing !== undefined) return missingPackage(missing);
  if (unsupported) return new UnsupportedError(message);
  if (message.includes("initializing failed due to timeout")) return lateStart(message, where);
  const hint = /requires f16|shader-f16/.test(message) ? { hint: NO_HALVES } : {};
  return new RuntimeError("the runtime failed", { got: message, where, ...hint });
}

const NO_HALVES =
  "This adapter has no float16 (the WebGPU feature shader-f16): deploy the float32 file to such devices.";
