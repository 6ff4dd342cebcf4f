/** @file The routing of mixtures over the course of a training run. */
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Measurement, Probe } from "../../../train/index.ts";
import { moeMeasures } from "../side-outputs.ts";
import { type Balance, type Routes, routingChurn } from "./balance.ts";
import { type MixtureMeasures, type MixtureOptions, measureMixture } from "./measure-mixture.ts";

const mixtureProbeOptionNames: OptionNames<Pick<MixtureOptions, "deadBelow">> = { deadBelow: true };

/**
 * What `measureMixture` says of every mixture, at every evaluation: load and importance of each expert, the largest over the mean of
 * both, the entropy of the router in nats, the share that was dropped, the number of dead experts, and the share of tokens that have
 * other experts than at the evaluation before. A model without mixtures has no measurements.
 */
export function mixtureProbe(options: Pick<MixtureOptions, "deadBelow"> = {}): Probe {
  checkOptions(options, mixtureProbeOptionNames);
  return {
    name: "mixtures",
    start() {
      const before = new Map<string, Routes>();
      return async (model, { feeds, open, session, signal }) => {
        if (moeMeasures(model).length === 0) return [];
        const mixtures = await measureMixture(model, feeds(), open, { ...session, ...options, signal });
        const measurements = mixtures.flatMap((mixture) => measurementsOf(mixture, before.get(mixture.layer)));
        for (const { layer, routes } of mixtures) if (routes) before.set(layer, routes);
        return measurements;
      };
    },
  };
}

function measurementsOf(mixture: MixtureMeasures, before: Routes | undefined): Measurement[] {
  const { layer, load, loadBalance, importance, importanceBalance, entropy, dropped, dead, routes } = mixture;
  const subject = layer.replace(/\/$/, "") || "mixture";
  const perExpert = (name: string, values: readonly number[] | undefined): Measurement[] =>
    values ? [{ subject, name, values, row: "expert" }] : [];
  const single = (name: string, value: number | undefined): Measurement[] =>
    value === undefined ? [] : [{ subject, name, values: [value] }];
  const largest = (balance: Balance | undefined) => balance?.maxOverMean;
  return [
    ...perExpert("load", load),
    ...perExpert("importance", importance),
    ...single("max/mean load", largest(loadBalance)),
    ...single("max/mean importance", largest(importanceBalance)),
    ...single("dropped share", dropped),
    ...single("router entropy", entropy),
    ...single("dead experts", load && dead.length),
    ...single("routing churn", before && routes && routingChurn(before, routes)),
  ];
}
