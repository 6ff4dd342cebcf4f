/** @file Measures of mixtures, and what is done about dead experts. */
export { type Balance, balanceOf, type Routes, routingChurn } from "./balance.ts";
export { type MixtureMeasures, type MixtureOptions, measureMixture } from "./measure-mixture.ts";
export { mixtureProbe } from "./mixture-probe.ts";
export { type ReviveOptions, reviveExperts } from "./revive-experts.ts";
