/** @file The random numbers of a rank for one tensor of one update. */
import { random } from "../../data/index.ts";
import type { Place } from "../exchange/place.ts";

/** Uniform numbers in [0, 1) of 32 random bits, other ones on every rank. */
export type Chance = () => number;

export function chanceOf(seed: number, { update, index, rank }: Place): Chance {
  const { word } = random(seed, update, index, rank);
  return () => word() / 2 ** 32;
}
