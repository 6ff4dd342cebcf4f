/** @file The state of a step during a run: with the caller until a session takes it in, then next to the runtime. */
import { UsageError } from "../../errors.ts";
import { formatType, type Tensor, tensorType } from "../../ir/index.ts";
import { type ResidentState, resideIn, type Session } from "../../runtime/index.ts";
import type { TrainingStep } from "../step/step.ts";

export interface HeldState extends Pick<ResidentState, "read" | "advance"> {
  /** Puts other tensors in the place of those of these names. */
  write(tensors: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Moves the state next to the session, in which it can advance. */
  enter(session: Session): Promise<void>;
}

/** @throws UsageError, on writing, for what is no part of the state or has another form. */
export function heldState({ state }: TrainingStep, initial: ReadonlyMap<string, Tensor>): HeldState {
  const next = new Map(state.map(({ name, output }) => [name, output]));
  let outside = new Map(initial);
  let inside: { readonly session: Session; readonly resident: ResidentState } | undefined;
  const read: HeldState["read"] = async (names) => {
    if (inside) return inside.resident.read(names);
    return new Map((names ?? [...outside.keys()]).map((name) => [name, outside.get(name)!]));
  };
  const enter = async (session: Session): Promise<void> => {
    inside = { session, resident: await resideIn(session, outside, next) };
    outside = new Map();
  };
  return {
    read,
    enter,
    async advance(batches, options) {
      if (!inside) throw new Error("the state is in no session yet");
      return inside.resident.advance(batches, options);
    },
    async write(tensors) {
      checkTensors(state, tensors);
      outside = new Map([...(await read()), ...tensors]);
      if (!inside) return;
      const { session, resident } = inside;
      await resident.drop();
      await enter(session);
    },
  };
}

function checkTensors(state: TrainingStep["state"], tensors: ReadonlyMap<string, Tensor>): void {
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
