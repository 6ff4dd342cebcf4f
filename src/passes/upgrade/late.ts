/** @file Upgrades to opsets 13 to 21: axes become inputs, Softmax runs along one axis, splits name their number. */
import { atLeast, nth } from "../../checked.ts";
import {
  boundedSize,
  intOf,
  intsOf,
  makeNode,
  type Node,
  numbersOf,
  stringOf,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { declined } from "../../rewrite/index.ts";
import { changed, extra, intsToInput, nameOf, type Stage, type Upgrade, type UpgradeContext } from "./change.ts";

/**
 * Up to opset 12 the input was seen as a matrix: the axes before `axis` are rows, all others together are normalised. That is one
 * axis when it is the last, or when all axes behind it have length 1.
 */
const alongOneAxis: Upgrade = (node, context) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y) return undefined;
  const given = intOf(node, "axis", 1);
  const dims = context.dims(x);
  const axis = given < 0 && dims ? given + dims.length : given;
  if (dims?.slice(axis + 1).every((dim) => dim === 1)) return [changed(node, { attributes: { axis } })];
  if (given === -1) return [changed(node, { attributes: { axis: -1 } })];
  const [shape, matrix, result] = atLeast(
    ["shape", "matrix", "rows"].map((part) => context.value(nameOf(node, part))),
    2,
  );
  return [
    extra("Shape", [x], shape),
    extra("Flatten", [x], matrix, { axis: given }),
    changed(node, { inputs: [matrix], outputs: [result], attributes: { axis: -1 } }),
    extra("Reshape", [result, shape], y),
  ];
};

export const opset13: Stage = {
  Hardmax: alongOneAxis,
  LogSoftmax: alongOneAxis,
  ReduceSum: intsToInput("axes", 1),
  Resize: (node) =>
    stringOf(node, "coordinate_transformation_mode") === "tf_half_pixel_for_nn"
      ? declined("its coordinate mode tf_half_pixel_for_nn was taken away")
      : undefined,
  Softmax: alongOneAxis,
  Split: intsToInput("split", 1),
  Squeeze: intsToInput("axes", 1),
  Unsqueeze: intsToInput("axes", 1),
};

export const opset14: Stage = {
  BatchNormalization: (node, context) =>
    node.outputs.slice(1).some((value) => context.isUsed(value))
      ? declined("it returns the statistics of training")
      : [changed(node, { outputs: node.outputs.slice(0, 1) })],
};

export const opset16: Stage = {
  RoiAlign: (node) => [changed(node, { attributes: { coordinate_transformation_mode: "output_half_pixel" } })],
};

const axesToInput = intsToInput("axes", 1);
const reductions = [
  ...["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax"],
  ...["ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"],
];

/**
 * From opset 18 on, ONNX Runtime before 1.25 moves zeros into the window of a maximum behind them, where they would count as -inf. It leaves
 * padding alone that names its axes.
 */
const zerosBeforeMaximum: Upgrade = (node, context) => {
  const [, pads, fill] = node.inputs;
  const count = context.known(pads)?.dims[0];
  const value = fill && context.known(fill);
  const isZero = !fill || (value !== undefined && numbersOf(value)[0] === 0);
  const isConstant = stringOf(node, "mode", "constant") === "constant";
  if (count === undefined || !isZero || !isConstant) return undefined;
  if (!context.readers(node.outputs[0]).some(({ opType }) => opType === "MaxPool")) return undefined;
  const axes = context.ints(nameOf(node, "axes"), [...Array(count / 2).keys()]);
  return [changed(node, { inputs: [node.inputs[0], pads, fill, axes] })];
};

/** What means the same, but is written in another way, since older runtimes compute the plain form wrongly. */
export const rewritten18: Stage = { Pad: zerosBeforeMaximum };

export const opset18: Stage = {
  ...Object.fromEntries(reductions.map((opType) => [opType, axesToInput])),
  Split: (node) => (node.inputs[1] ? undefined : [changed(node, { attributes: { num_outputs: node.outputs.length } })]),
};

/** ONNX Runtime before 1.25 forgets that an average of opset 19 counts padding, at ends that have more of it than the beginnings. */
const countedPadding: Upgrade = (node, context) => {
  const [x] = node.inputs;
  const pads = intsOf(node, "pads") ?? [];
  const spatial = pads.length / 2;
  if (!x || intOf(node, "count_include_pad", 0) !== 1) return undefined;
  if (!pads.some((count, i) => i >= spatial && count > nth(pads, i - spatial))) return undefined;
  if (intOf(node, "ceil_mode", 0) === 1) return undefined;
  const around = [0, 0, ...pads.slice(0, spatial), 0, 0, ...pads.slice(spatial)];
  const padded = context.value(nameOf(node, "padded"));
  return [
    makeNode("Pad", [x, context.ints(nameOf(node, "pads"), around)], [padded], { name: padded.name }),
    changed(node, { inputs: [padded], attributes: { pads: undefined, count_include_pad: undefined } }),
  ];
};

export const rewritten19: Stage = { AveragePool: countedPadding };

const sampleModes = new Map([
  ["bilinear", "linear"],
  ["bicubic", "cubic"],
]);

export const opset20: Stage = {
  DFT(node, context) {
    const axis = intOf(node, "axis", 1);
    const inputs: (Value | undefined)[] = [node.inputs[0], node.inputs[1]];
    const scalarAxis = context.constant(nameOf(node, "axis"), tensorFromNumbers("int64", [], [axis]));
    return [changed(node, { inputs: [...inputs, scalarAxis], attributes: { axis: undefined } })];
  },
  GridSample: (node) => {
    const mode = stringOf(node, "mode", "bilinear");
    return [changed(node, { attributes: { mode: sampleModes.get(mode) ?? mode } })];
  },
};

/** Each element `times` times, by nodes that go to `added`. */
function repeated(node: Node, value: Value, i: number, times: number, context: UpgradeContext, added: Node[]): Value {
  const [column, wide, flat] = atLeast(
    ["column", "wide", "flat"].map((part) => context.value(nameOf(node, `${part}${i}`))),
    3,
  );
  const target = (part: string, dims: readonly number[]): Value => context.ints(nameOf(node, `${part}${i}`), dims);
  added.push(
    extra("Reshape", [value, target("column_dims", [-1, 1])], column),
    extra("Expand", [column, target("wide_dims", [1, times])], wide),
    extra("Reshape", [wide, target("flat_dims", [-1])], flat),
  );
  return flat;
}

export const opset21: Stage = {
  /** Scale and bias were one number per group; now one per channel. */
  GroupNormalization(node, context) {
    const channels = context.dims(node.inputs[0])?.[1];
    const groups = intOf(node, "num_groups");
    if (typeof channels !== "number" || groups === undefined) return declined("its number of channels is not known");
    const times = boundedSize(Math.floor(channels / groups));
    const added: Node[] = [];
    const inputs = node.inputs.map((value, i) => {
      const known = context.known(value);
      if (i === 0 || !value || times === 1) return value;
      if (known?.dims.length !== 1) return repeated(node, value, i, times, context, added);
      const values = [...numbersOf(known)].flatMap((item) => Array.from({ length: times }, () => item));
      return context.constant(nameOf(node, `input${i}`), tensorFromNumbers(known.dtype, [values.length], values));
    });
    return [...added, changed(node, { inputs })];
  },
};
