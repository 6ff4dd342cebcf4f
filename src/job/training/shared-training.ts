/** @file A training that several ranks share: what each adds to its run, and the runs of those that help rank 0. */
import { availableParallelism } from "node:os";
import { dataParallel } from "../../distributed/index.ts";
import { UsageError } from "../../errors.ts";
import { type Algorithm, fit } from "../../train/index.ts";
import type { Console, Outcome } from "../console.ts";
import { ownCommunicator } from "../ranks/own-communicator.ts";
import { mixtureOptions } from "./mixture-options.ts";
import type { TrainingConfig } from "./training-config.ts";
import { trainingParts } from "./training-parts.ts";

/** What makes a run that of one of several ranks; nothing where there are none. @throws UsageError for what ranks do not share */
export function rankAlgorithms({ distillation }: TrainingConfig): readonly Algorithm[] {
  const communicator = ownCommunicator();
  if (!communicator) return [];
  if (distillation) {
    throw new UsageError("ranks do not share a training that follows a teacher", {
      expected: "a configuration without distillation",
      hint: "Run it without launch.",
    });
  }
  return [dataParallel({ communicator })];
}

/** The whole training of a rank other than 0, which writes nothing; `undefined` for the one that does. */
export async function helped(
  config: TrainingConfig,
  { resume }: { readonly resume: boolean },
  console: Console,
): Promise<Outcome | undefined> {
  const communicator = ownCommunicator();
  if (!communicator || communicator.rank === 0) return undefined;
  const algorithms = rankAlgorithms(config);
  const { start, options } = await trainingParts(config, console);
  const { checkpointEvery } = config;
  const run = fit(start.model, {
    ...options,
    ...mixtureOptions(start.model, options),
    algorithms: [...(options.algorithms ?? []), ...algorithms],
    // Rank 0 keeps them; the others follow at the same moments.
    checkpoint: { folder: "", ...(checkpointEvery !== undefined && { everySteps: checkpointEvery }) },
    resume,
    signal: console.signal,
  });
  const { report } = await run.result;
  return { result: { training: report } };
}

/** A rank's part of the processors, where the user names no number. */
export function usualThreads(): { readonly threads?: number } {
  const communicator = ownCommunicator();
  return communicator ? { threads: Math.max(1, Math.floor(availableParallelism() / communicator.size)) } : {};
}
