/** @file Embeddings and positional encodings. */
import { UsageError } from "../errors.ts";
import { tensorFromNumbers, type Value } from "../ir/index.ts";
import { type Initialiser, normal } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";

export interface Embedded {
  readonly value: Value;
  /** [vocabulary, width], for a tied head. */
  readonly table: Value;
}

/** Rows of a table by int64 ids: [...] → [..., width]. */
export function embedding(
  n: Layers,
  ids: Value,
  {
    vocabulary,
    width,
    weight = normal(1),
  }: { readonly vocabulary: number; readonly width: number; readonly weight?: Initialiser },
): Embedded {
  const table = n.parameter("table", [vocabulary, width], weight);
  return { table, value: n.gather(table, ids, 0) };
}

/** Adds a learned vector per position to [batch, time, width] of fixed time. */
export function learnedPositions(n: Layers, x: Value, weight: Initialiser = normal(0.02)): Value {
  return n.add(x, n.parameter("positions", [lengthOf(x, 1), lengthOf(x, 2)], weight));
}

/** Adds sines and cosines of wavelengths from 2π to 10000·2π: Vaswani et al. (2017), arXiv:1706.03762. */
export function sinusoidalPositions(n: Layers, x: Value): Value {
  const [length, width] = [lengthOf(x, 1), lengthOf(x, 2)];
  const at = (position: number, i: number) => {
    const angle = position / 10000 ** ((2 * Math.floor(i / 2)) / width);
    return i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  };
  const values = new Float32Array(length * width).map((_, i) => at(Math.floor(i / width), i % width));
  return n.add(x, n.constant("positions", tensorFromNumbers("float32", [1, length, width], values)));
}

/**
 * Turns pairs of features (i, i + width/2) of [batch, heads, time, width] by position · 10000^(−2i/width), so that products of
 * queries and keys depend on distances: Su et al., "RoFormer" (2021), arXiv:2104.09864, in the halves of GPT-NeoX and LLaMA.
 */
export function rotaryPositions(n: Layers, x: Value): Value {
  const [length, width] = [lengthOf(x, 2), lengthOf(x, 3)];
  if (width % 2 !== 0) {
    throw new UsageError("rotary positions need an even width of the heads", { got: `${width}` });
  }
  const half = width / 2;
  const table = (name: string, of: (angle: number) => number) => {
    const at = (i: number) => of(Math.floor(i / width) / 10000 ** ((2 * ((i % width) % half)) / width));
    const values = new Float32Array(length * width).map((_, i) => at(i));
    return n.constant(name, tensorFromNumbers("float32", [1, 1, length, width], values));
  };
  const [first, second] = n.ops("Split", [x], 2, { axis: -1, num_outputs: 2 });
  const turned = n.concat([n.neg(second), first], -1);
  const [cosines, sines] = [table("cosines", Math.cos), table("sines", Math.sin)];
  return n.add(n.mul(x, cosines), n.mul(turned, sines));
}
