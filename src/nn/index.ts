/** @file Layers as functions over a scoped builder that makes parameters with their initial values. */
export * from "./attention.ts";
export * from "./conv.ts";
export * from "./embedding.ts";
export * from "./initialisers.ts";
export * from "./linear.ts";
export * from "./network.ts";
export * from "./noise.ts";
export * from "./norms.ts";
export * from "./residual.ts";
