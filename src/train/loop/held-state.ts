/** @file The state of a step during a run: with the caller until a session takes it in, then next to the runtime. */
import { must } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { formatType, type Model, type Tensor, tensorType } from "../../ir/index.ts";
import { type Feeds, type ResidentState, resideIn, type Session } from "../../runtime/index.ts";
import type { StateTensor } from "../step/step.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** Opens a graph of the step; of its outputs, those of these names stay next to the runtime. */
export type OpenStep = (model: Model, resident: readonly string[]) => Promise<Session>;

/** What a call of the runtime takes beside the state. */
export interface Fed {
  readonly feeds: Feeds;
  /** What gradients are multiplied with before anybody takes them in hand; see `FedBatch`. */
  readonly share: number;
}

export interface HeldState {
  /** A copy of the state as it is now, by input name; all of it without names. */
  read(names?: readonly string[]): Promise<Map<string, Tensor>>;
  /** Puts other tensors in the place of those of these names. */
  write(tensors: Tensors): Promise<void>;
  /** Opens what the state advances in, and moves it there. */
  enter(open: OpenStep): Promise<AsyncDisposable>;
  /** One call of the runtime, and what was fetched of it. */
  advance(fed: Fed, fetches: readonly string[]): Promise<Map<string, Tensor>>;
}

/** A graph and the state that goes from run to run of it. */
export interface StatefulGraph {
  readonly model: Model;
  readonly state: readonly StateTensor[];
}

/** @throws UsageError, on writing, for what is no part of the state or has another form. */
export function heldState({ model, state }: StatefulGraph, initial: Tensors): HeldState {
  const next = new Map(state.map(({ name, output }) => [name, output]));
  let outside = new Map(initial);
  let inside: { readonly session: Session; readonly resident: ResidentState } | undefined;
  const read: HeldState["read"] = async (names) => {
    if (inside) return inside.resident.read(names);
    return new Map((names ?? [...outside.keys()]).map((name) => [name, must(outside, name)]));
  };
  const moveTo = async (session: Session): Promise<void> => {
    inside = { session, resident: await resideIn(session, outside, next) };
    outside = new Map();
  };
  return {
    read,
    async enter(open) {
      const session = await open(model, [...next.values()]);
      await moveTo(session);
      return session;
    },
    async advance({ feeds }, fetches) {
      if (!inside) throw new Error("the state is in no session yet");
      const [results] = await inside.resident.advance([feeds], { fetches, transfer: false });
      return results ?? new Map();
    },
    async write(tensors) {
      checkTensors(state, tensors);
      outside = new Map([...(await read()), ...tensors]);
      if (!inside) return;
      const { session, resident } = inside;
      await resident.drop();
      await moveTo(session);
    },
  };
}

/** @throws UsageError for what is no part of the state or has another form. */
export function checkTensors(state: readonly StateTensor[], tensors: Tensors): void {
  const forms = new Map(state.map(({ name, initial }) => [name, formOf(initial)]));
  for (const [name, tensor] of tensors) {
    const expected = forms.get(name);
    if (expected === formOf(tensor)) continue;
    throw new UsageError("a tensor does not fit the state of the step", {
      expected: expected ?? `one of ${[...forms.keys()].join(", ")}`,
      got: expected === undefined ? JSON.stringify(name) : formOf(tensor),
      where: `state ${JSON.stringify(name)}`,
    });
  }
}

function formOf({ dtype, dims }: Tensor): string {
  return formatType(tensorType(dtype, dims));
}
