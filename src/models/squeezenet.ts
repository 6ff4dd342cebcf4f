/** @file SqueezeNet: Iandola et al. (2016), arXiv:1602.07360, table 1, and version 1.1 of the authors' release. */
import type { Model, Value } from "../ir/index.ts";
import {
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

export interface SqueezenetOptions {
  /** `1.1`, the default, pools earlier and has fewer channels in the stem: 2.4 times less work at the accuracy of `1.0`. */
  readonly version?: "1.0" | "1.1";
  /** Factor of all widths but that of the classes; 1 by default. */
  readonly width?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
  /** Before the last convolution; 0.5 as in the paper. */
  readonly dropout?: number;
}

const squeezenetOptionsNames: OptionNames<SqueezenetOptions> = {
  version: true,
  width: true,
  channels: true,
  size: true,
  classes: true,
  dropout: true,
};

interface Version {
  readonly stem: { readonly channels: number; readonly kernel: number };
  /** Channels of the squeeze layers, by stage; those of each half of an expand layer are four times as many. */
  readonly stages: readonly (readonly number[])[];
}

const versions = {
  "1.0": { stem: { channels: 96, kernel: 7 }, stages: [[16, 16, 32], [32, 48, 48, 64], [64]] },
  "1.1": {
    stem: { channels: 64, kernel: 3 },
    stages: [
      [16, 16],
      [32, 32],
      [48, 48, 64, 64],
    ],
  },
} satisfies Record<string, Version>;

const EXPANSION = 4;

/** [batch, channels, size, size] → logits [batch, classes]: fire modules with pooling between them, and a map for each class. */
export function squeezenet(source: RandomSource, options: SqueezenetOptions = {}): Model {
  checkOptions(options, squeezenetOptionsNames);
  const { version = "1.1", width = 1, channels = 3, size = 224, classes = 1000, dropout: ratio = 0.5 } = options;
  const { stem, stages }: Version = versions[version];
  const scaled = (count: number): number => Math.max(1, Math.round(count * width));
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = filtered(n.scope("stem"), x, scaled(stem.channels), { kernel: stem.kernel, stride: 2, padding: 0 });
    for (const [stage, squeezed] of stages.entries()) {
      y = maxPool(n, y, { kernel: 3, stride: 2, ceil: true });
      for (const [i, count] of squeezed.entries()) y = fire(n.scope(`stage${stage}/fire${i}`), y, scaled(count));
    }
    const maps = filtered(n.scope("head"), dropout(n, y, ratio), classes, { kernel: 1 });
    n.output(globalAveragePool(n, maps), "logits");
  });
}

/** A 1×1 convolution to few channels, and 1×1 and 3×3 ones side by side from these. */
function fire(n: Layers, x: Value, squeezed: number): Value {
  const few = filtered(n.scope("squeeze"), x, squeezed, { kernel: 1 });
  const sides = [1, 3].map((kernel) => filtered(n.scope(`expand${kernel}`), few, EXPANSION * squeezed, { kernel }));
  return n.concat(sides, 1);
}

function filtered(
  n: Layers,
  x: Value,
  channels: number,
  options: { readonly kernel: number; readonly stride?: number; readonly padding?: number },
): Value {
  const weight = kaimingNormal(lengthOf(x, 1) * options.kernel ** 2);
  return n.relu(conv(n, x, channels, { ...options, weight }));
}
