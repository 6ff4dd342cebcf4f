/**
 * @file A multi-scale dense network with classifiers along its depth: Huang et al., "Multi-scale dense networks for resource efficient image
 * classification" (2018), arXiv:1703.09844, with bottlenecks, and with the fine scales left out in later parts ("lazy" in its depth).
 */
import { lastOf } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import { convNorm, globalAveragePool, type Layers, lengthOf, linear, network, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface MsdnetOptions {
  /** Classifiers; the last one is the whole network's. */
  readonly classifiers?: number;
  /** Layers before the first classifier. */
  readonly base?: number;
  /** Layers from one classifier to the next. */
  readonly step?: number;
  /** Sizes of feature maps, each half of the one before. */
  readonly scales?: number;
  /** Channels of the first layer at the finest scale; each coarser scale has twice as many. */
  readonly width?: number;
  /** Channels that a layer adds at the finest scale. */
  readonly growth?: number;
  /** Channels of the two convolutions of a classifier. */
  readonly head?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
}

const defaults = {
  classifiers: 7,
  base: 4,
  step: 2,
  scales: 3,
  width: 16,
  growth: 6,
  head: 128,
  channels: 3,
  size: 32,
  classes: 10,
};

type Shape = Required<MsdnetOptions>;

const msdnetOptionsNames: OptionNames<MsdnetOptions> = {
  classifiers: true,
  base: true,
  step: true,
  scales: true,
  width: true,
  growth: true,
  head: true,
  channels: true,
  size: true,
  classes: true,
};

/**
 * [batch, channels, size, size] → `logits` [batch, classes] and, as further outputs, `exit/0`, `exit/1`, … of the classifiers before. A layer
 * ℓ at scale s reads all features of that scale, and of the next finer one with stride 2, and its own are put behind them. The depth is
 * cut into as many parts as there are scales; each part after the first is one scale shorter and halves the channels at its beginning.
 */
export function msdnet(source: RandomSource, options: MsdnetOptions = {}): Model {
  checkOptions(options, msdnetOptionsNames);
  const shape: Shape = { ...defaults, ...options };
  checkShape(shape);
  const ends = Array.from({ length: shape.classifiers }, (_, i) => shape.base + i * shape.step);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", shape.channels, shape.size, shape.size]);
    let features = firstLayer(n.scope("stem"), x, shape);
    const answers: Value[] = [];
    for (let layer = 0; layer < depthOf(shape); layer++) {
      features = denseLayer(n.scope(`layer${layer}`), features, scalesBehind(layer, shape), shape);
      if (!ends.includes(layer + 1)) continue;
      answers.push(classifier(n.scope(`classifier${answers.length}`), lastOf(features), shape));
    }
    n.output(lastOf(answers), "logits");
    answers.slice(0, -1).forEach((logits, i) => void n.output(logits, `exit/${i}`));
  });
}

const depthOf = ({ base, step, classifiers }: Shape): number => base + (classifiers - 1) * step;

/** How many of the coarsest scales are left behind a layer. */
function scalesBehind(layer: number, shape: Shape): number {
  const part = Math.ceil(depthOf(shape) / shape.scales);
  return shape.scales - Math.floor(layer / part);
}

function checkShape(shape: Shape): void {
  const { classifiers, base, step, scales, size } = shape;
  const counts = [classifiers, base, step, scales, shape.width, shape.growth, shape.head];
  if (
    counts.every((count) => Number.isSafeInteger(count) && count >= 1) &&
    depthOf(shape) >= scales &&
    size >> (scales - 1) >= 1
  ) {
    return;
  }
  throw new UsageError("there is no multi-scale network of this shape", {
    expected: "whole numbers from 1, at least as many layers as scales, and a pixel at the coarsest scale",
    got: `${classifiers} classifiers, ${base} + ${step} layers, ${scales} scales of ${size} pixels, growth ${shape.growth}`,
  });
}

/** Features at each scale, finest first. */
type Features = readonly Value[];

function firstLayer(n: Layers, x: Value, { scales, width }: Shape): Features {
  const features = [activated(n.scope("scale0"), x, width, { kernel: 3 })];
  for (let scale = 1; scale < scales; scale++) {
    features.push(activated(n.scope(`scale${scale}`), lastOf(features), width * 2 ** scale, { kernel: 3, stride: 2 }));
  }
  return features;
}

/** The features of the coarsest scales, with new ones behind them, and half of the channels where a scale ends. */
function denseLayer(n: Layers, features: Features, left: number, { scales, growth }: Shape): Features {
  const ended = features.length - left;
  return features.slice(ended).map((own, i) => {
    const factor = 2 ** (scales - left + i);
    const scale = n.scope(`scale${scales - left + i}`);
    const finer = features[ended + i - 1];
    const added = growth * factor;
    const fresh = finer
      ? [
          bottlenecked(scale.scope("down"), finer, added / 2, factor / 2, 2),
          bottlenecked(scale.scope("same"), own, added / 2, factor, 1),
        ]
      : [bottlenecked(scale.scope("same"), own, added, factor, 1)];
    const all = scale.concat([own, ...fresh], 1);
    const half = factor * Math.floor(lengthOf(all, 1) / factor / 2);
    return ended > 0 ? activated(scale.scope("transition"), all, half, { kernel: 1 }) : all;
  });
}

/** A 1×1 convolution to at most `most` times the channels, and a 3×3 one. */
function bottlenecked(n: Layers, x: Value, channels: number, most: number, stride: number): Value {
  const inner = activated(n.scope("1x1"), x, Math.min(lengthOf(x, 1), most * channels), { kernel: 1 });
  return activated(n.scope("3x3"), inner, channels, { kernel: 3, stride });
}

function activated(n: Layers, x: Value, channels: number, options: Parameters<typeof convNorm>[3]): Value {
  return n.relu(convNorm(n, x, channels, options));
}

function classifier(n: Layers, x: Value, { head, classes }: Shape): Value {
  const first = activated(n.scope("1"), x, head, { kernel: 3, stride: 2 });
  return linear(n, globalAveragePool(n, activated(n.scope("2"), first, head, { kernel: 3, stride: 2 })), classes);
}
