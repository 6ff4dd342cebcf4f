/** @file Channels of groups mixed without arithmetic: Zhang et al., "ShuffleNet" (2017), arXiv:1707.01083, section 3.1. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import { type Layers, lengthOf } from "./network.ts";

/**
 * [batch, channels, height, width] with the channels in another order: channel i of group j of `groups` comes to place i·groups + j, so
 * that each group of a following grouped convolution sees channels of all groups.
 *
 * @throws UsageError where the groups do not divide the channels
 */
export function channelShuffle(n: Layers, x: Value, groups: number): Value {
  const channels = lengthOf(x, 1);
  if (channels % groups !== 0) {
    throw new UsageError("the groups do not divide the channels", {
      expected: `a divisor of ${channels}`,
      got: `${groups}`,
    });
  }
  if (groups === 1) return x;
  const sizes = [lengthOf(x, 2), lengthOf(x, 3)];
  const apart = n.reshape(x, [0, groups, channels / groups, ...sizes]);
  return n.reshape(n.transpose(apart, [0, 2, 1, 3, 4]), [0, channels, ...sizes]);
}
