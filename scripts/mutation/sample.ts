/** @file Some of many mutants, the same for the same seed. */
import { createHash } from "node:crypto";
import type { Mutant } from "./mutant.ts";

/**
 * `count` mutants in their order, each subset as likely as another: those whose keys have the least hashes, so that a change of other
 * places leaves most of the sample as it was.
 */
export function sampleOf(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const ranked = mutants
    .map((mutant) => ({ mutant, rank: rankOf(mutant, seed) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const chosen = new Set(ranked.slice(0, count).map(({ mutant }) => mutant));
  return mutants.filter((mutant) => chosen.has(mutant));
}

function rankOf({ key }: Mutant, seed: number): string {
  return createHash("sha1").update(`${seed} ${key}`).digest("hex");
}
