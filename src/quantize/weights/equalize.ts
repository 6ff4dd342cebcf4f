/** @file Cross-layer equalization: channels between two layers are scaled so that no weight range is wasted (arXiv:1906.04721). */
import { isDepthwise, isLayer, type Layer, layerOf } from "../../calibration/index.ts";
import { must, nth } from "../../checked.ts";
import {
  editModel,
  floatsOf,
  type Graph,
  indexOf,
  type Model,
  type Node,
  soleConsumer,
  tensor,
  type Value,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";

export interface EqualizeOptions {
  /** Times that all pairs are visited; default 20. */
  readonly rounds?: number;
  /** Scales beyond this, or below its inverse, are cut; default 256. */
  readonly limit?: number;
}

const equalizeOptionsNames: OptionNames<EqualizeOptions> = { rounds: true, limit: true };

/**
 * For Conv → (Relu) → Conv chains, depthwise ones included: channel i of the first layer is divided by `s_i = √(r_i / r'_i)` and
 * multiplied in the second, where r and r' are the largest magnitudes of its weights on either side.
 *
 * Rounding: exact in reals, as Relu commutes with positive scales. A Clip with an upper bound does not, and a chain through it is
 * left alone.
 */
export function equalize(model: Model, options: EqualizeOptions = {}): Model {
  const { rounds = 20, limit = 256 } = checkOptions(options, equalizeOptionsNames);
  const pairs = pairsIn(model.graph);
  const data = new Map<Value, Float32Array>();
  const dataOf = (layer: Layer, value: Value, source: Layer["biasTensor"]): Float32Array => {
    const known = data.get(value);
    if (known) return known;
    const copy = new Float32Array(floatsOf(source ?? layer.weightTensor));
    data.set(value, copy);
    return copy;
  };
  for (let round = 0; round < rounds; round++) {
    let moved = 0;
    for (const { first, second } of pairs) {
      const a = dataOf(first, first.weight, first.weightTensor);
      const b = dataOf(second, second.weight, second.weightTensor);
      const bias = first.bias && dataOf(first, first.bias, first.biasTensor);
      for (let channel = 0; channel < first.rows; channel++) {
        const own = rowPositions(first, channel);
        const next = readerPositions(second, channel);
        const scale = scaleFor(largest(a, own), largest(b, next), limit);
        moved = Math.max(moved, Math.abs(Math.log(scale)));
        for (const i of own) a[i]! /= scale;
        if (bias) bias[channel]! /= scale;
        for (const i of next) b[i]! *= scale;
      }
    }
    if (moved < 1e-4) break;
  }
  return editModel(model, (draft) => {
    for (const [value, values] of data) {
      const source = must(model.graph.initializers, value);
      draft.setInitializer(value, tensor("float32", source.dims as readonly number[], values));
    }
  });
}

interface Pair {
  readonly first: Layer;
  readonly second: Layer;
}

function pairsIn(graph: Graph): Pair[] {
  const pairs: Pair[] = [];
  for (const node of graph.nodes) {
    const first = convolution(graph, node);
    const second = first && convolution(graph, readerOf(graph, node));
    if (!first || !second || first.rows !== inputChannels(second)) continue;
    const constants = [first.weight, second.weight, ...(first.bias ? [first.bias] : [])];
    if (constants.every((value) => graph.initializers.has(value) && indexOf(graph).uses.get(value)?.length === 1)) {
      pairs.push({ first, second });
    }
  }
  return pairs;
}

/** An ordinary or depthwise convolution. */
function convolution(graph: Graph, node: Node | undefined): Layer | undefined {
  const layer = node?.opType === "Conv" ? layerOf(graph, node) : undefined;
  return layer && isLayer(layer) && (layer.groups === 1 || isDepthwise(layer)) ? layer : undefined;
}

function readerOf(graph: Graph, node: Node): Node | undefined {
  const reader = node.outputs[0] && soleConsumer(graph, node.outputs[0]);
  return reader?.opType === "Relu" && reader.outputs[0] ? soleConsumer(graph, reader.outputs[0]) : reader;
}

function inputChannels(layer: Layer): number {
  return nth(layer.weightTensor.dims, 1) * layer.groups;
}

function rowPositions({ columns }: Layer, row: number): number[] {
  return Array.from({ length: columns }, (_, i) => row * columns + i);
}

/** Weights that read an input channel. */
function readerPositions(layer: Layer, channel: number): number[] {
  if (layer.groups > 1) return rowPositions(layer, channel);
  const area = layer.columns / nth(layer.weightTensor.dims, 1);
  const positions: number[] = [];
  for (let row = 0; row < layer.rows; row++) {
    for (let i = 0; i < area; i++) positions.push(row * layer.columns + channel * area + i);
  }
  return positions;
}

function largest(values: Float32Array, positions: readonly number[]): number {
  let most = 0;
  for (const i of positions) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** 1 for a channel that is dead on either side. */
function scaleFor(before: number, after: number, limit: number): number {
  if (before < 1e-12 || after < 1e-12) return 1;
  return Math.min(limit, Math.max(1 / limit, Math.sqrt(before / after)));
}
