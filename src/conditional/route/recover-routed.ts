/** @file Distillation of a routed model from the dense one that it was made of. */
import { distill, type RecoveryOptions, recoveryFrom } from "../../distill/index.ts";
import type { Model } from "../../ir/index.ts";
import type { Run } from "../../runtime/index.ts";
import type { TrainEvent, TrainResult } from "../../train/index.ts";
import { mixtureProbe } from "../measures/index.ts";
import { moeTraining } from "../side-outputs.ts";
import type { RoutedModel } from "./route-model.ts";

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
  const names = blocks.map(({ output }) => output);
  const { terms } = moeTraining(model);
  const probes = recovery.evaluate && [...(recovery.probes ?? []), mixtureProbe()];
  return distill(model, {
    ...recoveryFrom(original, names, recovery),
    terms: [...terms, ...(recovery.terms ?? [])],
    ...(probes && { probes }),
  });
}
