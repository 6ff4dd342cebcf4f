/** @file VGG in the form for ImageNet: Simonyan and Zisserman (2014), arXiv:1409.1556, table 1, columns A, B, D and E. */
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
  conv,
  convNorm,
  dropout,
  kaimingNormal,
  type Layers,
  lengthOf,
  linear,
  maxPool,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface ImagenetVggOptions {
  /** Layers with weights: 11, 13, 16 or 19. */
  readonly depth?: number;
  /** Channels of the first stage; each of the next three has twice as many, up to eight times. */
  readonly width?: number;
  /** Units of the two hidden linear layers; 4096 by default. */
  readonly hidden?: number;
  /** Whether each convolution is followed by statistics of the batch, in the place of its bias; false as in the paper. */
  readonly norm?: boolean;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
  readonly dropout?: number;
}

const imagenetVggOptionsNames: OptionNames<ImagenetVggOptions> = {
  depth: true,
  width: true,
  hidden: true,
  norm: true,
  channels: true,
  size: true,
  classes: true,
  dropout: true,
};

/** Convolutions of each stage. */
const forms: ReadonlyMap<number, readonly number[]> = new Map([
  [11, [1, 1, 2, 2, 2]],
  [13, [2, 2, 2, 2, 2]],
  [16, [2, 2, 3, 3, 3]],
  [19, [2, 2, 4, 4, 4]],
]);

const WIDEST = 8;

/** Five stages of 3×3 convolutions with pooling behind each, two hidden linear layers and a head. @throws UsageError for a depth or a size that has none. */
export function imagenetVgg(source: RandomSource, options: ImagenetVggOptions = {}): Model {
  checkOptions(options, imagenetVggOptionsNames);
  const { depth = 16, width = 64, hidden = 4096, norm = false, channels = 3, size = 224, classes = 1000 } = options;
  const { dropout: ratio = 0.5 } = options;
  const stages = forms.get(depth);
  if (!stages) {
    throw new UsageError("there is no VGG of this depth", { expected: [...forms.keys()].join(", "), got: `${depth}` });
  }
  if (size % 32 !== 0 || size === 0) {
    throw new UsageError("pictures of this size cannot be halved five times", {
      expected: "a multiple of 32",
      got: `${size}`,
    });
  }
  return network(source, (n) => {
    let y = n.input("input", "float32", ["batch", channels, size, size]);
    for (const [stage, count] of stages.entries()) {
      const wide = width * Math.min(2 ** stage, WIDEST);
      for (let i = 0; i < count; i++) y = n.relu(filtered(n.scope(`stage${stage}/conv${i}`), y, wide, norm));
      y = maxPool(n, y, { kernel: 2 });
    }
    y = n.op("Flatten", [y], { axis: 1 });
    for (let i = 0; i < 2; i++) y = dropout(n, n.relu(linear(n.scope(`hidden${i}`), y, hidden)), ratio);
    n.output(linear(n.scope("head"), y, classes), "logits");
  });
}

function filtered(n: Layers, x: Value, channels: number, norm: boolean): Value {
  if (norm) return convNorm(n, x, channels, { kernel: 3 });
  return conv(n, x, channels, { kernel: 3, weight: kaimingNormal(9 * lengthOf(x, 1)) });
}
