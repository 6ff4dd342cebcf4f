/** @file Search: space × evaluate × strategy × budget. */
export { type ChoicesOptions, choices } from "./choices.ts";
export {
  type EvaluationContext,
  type SearchBudget,
  type SearchEvent,
  type SearchOptions,
  type SearchResult,
  search,
} from "./search.ts";
export { listed, type Space, type SpacePart } from "./space.ts";
export { memoryStore, type SearchStore } from "./store.ts";
export { type EachAloneOptions, eachAloneThenTogether } from "./strategies/each-alone.ts";
export { type EvolutionOptions, evolution } from "./strategies/evolution.ts";
export { exhaustive } from "./strategies/exhaustive.ts";
export { type StrategyName, strategies } from "./strategies/index.ts";
export { proposals } from "./strategies/proposals.ts";
export { type RandomSearchOptions, randomSearch } from "./strategies/random.ts";
export { type HalvingOptions, halvingRungs, type Rung, successiveHalving } from "./strategies/successive-halving.ts";
export { type Strategy, type StrategyScope, strategyOf, type Trial } from "./strategy.ts";
