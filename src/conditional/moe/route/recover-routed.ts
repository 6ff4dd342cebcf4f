/** @file Distillation of a routed model from the dense one that it was made of. */
import { distill, type RecoveryOptions, recoveryFrom, recoveryOptionsNames } from "../../../distill/index.ts";
import type { Model } from "../../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Run } from "../../../runtime/index.ts";
import type { TrainEvent, TrainResult } from "../../../train/index.ts";
import { mixtureProbe } from "../measures/index.ts";
import { moeTraining } from "../side-outputs.ts";
import type { RoutedModel } from "./route-model.ts";

const recoverRoutedOptionNames: OptionNames<RecoveryOptions & { readonly signal?: AbortSignal }> = {
  ...recoveryOptionsNames,
  signal: true,
};

/**
 * Minimises the divergence of the answers from those of the original, the relative error of every routed block, the losses of the gates,
 * and the cross entropy where the data has labels. `original` is the model that `routeModel` was given. Evaluations, if there are any, are
 * followed by measurements of the routing.
 *
 * @throws through `result`: what `distill` throws.
 */
export function recoverRouted(
  original: Model,
  { model, blocks }: RoutedModel,
  recovery: RecoveryOptions & { readonly signal?: AbortSignal },
): Run<TrainEvent, TrainResult> {
  checkOptions(recovery, recoverRoutedOptionNames);
  const names = blocks.map(({ output }) => output);
  const { terms } = moeTraining(model);
  const { signal, ...own } = recovery;
  const probes = recovery.evaluate && [...(recovery.probes ?? []), mixtureProbe()];
  return distill(model, {
    ...recoveryFrom(original, names, own),
    ...(signal && { signal }),
    terms: [...terms, ...(recovery.terms ?? [])],
    ...(probes && { probes }),
  });
}
