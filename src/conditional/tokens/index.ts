/** @file Fewer tokens in vision transformers: merged or pruned from block to block. */
export { type ReduceTokensOptions, reduceTokens } from "./reduce-tokens.ts";
export * from "./reductions/index.ts";
