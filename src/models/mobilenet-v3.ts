/** @file MobileNetV3: Howard et al., "Searching for MobileNetV3" (2019), arXiv:1905.02244, tables 1 and 2. */
import { lastOf } from "../checked.ts";
import { float, type Model, type Value } from "../ir/index.ts";
import {
  conv,
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

export interface MobilenetV3Options {
  /** `small` by default. */
  readonly form?: "small" | "large";
  /** Factor of all widths, which become multiples of 8; 1 by default. */
  readonly width?: number;
  /** Blocks, at most; all by default. */
  readonly most?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
  /** Before the head; 0.2 as in torchvision. */
  readonly dropout?: number;
}

const mobilenetV3OptionsNames: OptionNames<MobilenetV3Options> = {
  form: true,
  width: true,
  most: true,
  channels: true,
  size: true,
  classes: true,
  dropout: true,
};

type ActivationName = "Relu" | "HardSwish";

/** kernel, channels inside, channels made, squeeze and excitation, activation, stride. */
type Bottleneck = readonly [number, number, number, boolean, ActivationName, number];

interface Form {
  readonly blocks: readonly Bottleneck[];
  /** Units of the hidden linear layer. */
  readonly hidden: number;
}

const forms = {
  small: {
    blocks: [
      [3, 16, 16, true, "Relu", 2],
      [3, 72, 24, false, "Relu", 2],
      [3, 88, 24, false, "Relu", 1],
      [5, 96, 40, true, "HardSwish", 2],
      [5, 240, 40, true, "HardSwish", 1],
      [5, 240, 40, true, "HardSwish", 1],
      [5, 120, 48, true, "HardSwish", 1],
      [5, 144, 48, true, "HardSwish", 1],
      [5, 288, 96, true, "HardSwish", 2],
      [5, 576, 96, true, "HardSwish", 1],
      [5, 576, 96, true, "HardSwish", 1],
    ],
    hidden: 1024,
  },
  large: {
    blocks: [
      [3, 16, 16, false, "Relu", 1],
      [3, 64, 24, false, "Relu", 2],
      [3, 72, 24, false, "Relu", 1],
      [5, 72, 40, true, "Relu", 2],
      [5, 120, 40, true, "Relu", 1],
      [5, 120, 40, true, "Relu", 1],
      [3, 240, 80, false, "HardSwish", 2],
      [3, 200, 80, false, "HardSwish", 1],
      [3, 184, 80, false, "HardSwish", 1],
      [3, 184, 80, false, "HardSwish", 1],
      [3, 480, 112, true, "HardSwish", 1],
      [3, 672, 112, true, "HardSwish", 1],
      [5, 672, 160, true, "HardSwish", 2],
      [5, 960, 160, true, "HardSwish", 1],
      [5, 960, 160, true, "HardSwish", 1],
    ],
    hidden: 1280,
  },
} satisfies Record<string, Form>;

const STEM = 16;
/** Channels of the last convolution over those before it. */
const LAST = 6;

/** [batch, channels, size, size] → logits [batch, classes]: inverted residuals, some of them with squeeze and excitation. */
export function mobilenetV3(source: RandomSource, options: MobilenetV3Options = {}): Model {
  checkOptions(options, mobilenetV3OptionsNames);
  const { form = "small", width = 1, most = Infinity, channels = 3, size = 224, classes = 1000 } = options;
  const scaled = (count: number): number => multipleOf8(count * width);
  const { hidden }: Form = forms[form];
  const blocks: readonly Bottleneck[] = forms[form].blocks.slice(0, most);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const stem = convNorm(n.scope("stem"), x, scaled(STEM), { kernel: 3, stride: 2 });
    let y = n.op("HardSwish", [stem]);
    for (const [i, block] of blocks.entries()) y = bottleneck(n.scope(`block${i}`), y, block, scaled);
    const [, , made] = lastOf(blocks);
    y = n.op("HardSwish", [convNorm(n.scope("last"), y, LAST * scaled(made), { kernel: 1 })]);
    y = n.op("HardSwish", [linear(n.scope("hidden"), globalAveragePool(n, y), scaled(hidden))]);
    n.output(linear(n.scope("head"), dropout(n, y, options.dropout ?? 0.2), classes), "logits");
  });
}

function bottleneck(
  n: Layers,
  x: Value,
  [kernel, inside, made, excited, activation, stride]: Bottleneck,
  scaled: (count: number) => number,
): Value {
  const [before, hidden, channels] = [lengthOf(x, 1), scaled(inside), scaled(made)];
  const act = (y: Value) => n.op(activation, [y]);
  const wide = hidden === before ? x : act(convNorm(n.scope("expand"), x, hidden, { kernel: 1 }));
  const filtered = act(convNorm(n.scope("depthwise"), wide, hidden, { kernel, stride, groups: hidden }));
  const scaledChannels = excited ? squeezeExcitation(n.scope("excite"), filtered) : filtered;
  const y = convNorm(n.scope("project"), scaledChannels, channels, { kernel: 1 });
  return stride === 1 && before === channels ? n.add(x, y) : y;
}

/** Each channel times a number between 0 and 1 that the means of all channels decide: Hu et al. (2018), arXiv:1709.01507. */
function squeezeExcitation(n: Layers, x: Value): Value {
  const channels = lengthOf(x, 1);
  const means = n.op("GlobalAveragePool", [x]);
  const few = n.relu(conv(n.scope("squeeze"), means, multipleOf8(channels / 4), { kernel: 1 }));
  const gates = conv(n.scope("expand"), few, channels, { kernel: 1 });
  return n.mul(x, n.op("HardSigmoid", [gates], { alpha: float(1 / 6), beta: float(0.5) }));
}
