/** @file LeNet-5 with ReLU and max pooling: LeCun et al., "Gradient-based learning applied to document recognition" (1998). */
import type { Model } from "../ir/index.ts";
import { conv, linear, maxPool, network, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface LenetOptions {
  readonly channels?: number;
  /** Height and width; 28 by default. */
  readonly size?: number;
  readonly classes?: number;
}

const lenetOptionsNames: OptionNames<LenetOptions> = { channels: true, size: true, classes: true };

export function lenet(source: RandomSource, options: LenetOptions = {}): Model {
  const { channels = 1, size = 28, classes = 10 } = checkOptions(options, lenetOptionsNames);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const first = n.relu(conv(n.scope("conv1"), x, 6, { kernel: 5, padding: 2 }));
    const second = conv(n.scope("conv2"), maxPool(n, first, { kernel: 2 }), 16, { kernel: 5, padding: 0 });
    let y = n.op("Flatten", [maxPool(n, n.relu(second), { kernel: 2 })], { axis: 1 });
    for (const [i, width] of [120, 84].entries()) y = n.relu(linear(n.scope(`hidden${i}`), y, width));
    n.output(linear(n.scope("head"), y, classes), "logits");
  });
}
