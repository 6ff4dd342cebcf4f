/**
 * @file Outliers in float: some inputs of a matrix keep float weights, in a product of their own beside the rounded one.
 *
 * Whole columns rather than single elements: a Gather of a few inputs and a small dense product have kernels on every provider, and cost what
 * the share is; the only kernel for a sparse weight, SparseToDenseMatMul, is on CPU alone and visits elements one by one.
 */
import { type Layer, ROWS, rowsOf } from "../../calibration/index.ts";
import { UsageError } from "../../errors.ts";
import { floatsOf, int64s, labelOf, type Model, makeNode, storedConstants, tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { dequantizeValue, quantizeValue } from "../scheme.ts";
import type { NodeChoice } from "../selection.ts";
import { type BlockLayout, blockLimits, blockParameters, checkLayout } from "../weights/weight-blocks.ts";
import { rewritesOf } from "./rewrites.ts";
import { scaledInputs } from "./scaled-inputs.ts";
import type { Transformed, TransformNote } from "./transform.ts";

export interface OutlierOptions extends NodeChoice, Partial<BlockLayout> {
  /** Of the inputs of each matrix, above 0 and below 1; default 0.01. At least one is kept. */
  readonly share?: number;
}

const outlierOptionsNames: OptionNames<OutlierOptions> = {
  share: true,
  bits: true,
  size: true,
  symmetric: true,
  exclude: true,
  include: true,
};

/** What the nodes that compute in float are called: the weight-only form leaves them. */
const SUFFIX = "_outliers";

/** Nodes that keep outliers, as a pattern. */
export const outlierNodes = `*${SUFFIX}`;

/**
 * `W x` becomes `W' x + V (x at some places)`, where W' has zeros in the columns that V has. They are the columns without which the blocks of the
 * layout lose least when they are rounded to nearest. Exact but for the order of sums.
 *
 * @throws UsageError for a share that leaves nothing to one side
 */
export function separateOutliers(model: Model, options: OutlierOptions = {}): Transformed {
  const { share = 0.01, bits = 4, size = 32, symmetric = false } = checkOptions(options, outlierOptionsNames);
  if (!(share > 0 && share < 1)) {
    throw new UsageError("a share of the inputs keeps float weights", {
      expected: "above 0 and below 1",
      got: `${share}`,
    });
  }
  const layout = { bits, size, symmetric };
  checkLayout(layout);
  const stored = storedConstants(model);
  const { inputs, notes: left } = scaledInputs(stored, options);
  const rewrites = rewritesOf(stored);
  const notes: TransformNote[] = [...left];
  for (const layer of inputs.flatMap(({ layers }) => layers)) {
    const columns = outlierColumns(layer, layout, Math.max(1, Math.round(share * layer.columns)));
    const kept = takenOut(rewrites.constant(layer.node, 1)!.values, layer, columns);
    rewrites.replace(layer.node, (draft, next) => {
      const name = labelOf(layer.node);
      const value = (suffix: string) => draft.value(`${name}${suffix}`);
      const [product, picked, beside] = [value("_rounded"), value("_picked"), value(SUFFIX)];
      const places = draft.constant(`${name}_places`, int64s(columns));
      const weights = draft.constant(`${name}${SUFFIX}_weight`, tensor("float32", [columns.length, layer.rows], kept));
      return [
        { ...next, outputs: [product] },
        makeNode("Gather", [layer.input, places], [picked], { name: picked.name, attributes: { axis: -1 } }),
        makeNode("MatMul", [picked, weights], [beside], { name: `${name}${SUFFIX}` }),
        makeNode("Add", [product, beside], layer.node.outputs, { name: `${name}_whole` }),
      ];
    });
    notes.push({
      node: labelOf(layer.node),
      done: true,
      what: `${columns.length} of ${layer.columns} inputs keep float weights`,
    });
  }
  return { model: rewrites.written(), notes };
}

/** The columns as a matrix `columns × rows`; zeros take their place. */
function takenOut(values: Float32Array, { rows, position }: Layer, columns: readonly number[]): Float32Array {
  const kept = new Float32Array(columns.length * rows);
  for (const [i, column] of columns.entries()) {
    for (let row = 0; row < rows; row++) {
      const at = position(row, column);
      kept[i * rows + row] = values[at] ?? 0;
      values[at] = 0;
    }
  }
  return kept;
}

/** The `count` columns without which the rounding to nearest loses least, in order. */
export function outlierColumns(layer: Layer, layout: BlockLayout, count: number): number[] {
  const { rows, columns, weightTensor } = layer;
  const reals = floatsOf(weightTensor);
  const gains = new Float64Array(columns);
  for (let first = 0; first < rows; first += ROWS) {
    const number = Math.min(ROWS, rows - first);
    const some = rowsOf(layer, reals, first, number);
    for (let row = 0; row < number; row++) addGains(some.slice(row * columns, (row + 1) * columns), layout, gains);
  }
  const order = Array.from(gains.keys()).sort((a, b) => (gains[b] ?? 0) - (gains[a] ?? 0));
  return order.slice(0, count).sort((a, b) => a - b);
}

/** By how much the squared error of its block falls if a weight were zero, for all weights of a row. */
function addGains(row: Float32Array, layout: BlockLayout, gains: Float64Array): void {
  for (let from = 0; from < row.length; from += layout.size) {
    const to = Math.min(from + layout.size, row.length);
    const whole = blockError(row, layout, from, to);
    let [lowest, highest] = [from, from];
    for (let j = from; j < to; j++) {
      if ((row[j] ?? 0) < (row[lowest] ?? 0)) lowest = j;
      if ((row[j] ?? 0) > (row[highest] ?? 0)) highest = j;
    }
    for (let j = from; j < to; j++) gains[j] = (gains[j] ?? 0) + (whole.errors[j - from] ?? 0);
    // The ends of the range alone change what the others lose.
    for (const j of new Set([lowest, highest])) {
      const own = row[j] ?? 0;
      row[j] = 0;
      gains[j] =
        (gains[j] ?? 0) + whole.total - blockError(row, layout, from, to).total - (whole.errors[j - from] ?? 0);
      row[j] = own;
    }
  }
}

function blockError(row: Float32Array, layout: BlockLayout, from: number, to: number) {
  const limits = blockLimits(layout);
  const parameters = blockParameters(row, layout, from, to);
  const errors = new Float64Array(to - from).map((_, i) => {
    const weight = row[from + i] ?? 0;
    return (weight - dequantizeValue(quantizeValue(weight, parameters, limits), parameters)) ** 2;
  });
  return { errors, total: errors.reduce((a, b) => a + b, 0) };
}
