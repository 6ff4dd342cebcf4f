/** @file Training of one network by several ranks, each on a part of every batch. */
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import type { Algorithm, TrainingRun } from "../../train/index.ts";
import type { Communicator } from "../communicator/communicator.ts";
import { denseExchange } from "../exchange/dense.ts";
import type { GradientExchange } from "../exchange/exchange.ts";
import { bucketed } from "./bucketed.ts";
import { tensorsOfFirst } from "./bytes.ts";
import { meanStatistics } from "./mean-statistics.ts";
import { gatheredStates, stateOfRank } from "./rank-states.ts";
import { sharedRun } from "./shared-run.ts";

export interface DataParallelOptions {
  /** This rank's end; stays open. */
  readonly communicator: Communicator;
  /** Makes what turns the gradients of all ranks into one; `denseExchange` by default. */
  readonly exchange?: () => GradientExchange;
  /** Bytes of gradients that are exchanged together; 4 MiB by default. */
  readonly bucketBytes?: number;
  /** Running statistics of batch normalisation: their mean over ranks (default), or those of rank 0. */
  readonly statistics?: "averaged" | "first";
}

const dataParallelOptionsNames: OptionNames<DataParallelOptions> = {
  communicator: true,
  exchange: true,
  bucketBytes: true,
  statistics: true,
};

/**
 * Every rank gives it to a `fit` of the same model, data, options and seed. `batch` is that of all ranks together, of which each takes its part. All
 * begin with the parameters of rank 0, and make the same updates of the same mean gradients, so that their parameters have the same bits
 * after every step: those of one run on whole batches, but for the order of sums.
 *
 * Batch normalisation sees the part of its rank alone (ghost batches: Hoffer et al. 2017, arXiv:1705.08741); its running statistics are made the same before evaluations,
 * checkpoints and the end of epochs. A loss that leaves labels out is a mean over those of each part that are left. Rank 0 evaluates, and keeps
 * the checkpoints of all in its folder: those of other numbers of ranks are resumed, too. The loss that a run tells is that of its part.
 */
export function dataParallel(options: DataParallelOptions): Algorithm {
  const { communicator, bucketBytes = 2 ** 22, ...rest } = checkOptions(options, dataParallelOptionsNames);
  const { exchange: make = denseExchange, statistics = "averaged" } = rest;
  checkCount("bucketBytes", bucketBytes);
  return {
    name: "data-parallel",
    settings: { statistics },
    start() {
      const exchange = bucketed(make(), bucketBytes);
      let training: TrainingRun | undefined;
      const settle = async (): Promise<void> => {
        if (training && statistics === "averaged") await meanStatistics(communicator, training);
      };
      const { hooks, during } = sharedRun(communicator, settle);
      return {
        ...hooks,
        async onStart(run, saved) {
          training = run;
          if (saved) exchange.restore(stateOfRank(saved, communicator));
          await run.write(await tensorsOfFirst(communicator, await run.read()));
        },
        onGradients: (gradients, update) => during(() => exchange.average(communicator, gradients, update)),
        async save() {
          await settle();
          return gatheredStates(communicator, exchange.readState());
        },
      };
    },
  };
}
