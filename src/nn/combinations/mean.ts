/** @file The mean of the branches. */
import { nth } from "../../checked.ts";
import type { Combination } from "./combination.ts";

/** Σ yⱼ/n = x + Σ fⱼ/n, of variance u + v/n: the scale of a branch, for combinations that no norm follows. */
export const mean: Combination = (n, _, outputs) => (outputs.length === 1 ? nth(outputs, 0) : n.op("Mean", outputs));
