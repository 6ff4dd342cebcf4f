/** @file All steps of a block side by side: y = x + MLP(LN x) + Attention(LN x), as in GPT-J and PaLM, arXiv:2204.02311. */
import { nth } from "../../checked.ts";
import type { Arrangement } from "./arrangement.ts";

/** A stage per block of a branch, in which every step of every branch's block is a branch of its own. */
export const merged: Arrangement = {
  name: "merged",
  summary: "all steps of a block side by side, y = x + MLP(LN x) + Attention(LN x)",
  stages: (branches) =>
    nth(branches, 0).map((_, k) => branches.flatMap((group) => nth(group, k).map((step) => [step]))),
};
