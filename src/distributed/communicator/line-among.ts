/** @file A line between some of the ranks of another. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { Line } from "./communicator.ts";

/** The line in which the ranks have their positions in `ranks`; this rank is one of them. */
export function lineAmong(line: Line, ranks: readonly number[]): Line {
  const rank = ranks.indexOf(line.rank);
  if (rank < 0) {
    throw new UsageError("a rank speaks on lines that it is part of", {
      expected: `one of the ranks ${ranks.join(", ")}`,
      got: String(line.rank),
    });
  }
  return {
    rank,
    size: ranks.length,
    send: (to, data) => line.send(nth(ranks, to), data),
    receive: (from) => line.receive(nth(ranks, from)),
  };
}
