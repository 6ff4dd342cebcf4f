/** @file ResNet in the form for ImageNet: He et al., "Deep residual learning" (2015), arXiv:1512.03385, table 1. */
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
  basicBlock,
  bottleneck,
  convNorm,
  globalAveragePool,
  type Layers,
  linear,
  maxPool,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface ImagenetResnetOptions {
  /** 18 and 34 with basic blocks; 50, 101 and 152 with bottlenecks. */
  readonly depth?: number;
  /** Channels of the first stage, before the expansion of bottlenecks. */
  readonly width?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
}

type Block = (n: Layers, x: Value, channels: number, stride: number) => Value;

const forms: ReadonlyMap<number, { readonly blocks: readonly number[]; readonly block: Block }> = new Map([
  [18, { blocks: [2, 2, 2, 2], block: basicBlock }],
  [34, { blocks: [3, 4, 6, 3], block: basicBlock }],
  [50, { blocks: [3, 4, 6, 3], block: bottleneck }],
  [101, { blocks: [3, 4, 23, 3], block: bottleneck }],
  [152, { blocks: [3, 8, 36, 3], block: bottleneck }],
]);

const imagenetResnetOptionsNames: OptionNames<ImagenetResnetOptions> = {
  depth: true,
  width: true,
  channels: true,
  size: true,
  classes: true,
};

/** A 7×7 stem and pooling, four stages, a linear head. */
export function imagenetResnet(source: RandomSource, options: ImagenetResnetOptions = {}): Model {
  checkOptions(options, imagenetResnetOptionsNames);
  const { depth = 50, width = 64, channels = 3, size = 224, classes = 1000 } = options;
  const form = forms.get(depth);
  if (!form) {
    throw new UsageError("there is no ResNet of this depth", {
      expected: [...forms.keys()].join(", "),
      got: `${depth}`,
    });
  }
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const stem = n.relu(convNorm(n.scope("stem"), x, width, { kernel: 7, stride: 2 }));
    let y = maxPool(n, stem, { kernel: 3, stride: 2, padding: 1 });
    for (const [stage, count] of form.blocks.entries()) {
      for (let i = 0; i < count; i++) {
        const inner = n.scope(`stage${stage}/block${i}`);
        y = form.block(inner, y, width * 2 ** stage, stage > 0 && i === 0 ? 2 : 1);
      }
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), classes), "logits");
  });
}
