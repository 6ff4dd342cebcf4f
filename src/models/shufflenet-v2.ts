/** @file ShuffleNet V2: Ma et al. (2018), arXiv:1807.11164, table 5: half of the channels pass each unit untouched, and no convolution has groups but the depthwise ones. */
import { must, nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
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

export interface ShufflenetV2Options {
  /** 0.5, 1, 1.5 or 2, with widths of the paper; 1 by default. */
  readonly width?: number;
  /** Units of each stage, at most; all by default. */
  readonly most?: number;
  /** Channels of the last convolution; 1024, and 2048 for width 2, by default. */
  readonly last?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
}

const shufflenetV2OptionsNames: OptionNames<ShufflenetV2Options> = {
  width: true,
  most: true,
  last: true,
  channels: true,
  size: true,
  classes: true,
};

/** Channels of the three stages, and of the last convolution. */
const widths: ReadonlyMap<number, { readonly stages: readonly number[]; readonly last: number }> = new Map([
  [0.5, { stages: [48, 96, 192], last: 1024 }],
  [1, { stages: [116, 232, 464], last: 1024 }],
  [1.5, { stages: [176, 352, 704], last: 1024 }],
  [2, { stages: [244, 488, 976], last: 2048 }],
]);

const units = [4, 8, 4];
const STEM = 24;

/** [batch, channels, size, size] → logits [batch, classes]. @throws UsageError for a width that the paper has not. */
export function shufflenetV2(source: RandomSource, options: ShufflenetV2Options = {}): Model {
  checkOptions(options, shufflenetV2OptionsNames);
  const { width = 1, most = Infinity, channels = 3, size = 224, classes = 1000 } = options;
  if (!widths.has(width)) {
    throw new UsageError("there is no ShuffleNet V2 of this width", {
      expected: [...widths.keys()].join(", "),
      got: `${width}`,
    });
  }
  const { stages, last } = must(widths, width);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const stem = n.relu(convNorm(n.scope("stem"), x, STEM, { kernel: 3, stride: 2 }));
    let y = maxPool(n, stem, { kernel: 3, stride: 2, padding: 1 });
    for (const [stage, made] of stages.entries()) {
      y = halving(n.scope(`stage${stage}/unit0`), y, made);
      for (let i = 1; i < Math.min(nth(units, stage), most); i++) {
        y = keeping(n.scope(`stage${stage}/unit${i}`), y, made);
      }
    }
    y = n.relu(convNorm(n.scope("last"), y, options.last ?? last, { kernel: 1 }));
    n.output(linear(n.scope("head"), globalAveragePool(n, y), classes), "logits");
  });
}

/** The second half of the channels is filtered, the first one passes, and both are shuffled. */
function keeping(n: Layers, x: Value, channels: number): Value {
  const [passed, own] = n.ops("Split", [x], 2, { axis: 1, num_outputs: 2 });
  return channelShuffle(n, n.concat([passed, filtered(n, own, channels / 2, 1)], 1), 2);
}

/** Both halves of the result are filtered from all channels, at half of the size. */
function halving(n: Layers, x: Value, channels: number): Value {
  const scope = n.scope("shortcut");
  const groups = lengthOf(x, 1);
  const depthwise = convNorm(scope.scope("depthwise"), x, groups, { kernel: 3, stride: 2, groups });
  const shortcut = n.relu(convNorm(scope.scope("pointwise"), depthwise, channels / 2, { kernel: 1 }));
  return channelShuffle(n, n.concat([shortcut, filtered(n, x, channels / 2, 2)], 1), 2);
}

function filtered(n: Layers, x: Value, channels: number, stride: number): Value {
  const inner = n.relu(convNorm(n.scope("1"), x, channels, { kernel: 1 }));
  const depthwise = convNorm(n.scope("2"), inner, channels, { kernel: 3, stride, groups: channels });
  return n.relu(convNorm(n.scope("3"), depthwise, channels, { kernel: 1 }));
}
