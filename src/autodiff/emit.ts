/** @file Emission of nodes with sharing: the same operator over the same inputs is one node. */
import type { BuilderAttributes, GraphBuilder, Operators, Tensor, Value } from "../ir/index.ts";

/** `op` returns the value of an equal node emitted before, where there is one. */
export interface Emitter extends Operators {
  /** A shared constant. `key` tells its content. */
  constant(name: string, key: string, tensor: () => Tensor): Value;
  /** A node whose attributes are not compared, shared by `key`. */
  shared(key: string, make: () => Value): Value;
  /** The operator and first input of a value that `op` emitted. */
  made(value: Value): Made | undefined;
}

export interface Made {
  readonly opType: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: BuilderAttributes;
}

export function emitter(g: GraphBuilder): Emitter {
  const ids = new Map<Value, number>();
  const emitted = new Map<string, Value>();
  const origins = new Map<Value, Made>();

  function id(value: Value | undefined): number {
    if (!value) return -1;
    const known = ids.get(value) ?? ids.size;
    ids.set(value, known);
    return known;
  }

  function shared(key: string, make: () => Value): Value {
    const known = emitted.get(`shared ${key}`);
    if (known) return known;
    const value = make();
    emitted.set(`shared ${key}`, value);
    return value;
  }

  return {
    op(opType, inputs, ...settings) {
      const [attributes = {}] = settings;
      const key = keyOf(opType, inputs.map(id), attributes);
      const known = key === undefined ? undefined : emitted.get(key);
      if (known) return known;
      const value = g.op(opType, inputs, ...settings);
      if (key !== undefined) emitted.set(key, value);
      origins.set(value, { opType, inputs, attributes });
      return value;
    },
    ops: g.ops,
    constant: (name, key, tensor) => shared(key, () => g.constant(name, tensor())),
    shared,
    made: (value) => origins.get(value),
  };
}

/** Absent where an attribute holds a tensor or a graph, which are not compared. */
function keyOf(opType: string, inputs: readonly number[], attributes: BuilderAttributes): string | undefined {
  const list = Object.entries(attributes);
  const isPlain = list.every(([, literal]) => typeof literal !== "object" || Array.isArray(literal));
  if (!isPlain) return undefined;
  const settings = list.map(([name, literal]) => `${name}=${literal}`).join(";");
  return `${opType}(${inputs.join(",")})${settings}`;
}
