/** @file The trainer: epochs of steps with evaluation and checkpoints, as a run. */
import type { Model } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { type Run, type RunScope, startRun } from "../../runtime/index.ts";
import type { Algorithm } from "../algorithms/index.ts";
import { monitorOf } from "./best.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { TrainEvent, TrainResult } from "./events.ts";
import { algorithmsOf, checkFitOptions, type FitOptions, fitOptionsNames } from "./fit-options.ts";
import { firstPreparation, type Plan, planned } from "./plan.ts";
import { type Started, started } from "./started.ts";
import { runTraining } from "./training.ts";

/**
 * Trains a model on samples, labelled where the loss reads labels. The same model, data, options and seed give the same parameters bit for bit on the
 * same provider, whether the run was interrupted and resumed or not.
 *
 * @throws UsageError at once for options that do not fit; through `result`: whatever `trainingStep` and algorithms throw, DataError
 * for samples that do not fit, RuntimeError when the loss stops being finite, CancelledError.
 */
export function fit(model: Model, options: FitOptions): Run<TrainEvent, TrainResult> {
  checkOptions(options, fitOptionsNames);
  checkFitOptions(options);
  monitorOf(options);
  const algorithms = algorithmsOf(options);
  return startRun(
    (scope) => train(model, options, algorithms, scope),
    options.signal ? { signal: options.signal } : {},
  );
}

async function train(
  model: Model,
  options: FitOptions,
  algorithms: readonly Algorithm[],
  scope: RunScope<TrainEvent>,
): Promise<TrainResult> {
  const hooks = started(algorithms);
  const prepared = await hooks.prepare(await firstPreparation(model, options));
  const plan = await planned(prepared, options, algorithms, hooks);
  if (!options.checkpoint) return runTraining(plan, { hooks, scope });
  const { folder } = options.checkpoint;
  await using checkpoints = await hooks.aroundCheckpoints(() => checkpointsOf(plan, folder, hooks));
  const saved = options.resume ? await checkpoints.load() : undefined;
  return await runTraining(plan, { hooks, scope, checkpoints }, saved);
}

async function checkpointsOf(plan: Plan, folder: string, { keeping }: Started): Promise<Checkpoints> {
  const { training: step, fingerprinted: settings, perEpoch, options } = plan;
  const { openCheckpoints } = await import("./checkpoint.ts");
  return openCheckpoints(folder, { step, settings, steps: perEpoch * options.epochs, algorithms: keeping });
}
