/** @file The passes that laws hold for: the general ones and those over branches. */
import { branchPasses } from "../src/branches/index.ts";
import { passes } from "../src/passes/index.ts";

export const everyPass = { ...passes, ...branchPasses };
export type EveryPassName = keyof typeof everyPass;
