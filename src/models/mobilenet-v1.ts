/** @file MobileNet: Howard et al. (2017), arXiv:1704.04861, table 1, with its width multiplier; the resolution is `size`. */
import type { Model, Value } from "../ir/index.ts";
import { convNorm, globalAveragePool, type Layers, lengthOf, linear, network, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface MobilenetV1Options {
  /** α, the factor of all widths, none of which is less than 8; 1 by default. */
  readonly width?: number;
  /** Blocks of each width, at most; all by default. */
  readonly most?: number;
  readonly channels?: number;
  /** Height and width: 224, 192, 160 and 128 in the paper. */
  readonly size?: number;
  readonly classes?: number;
}

const mobilenetV1OptionsNames: OptionNames<MobilenetV1Options> = {
  width: true,
  most: true,
  channels: true,
  size: true,
  classes: true,
};

const stages = [
  { channels: 64, blocks: 1, stride: 1 },
  { channels: 128, blocks: 2, stride: 2 },
  { channels: 256, blocks: 2, stride: 2 },
  { channels: 512, blocks: 6, stride: 2 },
  { channels: 1024, blocks: 2, stride: 2 },
];

const STEM = 32;
const NARROWEST = 8;

/** [batch, channels, size, size] → logits [batch, classes]: a 3×3 stem, thirteen depthwise separable convolutions, a linear head. */
export function mobilenetV1(source: RandomSource, options: MobilenetV1Options = {}): Model {
  checkOptions(options, mobilenetV1OptionsNames);
  const { width = 1, most = Infinity, channels = 3, size = 224, classes = 1000 } = options;
  const scaled = (count: number): number => Math.max(NARROWEST, Math.floor(count * width));
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = n.relu(convNorm(n.scope("stem"), x, scaled(STEM), { kernel: 3, stride: 2 }));
    for (const [stage, { channels: made, blocks, stride }] of stages.entries()) {
      for (let i = 0; i < Math.min(blocks, most); i++) {
        y = separable(n.scope(`stage${stage}/block${i}`), y, scaled(made), i === 0 ? stride : 1);
      }
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), classes), "logits");
  });
}

/** A 3×3 filter for each channel by itself and a 1×1 convolution, each with statistics of the batch and a ReLU. */
function separable(n: Layers, x: Value, channels: number, stride: number): Value {
  const depthwise = convNorm(n.scope("depthwise"), x, lengthOf(x, 1), { kernel: 3, stride, groups: lengthOf(x, 1) });
  return n.relu(convNorm(n.scope("pointwise"), n.relu(depthwise), channels, { kernel: 1 }));
}
