/** @file Upgrades to opsets 10 to 12: scales, slices, pads and bounds become inputs; experimental operators are spelled out. */
import { nth } from "../../checked.ts";
import {
  bigintsOf,
  floatOf,
  floatsAttribute,
  intOf,
  intsOf,
  type Node,
  scalar,
  stringOf,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { declined } from "../../rewrite/index.ts";
import { changed, extra, nameOf, type Stage, type Upgrade, type UpgradeContext } from "./change.ts";

/** Beyond the end of any axis. */
const toTheEnd = 2 ** 31 - 1;

export const opset10: Stage = {
  Affine: (node, context) => linear(node, context, floatOf(node, "alpha", 1), floatOf(node, "beta", 0)),
  Crop(node, context) {
    const border = intsOf(node, "border");
    const scale = intsOf(node, "scale");
    if (border?.length !== 4) return declined("it names no four borders");
    const [left = 0, top = 0, right = 0, bottom = 0] = border;
    const ends = scale ? [top + nth(scale, 0), left + nth(scale, 1)] : [-bottom || toTheEnd, -right || toTheEnd];
    const bounds = [
      context.ints(nameOf(node, "starts"), [top, left]),
      context.ints(nameOf(node, "ends"), ends),
      context.ints(nameOf(node, "axes"), [2, 3]),
    ];
    const attributes = { border: undefined, scale: undefined };
    return [changed(node, { opType: "Slice", inputs: [node.inputs[0], ...bounds], attributes })];
  },
  Dropout: (node, context) =>
    context.isUsed(node.outputs[1])
      ? declined("its mask became boolean")
      : [changed(node, { outputs: node.outputs.slice(0, 1) })],
  ImageScaler(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const bias = floatsAttribute(node, "bias");
    const dtype = context.dtype(x);
    if (!x || !y || !bias || !dtype) return declined("its bias or the dtype of its input is not known");
    const scaled = context.value(nameOf(node, "scaled"));
    const factor = context.constant(nameOf(node, "scale"), scalar(dtype, floatOf(node, "scale", 1)));
    const shift = tensorFromNumbers(dtype, [1, bias.length, 1, 1], bias);
    return [
      extra("Mul", [x, factor], scaled),
      extra("Add", [scaled, context.constant(nameOf(node, "bias"), shift)], y),
    ];
  },
  ParametricSoftplus: () => declined("it is an experimental operator that no later opset has"),
  ScaledTanh(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const dtype = context.dtype(x);
    const [alpha, beta] = [floatOf(node, "alpha"), floatOf(node, "beta")];
    if (!x || !y || !dtype || alpha === undefined || beta === undefined) return declined("its factors are not known");
    const inner = context.value(nameOf(node, "inner"));
    const tanh = context.value(nameOf(node, "tanh"));
    return [
      extra("Mul", [x, context.constant(nameOf(node, "beta"), scalar(dtype, beta))], inner),
      extra("Tanh", [inner], tanh),
      extra("Mul", [tanh, context.constant(nameOf(node, "alpha"), scalar(dtype, alpha))], y),
    ];
  },
  Slice(node, context) {
    const [starts, ends, axes] = ["starts", "ends", "axes"].map((name) => {
      const list = bigintsOf(node, name);
      return list && context.ints(nameOf(node, name), list);
    });
    if (!starts || !ends) return declined("it names no bounds");
    const inputs = [node.inputs[0], starts, ends, ...(axes ? [axes] : [])];
    return [changed(node, { inputs, attributes: { starts: undefined, ends: undefined, axes: undefined } })];
  },
  TopK(node, context) {
    const k = intOf(node, "k");
    if (k === undefined) return undefined;
    const count = context.ints(nameOf(node, "k"), [k]);
    return [changed(node, { inputs: [node.inputs[0], count], attributes: { k: undefined } })];
  },
  Upsample(node, context) {
    const scales = floatsAttribute(node, "scales");
    const [x] = node.inputs;
    if (!scales) return [changed(node, { opType: "Resize" })];
    const input = context.constant(nameOf(node, "scales"), tensor("float32", [scales.length], scales));
    return [changed(node, { opType: "Resize", inputs: [x, input], attributes: { scales: undefined } })];
  },
};

/** y = alpha · x + beta */
function linear(node: Node, context: UpgradeContext, alpha: number, beta: number): ReturnType<Upgrade> {
  const [x] = node.inputs;
  const [y] = node.outputs;
  const dtype = context.dtype(x);
  if (!x || !y || !dtype) return declined("the dtype of its input is not known");
  const scaled = context.value(nameOf(node, "scaled"));
  return [
    extra("Mul", [x, context.constant(nameOf(node, "alpha"), scalar(dtype, alpha))], scaled),
    extra("Add", [scaled, context.constant(nameOf(node, "beta"), scalar(dtype, beta))], y),
  ];
}

export const opset11: Stage = {
  Clip(node, context) {
    const bounds = ["min", "max"].map((name) => bound(node, context, name));
    if (bounds.some((value) => value === "unknown")) return declined("the dtype of its input is not known");
    const inputs = [node.inputs[0], ...(bounds as (Value | undefined)[])];
    while (inputs.at(-1) === undefined) inputs.pop();
    return [changed(node, { inputs, attributes: { min: undefined, max: undefined } })];
  },
  Pad(node, context) {
    const pads = intsOf(node, "pads");
    const dtype = context.dtype(node.inputs[0]);
    const value = floatOf(node, "value", 0);
    if (!pads) return declined("it names no pads");
    if (value !== 0 && !dtype) return declined("the dtype of its input is not known");
    const fill = value !== 0 && dtype ? [context.constant(nameOf(node, "value"), scalar(dtype, value))] : [];
    const inputs = [node.inputs[0], context.ints(nameOf(node, "pads"), pads), ...fill];
    return [changed(node, { inputs, attributes: { pads: undefined, value: undefined } })];
  },
  Resize(node, context) {
    const [x, scales] = node.inputs;
    const roi = context.constant(nameOf(node, "roi"), tensor("float32", [0], []));
    const nearest = stringOf(node, "mode", "nearest") === "nearest" ? { nearest_mode: "floor" } : {};
    const attributes = { coordinate_transformation_mode: "asymmetric", ...nearest };
    return [changed(node, { inputs: [x, roi, scales], attributes })];
  },
  Scatter: (node) => [changed(node, { opType: "ScatterElements" })],
};

function bound(node: Node, context: UpgradeContext, name: string): Value | "unknown" | undefined {
  const limit = floatOf(node, name);
  if (limit === undefined) return undefined;
  const dtype = context.dtype(node.inputs[0]);
  return dtype ? context.constant(nameOf(node, name), scalar(dtype, limit)) : "unknown";
}

export const opset12: Stage = {
  Dropout(node, context) {
    const ratio = floatOf(node, "ratio");
    if (ratio === undefined) return undefined;
    const input = context.constant(nameOf(node, "ratio"), scalar("float32", ratio));
    return [changed(node, { inputs: [node.inputs[0], input], attributes: { ratio: undefined } })];
  },
};
