/** @file Steps of one kind side by side: Touvron et al., "Three things everyone should know about ViT", arXiv:2203.09795. */
import { nth } from "../../checked.ts";
import type { Arrangement } from "./arrangement.ts";

/** A stage per step of a branch: x ← x + Σ attention_j(x), then x ← x + Σ mlp_j(x). Branches meet after every step. */
export const sublayers: Arrangement = {
  name: "sublayers",
  summary: "steps of one kind side by side: all attentions, then all MLPs",
  stages(branches) {
    const chains = branches.map((group) => group.flat());
    return nth(chains, 0).map((_, k) => chains.map((chain) => [nth(chain, k)]));
  },
};
