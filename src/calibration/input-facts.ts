/** @file How large the inputs of a layer are, and how much of them is not zero. */
import { floatsOf, type Tensor } from "../ir/index.ts";
import type { Layer } from "./layer.ts";
import { patchesOf } from "./patches.ts";

export interface InputFacts {
  /** E[x²] of what each column of each group is multiplied with, `groups × columns`. */
  readonly squares: Float64Array;
  /** The share of numbers that are not 0 in the input that each column reads, padding aside, `groups × columns`. */
  readonly shares: Float64Array;
}

export interface InputGatherer {
  /** Adds the layer's input of a batch. */
  add(input: Tensor): void;
  /** `undefined` when nothing could be added. */
  facts(): InputFacts | undefined;
}

/** Squares over at most `positions` positions of each batch, spread evenly; shares over all of them. */
export function gatherInputs(layer: Layer, positions: number): InputGatherer {
  const { groups, columns } = layer;
  const squares = new Float64Array(groups * columns);
  const patch = new Float32Array(columns);
  const features = featureCounts(layer);
  let count = 0;
  return {
    add(input) {
      const patches = patchesOf(layer, input);
      if (typeof patches === "string") return;
      const taken = Math.min(positions, patches.count);
      for (let group = 0; group < groups; group++) {
        for (let i = 0; i < taken; i++) {
          patches.read(Math.floor(((i + 0.5) * patches.count) / taken), group, patch, 0);
          add(squares, group * columns, patch);
        }
      }
      features.add(input);
      count += taken;
    },
    facts: () => (count === 0 ? undefined : { squares: squares.map((sum) => sum / count), shares: features.shares() }),
  };
}

function add(squares: Float64Array, from: number, patch: Float32Array): void {
  for (const [i, x] of patch.entries()) squares[from + i] = (squares[from + i] ?? 0) + x * x;
}

/** Counts what is not zero in each channel of a convolution's input, or in each feature of a product's. */
function featureCounts({ node, groups, columns, weightTensor }: Layer) {
  const isConv = node.opType === "Conv";
  const area = isConv ? weightTensor.dims.slice(2).reduce((a, b) => a * b, 1) : 1;
  const inputs = columns / area;
  const features = isConv ? groups * inputs : inputs;
  const counts = new Float64Array(features);
  let total = 0;
  return {
    add(input: Tensor): void {
      const data = floatsOf(input);
      const inner = isConv ? input.dims.slice(2).reduce((a, b) => a * b, 1) : 1;
      for (const [i, value] of data.entries()) {
        const feature = Math.floor(i / inner) % features;
        if (value !== 0) counts[feature] = (counts[feature] ?? 0) + 1;
      }
      total += data.length / features;
    },
    shares: () =>
      new Float64Array(groups * columns).map((_, i) => {
        const [group, column] = [Math.floor(i / columns), i % columns];
        return (counts[((isConv ? group * inputs : 0) + Math.floor(column / area)) % features] ?? 0) / total;
      }),
  };
}
