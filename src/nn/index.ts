/** @file Layers as functions over a scoped builder that makes parameters with their initial values. */
export * from "./attention.ts";
export * from "./branches.ts";
export * from "./combinations/index.ts";
export * from "./conv.ts";
export * from "./embedding.ts";
export * from "./generated.ts";
export * from "./heads.ts";
export * from "./initialisers.ts";
export * from "./linear.ts";
export * from "./network.ts";
export * from "./noise.ts";
export * from "./norms.ts";
export * from "./patches.ts";
export type { RandomSource } from "./random-source.ts";
export * from "./recurrent.ts";
export * from "./residual.ts";
export * from "./residual-blocks.ts";
export * from "./transformer-block.ts";
