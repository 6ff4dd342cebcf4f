/** @file Where exits can stand in a network of anyone's: at values through which all that costs goes, at equal parts of the cost. */
import { nth } from "../../checked.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import { fedInputs, type Model, type Value } from "../../ir/index.ts";
import { type Neck, necksOf } from "./necks.ts";

/** Less of a network than this before or behind an exit is not worth a classifier. */
const LEAST = 0.05;

/** Of a neck in `necks`, those that a head can read; the last ones before the network goes on multiplying. */
export function exitPlaces(model: Model): Neck[] {
  const first = fedInputs(model.graph).flatMap(({ type }) => (type?.kind === "tensor" ? [type.dims?.[0]] : []))[0];
  const necks = necksOf(model, { asides: true }).filter(({ value, depth }) => {
    return depth >= LEAST && depth <= 1 - LEAST && isReadable(value, first);
  });
  return necks.filter(({ depth }, i) => depth !== necks[i + 1]?.depth);
}

function isReadable({ type }: Value, batch: number | string | undefined): boolean {
  if (type?.kind !== "tensor" || type.dtype !== "float32" || type.dims?.[0] !== batch) return false;
  const [, ...rest] = type.dims ?? [];
  return [1, 2, 3].includes(rest.length) && typeof rest[rest.length === 3 ? 0 : rest.length - 1] === "number";
}

/**
 * `count` of the places, those nearest to equal parts of the multiply-accumulates, in order.
 *
 * @throws UnsupportedError for a network without any, UsageError for one with fewer.
 */
export function balancedPlaces(model: Model, count: number): Neck[] {
  const places = exitPlaces(model);
  if (places.length === 0) {
    throw new UnsupportedError("the network has no place for an exit", {
      expected: `a float32 value [batch, …] of rank 2, 3 or 4 that all later work depends on, behind ${LEAST * 100} % of the work and before as much`,
      got: `${necksOf(model, { asides: true }).length} values that all later work depends on, none of them such`,
    });
  }
  if (count > places.length) {
    throw new UsageError("the network has no room for so many exits", {
      expected: `1 to ${places.length}: ${places.map(({ value }) => value.name).join(", ")}`,
      got: String(count),
    });
  }
  const chosen: Neck[] = [];
  for (let i = 0; i < count; i++) {
    const last = places.length - (count - i) + 1;
    const open = places.slice(chosen.length === 0 ? 0 : places.indexOf(nth(chosen, -1 + chosen.length)) + 1, last);
    const wanted = (i + 1) / (count + 1);
    chosen.push(open.reduce((best, place) => (away(place, wanted) < away(best, wanted) ? place : best)));
  }
  return chosen;
}

function away({ depth }: Neck, wanted: number): number {
  return Math.abs(depth - wanted);
}
