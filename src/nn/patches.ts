/** @file Pictures as sequences of patches: Dosovitskiy et al. (2020), arXiv:2010.11929. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import { conv } from "./conv.ts";
import type { Initialiser } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";

/** [batch, channels, height, width] → [batch, patches, features], one linear map per patch. */
export function patchTokens(n: Layers, x: Value, features: number, patch: number): Value {
  const [height, width] = [lengthOf(x, 2), lengthOf(x, 3)];
  for (const side of [height, width]) {
    if (side % patch === 0) continue;
    throw new UsageError("the patches do not cover the image", { expected: `a divisor of ${side}`, got: `${patch}` });
  }
  const patches = conv(n.scope("patches"), x, features, { kernel: patch, stride: patch, padding: 0 });
  const flat = n.reshape(patches, [0, features, (height * width) / patch ** 2]);
  return n.transpose(flat, [0, 2, 1]);
}

/** Puts one learned token before those of every sequence: [batch, time, width] → [batch, 1 + time, width]. */
export function classToken(n: Layers, tokens: Value, weight: Initialiser): Value {
  const width = lengthOf(tokens, 2);
  const token = n.parameter("weight", [1, 1, width], weight);
  const dims = n.concat([n.op("Shape", [tokens], { start: 0, end: 1 }), n.ints([1, width])], 0);
  return n.concat([n.expand(token, dims), tokens], 1);
}
