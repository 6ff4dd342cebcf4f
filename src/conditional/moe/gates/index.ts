/** @file Gates. One gate is one file and one line in `gates`; the laws iterate over it. */
import { cosine } from "./cosine.ts";
import { decisionTree } from "./decision-tree.ts";
import { expertChoice } from "./expert-choice.ts";
import { gshard } from "./gshard.ts";
import { hierarchical } from "./hierarchical.ts";
import { localityHash } from "./locality-hash.ts";
import { noisyTopK } from "./noisy-top-k.ts";
import { randomFixed } from "./random-fixed.ts";
import { roundRobin } from "./round-robin.ts";
import { score } from "./score.ts";
import { sigmoidBias } from "./sigmoid-bias.ts";
import { soft } from "./soft.ts";
import { softSlots } from "./soft-slots.ts";
import { switchGate } from "./switch.ts";
import { task } from "./task.ts";
import { tokenHash } from "./token-hash.ts";
import { topKGate } from "./top-k.ts";

/** Every gate under its name. `hierarchical` has to be told its groups and `decision-tree` its tree. */
export const gates = {
  soft,
  score,
  "top-k": topKGate,
  "noisy-top-k": noisyTopK,
  switch: switchGate,
  gshard,
  "expert-choice": expertChoice,
  "soft-slots": softSlots,
  "sigmoid-bias": sigmoidBias,
  cosine,
  hierarchical,
  "locality-hash": localityHash,
  "token-hash": tokenHash,
  "random-fixed": randomFixed,
  "round-robin": roundRobin,
  task,
  "decision-tree": decisionTree,
} as const;

export type GateName = keyof typeof gates;

export type { CosineOptions } from "./cosine.ts";
export type { ExpertChoiceOptions } from "./expert-choice.ts";
export type { GshardOptions } from "./gshard.ts";
export type { HierarchicalOptions } from "./hierarchical.ts";
export type { LocalityHashOptions } from "./locality-hash.ts";
export type { NoisyTopKOptions } from "./noisy-top-k.ts";
export type { RandomFixedOptions } from "./random-fixed.ts";
export type { ScoreOptions } from "./score.ts";
export type { SigmoidBiasOptions } from "./sigmoid-bias.ts";
export type { SoftSlotsOptions } from "./soft-slots.ts";
export type { SwitchOptions } from "./switch.ts";
export type { TaskOptions } from "./task.ts";
export type { TokenHashOptions } from "./token-hash.ts";
export type { TopKOptions } from "./top-k.ts";
export {
  cosine,
  decisionTree,
  expertChoice,
  gshard,
  hierarchical,
  localityHash,
  noisyTopK,
  randomFixed,
  roundRobin,
  score,
  sigmoidBias,
  soft,
  softSlots,
  switchGate,
  task,
  tokenHash,
  topKGate,
};
