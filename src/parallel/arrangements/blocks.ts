/** @file Whole blocks side by side: the branches of Para-Former-m-n, arXiv:2407.21670. */
import type { Arrangement } from "./arrangement.ts";

/** One stage. Branch j is its blocks one behind the other; branches meet only in the sum at the end. */
export const blocks: Arrangement = {
  name: "blocks",
  summary: "whole blocks side by side, y = x + Σ f_j(x)",
  stages: (branches) => [branches.map((group) => group.flat())],
};
