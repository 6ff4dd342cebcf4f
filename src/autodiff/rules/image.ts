/** @file Gradients of resampling. Resizing is linear and separable: one matrix per axis, read off by resizing an identity. */
import { nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import { boundedSize, describeNode, intsOf, type Node, numbersOf, stringOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { gridSample } from "../grid-sample.ts";
import { expand, type GradientEntry, type GradientRule, refuse, stop } from "../rule.ts";

const resize: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const axes = resizedAxes(g, node, x, y);
  return [axes.reduce((cotangent, along) => resizeBack(g, node, cotangent, along), dy)];
};

interface Along {
  readonly axis: number;
  /** Lengths of x and y, as vectors of one number. */
  readonly from: Value;
  readonly to: Value;
  /** The length of x where it is known. */
  readonly length: number | undefined;
  /** The factor, where the node gives one. */
  readonly scale: number | undefined;
}

function resizedAxes(g: GradientBuilder, node: Node, x: Value, y: Value): Along[] {
  const [from, to] = [g.dims(x), g.dims(y)];
  const listed = intsOf(node, "axes")?.map((axis) => (axis < 0 ? axis + from.length : axis)) ?? from.map((_, i) => i);
  const constant = g.constant(node.inputs[2]);
  const scales = constant && constant.dims[0] !== 0 ? [...numbersOf(constant)] : undefined;
  return listed.flatMap((axis, i) => {
    const [before, after] = [nth(from, axis), nth(to, axis)];
    const scale = scales?.[i];
    if (scale === 1 || (scale === undefined && before === after && before !== "")) return [];
    const length = typeof before === "number" ? before : undefined;
    return [{ axis, from: g.lengths(x, axis, axis + 1), to: g.lengths(y, axis, axis + 1), length, scale }];
  });
}

/** y = x·M along the axis, so dx = dy·Mᵀ. */
function resizeBack(g: GradientBuilder, node: Node, dy: Value, along: Along): Value {
  const { axis } = along;
  const matrix = g.squeeze(resizedIdentity(g, node, dy, along), [0, 1]);
  const rank = g.rank(dy);
  if (axis === rank - 1) return g.matmul(dy, g.transpose(matrix, [1, 0]));
  if (axis === rank - 2) return g.matmul(matrix, dy);
  const swap = Array.from({ length: rank }, (_, i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));
  return g.transpose(g.matmul(g.transpose(dy, swap), g.transpose(matrix, [1, 0])), swap);
}

/** The same Resize over the last axis of an identity matrix, [1, 1, from, to]. */
function resizedIdentity(g: GradientBuilder, node: Node, like: Value, along: Along): Value {
  const { from, to, scale } = along;
  const policy = stringOf(node, "keep_aspect_ratio_policy", "stretch");
  const mode = stringOf(node, "coordinate_transformation_mode", "half_pixel");
  if (policy !== "stretch" || mode === "tf_crop_and_resize") {
    throw new UnsupportedError("Resize has no gradient with this setting", {
      got: policy === "stretch" ? mode : policy,
      where: describeNode(node),
    });
  }
  const kept = [...node.attributes].filter(([name]) => name !== "axes" && name !== "keep_aspect_ratio_policy");
  const factor = scale === undefined ? undefined : g.cast(g.matrix(like, [4], [1, 1, 1, scale]), "float32");
  const size = scale === undefined ? g.concat([g.ints([1, 1]), from, to], 0) : undefined;
  return g.op("Resize", [identity(g, like, along), undefined, factor, size], Object.fromEntries(kept));
}

/** [1, 1, from, from]. */
function identity(g: GradientBuilder, like: Value, { from, length }: Along): Value {
  if (length !== undefined) {
    const values = new Float64Array(boundedSize(length * length));
    for (let i = 0; i < length; i++) values[i * length + i] = 1;
    return g.matrix(like, [1, 1, length, length], values);
  }
  const zeros = g.expand(g.number(0, like), g.concat([from, from], 0));
  return g.unsqueeze(g.op("EyeLike", [zeros]), [0, 1]);
}

export const images = {
  Resize: resize,
  Upsample: refuse("it was withdrawn with opset 10; upgrade-opset makes it a Resize"),
  GridSample: expand(gridSample),
  AffineGrid: refuse("its grid must be given, or be made by MatMul"),
  Col2Im: refuse("it has no rule; use ConvTranspose with a one-hot kernel"),
  ImageDecoder: stop,
} satisfies Record<string, GradientEntry>;
