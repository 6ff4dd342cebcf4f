/** @file Upgrades up to opset 9: attributes that became inputs, and broadcasting with an axis. */
import {
  type DataType,
  dataTypes,
  float,
  floatOf,
  floats,
  intOf,
  intsOf,
  type Node,
  stringOf,
  type Value,
} from "../../ir/index.ts";
import { type Declined, declined } from "../../rewrite/index.ts";
import { changed, extra, intsToInput, nameOf, type Stage, type Upgrade, type UpgradeContext } from "./change.ts";

export const opset2: Stage = {
  Pad: (node) => {
    const pads = intsOf(node, "paddings");
    return pads && [changed(node, { attributes: { paddings: undefined, pads } })];
  },
};

export const opset4: Stage = {
  Concat: (node) => (node.attributes.has("axis") ? undefined : [changed(node, { attributes: { axis: 1 } })]),
};

export const opset5: Stage = { Reshape: intsToInput("shape", 1) };

/** Opset 6 took away the hint `consumed_inputs`. */
const withoutHint: Upgrade = (node) =>
  node.attributes.has("consumed_inputs") ? [changed(node, { attributes: { consumed_inputs: undefined } })] : undefined;

const hinted = [
  ...[
    "Abs",
    "Add",
    "And",
    "BatchNormalization",
    "Ceil",
    "Clip",
    "Div",
    "Dropout",
    "Elu",
    "Exp",
    "Floor",
    "HardSigmoid",
  ],
  ...["InstanceNormalization", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mul", "Neg", "PRelu", "Pow", "Reciprocal"],
  ...["Relu", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh"],
];

export const opset6: Stage = {
  ...Object.fromEntries(hinted.map((opType) => [opType, withoutHint])),
  Cast: (node) => {
    if (node.attributes.get("to")?.type !== "string") return undefined;
    const dtype = onnxNames.get(stringOf(node, "to", "").toUpperCase());
    return dtype
      ? [changed(node, { attributes: { to: dataTypes[dtype].code } })]
      : declined("its target is not a type");
  },
  Selu: (node) => {
    const defaults = { alpha: float(floatOf(node, "alpha", 1.6732)), gamma: float(floatOf(node, "gamma", 1.0507)) };
    return [changed(node, { attributes: { consumed_inputs: undefined, ...defaults } })];
  },
  Tile: () => declined("the first version of Tile repeats one axis only"),
};

/** The names that `Cast` used for types before opset 6. */
const onnxNames = new Map<string, DataType>([
  ["FLOAT", "float32"],
  ["FLOAT16", "float16"],
  ["DOUBLE", "float64"],
  ["BOOL", "bool"],
  ["STRING", "string"],
  ...(["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"] as const).map(
    (name): [string, DataType] => [name, name.toLowerCase() as DataType],
  ),
]);

/** Up to opset 6 the second input was aligned at `axis`, and only when `broadcast` was set. */
const numpyBroadcast: Upgrade = (node, context) => {
  const plain = { broadcast: undefined, axis: undefined };
  if (!node.attributes.has("broadcast") && !node.attributes.has("axis")) return undefined;
  const axis = intOf(node, "axis");
  const [a, b] = node.inputs;
  if (intOf(node, "broadcast", 0) === 0 || axis === undefined) return [changed(node, { attributes: plain })];
  const rank = context.dims(a)?.length;
  const own = context.dims(b)?.length;
  if (!b || rank === undefined || own === undefined) return declined("the ranks that it aligns are not known");
  const behind = rank - (axis < 0 ? axis + rank : axis) - own;
  if (axis < -rank || axis >= rank || behind < 0) return declined("its axis is none of its first input's");
  if (behind === 0) return [changed(node, { attributes: plain })];
  return aligned(node, context, b, own, behind, plain);
};

/** Puts `behind` axes of length 1 after the last axis of `b`. */
function aligned(
  node: Node,
  context: UpgradeContext,
  b: Value,
  rank: number,
  behind: number,
  attributes: Readonly<Record<string, undefined>>,
): readonly Node[] {
  const wide = context.value(nameOf(node, "aligned"));
  const axes = Array.from({ length: behind }, (_, i) => rank + i);
  return [
    extra("Unsqueeze", [b], wide, { axes }),
    changed(node, { inputs: [node.inputs[0], wide, ...node.inputs.slice(2)], attributes }),
  ];
}

const inferenceOnly: Upgrade = (node) => {
  if (intOf(node, "is_test", 0) === 0) return declined("it is in training mode (is_test = 0)");
  return [changed(node, { attributes: { is_test: undefined, consumed_inputs: undefined } })];
};

const withoutSequenceFlag: Upgrade = (node) =>
  node.attributes.has("output_sequence") ? [changed(node, { attributes: { output_sequence: undefined } })] : undefined;

const broadcasting = ["Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"];

export const opset7: Stage = {
  ...Object.fromEntries(broadcasting.map((opType) => [opType, numpyBroadcast])),
  BatchNormalization: inferenceOnly,
  Dropout: inferenceOnly,
  GRU: withoutSequenceFlag,
  Gemm: (node) =>
    node.attributes.has("broadcast") ? [changed(node, { attributes: { broadcast: undefined } })] : undefined,
  LSTM: withoutSequenceFlag,
  PRelu(node, context) {
    const rank = context.dims(node.inputs[0])?.length;
    const slope = context.dims(node.inputs[1]);
    const [, b] = node.inputs;
    if (!b || rank === undefined || slope === undefined) return declined("the ranks that it aligns are not known");
    if (slope.length !== 1 || slope[0] === 1 || rank <= 2) return undefined;
    return aligned(node, context, b, 1, rank - 2, {});
  },
  RNN: withoutSequenceFlag,
  Upsample: (node) => {
    const [height, width] = [floatOf(node, "height_scale"), floatOf(node, "width_scale")];
    if (height === undefined || width === undefined) return undefined;
    const scales = floats([1, 1, height, width]);
    return [changed(node, { attributes: { height_scale: undefined, width_scale: undefined, scales } })];
  },
};

export const opset9: Stage = {
  BatchNormalization(node): readonly Node[] | Declined | undefined {
    if (intOf(node, "spatial", 1) === 0) return declined("it normalises every element by itself (spatial = 0)");
    return node.attributes.has("spatial") ? [changed(node, { attributes: { spatial: undefined } })] : undefined;
  },
  Scan: () => declined("the first version of Scan runs over a batch"),
};
