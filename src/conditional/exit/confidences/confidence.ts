/** @file What a measure of confidence is. */
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";

/** How sure an exit is of its answer. A sample leaves at the first exit whose score is at least the threshold of that exit. */
export interface Confidence {
  readonly name: string;
  /** The scores that there can be; a threshold above the second is never reached. */
  readonly range: (exit: number) => readonly [least: number, most: number];
  /**
   * float32 [batch], rising with confidence.
   *
   * @param logits Those of the exit, [batch, classes], after those of all exits before it.
   */
  build(n: Layers, logits: readonly Value[]): Value;
}
