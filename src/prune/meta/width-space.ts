/** @file The choices of a supernet as a space to search, held to a number of multiply-accumulates. */
import { nth } from "../../checked.ts";
import type { Random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { costOf } from "../../ops/index.ts";
import { choices } from "../../search/index.ts";
import type { Choice, Supernet } from "./supernet.ts";

/** The networks of a supernet by their multiply-accumulates. */
export interface CountedChoices {
  /** Of one sample. */
  macsOf(choice: Choice): number;
  /** The choices that keep at most this share of the largest network's multiply-accumulates. */
  within(share: number): ReturnType<typeof choices<number>>;
}

export function countedChoices(supernet: Pick<Supernet, "options" | "plain">): CountedChoices {
  const { options, plain } = supernet;
  const known = new Map<string, number>();
  const macsOf = (choice: Choice): number => {
    const key = choice.join();
    const macs = known.get(key) ?? costOf(plain(choice)).macs;
    known.set(key, macs);
    return macs;
  };
  return {
    macsOf,
    within(share) {
      const limit = share * macsOf(options.map(() => 0));
      const isAllowed = (choice: Choice): boolean => macsOf(choice) <= limit;
      const least = options.map((count) => count - 1);
      if (!isAllowed(least)) throw unreachable(macsOf(least) / macsOf(options.map(() => 0)), share);
      const places = options.map((count) => Array.from({ length: count }, (_, i) => i));
      const space = choices({ places, isAllowed });
      return { ...space, sample: (draw) => narrowed(space.sample(draw), options, isAllowed, draw) };
    },
  };
}

/** Places that are drawn are narrowed until the choice is allowed: under a tight limit hardly one of uniform draws is. */
function narrowed(
  choice: Choice,
  options: readonly number[],
  isAllowed: (choice: Choice) => boolean,
  draw: Random,
): Choice {
  let next = choice;
  while (!isAllowed(next)) {
    const wider = [...next.keys()].filter((place) => nth(next, place) < nth(options, place) - 1);
    const place = nth(wider, draw.below(wider.length));
    const steps = nth(options, place) - 1 - nth(next, place);
    next = next.with(place, nth(next, place) + 1 + draw.below(steps));
  }
  return next;
}

function unreachable(least: number, share: number): UsageError {
  return new UsageError("so few multiply-accumulates cannot be reached", {
    expected: `a share of at least ${least.toFixed(3)} of them`,
    got: String(share),
    hint: "Allow smaller scales, or round less.",
  });
}
