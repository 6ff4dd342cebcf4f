/** @file The space of networks that are a choice at each of several places: widths of layers, blocks, bits. */
import { nth } from "../checked.ts";
import type { Random } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { Space } from "./space.ts";

export interface ChoicesOptions<T> {
  /** What each place may have, the plain choice first. */
  readonly places: readonly (readonly T[])[];
  /** The probability with which a mutation draws a place anew; 0.1 by default. */
  readonly mutation?: number;
  isAllowed?(candidate: readonly T[]): boolean;
}

const choicesOptionsNames: OptionNames<ChoicesOptions<unknown>> = { places: true, mutation: true, isAllowed: true };

/**
 * Candidates are lists with one choice for each place. A mutation draws every place anew with the given probability, a crossover takes
 * every place from one of two parents by a coin.
 *
 * @throws UsageError for a place without a choice, and for a probability that is none
 */
export function choices<T extends string | number | boolean>(
  options: ChoicesOptions<T>,
): Required<Omit<Space<readonly T[]>, "isAllowed">> & Pick<Space<readonly T[]>, "isAllowed"> {
  const { places, mutation = 0.1, isAllowed } = checkOptions<ChoicesOptions<T>>(options, choicesOptionsNames);
  checkPlaces(places, mutation);
  const plain = places.map((place) => nth(place, 0));
  return {
    key: (candidate) => JSON.stringify(candidate),
    ...(isAllowed && { isAllowed }),
    all: () => products(places),
    sample: (draw) => places.map((place) => chosen(place, draw)),
    mutate: (candidate, draw) =>
      candidate.map((choice, i) => (draw.uniform() < mutation ? chosen(nth(places, i), draw) : choice)),
    cross: (a, b, draw) => a.map((choice, i) => (draw.below(2) === 0 ? choice : nth(b, i))),
    parts: () =>
      places.flatMap((place, i) => place.slice(1).map((choice) => plain.map((other, j) => (i === j ? choice : other)))),
    together: (parts) =>
      parts.reduce((whole, part) => whole.map((own, i) => (part[i] === plain[i] ? own : nth(part, i))), plain),
  };
}

function checkPlaces(places: readonly (readonly unknown[])[], mutation: number): void {
  if (places.length === 0 || places.some((place) => place.length === 0))
    throw new UsageError("every place needs a choice", {
      expected: "places with one choice or more",
      got: places.length === 0 ? "no place" : `places of ${places.map(({ length }) => length).join(", ")} choices`,
    });
  if (!(mutation > 0 && mutation <= 1))
    throw new UsageError("mutation must be a probability above 0", { got: String(mutation) });
}

function chosen<T extends string | number | boolean>(place: readonly T[], draw: Random): T {
  return nth(place, draw.below(place.length));
}

function* products<T>(places: readonly (readonly T[])[], taken: readonly T[] = []): Generator<readonly T[]> {
  const place = places[taken.length];
  if (!place) return yield taken;
  for (const choice of place) yield* products(places, [...taken, choice]);
}
