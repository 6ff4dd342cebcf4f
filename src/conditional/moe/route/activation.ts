/** @file A block's layers built again: its activation over other values, its weights as parameters. */
import { must, nth } from "../../../checked.ts";
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import type { FeedForward } from "./feed-forward.ts";

/** The block's activation over x. */
export function activate(n: Layers, { first, activation, hidden }: FeedForward, x: Value): Value {
  const made = new Map([[first.output, x]]);
  for (const node of activation) {
    const { inputs, outputs } = node;
    const read = inputs.map((value) => value && (made.get(value) ?? value));
    made.set(nth(outputs, 0), n.like(node, read)[0]);
  }
  return must(made, hidden);
}

/** x·W + b with the given numbers to begin with. */
export function givenLinear(
  n: Layers,
  x: Value,
  [fanIn, fanOut]: readonly [number, number],
  weight: ArrayLike<number>,
  bias?: ArrayLike<number>,
): Value {
  const product = n.matmul(
    x,
    n.parameter("weight", [fanIn, fanOut], () => new Float32Array(weight)),
  );
  return bias
    ? n.add(
        product,
        n.parameter("bias", [fanOut], () => new Float32Array(bias)),
      )
    : product;
}
