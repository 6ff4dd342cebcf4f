/**
 * @file Values that matrices read, whose channels can be divided by scales if the matrices are multiplied by them: `x W = (x / s) (s W)`.
 *
 * The division goes into what makes the value, where that is exact in reals: a norm, a product or a sum with a constant, a matrix, also
 * before a Relu or on one side of a gate.
 */
import { isLayer, isStacked, type Layer, layerAmong, overriddenIn, weightsIn } from "../../calibration/index.ts";
import { nth } from "../../checked.ts";
import {
  type Graph,
  intOf,
  isSparse,
  labelOf,
  type Model,
  type Node,
  producerOf,
  sizeOf,
  usesOf,
  type Value,
} from "../../ir/index.ts";
import { type NodeChoice, nodeChoice } from "../selection.ts";
import type { Rewrites } from "./rewrites.ts";
import type { TransformNote } from "./transform.ts";

/** A value, and all matrices that read it. */
export interface ScaledInput {
  readonly value: Value;
  readonly layers: readonly Layer[];
  /** Constants that take the division, or why none do. */
  readonly home: readonly FoldTarget[] | string;
}

/** A constant whose elements belong to channels of the value. */
export interface FoldTarget {
  readonly node: Node;
  readonly input: number;
  channelOf(position: number): number;
}

export interface FoundInputs {
  readonly inputs: readonly ScaledInput[];
  readonly notes: readonly TransformNote[];
}

/** The values that products with constant matrices read, in order. */
export function scaledInputs(model: Model, choice: NodeChoice): FoundInputs {
  const { graph } = model;
  const constant = weightsIn(graph);
  const floatByName = nodeChoice(choice);
  const overridden = overriddenIn(model);
  const byValue = new Map<Value, Layer[]>();
  const notes: TransformNote[] = [];
  for (const node of graph.nodes) {
    if (node.opType !== "MatMul" && node.opType !== "Gemm") continue;
    const layer = layerAmong(constant, node);
    const reason = floatByName(node) ?? overridden(node) ?? reasonOf(graph, layer);
    if (reason === undefined && isLayer(layer)) push(byValue, layer.input, layer);
    else if (reason !== undefined) notes.push({ node: labelOf(node), done: false, what: reason });
  }
  const inputs = [...byValue].map(([value, layers]) => {
    const readers = new Set(layers.map(({ node }) => node));
    const home = foldTargets(graph, value, nth(layers, 0).columns, (node) => readers.has(node));
    return { value, layers, home };
  });
  return { inputs, notes };
}

function reasonOf(graph: Graph, layer: ReturnType<typeof layerAmong>): string | undefined {
  if (!isLayer(layer)) return layer.reason;
  if (isStacked(layer)) return "its matrices are stacked";
  return isReadElsewhere(graph, layer.weight) ? "its weight is read elsewhere" : undefined;
}

/** Also behind views: what is scaled for one reader would have to be stored twice. */
function isReadElsewhere(graph: Graph, value: Value): boolean {
  if (usesOf(graph, value).length > 1) return true;
  const maker = producerOf(graph, value);
  return maker?.inputs[0] !== undefined && isReadElsewhere(graph, maker.inputs[0]);
}

function push<K, T>(lists: Map<K, T[]>, key: K, item: T): void {
  lists.set(key, [...(lists.get(key) ?? []), item]);
}

/** Multiplies the columns of the matrices and divides what the value is made of; with a division of its own where nothing takes it. */
export function applyScales(rewrites: Rewrites, { layers, home }: ScaledInput, scales: Float64Array): void {
  for (const layer of layers) scaleColumns(rewrites, layer, scales);
  if (typeof home !== "string") for (const target of home) divide(rewrites, target, scales);
}

export function scaleColumns(rewrites: Rewrites, { node, rows, columns, position }: Layer, scales: Float64Array): void {
  const { values } = rewrites.constant(node, 1)!;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      values[position(row, column)] = (values[position(row, column)] ?? 0) * (scales[column] ?? 0);
  }
}

function divide(rewrites: Rewrites, { node, input, channelOf }: FoldTarget, scales: Float64Array): void {
  const { values } = rewrites.constant(node, input)!;
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) / (scales[channelOf(i)] ?? 0);
}

const lastAxis = (width: number) => (position: number) => position % width;

/** Constants that take a division of the channels of `value`, all of whose readers are known; or why there are none. */
function foldTargets(
  graph: Graph,
  value: Value,
  width: number,
  isReader: (node: Node) => boolean,
): readonly FoldTarget[] | string {
  const other = usesOf(graph, value).find(({ node }) => !node || !(isReader(node) || node.opType === "Shape"));
  if (other) return other.node ? `${labelOf(other.node)} reads it too` : "it is an output";
  const maker = producerOf(graph, value);
  if (!maker || maker.outputs[0] !== value) return "nothing makes it";
  if (maker.inputs[0] === maker.inputs[1]) return `${labelOf(maker)} reads one value twice`;
  const inside = (input: Value | undefined) =>
    input ? foldTargets(graph, input, width, (node) => node === maker) : "nothing makes it";
  const own = (input: number): FoldTarget => ({ node: maker, input, channelOf: lastAxis(width) });
  switch (maker.opType) {
    case "LayerNormalization":
    case "RMSNormalization":
    case "SimplifiedLayerNormalization":
      return normTargets(graph, maker, width);
    case "Relu":
      return inside(maker.inputs[0]);
    case "Mul":
    case "Add": {
      const places = [0, 1].filter((i) => isPerChannel(graph, maker.inputs[i], width));
      const [place] = places;
      if (places.length === 2) return "it is a constant";
      if (maker.opType === "Mul") {
        if (place !== undefined) return [own(place)];
        const sides = [0, 1].map((i) => inside(maker.inputs[i]));
        return sides.find((side) => typeof side !== "string") ?? nth(sides, 0);
      }
      const rest = [0, 1].filter((i) => i !== place).map((i) => inside(maker.inputs[i]));
      const refused = rest.find((side) => typeof side === "string");
      if (refused !== undefined) return refused;
      return [
        ...(place === undefined ? [] : [own(place)]),
        ...rest.flatMap((side) => (typeof side === "string" ? [] : side)),
      ];
    }
    default:
      return matrixTargets(graph, maker, width);
  }
}

/** Scale and, where there is one, bias. */
function normTargets(graph: Graph, maker: Node, width: number): readonly FoldTarget[] | string {
  const inputs = maker.inputs[2] ? [1, 2] : [1];
  const isPlain = intOf(maker, "axis", -1) === -1 && inputs.every((i) => isPerChannel(graph, maker.inputs[i], width));
  if (!isPlain) return `the scale of ${labelOf(maker)} is no constant for each channel`;
  return inputs.map((input) => ({ node: maker, input, channelOf: lastAxis(width) }));
}

/** The outputs of a matrix before. */
function matrixTargets(graph: Graph, maker: Node, width: number): readonly FoldTarget[] | string {
  const layer = layerAmong(weightsIn(graph), maker);
  if (maker.opType === "Conv" || !isLayer(layer) || isStacked(layer) || layer.rows !== width) {
    return `${labelOf(maker)} (${maker.opType}) takes no scales`;
  }
  if (isReadElsewhere(graph, layer.weight)) return `the weight of ${labelOf(maker)} is read elsewhere`;
  const { rows, columns, channelAxis } = layer;
  const rowOf = (position: number) => (channelAxis === 0 ? Math.floor(position / columns) : position % rows);
  const weight = { node: maker, input: 1, channelOf: rowOf };
  return layer.bias ? [weight, { node: maker, input: 2, channelOf: lastAxis(rows) }] : [weight];
}

/** A constant of float32 with a number for each channel, the same for all places. */
function isPerChannel(graph: Graph, value: Value | undefined, width: number): boolean {
  const constant = weightsIn(graph)(value);
  if (!constant || isSparse(constant) || constant.dtype !== "float32") return false;
  return constant.dims.at(-1) === width && sizeOf(constant.dims) === width;
}
