/** @file One rank of a group: it runs its parts of a partition and adds up with the others. */
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common";
import { UnsupportedError } from "../../errors.ts";
import { type Backend, type LoadBackend, type LoadedSession, ortTensor, wireTensor } from "../host.ts";
import type { SignStep, SumStep } from "../partition.ts";
import type { LoadSpec, RankPart, RankSpec, WirePort } from "../protocol.ts";
import { type Kernel, openKernel } from "../xnor/kernel.ts";
import { signLayer } from "../xnor/run-layer.ts";
import { type Exchange, exchangeOver } from "./exchange.ts";

/** Tensors of this run by name. */
type Held = Map<string, OrtTensor>;

type Step = (held: Held) => Promise<void>;

/** What serves a rank, over the runtime of the platform. */
export function rankBackend(
  load: (spec: Pick<LoadSpec, "ep" | "threads">) => ReturnType<LoadBackend>,
): LoadBackend<RankSpec> {
  return async (spec) => {
    const backend = await load(spec);
    return { ...backend, load: (rank) => loadRank(rank, backend) };
  };
}

/** A rank as a session: its feeds are the partition's inputs, and rank 0's results the outputs. */
async function loadRank(spec: RankSpec, backend: Backend): Promise<LoadedSession> {
  const exchange = exchangeOver(spec.memory, spec.rank);
  const sessions: LoadedSession[] = [];
  const steps: Step[] = [];
  const kernel = spec.steps.some(({ kind }) => kind === "signs") ? openKernel() : undefined;
  for (const step of spec.steps) {
    if (step.kind === "sum") {
      const isResult = spec.outputs.some(({ name }) => name === step.value);
      steps.push(sumStep(step, exchange, backend.Tensor, isResult));
    } else if (step.kind === "signs") {
      steps.push(signStep(step, kernel!, backend.Tensor));
    } else {
      const session = await backend.load(step.spec);
      sessions.push(session);
      steps.push(runStep(step, session));
    }
  }
  return {
    inputMetadata: spec.inputs.map(metadataOf),
    outputMetadata: spec.outputs.map(metadataOf),
    async run(feeds, fetches) {
      const held: Held = new Map(Object.entries(feeds));
      exchange.begin();
      for (const step of steps) await step(held);
      exchange.meet();
      return Object.fromEntries(fetches.map((name) => [name, held.get(name)!]));
    },
    endProfiling() {
      throw new UnsupportedError("a group of ranks writes no profile");
    },
    async release() {
      for (const session of sessions) await session.release();
    },
  };
}

function runStep({ inputs, outputs }: RankPart, session: LoadedSession): Step {
  return async (held) => {
    const feeds = Object.fromEntries(inputs.map((name) => [name, held.get(name)!]));
    const results = await session.run(feeds, outputs);
    for (const name of outputs) held.set(name, results[name]!);
  };
}

function signStep({ input, output, layer }: SignStep, kernel: Kernel, Tensor: TensorConstructor): Step {
  const run = signLayer(kernel, layer);
  return async (held) => {
    const x = held.get(input)!;
    const { dims, data } = run(x.data as Float32Array, x.dims);
    held.set(output, new Tensor("float32", data, dims));
  };
}

/** The memory of a sum serves the next run again, unless it leaves as a result. */
function sumStep(step: SumStep, exchange: Exchange, Tensor: TensorConstructor, isResult: boolean): Step {
  let room: Uint8Array<ArrayBuffer> | undefined;
  return async (held) => {
    const own = held.get(step.value);
    const total = exchange.sum(step, own && (await wireTensor(step.value, own)), room);
    if (!total) return;
    if (!isResult) room = total.data as Uint8Array<ArrayBuffer>;
    held.set(step.value, ortTensor(Tensor, total));
  };
}

function metadataOf({ name, dtype, dims }: WirePort): InferenceSession.ValueMetadata {
  return dtype === undefined
    ? { name, isTensor: false }
    : { name, isTensor: true, type: dtype as OrtTensor.Type, shape: dims };
}
