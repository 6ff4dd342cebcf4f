/** @file What is searched: candidates, which are allowed, and how they are named, drawn and changed. */
import { nth } from "../checked.ts";
import type { Random } from "../data/index.ts";

/** Each strategy says which of the optional parts it needs. */
export interface Space<C> {
  /** Candidates of one key are the same one, which is evaluated once. */
  key(candidate: C): string;
  /** A hard rule: what it refuses is never evaluated. */
  isAllowed?(candidate: C): boolean;
  /** Every candidate, in the order in which they are tried. */
  all?(): Iterable<C>;
  sample?(draw: Random): C;
  mutate?(candidate: C, draw: Random): C;
  cross?(a: C, b: C, draw: Random): C;
  /** Candidates that differ from the plain one in one change each. */
  parts?(): Iterable<C>;
  /** The candidate with the changes of all of these; of none, the plain one. */
  together?(parts: readonly C[]): C;
}

/** Names of what a space may leave out. */
export type SpacePart = Exclude<keyof Space<unknown>, "key" | "isAllowed">;

/** A list of candidates. */
export function listed<C>(
  candidates: readonly C[],
  key: (candidate: C) => string,
): Space<C> & Required<Pick<Space<C>, "all" | "sample">> {
  return { key, all: () => candidates, sample: (draw) => nth(candidates, draw.below(candidates.length)) };
}
