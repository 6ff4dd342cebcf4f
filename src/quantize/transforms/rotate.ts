/**
 * @file The residual stream rotated (after QuaRot, Ashkboos et al. 2024, arXiv:2404.00456): a few channels that are much larger than the others
 * become none.
 *
 * What is written to the stream is multiplied by an orthogonal Q, what reads it by Qᵀ. Scales and biases of the norms go into the matrices
 * behind them first. RMSNormalization commutes with every Q, LayerNormalization with those that keep the vector of ones, as these do. Only
 * what folds into weights is done: rotations inside of attention and before the second matrix of an MLP would have to be computed in every run.
 */
import { type Layer, overriddenIn } from "../../calibration/index.ts";
import { UnsupportedError } from "../../errors.ts";
import { labelOf, type Model, makeNode, type Node, storedConstants, tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { residualStream } from "./residual-stream.ts";
import { type Rewrites, rewritesOf } from "./rewrites.ts";
import { type Rotation, rotationOf } from "./rotation.ts";
import type { Transformed } from "./transform.ts";

export interface RotateOptions {
  /** Of the signs; default 1. */
  readonly seed?: number;
}

const rotateOptionsNames: OptionNames<RotateOptions> = { seed: true };

/**
 * Exact in reals. A table that is the last matrix too is stored twice afterwards.
 *
 * @throws UnsupportedError, with the node, for a network whose stream is more than sums, matrices, tables and norms
 */
export function rotateResidual(model: Model, options: RotateOptions = {}): Transformed {
  const { seed = 1 } = checkOptions(options, rotateOptionsNames);
  const stored = storedConstants(model);
  const { width, writers, tables, norms, readers } = residualStream(stored.graph);
  const touched = [...writers, ...readers.map(({ layer }) => layer)].map(({ node }) => node);
  checkFixed(stored, [...touched, ...norms, ...tables.map(({ node }) => node)]);
  const rotate = rotationOf(width, seed);
  const rewrites = rewritesOf(stored);
  const writing = new Set(writers.map(({ node }) => node));
  for (const { layer, norm } of readers) {
    const shift = norm && foldNorm(rewrites, layer, norm);
    if (shift) addToOutput(rewrites, layer, shift, writing.has(layer.node) ? rotate : undefined);
    rotateRows(rewrites, layer, rotate);
  }
  for (const norm of norms) {
    rewrites.constant(norm, 1)?.values.fill(1);
    rewrites.constant(norm, 2)?.values.fill(0);
  }
  for (const layer of writers) rotateOutputs(rewrites, layer, rotate);
  for (const { node, input } of tables) rotateAll(rewrites.constant(node, input)!.values, width, rotate);
  const notes = [...new Set(touched)].map((node) => ({
    node: labelOf(node),
    done: true,
    what: `rotated with the residual stream of ${width} channels`,
  }));
  return { model: rewrites.written(), notes };
}

function checkFixed(model: Model, nodes: readonly Node[]): void {
  const overridden = overriddenIn(model);
  for (const node of nodes) {
    const reason = overridden(node);
    if (reason !== undefined) {
      throw new UnsupportedError("the residual stream cannot be rotated exactly", {
        got: reason,
        where: labelOf(node),
      });
    }
  }
}

/** `W (γ ∘ x + β)` is `(W diag γ) x + W β`: changes W, and gives W β where it is not zero. */
function foldNorm(rewrites: Rewrites, layer: Layer, norm: Node): Float32Array | undefined {
  const { node, rows, columns, position } = layer;
  const { values } = rewrites.constant(node, 1)!;
  const scale = rewrites.constant(norm, 1)!.values;
  const shift = rewrites.constant(norm, 2)?.values;
  const added = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) {
      const at = position(row, j);
      sum += (values[at] ?? 0) * (shift?.[j] ?? 0);
      values[at] = (values[at] ?? 0) * (scale[j] ?? 0);
    }
    added[row] = sum;
  }
  return added.some((value) => value !== 0) ? added : undefined;
}

/** Into the bias, which is rotated later where the matrix writes to the stream, or as a sum behind the matrix, which is rotated here. */
function addToOutput(
  rewrites: Rewrites,
  { node, bias }: Layer,
  added: Float32Array,
  rotate: Rotation | undefined,
): void {
  const own = bias && rewrites.constant(node, 2);
  if (own) {
    for (const [i, value] of added.entries()) own.values[i] = (own.values[i] ?? 0) + value;
    return;
  }
  if (rotate) rotateAll(added, added.length, rotate);
  rewrites.replace(node, (draft, next) => {
    const product = draft.value(`${labelOf(node)}_product`);
    const constant = draft.constant(`${labelOf(node)}_shift`, tensor("float32", [added.length], added));
    const name = `${labelOf(node)}_shifted`;
    return [{ ...next, outputs: [product] }, makeNode("Add", [product, constant], node.outputs, { name })];
  });
}

function rotateRows(rewrites: Rewrites, { node, rows, columns, position }: Layer, rotate: Rotation): void {
  const { values } = rewrites.constant(node, 1)!;
  for (let row = 0; row < rows; row++) {
    rotateAt(values, columns, rotate, (j) => position(row, j));
  }
}

function rotateOutputs(rewrites: Rewrites, { node, rows, columns, position, bias }: Layer, rotate: Rotation): void {
  const { values } = rewrites.constant(node, 1)!;
  for (let column = 0; column < columns; column++) {
    rotateAt(values, rows, rotate, (row) => position(row, column));
  }
  const own = bias && rewrites.constant(node, 2);
  if (own) rotateAll(own.values, rows, rotate);
}

function rotateAll(values: Float32Array, width: number, rotate: Rotation): void {
  for (let start = 0; start < values.length; start += width) rotateAt(values, width, rotate, (j) => start + j);
}

function rotateAt(values: Float32Array, width: number, rotate: Rotation, at: (j: number) => number): void {
  const row = new Float64Array(width).map((_, j) => values[at(j)] ?? 0);
  rotate(row);
  for (let j = 0; j < width; j++) values[at(j)] = row[j] ?? 0;
}
