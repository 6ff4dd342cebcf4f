/** @file Classifier heads for inner values of a network. */
import { UnsupportedError } from "../../errors.ts";
import type { Value } from "../../ir/index.ts";
import { averagePool, dimsOf, globalAveragePool, type Layers, layerNorm, linear } from "../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";

/** From a value inside a network to logits [batch, classes]. */
export type ExitHead = (n: Layers, x: Value, classes: number) => Value;

export interface ExitHeadOptions {
  /** The height and width that feature maps are averaged down to; 4 by default. */
  readonly grid?: number;
  /** Width of a hidden layer with ReLU; none by default. */
  readonly hidden?: number;
}

const exitHeadOptionsNames: OptionNames<ExitHeadOptions> = { grid: true, hidden: true };

/**
 * A linear classifier over features [batch, width], over feature maps [batch, channels, height, width] averaged down to a grid, or over the
 * mean of normalised tokens [batch, tokens, width].
 *
 * @throws UnsupportedError for a value of another rank.
 */
export function exitHead(options: ExitHeadOptions = {}): ExitHead {
  const { grid = 4, hidden } = checkOptions(options, exitHeadOptionsNames);
  return (n, x, classes) => {
    const features = featuresOf(n, x, grid);
    const wide = hidden === undefined ? features : n.relu(linear(n.scope("hidden"), features, hidden));
    return linear(n, wide, classes);
  };
}

function featuresOf(n: Layers, x: Value, grid: number): Value {
  const dims = dimsOf(x);
  if (dims.length === 2) return x;
  if (dims.length === 3) return n.mean(layerNorm(n.scope("norm"), x), [1]);
  if (dims.length === 4) return n.op("Flatten", [pooled(n, x, grid)], { axis: 1 });
  throw new UnsupportedError("an exit cannot read a value of this rank", {
    expected: "2, 3 or 4",
    got: `[${dims.join(", ")}]`,
    where: `value ${JSON.stringify(x.name)}`,
    hint: "Give a head of your own.",
  });
}

function pooled(n: Layers, x: Value, grid: number): Value {
  const [height, width] = dimsOf(x).slice(2);
  if (height !== width || typeof height !== "number") return globalAveragePool(n, x);
  const kernel = Math.max(1, Math.floor(height / grid));
  return kernel === 1 ? x : averagePool(n, x, { kernel });
}
