/** @file The plain sum of Para-Former, arXiv:2407.21670. */
import { nth } from "../../checked.ts";
import type { Combination } from "./combination.ts";

/**
 * Σ yⱼ = n·x + Σ fⱼ, of variance n²u + nv. A norm that follows takes out the common factor n, so x outweighs the branches
 * √n times more than in one of them, and the network is the one with the mean.
 */
export const sum: Combination = (n, _, outputs) => (outputs.length === 1 ? nth(outputs, 0) : n.op("Sum", outputs));
