/**
 * @file A glance chooses the regions that a network looks at: the patches of Cordonnier et al., "Differentiable patch selection for image
 * recognition" (2021), arXiv:2104.03059, chosen one after another, in the place of Glance and Focus (Wang et al. 2020, arXiv:2010.05300).
 */
import { ShapeError, UsageError } from "../../../errors.ts";
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { conv, dimsOf, type Layer, type Layers, lengthOf, normal } from "../../../nn/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../../options.ts";
import { hardWithSlope, logisticNoise } from "../straight-through.ts";

export interface RegionOptions {
  /** Height and width of a region. */
  readonly size: number;
  /** Regions per picture, 1 by default. No two of them are the same. */
  readonly count?: number;
  /** τ of the softmax whose gradient the scores get; 1 by default. */
  readonly temperature?: number;
}

/** Names of outputs with the chosen places and with what is cut out there end with these, behind the path of the layer. */
export const PLACES = "region/places";
export const CROPS = "region/crops";

/** Added to the score of a place that is taken. */
const TAKEN = -1e9;

const regionOptionsNames: OptionNames<RegionOptions> = { size: true, count: true, temperature: true };

/**
 * mean over the chosen regions of f(region): [batch, channels, height, width] → [batch, features].
 *
 * The glance [batch, features, rows, columns] gives each of its positions a score, linear in its features. Position (i, j) stands for the
 * region whose corner lies at i/(rows − 1) of the way down and j/(columns − 1) of the way across. The `count` best are cut out, in
 * training after logistic noise was added to the scores; the gradient passes to the scores as if softmax(scores / τ) had weighed all
 * regions, where each choice leaves out those before it.
 *
 * Two outputs are added to the model: int64 `…region/places` [batch, count], numbered row by row, and `…region/crops`
 * [batch · count, channels, size, size]. `exportRegions` makes a model in which nothing but the chosen regions is cut out.
 *
 * @param f The network over regions [batch · count, channels, size, size] → [batch · count, features].
 * @throws UsageError for options out of range, ShapeError for inputs without fixed heights and widths.
 */
export function focusRegions(n: Layers, x: Value, glance: Value, f: Layer, options: RegionOptions): Value {
  const { size, count = 1, temperature = 1 } = checkOptions(options, regionOptionsNames);
  const table = pixelsOf(x, glance, size);
  checkRegions(table.length, count, temperature);
  const map = conv(n.scope("score"), glance, 1, { kernel: 1, bias: false, weight: normal(0.01) });
  const scores = n.op("Flatten", [map], { axis: 1 });
  const noisy = n.add(scores, logisticNoise(n, scores));
  const [, places] = n.ops("TopK", [noisy, n.ints([count])], 2, { axis: -1, largest: 1, sorted: 1 });
  const choices = chosen(n, noisy, places, { cells: table.length, temperature });
  const crops = cut(n, x, choices, table, size);
  n.output(places, `${n.path}${PLACES}`);
  n.output(crops, `${n.path}${CROPS}`);
  const features = f(n, crops);
  if (dimsOf(features).length !== 2) {
    throw new ShapeError("the network over regions gives features", {
      expected: "[regions, features]",
      got: `[${dimsOf(features).join(", ")}]`,
    });
  }
  if (count === 1) return features;
  const grouped = n.reshape(features, [-1, count, lengthOf(features, 1)]);
  return n.mean(grouped, [1]);
}

interface Choice {
  readonly cells: number;
  readonly temperature: number;
}

/** [batch, count, cells]: 1 at the place of each choice, with the slope of the softmax over what was left for it. */
function chosen(n: Layers, scores: Value, places: Value, { cells, temperature }: Choice): Value {
  const range = n.ints(Array.from({ length: cells }, (_, cell) => cell));
  const hard = n.cast(n.equal(n.unsqueeze(places, [-1]), range), "float32");
  const before = n.op("CumSum", [hard, n.constant("axis", tensorFromNumbers("int64", [], [1]))], { exclusive: 1 });
  const open = n.add(n.unsqueeze(scores, [1]), n.mul(before, TAKEN));
  const soft = n.softmax(n.mul(open, 1 / temperature), -1);
  return hardWithSlope(n, hard, soft);
}

/** Products with zeros and ones, which are exact. */
function cut(n: Layers, x: Value, choices: Value, table: readonly (readonly number[])[], size: number): Value {
  const channels = lengthOf(x, 1);
  const pixels = tensorFromNumbers("int64", [table.length, size * size], table.flat());
  const flat = n.reshape(x, [0, 0, -1]);
  const regions = n.gather(flat, n.constant("pixels", pixels), 2);
  const rows = n.reshape(n.transpose(regions, [0, 2, 1, 3]), [0, table.length, -1]);
  return n.reshape(n.matmul(choices, rows), [-1, channels, size, size]);
}

/** For each position of the glance the numbers of the pixels of its region, row by row. */
function pixelsOf(x: Value, glance: Value, size: number): number[][] {
  const [height, width] = [lengthOf(x, 2), lengthOf(x, 3)];
  const [rows, columns] = [lengthOf(glance, 2), lengthOf(glance, 3)];
  if (!Number.isSafeInteger(size) || size < 1 || size > Math.min(height, width)) {
    throw new UsageError("a region does not fit into the picture", {
      expected: `a size of 1 to ${Math.min(height, width)}`,
      got: String(size),
    });
  }
  const corner = (i: number, positions: number, length: number) =>
    positions === 1 ? (length - size) >> 1 : Math.round((i * (length - size)) / (positions - 1));
  return Array.from({ length: rows * columns }, (_, cell) => {
    const top = corner(Math.floor(cell / columns), rows, height);
    const left = corner(cell % columns, columns, width);
    const pixel = (i: number) => (top + Math.floor(i / size)) * width + left + (i % size);
    return Array.from({ length: size * size }, (__, i) => pixel(i));
  });
}

function checkRegions(cells: number, count: number, temperature: number): void {
  checkCount("the number of regions", count, { most: cells });
  if (temperature > 0 && Number.isFinite(temperature)) return;
  throw new UsageError("the temperature is out of range", { expected: "a positive number", got: String(temperature) });
}
