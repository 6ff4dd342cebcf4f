/** @file Multi-head self-attention: Vaswani et al. (2017), arXiv:1706.03762. */
import { UsageError } from "../errors.ts";
import { tensorFromNumbers, type Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { rotaryPositions } from "./embedding.ts";
import type { Initialiser } from "./initialisers.ts";
import { dropout, linear } from "./linear.ts";
import { type Layers, lengthOf } from "./network.ts";

export interface AttentionOptions {
  readonly heads: number;
  /** Whether a position sees only itself and those before it. The sequence then has a fixed length. */
  readonly causal?: boolean;
  /** Turns queries and keys by their positions (`rotaryPositions`). The sequence then has a fixed length. */
  readonly rotary?: boolean;
  /** Added to the scores, [batch, 1, 1, time] or dims that go with [batch, heads, time, time]: what is hidden is far below zero. */
  readonly mask?: Value;
  readonly dropout?: number;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
}

const attentionOptionsNames: OptionNames<AttentionOptions> = {
  heads: true,
  causal: true,
  rotary: true,
  mask: true,
  dropout: true,
  weight: true,
  biasInitial: true,
};

/** softmax(QKᵀ/√d)·V per head over [batch, time, width], with linear layers before and after. */
export function attention(n: Layers, x: Value, given: AttentionOptions): Value {
  const {
    heads,
    causal = false,
    rotary = false,
    mask,
    dropout: ratio,
    ...options
  } = checkOptions(given, attentionOptionsNames);
  const width = lengthOf(x, -1);
  if (width % heads !== 0) {
    throw new UsageError("the heads do not divide the width", { expected: `a divisor of ${width}`, got: `${heads}` });
  }
  const size = width / heads;
  const parts = n.ops("Split", [linear(n.scope("qkv"), x, 3 * width, options)], 3, { axis: -1, num_outputs: 3 });
  const apart = (value: Value, perm: readonly number[]) => n.transpose(n.reshape(value, [0, 0, heads, size]), perm);
  const turned = (value: Value) => rotaryPositions(n, apart(value, [0, 2, 1, 3]));
  const q = rotary ? turned(parts[0]) : apart(parts[0], [0, 2, 1, 3]);
  const k = rotary ? n.transpose(turned(parts[1]), [0, 1, 3, 2]) : apart(parts[1], [0, 2, 3, 1]);
  const v = apart(parts[2], [0, 2, 1, 3]);
  const scaled = n.matmul(n.mul(q, 1 / Math.sqrt(size)), k);
  const seen = causal ? n.add(scaled, causalMask(n, lengthOf(x, 1))) : scaled;
  const scores = mask ? n.add(seen, mask) : seen;
  const weights = dropout(n, n.softmax(scores, -1), ratio);
  const mixed = n.transpose(n.matmul(weights, v), [0, 2, 1, 3]);
  const joined = n.reshape(mixed, [0, 0, width]);
  return dropout(n, linear(n.scope("out"), joined, width, options), ratio);
}

/** Added to a score that is not to count. */
export const HIDDEN = -1e9;

function causalMask(n: Layers, length: number): Value {
  const at = (i: number) => (i % length > Math.floor(i / length) ? HIDDEN : 0);
  const values = new Float32Array(length * length).map((_, i) => at(i));
  return n.constant("causal_mask", tensorFromNumbers("float32", [1, 1, length, length], values));
}
