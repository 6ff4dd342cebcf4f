/** @file What sequence models read: ids of words, vectors over time, or pictures row by row. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import { embedding, type Initialiser, type Layers } from "../nn/index.ts";

export interface SequenceInput {
  /** Dims of one sample: [time, features]; [channels, height, width], read row by row; or [time] of ids below `vocabulary`. */
  readonly input: readonly number[];
  /** The number of words, for samples of ids. */
  readonly vocabulary?: number;
}

interface Embedding {
  /** Of the embedding of ids. */
  readonly width: number;
  readonly weight?: Initialiser;
}

/** The input, `ids` or `input`, as [batch, time, features]. @throws UsageError for dims that are no sequence */
export function sequenceOf(n: Layers, { input, vocabulary }: SequenceInput, { width, weight }: Embedding): Value {
  if (vocabulary !== undefined) {
    if (input.length !== 1) throw noSequence("[time] beside a vocabulary", input);
    const ids = n.input("ids", "int64", ["batch", ...input]);
    return embedding(n.scope("tokens"), ids, { vocabulary, width, ...(weight && { weight }) }).value;
  }
  const [first = 0, height = 0, across = 0] = input;
  if (input.length !== 2 && input.length !== 3) {
    throw noSequence("[time, features] or [channels, height, width]", input);
  }
  const x = n.input("input", "float32", ["batch", ...input]);
  if (input.length === 2) return x;
  return n.reshape(n.transpose(x, [0, 2, 1, 3]), [0, height, first * across]);
}

function noSequence(expected: string, input: readonly number[]): UsageError {
  return new UsageError("samples of these dims are no sequence", { expected, got: `[${input.join(", ")}]` });
}
