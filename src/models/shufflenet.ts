/** @file ShuffleNet: Zhang et al. (2017), arXiv:1707.01083, table 1: grouped 1×1 convolutions with channels shuffled between them. */
import { must } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
  averagePool,
  channelShuffle,
  convNorm,
  globalAveragePool,
  type Layers,
  lengthOf,
  linear,
  maxPool,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface ShufflenetOptions {
  /** Groups of the 1×1 convolutions: 1, 2, 3, 4 or 8; 3 by default. */
  readonly groups?: number;
  /** Factor of all widths, which become multiples of 4 times the groups; 1 by default. */
  readonly width?: number;
  /** Units of each stage, at most; all by default. */
  readonly most?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
}

const shufflenetOptionsNames: OptionNames<ShufflenetOptions> = {
  groups: true,
  width: true,
  most: true,
  channels: true,
  size: true,
  classes: true,
};

/** Channels of the first stage; each of the next two has twice as many. */
const widths: ReadonlyMap<number, number> = new Map([
  [1, 144],
  [2, 200],
  [3, 240],
  [4, 272],
  [8, 384],
]);

const units = [4, 8, 4];
const STEM = 24;
/** Channels of a unit over those inside it. */
const BOTTLENECK = 4;

/** [batch, channels, size, size] → logits [batch, classes]. @throws UsageError for a number of groups that the paper has no widths for. */
export function shufflenet(source: RandomSource, options: ShufflenetOptions = {}): Model {
  checkOptions(options, shufflenetOptionsNames);
  const { groups = 3, width = 1, most = Infinity, channels = 3, size = 224, classes = 1000 } = options;
  if (!widths.has(groups)) {
    throw new UsageError("there are no widths for this number of groups", {
      expected: [...widths.keys()].join(", "),
      got: `${groups}`,
    });
  }
  const whole = (count: number, of: number): number => of * Math.max(1, Math.round((count * width) / of));
  const first = whole(must(widths, groups), BOTTLENECK * groups);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const stem = n.relu(convNorm(n.scope("stem"), x, whole(STEM, groups), { kernel: 3, stride: 2 }));
    let y = maxPool(n, stem, { kernel: 3, stride: 2, padding: 1 });
    for (const [stage, count] of units.entries()) {
      for (let i = 0; i < Math.min(count, most); i++) {
        // The channels of the stem are few: the first 1×1 convolution sees all of them.
        const own = { groups, reducing: stage === 0 && i === 0 ? 1 : groups, stride: i === 0 ? 2 : 1 };
        y = unit(n.scope(`stage${stage}/unit${i}`), y, first * 2 ** stage, own);
      }
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), classes), "logits");
  });
}

/** 1×1, shuffle, depthwise 3×3, 1×1; added to its input, or behind the pooled input where the size is halved. */
function unit(
  n: Layers,
  x: Value,
  channels: number,
  { groups, reducing, stride }: { readonly groups: number; readonly reducing: number; readonly stride: number },
): Value {
  const inside = channels / BOTTLENECK;
  const reduced = n.relu(convNorm(n.scope("reduce"), x, inside, { kernel: 1, groups: reducing }));
  const shuffled = channelShuffle(n, reduced, groups);
  const filtered = convNorm(n.scope("depthwise"), shuffled, inside, { kernel: 3, stride, groups: inside });
  const made = stride === 1 ? channels : channels - lengthOf(x, 1);
  const y = convNorm(n.scope("expand"), filtered, made, { kernel: 1, groups });
  if (stride === 1) return n.relu(n.add(x, y));
  return n.relu(n.concat([averagePool(n, x, { kernel: 3, stride: 2, padding: 1 }), y], 1));
}
