/** @file Many networks in one graph, which a fed choice tells apart: what is trained, drawn, searched and taken out of it. */
import { random } from "../../data/index.ts";
import { int64s, type Model } from "../../ir/index.ts";
import type { Drives } from "../../train/index.ts";

/** The position of an option at each place of a supernet: of a width, a kernel, a depth. 0 is the largest. */
export type Choice = readonly number[];

export interface Supernet {
  /** What is trained: the network of the choice that its input `input` (int64, one position for each place) holds. */
  readonly model: Model;
  readonly input: string;
  /** How many options each place has. */
  readonly options: readonly number[];
  /** The network of a choice as an ordinary model, with the weights of the original. */
  plain(choice: Choice): Model;
  /** Networks with the weights that a trained form of `model` has for them. */
  networks(trained: Model): (choice: Choice) => Model;
}

/** Choices of batches are drawn from a stream of their own. */
const CHOICES = 0x3e8;

/** Each batch trains a network that is drawn uniformly; evaluations are of the largest. */
export function uniformChoices({ input, options }: Pick<Supernet, "input" | "options">): Drives {
  return {
    [input]: {
      train: ({ seed, batch }) => {
        const draws = random(seed, CHOICES, batch);
        return int64s(options.map((count) => draws.below(count)));
      },
      evaluate: int64s(options.map(() => 0)),
    },
  };
}
