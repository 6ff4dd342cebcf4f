/** @file Like tokens to like experts without learning: cross-polytope hashing, Andoni et al. (2015), arXiv:1509.02897, as in Reformer, arXiv:2001.04451. */
import { type Tensor, tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { type Layers, lengthOf, normal } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkExperts } from "../scores.ts";
import { fixedRoute } from "./fixed-route.ts";
import { fixedSource } from "./fixed-source.ts";
import { remainder } from "./hash-words.ts";

export interface LocalityHashOptions {
  readonly seed?: number;
}

const localityHashOptionsNames: OptionNames<LocalityHashOptions> = { seed: true };

/** The bucket of a token is argmax [x·R, −x·R] for a fixed random R with ⌈experts / 2⌉ columns; buckets beyond the experts begin again at 0. */
export function localityHash(options: LocalityHashOptions = {}): Gate {
  const { seed = 1 } = checkOptions(options, localityHashOptionsNames);
  return {
    name: "locality-hash",
    learnable: false,
    hard: true,
    build(n, { tokens }, experts) {
      checkExperts(experts, "locality-hash");
      const projected = n.matmul(tokens, rotation(n, lengthOf(tokens, -1), (experts + 1) >> 1, seed));
      const both = n.concat([projected, n.neg(projected)], -1);
      return fixedRoute(n, remainder(n, n.op("ArgMax", [both], { axis: -1, keepdims: 0 }), experts));
    },
  };
}

/** A random matrix that is part of the formula. */
function rotation(n: Layers, width: number, columns: number, seed: number): Value {
  return n.constant("rotation", drawnMatrix(width, columns, seed));
}

export function drawnMatrix(width: number, columns: number, seed: number): Tensor {
  const dims = [width, columns];
  return tensorFromNumbers("float32", dims, normal(1 / Math.sqrt(width))(dims, fixedSource(seed)));
}
