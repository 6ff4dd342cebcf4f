/** @file The state of a step that runs as two graphs, between which its gradients are taken in hand. */
import { must } from "../../checked.ts";
import { floatsOf, numbersOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import type { Feeds, Session } from "../../runtime/index.ts";
import type { SeamGradient } from "../algorithms/index.ts";
import type { GradientTensor, SplitStep } from "../step/split-step.ts";
import type { TrainingStep } from "../step/step.ts";
import { checkTensors, type HeldState, heldState } from "./held-state.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** What is done with the gradients of an update, counted from 1. */
export type Crossing = (gradients: readonly SeamGradient[], update: number) => Promise<void>;

/**
 * As `heldState`, of the names that the step has as one graph. What the update owns stays next to the runtime; its parameters come out of each
 * update for the graph of the gradients. Sums of gradients are kept here, so that only means over all batches of an update cross.
 */
export function seamState(step: TrainingStep, split: SplitStep, initial: Tensors, cross: Crossing): HeldState {
  const { gradients, update } = split;
  const statistics = entriesOf(gradients.state, initial);
  const sums = gradientSums(step, initial);
  const held = heldState(update, entriesOf(update.state, initial));
  const next = sharedOutputs(split);
  let session: Session | undefined;
  let parameters: Tensors | undefined;
  const differentiate = async ({ feeds }: { readonly feeds: Feeds }) => {
    if (!session) throw new Error("the state is in no session yet");
    parameters ??= await held.read([...next.keys()]);
    const all = new Map([...feeds, ...parameters, ...statistics]);
    const results = await session.run(only(all, session.inputs), { fetches: fetchesOf(split) });
    for (const { name, output } of gradients.state) statistics.set(name, must(results, output));
    return results;
  };
  return {
    async read(names) {
      const own = new Map([...statistics, ...sums.read()]);
      const others = names?.filter((name) => !own.has(name));
      const all = new Map([...own, ...(others?.length === 0 ? [] : await held.read(others))]);
      return names ? new Map(names.map((name) => [name, must(all, name)])) : all;
    },
    async write(tensors) {
      checkTensors(step.state, tensors);
      const rest = new Map(tensors);
      for (const [name, tensor] of tensors) {
        if (!statistics.has(name) && !sums.write(name, tensor)) continue;
        if (statistics.has(name)) statistics.set(name, tensor);
        rest.delete(name);
      }
      if (rest.size > 0) await held.write(rest);
      parameters = undefined;
    },
    async enter(open) {
      const first = await open(gradients.model, []);
      session = first;
      try {
        const second = await held.enter(open);
        return both(second, first);
      } catch (error) {
        await first.release();
        throw error;
      }
    },
    async advance({ feeds, share }, fetches) {
      const results = await differentiate({ feeds });
      const found = gradients.gradients.map((tensor) => scaled(tensor, must(results, tensor.name), share));
      const told = new Map(fetches.flatMap((name) => entry(results, name)));
      if (!sums.add(found, endsUpdate(step, feeds))) return told;
      await cross(found, updateIn(step, feeds));
      const given = gradients.gradients.map((tensor, i): [string, Tensor] => [tensor.name, back(tensor, found[i])]);
      const controls = new Map([...only(feeds, update.model.graph.inputs), ...given]);
      const norm = update.gradientNorm === undefined ? [] : [update.gradientNorm];
      const after = await held.advance({ feeds: controls, share: 1 }, [...norm, ...next.values()]);
      parameters = new Map([...next].map(([name, output]) => [name, must(after, output)]));
      return new Map([...told, ...norm.flatMap((name) => entry(after, name))]);
    },
  };
}

/** What the graph of the gradients takes from the update, with the outputs that are its next values. */
function sharedOutputs({ gradients: { parameters, lossScale }, update }: SplitStep): ReadonlyMap<string, string> {
  const outputs = new Map(update.state.map(({ name, output }) => [name, output]));
  const shared = [...parameters, ...(lossScale === undefined ? [] : [lossScale])];
  return new Map(shared.map((name) => [name, must(outputs, name)]));
}

function entriesOf(state: readonly { readonly name: string }[], all: Tensors): Map<string, Tensor> {
  return new Map(state.map(({ name }) => [name, must(all, name)]));
}

function only(all: Tensors, ports: readonly { readonly name: string }[]): Map<string, Tensor> {
  return new Map(ports.flatMap(({ name }) => entry(all, name)));
}

function entry(all: Tensors, name: string): [string, Tensor][] {
  const tensor = all.get(name);
  return tensor ? [[name, tensor]] : [];
}

function fetchesOf({ gradients: { loss, terms, gradients, state } }: SplitStep): string[] {
  const outputs = [...terms, ...state].map(({ output }) => output);
  return [loss, ...outputs, ...gradients.map(({ name }) => name)];
}

/** Values of one's own, to be changed in place. */
function scaled({ of, dims }: GradientTensor, tensor: Tensor, share: number): SeamGradient {
  const values = floatsOf(tensor).slice();
  if (share !== 1) for (const [i, value] of values.entries()) values[i] = value * share;
  return { name: of, dims, values };
}

function back({ dtype, dims }: GradientTensor, gradient: SeamGradient | undefined): Tensor {
  return tensorFromNumbers(dtype, dims, gradient?.values ?? []);
}

function endsUpdate({ apply }: TrainingStep, feeds: Feeds): boolean {
  return apply === undefined || numbersOf(must(feeds, apply))[0] === 1;
}

function updateIn({ step }: TrainingStep, feeds: Feeds): number {
  return Number(numbersOf(must(feeds, step))[0]);
}

interface GradientSums {
  /** Adds a batch's gradients, and turns them into the mean over the batches where those are all. Whether they are. */
  add(gradients: readonly SeamGradient[], isLast: boolean): boolean;
  read(): [string, Tensor][];
  /** Whether there is a sum of this name. */
  write(name: string, tensor: Tensor): boolean;
}

/** The sums of gradients of the batches of an update before this one, under the names that they have in one graph. */
function gradientSums({ state, accumulate }: TrainingStep, initial: Tensors): GradientSums {
  const entries = state.filter(({ kind }) => kind === "accumulator");
  const sums = new Map(entries.map(({ name }) => [name, floatsOf(must(initial, name)).slice()]));
  const nameOf = new Map(entries.map(({ name, of }) => [of, name]));
  const unit = Math.fround(1 / accumulate);
  return {
    add(gradients, isLast) {
      if (accumulate === 1) return true;
      for (const { name, values } of gradients) {
        const sum = must(sums, must(nameOf, name));
        for (let i = 0; i < values.length; i++) {
          const total = Math.fround((sum[i] ?? 0) + (values[i] ?? 0));
          sum[i] = isLast ? 0 : total;
          values[i] = total * unit;
        }
      }
      return isLast;
    },
    read: () =>
      entries.map(({ name, initial: { dtype, dims } }) => [name, tensorFromNumbers(dtype, dims, must(sums, name))]),
    write(name, tensor) {
      const sum = sums.get(name);
      sum?.set(floatsOf(tensor));
      return sum !== undefined;
    },
  };
}

function both(a: AsyncDisposable, b: AsyncDisposable): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()]);
    },
  };
}
