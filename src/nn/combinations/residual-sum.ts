/** @file One identity path beside the sum of what branches add to it: Touvron et al. (2022), arXiv:2203.09795, section 3. */
import { nth } from "../../checked.ts";
import { changes } from "./changes.ts";
import type { Combination } from "./combination.ts";

/** x + Σ (yⱼ − x) = x + Σ fⱼ, of variance u + nv: what a chain of blocks becomes when all of them read its input. */
export const residualSum: Combination = (n, x, outputs) =>
  outputs.length === 1 ? nth(outputs, 0) : n.op("Sum", [x, ...changes(n, x, outputs)]);
