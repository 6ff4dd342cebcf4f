/** @file Whole blocks side by side, dealt out in turn: the start from a serial network of arXiv:2407.21670. */
import type { Arrangement } from "./arrangement.ts";

/** One stage. Of n branches of m blocks, branch j has block k·n + j as its k-th, so each spans the whole depth. */
export const interleaved: Arrangement = {
  name: "interleaved",
  summary: "whole blocks side by side, dealt out in turn, so that every branch spans the whole depth",
  stages(branches) {
    const blocks = branches.flat();
    return [branches.map((_, j) => blocks.filter((_, i) => i % branches.length === j).flat())];
  },
};
