/** @file Two residual streams, each the other's input: Gomez et al. (2017), arXiv:1707.04585; Kitaev et al., "Reformer" (2020), arXiv:2001.04451, section 3. */
import type { Value } from "../ir/index.ts";
import type { Layer } from "./branches.ts";
import type { Layers } from "./network.ts";

export type Streams = readonly [Value, Value];

/**
 * y₁ = x₁ + f(x₂), y₂ = x₂ + g(y₁), from which x₂ = y₂ − g(y₁) and x₁ = y₁ − f(x₂) follow. The gradient graphs of lithe do not compute
 * inputs from outputs: they keep activations, or compute them again from kept ones where a training asks for checkpoints.
 */
export function reversibleBlock(n: Layers, [x1, x2]: Streams, f: Layer, g: Layer): Streams {
  const y1 = n.add(x1, f(n.scope("f"), x2));
  return [y1, n.add(x2, g(n.scope("g"), y1))];
}
