/** @file GoogLeNet (Inception-v1): Szegedy et al., "Going deeper with convolutions" (2014), arXiv:1409.4842, table 1, without its auxiliary classifiers. */
import { float, type Model, type Value } from "../ir/index.ts";
import {
  conv,
  convNorm,
  dropout,
  globalAveragePool,
  kaimingNormal,
  type Layers,
  lengthOf,
  linear,
  maxPool,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface GooglenetOptions {
  /**
   * `paper`, the default: 5×5 branches, biases, and a local response normalisation in the stem. `torchvision`: 3×3 in the place of 5×5,
   * statistics of the batch behind each convolution, and the last pooling 2×2.
   */
  readonly form?: "paper" | "torchvision";
  /** Factor of all widths; 1 by default. */
  readonly width?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
  /** Before the head; 0.4 in the paper, 0.2 in torchvision. */
  readonly dropout?: number;
}

const googlenetOptionsNames: OptionNames<GooglenetOptions> = {
  form: true,
  width: true,
  channels: true,
  size: true,
  classes: true,
  dropout: true,
};

/** Channels of the four branches: 1×1; 1×1 and 3×3; 1×1 and 5×5; pooling and 1×1. */
type Inception = readonly [number, readonly [number, number], readonly [number, number], number];

const stages: readonly (readonly Inception[])[] = [
  [
    [64, [96, 128], [16, 32], 32],
    [128, [128, 192], [32, 96], 64],
  ],
  [
    [192, [96, 208], [16, 48], 64],
    [160, [112, 224], [24, 64], 64],
    [128, [128, 256], [24, 64], 64],
    [112, [144, 288], [32, 64], 64],
    [256, [160, 320], [32, 128], 128],
  ],
  [
    [256, [160, 320], [32, 128], 128],
    [384, [192, 384], [48, 128], 128],
  ],
];

interface Form {
  /** A convolution to so many channels, and a ReLU. */
  filter(n: Layers, x: Value, channels: number, kernel: number, stride?: number): Value;
  /** What stands behind the pooling and in front of the next one in the stem. */
  around(n: Layers, x: Value): Value;
  readonly wide: number;
  readonly lastPool: number;
  readonly dropout: number;
}

const normWindow = { size: 5, alpha: float(1e-4), beta: float(0.75), bias: float(1) };

const forms = {
  paper: {
    filter: (n, x, channels, kernel, stride = 1) => {
      const weight = kaimingNormal(lengthOf(x, 1) * kernel * kernel);
      return n.relu(conv(n, x, channels, { kernel, stride, weight }));
    },
    around: (n, x) => n.op("LRN", [x], normWindow),
    wide: 5,
    lastPool: 3,
    dropout: 0.4,
  },
  torchvision: {
    filter: (n, x, channels, kernel, stride = 1) => n.relu(convNorm(n, x, channels, { kernel, stride })),
    around: (_, x) => x,
    wide: 3,
    lastPool: 2,
    dropout: 0.2,
  },
} satisfies Record<string, Form>;

/** [batch, channels, size, size] → logits [batch, classes]: a stem, nine modules of four branches side by side, a linear head. */
export function googlenet(source: RandomSource, options: GooglenetOptions = {}): Model {
  checkOptions(options, googlenetOptionsNames);
  const { form: name = "paper", width = 1, channels = 3, size = 224, classes = 1000 } = options;
  const form: Form = forms[name];
  const scaled = (count: number): number => Math.max(1, Math.round(count * width));
  const pooled = (n: Layers, y: Value, kernel: number) => maxPool(n, y, { kernel, stride: 2, ceil: true });
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = form.around(n, pooled(n, form.filter(n.scope("stem/1"), x, scaled(64), 7, 2), 3));
    y = form.filter(n.scope("stem/2"), y, scaled(64), 1);
    y = pooled(n, form.around(n, form.filter(n.scope("stem/3"), y, scaled(192), 3)), 3);
    for (const [stage, modules] of stages.entries()) {
      if (stage > 0) y = pooled(n, y, stage === 2 ? form.lastPool : 3);
      for (const [i, widths] of modules.entries()) {
        y = inception(n.scope(`stage${stage}/module${i}`), y, form, widths, scaled);
      }
    }
    const read = dropout(n, globalAveragePool(n, y), options.dropout ?? form.dropout);
    n.output(linear(n.scope("head"), read, classes), "logits");
  });
}

function inception(
  n: Layers,
  x: Value,
  { filter, wide }: Form,
  [single, [reduce, made], [reduceWide, madeWide], projected]: Inception,
  scaled: (count: number) => number,
): Value {
  const point = filter(n.scope("1x1"), x, scaled(single), 1);
  const middle = filter(n.scope("3x3"), filter(n.scope("3x3/reduce"), x, scaled(reduce), 1), scaled(made), 3);
  const large = filter(n.scope("5x5"), filter(n.scope("5x5/reduce"), x, scaled(reduceWide), 1), scaled(madeWide), wide);
  const pool = filter(n.scope("pool"), maxPool(n, x, { kernel: 3, stride: 1, padding: 1 }), scaled(projected), 1);
  return n.concat([point, middle, large, pool], 1);
}
