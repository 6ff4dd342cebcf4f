/** @file The state of a step while its graph is built: what goes in, what it begins with, what comes out. */
import { type Names, type Tensor, tensorType, type Value } from "../../ir/index.ts";
import type { StateKind } from "./step.ts";

export interface Slot {
  readonly value: Value;
  readonly kind: StateKind;
  readonly of?: string;
  readonly initial: Tensor;
}

export interface States {
  /** Makes a new input of the graph state. */
  add(name: string, kind: StateKind, initial: Tensor, of?: string): Value;
  /** Takes a value of the model in. */
  take(value: Value, kind: StateKind, initial: Tensor): void;
  setNext(values: Iterable<readonly [Value, Value]>): void;
  next(value: Value): Value;
  readonly slots: readonly Slot[];
}

export function newStates(scope: Names): States {
  const slots: Slot[] = [];
  const after = new Map<Value, Value>();
  return {
    slots,
    add(name, kind, initial, of) {
      const value: Value = { name: scope.fresh(name), type: tensorType(initial.dtype, initial.dims) };
      slots.push({ value, kind, initial, ...(of !== undefined && { of }) });
      return value;
    },
    take: (value, kind, initial) => void slots.push({ value, kind, initial, of: value.name }),
    setNext: (values) => {
      for (const [value, next] of values) after.set(value, next);
    },
    next: (value) => after.get(value) ?? value,
  };
}
