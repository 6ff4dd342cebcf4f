/** @file Network in network: Lin et al. (2014), arXiv:1312.4400, in the sizes of the authors' network for CIFAR-10. */
import type { Model, Value } from "../ir/index.ts";
import {
  averagePool,
  conv,
  dropout,
  globalAveragePool,
  kaimingNormal,
  type Layers,
  lengthOf,
  maxPool,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface NinOptions {
  /** Factor of all widths but that of the classes; 1 by default. */
  readonly width?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
  /** Between the parts; 0.5 as in the paper. */
  readonly dropout?: number;
}

const ninOptionsNames: OptionNames<NinOptions> = {
  width: true,
  channels: true,
  size: true,
  classes: true,
  dropout: true,
};

/**
 * [batch, channels, size, size] → logits [batch, classes]: three convolutions, each with a perceptron of two 1×1 layers behind it at every
 * position; the last layer has a map for each class, whose mean is the class's score. There is no linear layer.
 */
export function nin(source: RandomSource, options: NinOptions = {}): Model {
  checkOptions(options, ninOptionsNames);
  const { width = 1, channels = 3, size = 32, classes = 10, dropout: ratio = 0.5 } = options;
  const scaled = (count: number): number => Math.max(1, Math.round(count * width));
  const [wide, middle, narrow] = [scaled(192), scaled(160), scaled(96)];
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const first = perceptron(n.scope("mlpconv1"), x, 5, [wide, middle, narrow]);
    const halved = dropout(n, maxPool(n, first, { kernel: 3, stride: 2, ceil: true }), ratio);
    const second = perceptron(n.scope("mlpconv2"), halved, 5, [wide, wide, wide]);
    const quartered = dropout(n, averagePool(n, second, { kernel: 3, stride: 2, ceil: true }), ratio);
    const third = perceptron(n.scope("mlpconv3"), quartered, 3, [wide, wide, classes]);
    n.output(globalAveragePool(n, third), "logits");
  });
}

function perceptron(n: Layers, x: Value, kernel: number, widths: readonly number[]): Value {
  return widths.reduce((y, width, i) => {
    const size = i === 0 ? kernel : 1;
    const weight = kaimingNormal(lengthOf(y, 1) * size * size);
    return n.relu(conv(n.scope(`${i}`), y, width, { kernel: size, weight }));
  }, x);
}
