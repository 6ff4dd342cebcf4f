/** @file Every experiment, in the order of the page of results. */
import { accelerateModels } from "./accelerate-models.ts";
import type { Experiment } from "./experiment.ts";

// biome-ignore lint/suspicious/noExplicitAny: each experiment has a result type of its own
export const experiments: readonly Experiment<any>[] = [accelerateModels];
