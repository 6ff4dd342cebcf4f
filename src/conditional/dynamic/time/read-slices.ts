/** @file A sequence of slices, read one after another, with an answer after each. */
import { nth } from "../../../checked.ts";
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { type Layers, lengthOf } from "../../../nn/index.ts";

export interface SliceReader {
  /** Length of the state, which is zero before the first slice. */
  readonly width: number;
  /** The next state [batch, width] from a slice [batch, …] and the state. */
  step(n: Layers, slice: Value, state: Value): Value;
  /** Logits [batch, classes] of a state. */
  head(n: Layers, state: Value): Value;
}

/**
 * The logits after the last slice of [batch, slices, …]; those after the others become outputs `…exit/0`, `…exit/1`, … of the model. It is
 * trained and given its thresholds as any model with exits; `exportSlices` makes a model that reads no further when it is sure.
 */
export function readSlices(n: Layers, slices: Value, { width, step, head }: SliceReader): Value {
  const count = lengthOf(slices, 1);
  const shape = n.concat([n.op("Shape", [slices], { start: 0, end: 1 }), n.ints([width])], 0);
  const start = n.op("ConstantOfShape", [shape], { value: tensorFromNumbers("float32", [1], [0]) });
  const { results } = n.scan([start], [slices], (inner, [state], [slice]) => {
    const next = step(inner.scope("step"), slice!, state!);
    return { states: [next], results: [head(inner.scope("head"), next)] };
  });
  const after = (i: number) => {
    const place = n.constant("slice", tensorFromNumbers("int64", [], [i]));
    return n.gather(nth(results, 0), place, 1);
  };
  for (let i = 0; i < count - 1; i++) n.output(after(i), `${n.path}exit/${i}`);
  return after(count - 1);
}
