/** @file Dispatch with capacity: every expert computes the same number of rows, in one batch; what does not fit is left out. arXiv:2101.03961, section 2.2. */
import { nth } from "../../../checked.ts";
import { UsageError } from "../../../errors.ts";
import type { Value } from "../../../ir/index.ts";
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
    return n.mul(n.add(noise, 1), 0.499);
  },
  /** Large weights first: Riquelme et al. (2021), arXiv:2106.05974. */
  score: (n, { weights }) => {
    const bounded = n.min(n.max(weights, 0), 1);
    return n.mul(n.sub(1, bounded), 0.999);
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
  const places = n.mul(room, n.ints([experts]));
  // A pair that is left out is written behind the last slot, at a place of its own.
  const spare = n.add(places, count);
  const written = putRows(n, repeatRows(n, rows, k), slots, spare);
  const parts = piecesOf(n, written, room, experts, count);
  const answers = parts.map((part, i) => expert(n.scope(`expert${i}`), part, i));
  const joined = experts === 1 ? nth(answers, 0) : n.concat(answers, 0);
  const readable = n.min(slots, n.sub(places, n.ints([1])));
  const weights = n.mul(n.reshape(routing.weights, [-1]), kept);
  const output = sumGroups(n, weighRows(n, takeRows(n, joined, readable), weights), k);
  const dropped = n.sub(n.number(1), n.mean(kept));
  return { output, dropped };
}

/** int64 [1]: rows of each expert. */
function roomOf(n: Layers, pairs: Value, share: number): Value {
  const whole = shareOf(n, pairs, share, "Ceil");
  return n.max(whole, n.ints([LEAST]));
}

/** For each pair its place among the slots of all experts, and 1 where it has one. */
function slotsOf(n: Layers, { experts }: TokenChoice, ranks: Value, loads: Value, room: Value, count: Value) {
  const flat = n.reshape(experts, [-1]);
  const starts = n.op("CumSum", [loads, n.ints([0])], { exclusive: 1 });
  const place = n.sub(ranks, n.gather(starts, flat, 0));
  const fits = n.less(place, room);
  const slot = n.add(n.mul(flat, room), place);
  const end = n.mul(room, n.shape(loads));
  const behind = n.add(rangeOf(n, count), end);
  return {
    slots: n.where(fits, slot, behind),
    kept: n.cast(fits, "float32"),
  };
}

function piecesOf(n: Layers, written: Value, room: Value, experts: number, count: Value): Value[] {
  const lengths = n.concat([n.expand(room, n.ints([experts])), count], 0);
  return n.ops("Split", [written, lengths], experts + 1, { axis: 0 }).slice(0, experts);
}
