/** @file A feed-forward layer over parts of a sequence one after another: Kitaev et al., "Reformer" (2020), arXiv:2001.04451, section 3. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import { fanInUniform, type Initialiser } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";

export interface ChunkedFeedForwardOptions {
  readonly hidden: number;
  /** Parts of the sequence; 1 by default. The hidden values of one part alone are in memory. */
  readonly chunks?: number;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
}

const chunkedFeedForwardOptionsNames: OptionNames<ChunkedFeedForwardOptions> = {
  hidden: true,
  chunks: true,
  weight: true,
  biasInitial: true,
};

/** GELU(x·W₁ + b₁)·W₂ + b₂ over [batch, time, width] of fixed time. @throws UsageError where the chunks do not divide the time */
export function chunkedFeedForward(n: Layers, x: Value, options: ChunkedFeedForwardOptions): Value {
  const { hidden, chunks = 1, weight, biasInitial } = checkOptions(options, chunkedFeedForwardOptionsNames);
  checkCount("the chunks of a feed-forward layer", chunks);
  const [length, width] = [lengthOf(x, 1), lengthOf(x, 2)];
  if (length % chunks !== 0) {
    throw new UsageError("the chunks do not divide the sequence", {
      expected: `a divisor of ${length}`,
      got: `${chunks}`,
    });
  }
  const affine = (scope: Layers, from: number, to: number) => {
    const matrix = scope.parameter("weight", [from, to], weight ?? fanInUniform(from));
    const bias = scope.parameter("bias", [to], biasInitial ?? fanInUniform(from));
    return (y: Value) => n.add(n.matmul(y, matrix), bias);
  };
  const [first, second] = [affine(n.scope("in"), width, hidden), affine(n.scope("out"), hidden, width)];
  const layer = (part: Value) => second(n.op("Gelu", [first(part)]));
  if (chunks === 1) return layer(x);
  return n.concat(n.ops("Split", [x], chunks, { axis: 1, num_outputs: chunks }).map(layer), 1);
}
