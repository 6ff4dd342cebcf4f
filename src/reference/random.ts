/** @file Operators that draw numbers: only what does not depend on the draw is evaluated. */
import { UnsupportedError } from "../errors.ts";
import { floatOf } from "../ir/index.ts";
import { type Dense, dense, numbers } from "./dense.ts";
import { broadcastTo } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, optionalInput, scalarInput } from "./kernel.ts";

function drawn(call: Call): UnsupportedError {
  return new UnsupportedError(`${call.node.opType} draws random numbers, which the reference does not`, {
    where: call.where,
    hint: "Feed the drawn values instead.",
  });
}

/** The identity, with a mask of ones, unless training with a ratio above 0. */
function dropout(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const mode = optionalInput(call, 2);
  const training = mode !== undefined && numbers(mode)[0] !== 0;
  const ratio = call.version < 12 ? floatOf(call.node, "ratio", 0.5) : scalarInput(call, 1, 0.5);
  if (training && ratio !== 0) throw drawn(call);
  return [x, broadcastTo(dense("bool", [], [1]), x.dims)];
}

const random: Kernel = (call) => {
  throw drawn(call);
};

export const randomness = {
  Dropout: dropout,
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  Multinomial: random,
  Bernoulli: random,
} satisfies Kernels;
