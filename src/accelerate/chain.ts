/** @file Chains: a network is changed, and trained again, before it takes forms as the original does. */
import type { Model } from "../ir/index.ts";

/** One step of a chain. */
export interface Step {
  /** In the words of a row: `prune 0.5 rounded 8`. */
  readonly name: string;
  /** Whether it trains: numbers of a network that was trained again need not be near those of the original. */
  readonly trains: boolean;
  /** The changed model. @throws CancelledError when the signal is aborted; what it has learned until then may be kept for the next time */
  apply(model: Model, signal: AbortSignal): Promise<Model>;
}

export type Chain = readonly Step[];

/** What may be tried beside the forms of the original. */
export interface Changes {
  /** The original, with its weights and norms where changes and training find them. */
  readonly from: Model;
  readonly chains: readonly Chain[];
}

/** The network at the end of a chain, of which forms are made. */
export interface Network {
  /** Of the steps, in order. */
  readonly steps: readonly string[];
  readonly isTrained: boolean;
}

export function networkOf(chain: Chain): Network {
  return { steps: chain.map(({ name }) => name), isTrained: chain.some(({ trains }) => trains) };
}

/** How a chain is written, with the form that it ends in. */
export function chainName(steps: readonly string[]): string {
  return steps.join(" → ");
}

/** Makes the networks of chains, a beginning that several share once. */
export function networkMaker(from: Model, signal: AbortSignal): (chain: Chain) => Promise<Model> {
  const made = new Map<string, Promise<Model>>();
  const make = (chain: Chain): Promise<Model> => {
    const last = chain.at(-1);
    if (!last) return Promise.resolve(from);
    const name = chainName(networkOf(chain).steps);
    const known = made.get(name);
    if (known) return known;
    const model = make(chain.slice(0, -1)).then((before) => last.apply(before, signal));
    made.set(name, model);
    return model;
  };
  return make;
}
