/** @file Memories of gradients. One memory is one file and one line here; the laws iterate over it. */
import { dgcMemory } from "./dgc.ts";
import { noMemory } from "./none.ts";
import { residual } from "./residual.ts";

/** Every memory under its name, with its usual settings when called without any. */
export const memories = { none: noMemory, residual, dgc: dgcMemory } as const;

export type MemoryName = keyof typeof memories;

export type { DgcMemoryOptions } from "./dgc.ts";
export type { Memory } from "./memory.ts";
