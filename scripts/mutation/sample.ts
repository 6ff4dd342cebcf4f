/** @file Some of many mutants, the same for the same seed. */
import { createHash } from "node:crypto";
import type { Mutant } from "./mutant.ts";

/**
 * `count` mutants, each subset as likely as another: those whose keys have the least hashes, so that a change of other places leaves most of
 * the sample as it was. They come in the order of the hashes, so that the first of them are a sample too.
 */
export function sampleOf(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const ranked = mutants.map((mutant) => ({ mutant, rank: rankOf(mutant, seed) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return ranked.slice(0, count).map(({ mutant }) => mutant);
}

function rankOf({ key }: Mutant, seed: number): string {
  return createHash("sha1").update(`${seed} ${key}`).digest("hex");
}
