/** @file A changed network: made, cleaned, and tried as it is before any form of it. */
import { CancelledError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkCancelled } from "../runtime/index.ts";
import type { Candidate } from "./candidates.ts";
import { type Chain, chainName, type Network, networkOf } from "./chain.ts";
import { cleanedNetwork } from "./clean.ts";
import { reasonOf } from "./reason.ts";
import type { Job } from "./trial.ts";

/** The network, proposed as it is; then that of which forms can hold: it exists, and loses no more than the bound by itself. */
export async function* changedNetwork(
  job: Job,
  chain: Chain,
  make: (chain: Chain) => Promise<Model>,
): AsyncGenerator<Candidate, { readonly model: Model; readonly network: Network } | undefined> {
  const network = networkOf(chain);
  const form = chainName(network.steps);
  let cleaned: Promise<Model> | undefined;
  const build = (): Promise<Model> => {
    cleaned ??= make(chain).then((model) => cleanedNetwork(job, model, `cleaning ${form}`));
    return cleaned;
  };
  yield { form, family: form, network, build };
  const tried = job.tried.find(({ candidate }) => candidate.network === network);
  if (!tried) return undefined;
  const { drop, faults = [] } = tried.figures;
  if (faults.length > 0 || !(drop <= job.options.maxDrop)) return undefined;
  try {
    return { model: await build(), network };
  } catch (error) {
    // An interrupted run had measured it, and this one cannot make it again.
    checkCancelled(job.signal);
    const reason = error instanceof CancelledError ? "the time budget ran out" : reasonOf(error);
    job.journal.warn("W_NETWORK", `no forms of ${form} are tried: ${reason}`);
    return undefined;
  }
}
