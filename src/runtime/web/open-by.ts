/** @file Opening a session in a page: the model read, providers tried in order, a worker started. */
import { LimitError, type LitheError, RuntimeError, UnsupportedError } from "../../errors.ts";
import { allGraphs, type DataType, type Model } from "../../ir/index.ts";
import { loadSpec } from "../prepare.ts";
import { openRemote } from "../remote-session.ts";
import { firstOfTypes } from "../rules/used-types.ts";
import { checkCancelled } from "../run.ts";
import type { Session } from "../session.ts";
import { timeLimit } from "../time-limit.ts";
import { findAdapter } from "./adapter.ts";
import { type ResolvedWebOptions, resolveWebOptions, type WebProvider, type WebSessionOptions } from "./options.ts";
import { type ModelSource, readModel } from "./source.ts";
import { workerChannel } from "./worker-channel.ts";

/** A provider that was tried in vain. */
export interface PassedOver {
  readonly ep: WebProvider;
  /** A sentence. */
  readonly reason: string;
}

export interface WebSession extends Session {
  /** Providers that were to be tried before the one in `ep`, and why they were not taken. */
  readonly passedOver: readonly PassedOver[];
}

/** Starts the worker of a provider. */
export type StartWorker = Readonly<Partial<Record<WebProvider, () => Worker>>>;

export async function openBy(start: StartWorker, source: ModelSource, options: WebSessionOptions): Promise<WebSession> {
  const resolved = resolveWebOptions(options);
  const model = await readModel(source, resolved.read);
  const passedOver: PassedOver[] = [];
  for (const target of resolved.targets) {
    try {
      return await openOn(start, model, { ...resolved, target, passedOver });
    } catch (error) {
      if (passedOver.length === resolved.targets.length - 1 || !isOfProvider(error)) throw error;
      passedOver.push({ ep: target.ep, reason: error.message });
    }
  }
  throw new UnsupportedError("no provider is left to try");
}

/** Whether another provider may do better. */
function isOfProvider(error: unknown): error is LitheError {
  return error instanceof UnsupportedError || error instanceof RuntimeError || error instanceof LimitError;
}

interface Attempt extends Omit<ResolvedWebOptions, "targets"> {
  readonly target: ResolvedWebOptions["targets"][number];
  readonly passedOver: readonly PassedOver[];
}

async function openOn(start: StartWorker, model: Model, attempt: Attempt): Promise<WebSession> {
  const { target, startLimit, read, passedOver } = attempt;
  const { ep, limits, name, step } = target;
  const startWorker = start[ep];
  if (!startWorker) throw new UnsupportedError(`this entry has no ${ep}`, { hint: "Import litheml/web instead." });
  if (ep === "webgpu") await checkAdapter(model);
  checkCancelled(read.signal);
  const loaded = loadSpec(model, { ...target, saturates: false, reduced: ep === "webgpu" });
  const { types, transfer, bytes } = loaded;
  const session = await openRemote(workerChannel(startWorker(), startLimit), {
    spec: { ...loaded.spec, start: startLimit },
    types,
    notices: [...passedOver.map((other) => `${other.ep} was passed over: ${other.reason}`), ...loaded.notices],
    transfer,
    name,
    step,
    limit: timeLimit(limits, bytes),
    ...(read.signal && { signal: read.signal }),
  });
  return Object.assign(session, { passedOver: [...passedOver] });
}

const halves: ReadonlySet<DataType> = new Set(["float16"]);

async function checkAdapter({ graph }: Model): Promise<void> {
  const adapter = await findAdapter();
  const hint = 'With { ep: ["webgpu", "wasm"] } the session falls back to wasm.';
  if (!adapter) throw new UnsupportedError("this page has no adapter for WebGPU", { hint });
  if (adapter.halves || ![...allGraphs(graph)].some((part) => firstOfTypes(part, halves) !== undefined)) return;
  throw new UnsupportedError("this adapter has no float16 (shader-f16), which the model needs", {
    got: adapter.name,
    hint,
  });
}
