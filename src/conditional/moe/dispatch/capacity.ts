/** @file Dispatch with capacity: every expert computes the same number of rows, in one batch; what does not fit is left out. arXiv:2101.03961, section 2.2. */
import { UsageError } from "../../../errors.ts";
import { dataTypes, type Value } from "../../../ir/index.ts";
import { type Layers, uniformNoise } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Expert } from "../expert.ts";
import { choicesOf, type TokenChoice } from "../routing.ts";
import type { Dispatch, Dispatched } from "./dispatch.ts";
import { putRows, rangeOf, repeatRows, shareOf, sortPairs, sumGroups, takeRows, weighRows } from "./rows.ts";

/** Who is served first where capacity is short: [tokens, k] numbers in [0, 1), lower ones first; absent: tokens in their order. */
export type ServeOrder = (n: Layers, routing: TokenChoice) => Value | undefined;

export const serveOrders = {
  /** The order that the gate gives; without one, early tokens first. */
  position: (_, { order }) => order,
  /** By chance in training, arXiv:2201.05596; in inference as `position`. */
  random: (n, { weights }) => {
    const noise = uniformNoise(n, weights);
    return n.op("Mul", [n.op("Add", [noise, n.number(1)]), n.number(0.499)]);
  },
  /** Large weights first: Riquelme et al. (2021), arXiv:2106.05974. */
  score: (n, { weights }) => {
    const bounded = n.op("Min", [n.op("Max", [weights, n.number(0)]), n.number(1)]);
    return n.op("Mul", [n.op("Sub", [n.number(1), bounded]), n.number(0.999)]);
  },
} satisfies Record<string, ServeOrder>;

export type ServeOrderName = keyof typeof serveOrders;

export interface CapacityOptions {
  /** CF: each expert has room for max(4, ⌈tokens · k / experts · CF⌉) rows; 1.25 by default. */
  readonly factor?: number;
  readonly serve?: ServeOrderName;
}

const LEAST = 4;

const capacityOptionsNames: OptionNames<CapacityOptions> = { factor: true, serve: true };

export function capacity(options: CapacityOptions = {}): Dispatch {
  const { factor = 1.25, serve = "position" } = checkOptions(options, capacityOptionsNames);
  if (!(Number.isFinite(factor) && factor > 0)) {
    throw new UsageError("the capacity factor is out of range", { expected: "above 0", got: String(factor) });
  }
  return {
    name: "capacity",
    kinds: ["token-choice"],
    hard: true,
    build: (n, rows, routing, expert, experts) =>
      bounded(n, rows, routing as TokenChoice, expert, experts, { factor, order: serveOrders[serve] }),
  };
}

function bounded(
  n: Layers,
  rows: Value,
  routing: TokenChoice,
  expert: Expert,
  experts: number,
  { factor, order }: { readonly factor: number; readonly order: ServeOrder },
): Dispatched {
  const k = choicesOf(routing);
  const { ranks, loads, count } = sortPairs(n, routing.experts, experts, order(n, routing));
  const room = roomOf(n, count, factor / experts);
  const { slots, kept } = slotsOf(n, routing, ranks, loads, room, count);
  const places = n.op("Mul", [room, n.ints([experts])]);
  // A pair that is left out is written behind the last slot, at a place of its own.
  const spare = n.op("Add", [places, count]);
  const written = putRows(n, repeatRows(n, rows, k), slots, spare);
  const parts = piecesOf(n, written, room, experts, count);
  const answers = parts.map((part, i) => expert(n.scope(`expert${i}`), part, i));
  const joined = experts === 1 ? answers[0]! : n.op("Concat", answers, { axis: 0 });
  const readable = n.op("Min", [slots, n.op("Sub", [places, n.ints([1])])]);
  const weights = n.op("Mul", [n.op("Reshape", [routing.weights, n.ints([-1])]), kept]);
  const output = sumGroups(n, weighRows(n, takeRows(n, joined, readable), weights), k);
  const dropped = n.op("Sub", [n.number(1), n.op("ReduceMean", [kept], { keepdims: 0 })]);
  return { output, dropped };
}

/** int64 [1]: rows of each expert. */
function roomOf(n: Layers, pairs: Value, share: number): Value {
  const whole = shareOf(n, pairs, share, "Ceil");
  return n.op("Max", [whole, n.ints([LEAST])]);
}

/** For each pair its place among the slots of all experts, and 1 where it has one. */
function slotsOf(n: Layers, { experts }: TokenChoice, ranks: Value, loads: Value, room: Value, count: Value) {
  const flat = n.op("Reshape", [experts, n.ints([-1])]);
  const starts = n.op("CumSum", [loads, n.ints([0])], { exclusive: 1 });
  const place = n.op("Sub", [ranks, n.op("Gather", [starts, flat], { axis: 0 })]);
  const fits = n.op("Less", [place, room]);
  const slot = n.op("Add", [n.op("Mul", [flat, room]), place]);
  const end = n.op("Mul", [room, n.op("Shape", [loads])]);
  const behind = n.op("Add", [rangeOf(n, count), end]);
  return {
    slots: n.op("Where", [fits, slot, behind]),
    kept: n.op("Cast", [fits], { to: dataTypes.float32.code }),
  };
}

function piecesOf(n: Layers, written: Value, room: Value, experts: number, count: Value): Value[] {
  const lengths = n.op("Concat", [n.op("Expand", [room, n.ints([experts])]), count], { axis: 0 });
  return n.ops("Split", [written, lengths], experts + 1, { axis: 0 }).slice(0, experts);
}
