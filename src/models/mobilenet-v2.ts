/** @file MobileNetV2: Sandler et al., "Inverted residuals and linear bottlenecks" (2018), arXiv:1801.04381, table 2. */
import type { Model, Value } from "../ir/index.ts";
import {
  convNorm,
  dropout,
  globalAveragePool,
  type Layers,
  lengthOf,
  linear,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { multipleOf8 } from "./multiple-of-8.ts";

export interface MobilenetV2Options {
  /** Factor of all widths, which become multiples of 8; 1 by default. */
  readonly width?: number;
  /** Blocks of each stage after the first, at most; all by default. */
  readonly most?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
  /** Before the head; 0.2 as in the paper's code. */
  readonly dropout?: number;
}

const mobilenetV2OptionsNames: OptionNames<MobilenetV2Options> = {
  width: true,
  most: true,
  channels: true,
  size: true,
  classes: true,
  dropout: true,
};

interface Stage {
  readonly expansion: number;
  readonly channels: number;
  readonly blocks: number;
  readonly stride: number;
}

const stages: readonly Stage[] = [
  { expansion: 1, channels: 16, blocks: 1, stride: 1 },
  { expansion: 6, channels: 24, blocks: 2, stride: 2 },
  { expansion: 6, channels: 32, blocks: 3, stride: 2 },
  { expansion: 6, channels: 64, blocks: 4, stride: 2 },
  { expansion: 6, channels: 96, blocks: 3, stride: 1 },
  { expansion: 6, channels: 160, blocks: 3, stride: 2 },
  { expansion: 6, channels: 320, blocks: 1, stride: 1 },
];

const STEM = 32;
const LAST = 1280;

/** A 3×3 stem, seven stages of inverted residuals, a 1×1 convolution and a linear head. */
export function mobilenetV2(source: RandomSource, options: MobilenetV2Options = {}): Model {
  checkOptions(options, mobilenetV2OptionsNames);
  const { width = 1, most = Infinity, channels = 3, size = 224, classes = 1000, dropout: ratio = 0.2 } = options;
  const scaled = (count: number): number => multipleOf8(count * width);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = relu6(n, convNorm(n.scope("stem"), x, scaled(STEM), { kernel: 3, stride: 2 }));
    for (const [stage, { expansion, channels: made, blocks, stride }] of stages.entries()) {
      for (let i = 0; i < Math.min(blocks, most); i++) {
        const inner = n.scope(`stage${stage}/block${i}`);
        y = invertedResidual(inner, y, scaled(made), expansion, i === 0 ? stride : 1);
      }
    }
    y = relu6(n, convNorm(n.scope("last"), y, Math.max(LAST, scaled(LAST)), { kernel: 1 }));
    n.output(linear(n.scope("head"), dropout(n, globalAveragePool(n, y), ratio), classes), "logits");
  });
}

/** x + f(x) where the shape stays, else f(x): f widens, filters each channel by itself and narrows, the last without an activation. */
function invertedResidual(n: Layers, x: Value, channels: number, expansion: number, stride: number): Value {
  const before = lengthOf(x, 1);
  const hidden = before * expansion;
  const wide = expansion === 1 ? x : relu6(n, convNorm(n.scope("expand"), x, hidden, { kernel: 1 }));
  const filtered = relu6(n, convNorm(n.scope("depthwise"), wide, hidden, { kernel: 3, stride, groups: hidden }));
  const y = convNorm(n.scope("project"), filtered, channels, { kernel: 1 });
  return stride === 1 && before === channels ? n.add(x, y) : y;
}

function relu6(n: Layers, x: Value): Value {
  return n.op("Clip", [x, n.number(0), n.number(6)]);
}
