/** @file Weights of the beginning under the mask of the end: Frankle and Carbin (2019), arXiv:1803.03635, and their later rewinding, arXiv:1912.05671. */
import { UsageError } from "../../errors.ts";
import type { Tensor } from "../../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { type Algorithm, type TrainingRun, withParameters } from "../../train/index.ts";
import { withMasks } from "../masks.ts";
import { criterionOf, granularityOf, type SparsifySettings, type SparsityAmount, sparsifyModel } from "../sparsify.ts";

export type LotteryTicketOptions = SparsityAmount &
  Omit<SparsifySettings, "evidence" | "masks"> & {
    /** The update whose weights come back; 0 are those that the run began with. */
    readonly rewindTo: number;
  };

const lotteryTicketOptionsNames: OptionNames<LotteryTicketOptions> = {
  rewindTo: true,
  sparsity: true,
  pattern: true,
  granularity: true,
  criterion: true,
  ranking: true,
  exclude: true,
  seed: true,
};

/**
 * Trains to the end, finds there which weights matter least, and hands out the weights of update `rewindTo` without those: the ticket, to be
 * trained in turn with `masked(masksOf(ticket))`.
 *
 * @throws UsageError as `sparsifyModel` does, and, in the end, where the run never came to the update
 */
export function lotteryTicket(options: LotteryTicketOptions): Algorithm {
  const { rewindTo, ...amount } = checkOptions(options, lotteryTicketOptionsNames);
  checkCount("rewindTo", rewindTo, { least: 0 });
  const settings = amount as SparsityAmount & SparsifySettings;
  const { exclude = [], ranking = "local", seed = 0, sparsity = null } = settings;
  return {
    name: "lottery-ticket",
    settings: {
      ...{ rewindTo, sparsity, exclude, ranking, seed },
      ...{ granularity: granularityOf(settings).name, criterion: criterionOf(settings).name },
    },
    start() {
      let early: ReadonlyMap<string, Tensor> | undefined;
      return {
        async onStart(run, saved) {
          early = saved ? saved.tensors : rewindTo === 0 ? await trainedNow(run) : undefined;
        },
        follows: (update) => update === rewindTo,
        async onUpdate(run) {
          early = await trainedNow(run);
        },
        save: () => (early ? { tensors: early } : {}),
        result(model, run) {
          if (!early || early.size === 0)
            throw new UsageError("the run never came to the update whose weights were to come back", {
              expected: `update ${rewindTo}`,
              got: `${run.updates} updates`,
            });
          return withMasks(withParameters(model, early), sparsifyModel(model, settings).masks);
        },
      };
    },
  };
}

/** Parameters and running statistics, by the names of their initializers. */
async function trainedNow(run: TrainingRun): Promise<Map<string, Tensor>> {
  const parts = run.step.state.filter(({ kind }) => kind === "parameter" || kind === "statistic");
  const state = await run.read(parts.map(({ name }) => name));
  return new Map(parts.flatMap(({ name, of }) => (of === undefined ? [] : [[of, state.get(name)!]])));
}
