/** @file The fusion rule of every operator that branches may hold. An operator without one ends a fusion. */
import type { FusionRule } from "../rule.ts";
import { attentionRules } from "./attention.ts";
import { convRules } from "./conv.ts";
import { elementwiseRules } from "./elementwise.ts";
import { fusedOperatorRules } from "./fused.ts";
import { matmulRules } from "./matmul.ts";
import { movementRules } from "./movement.ts";
import { normRules } from "./norm.ts";
import { reduceRules } from "./reduce.ts";

export const fusionRules: ReadonlyMap<string, FusionRule> = new Map(
  Object.entries({
    ...elementwiseRules,
    ...matmulRules,
    ...normRules,
    ...convRules,
    ...movementRules,
    ...reduceRules,
    ...attentionRules,
    ...fusedOperatorRules,
  } satisfies Record<string, FusionRule>),
);
