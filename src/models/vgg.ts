/**
 * @file A VGG of seven layers for small pictures: Simonyan and Zisserman (2014), arXiv:1409.1556, in the size of Li et al. (2016),
 * arXiv:1605.04711. The layers between the first and the last may have weights of two or three levels, and inputs of two.
 */
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
  batchNorm,
  binaryConv,
  binaryLinear,
  conv,
  convNorm,
  type Layers,
  linear,
  maxPool,
  network,
  type RandomSource,
  signOf,
  type WeightLevels,
  type WeightLevelsName,
  weightLevels,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface VggOptions {
  /** Channels of the first stage; 32 by default, 128 in the paper. */
  readonly width?: number;
  readonly channels?: number;
  /** Height and width; 32 by default. */
  readonly size?: number;
  readonly classes?: number;
  /** Of the layers between the first and the last; `float` by default. */
  readonly weights?: WeightLevelsName | "float";
  /** What those layers see: their inputs behind a ReLU, or the signs of them. `float` by default. */
  readonly activations?: "float" | "binary";
  /** Whether sums of signs are multiplied with the mean magnitudes of their inputs; false by default. */
  readonly inputScale?: boolean;
  /**
   * Whether the normalisation stands in front of the signs that a layer sums (`norm-first`, B-A-C-P in the paper of XNOR-Net, the default),
   * or behind the layer as usual (`layer-first`, C-B-A-P).
   */
  readonly order?: "norm-first" | "layer-first";
}

const vggOptionsNames: OptionNames<VggOptions> = {
  width: true,
  channels: true,
  size: true,
  classes: true,
  weights: true,
  activations: true,
  inputScale: true,
  order: true,
};

/** A layer without its normalisation, to `width` outputs. */
type Layer = (n: Layers, x: Value, width: number) => Value;

interface Kind {
  readonly conv: Layer;
  readonly linear: Layer;
  /** A layer with what stands around it; `pool` halves the sizes of its output. */
  around(n: Layers, x: Value, layer: Layer, width: number, pool: boolean): Value;
  /** What the first layer hands on, and what the last one reads. */
  first(n: Layers, x: Value): Value;
  last(n: Layers, x: Value): Value;
}

/**
 * [batch, channels, size, size] → logits [batch, classes].
 *
 * @throws UsageError for pictures that cannot be halved, for signs of inputs beside float weights, and for options of signs without them
 */
export function vgg(source: RandomSource, options: VggOptions = {}): Model {
  const { width = 32, channels = 3, size = 32, classes = 10, ...own } = checkOptions(options, vggOptionsNames);
  if (size % 4 !== 0 || size < 8) {
    throw new UsageError("pictures of this size cannot be halved twice and again", {
      expected: "a multiple of 4 from 8 on",
      got: `${size}`,
    });
  }
  const kind = kindOf(own);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = kind.first(n, convNorm(n.scope("stem"), x, width, { kernel: 3 }));
    const wide = [1, 2, 2, 4, 4];
    for (const [i, factor] of wide.entries()) {
      y = kind.around(n.scope(`conv${i}`), y, kind.conv, width * factor, i % 2 === 0);
    }
    y = kind.around(n.scope("hidden"), n.op("Flatten", [y], { axis: 1 }), kind.linear, width * 8, false);
    n.output(linear(n.scope("head"), kind.last(n.scope("last"), y), classes), "logits");
  });
}

function kindOf({ weights = "float", activations = "float", inputScale, order }: VggOptions): Kind {
  const levels = weights === "float" ? undefined : weightLevels[weights]();
  if (activations === "float") {
    const idle = Object.entries({ inputScale, order }).find(([, value]) => value !== undefined);
    if (idle) throw new UsageError(`${idle[0]} is about signs of inputs`, { expected: 'activations "binary"' });
    return floatKind(levels);
  }
  if (!levels) {
    throw new UsageError("signs of inputs go with weights of few levels", {
      expected: Object.keys(weightLevels).join(", "),
      got: JSON.stringify(weights),
    });
  }
  return binaryKind({ levels, inputScale: inputScale ?? false }, order ?? "norm-first");
}

/** Layer, pool, normalisation, ReLU. */
function floatKind(levels: WeightLevels | undefined): Kind {
  const chosen = { bias: false, ...(levels && { levels }) };
  return {
    conv: (n, x, width) => conv(n, x, width, { kernel: 3, ...chosen }),
    linear: (n, x, width) => linear(n, x, width, chosen),
    around: (n, x, layer, width, pool) => n.relu(batchNorm(n, pooled(n, layer(n, x, width), pool))),
    first: (n, x) => n.relu(x),
    last: (_, x) => x,
  };
}

type BinaryKind = { readonly levels: WeightLevels; readonly inputScale: boolean };

function binaryKind(chosen: BinaryKind, order: "norm-first" | "layer-first"): Kind {
  const isFirst = order === "norm-first";
  return {
    conv: (n, x, width) => binaryConv(n, x, width, { kernel: 3, ...chosen }),
    linear: (n, x, width) => binaryLinear(n, x, width, chosen),
    around: (n, x, layer, width, pool) =>
      isFirst
        ? pooled(n, layer(n, batchNorm(n, x), width), pool)
        : pooled(n, signOf(n, batchNorm(n, layer(n, x, width))), pool),
    first: (n, x) => (isFirst ? n.relu(x) : x),
    last: (n, x) => (isFirst ? n.relu(batchNorm(n, x)) : x),
  };
}

function pooled(n: Layers, x: Value, pool: boolean): Value {
  return pool ? maxPool(n, x, { kernel: 2 }) : x;
}
