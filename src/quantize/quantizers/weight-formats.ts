/** @file The forms in which weights of few bits are stored, by operator: what they need, and how they are written. */
import { isLayer, isStacked, type Layer, layerAmong, ROWS, rowsOf } from "../../calibration/index.ts";
import { nth } from "../../checked.ts";
import {
  type ConstantLookup,
  type DataType,
  type Draft,
  floatsOf,
  intOf,
  labelOf,
  makeNode,
  type Node,
  type Tensor,
  tensorFromNumbers,
} from "../../ir/index.ts";
import type { Store } from "../qdq/constant-store.ts";
import type { FloatMatrix } from "../rounding/block-rounding.ts";
import {
  type BlockedMatrix,
  type BlockLayout,
  blocksIn,
  packForMatMulNBits,
  storedBits,
} from "../weights/weight-blocks.ts";

export type WeightFormat = "matmul-nbits" | "dequantize";

/** A node whose weights can be stored in few bits. */
export interface WeightTarget {
  readonly node: Node;
  /** Present for operators that multiply, whose rounding can look at inputs. */
  readonly layer: Layer | undefined;
  /** The constant that holds the weights; nodes with the same one, read in the same way, get the same integers. */
  readonly source: Tensor;
  /** How the matrix lies in the constant. */
  readonly reading: string;
  readonly matrix: FloatMatrix;
  readonly domain: "" | "com.microsoft";
  /** The layout that the form has room for. */
  layout(asked: BlockLayout): BlockLayout;
  write(draft: Draft, store: Store, matrix: BlockedMatrix): void;
}

export interface TargetOptions {
  readonly format: WeightFormat;
  readonly bits: number;
  readonly convolutions: boolean;
  readonly accuracyLevel: number;
  readonly opset: number;
}

/** From this opset on, DequantizeLinear takes blocks. */
export const BLOCKED_OPSET = 21;

/** The target that a node is, or the reason why it is none. */
export function weightTarget(
  constant: ConstantLookup,
  node: Node,
  options: TargetOptions,
): WeightTarget | { reason: string } {
  if (node.opType === "Gather") return embedding(constant, node, options);
  const layer = layerAmong(constant, node);
  if (!isLayer(layer)) return layer;
  if (node.opType === "Conv" && !options.convolutions) return { reason: "convolutions were not asked for" };
  const dequantized = node.opType === "Conv" || isStacked(layer) || options.format === "dequantize";
  if (dequantized && options.bits === 2) return { reason: "DequantizeLinear has no 2-bit type in opset 21" };
  if (isStacked(layer) && options.opset < BLOCKED_OPSET) return { reason: "stacked matrices need opset 21" };
  return dequantized ? dequantizedTarget(layer) : nbitsTarget(layer, options.accuracyLevel);
}

function matrixOf(layer: Layer): FloatMatrix {
  const { rows, columns } = layer;
  return {
    rows,
    columns,
    reader() {
      const reals = floatsOf(layer.weightTensor);
      return (first, count) => rowsOf(layer, reals, first, count);
    },
  };
}

/** MatMul and Gemm: `y = x Bᵀ (+ bias)`. */
function nbitsTarget(layer: Layer, accuracyLevel: number): WeightTarget {
  const { node, weight, rows, columns, bias, biasTensor } = layer;
  return {
    node,
    layer,
    source: layer.weightTensor,
    reading: `axis ${layer.channelAxis} of ${layer.groups}`,
    matrix: matrixOf(layer),
    domain: "com.microsoft",
    layout: (asked) => asked,
    write(draft, store, matrix) {
      const { size, symmetric } = matrix.layout;
      const bits = storedBits(matrix.layout.bits);
      const { b, scales, zeroPoints } = packForMatMulNBits(matrix);
      const inputs = [
        layer.input,
        store(weight, `${weight.name}_Q${bits}`, b),
        store(weight, `${weight.name}_scale`, scales),
      ];
      if (!symmetric) inputs.push(store(weight, `${weight.name}_zero_point`, zeroPoints));
      const attributes = { K: columns, N: rows, bits, block_size: size, accuracy_level: accuracyLevel };
      const product = bias ? draft.value(`${labelOf(node)}_product`) : node.outputs[0];
      const name = node.name || labelOf(node);
      const nodes = [
        makeNode("MatMulNBits", inputs, [product], { domain: "com.microsoft", name: `${name}_Q${bits}`, attributes }),
      ];
      if (bias && biasTensor && product) nodes.push(makeNode("Add", [product, bias], node.outputs, { name }));
      draft.replaceNode(node, ...nodes);
    },
  };
}

/** DequantizeLinear before the operator: blocks along the inputs of matrices, one scale per channel for convolutions. */
function dequantizedTarget(layer: Layer): WeightTarget {
  const { node, weight, weightTensor, columns } = layer;
  const isConv = node.opType === "Conv";
  return {
    node,
    layer,
    source: layer.weightTensor,
    reading: `axis ${layer.channelAxis} of ${layer.groups}`,
    matrix: matrixOf(layer),
    domain: "",
    layout: (asked) => (isConv ? { ...asked, size: columns } : asked),
    write(draft, store, matrix) {
      const dtype: DataType = matrix.layout.bits === 8 ? "uint8" : "uint4";
      const data = placed(layer, matrix.integers);
      const perBlock = blockTensors(layer, matrix);
      // The runtime fuses what it finds beside the operator, and fails where a branch takes the integers from around it.
      const home = isConv ? weight : nth(node.outputs, 0);
      const inputs = [
        store(home, `${weight.name}_quantized`, tensorFromNumbers(dtype, weightTensor.dims, data)),
        store(home, `${weight.name}_scale`, perBlock("float32", matrix.scales)),
        store(home, `${weight.name}_zero_point`, perBlock(dtype, matrix.zeroPoints)),
      ];
      const output = draft.value(`${weight.name}_DequantizeLinear_Output`);
      const inputAxis = layer.channelAxis === 0 ? 1 : layer.channelAxis - 1;
      const attributes = isConv ? { axis: 0 } : { axis: inputAxis, block_size: matrix.layout.size };
      const name = output.name.replace(/_Output(?=_\d+$|$)/, "");
      const dequantize = makeNode("DequantizeLinear", inputs, [output], { name, attributes });
      const swapped = { ...node, inputs: node.inputs.map((value, i) => (i === 1 ? output : value)) };
      draft.replaceNode(node, dequantize, swapped);
    },
  };
}

/** Makes a tensor with a number for each block: where inputs come before outputs in the weight, so they do here. */
function blockTensors({ node, channelAxis, groups, rows, weightTensor }: Layer, matrix: BlockedMatrix) {
  const blocks = blocksIn(matrix);
  const isConv = node.opType === "Conv";
  const isRowsFirst = channelAxis === 0;
  const own = rows / (isConv ? 1 : groups);
  const matrixDims = isRowsFirst ? [own, blocks] : [...weightTensor.dims.slice(0, -2), blocks, own];
  const turned = (i: number): number => {
    const group = Math.floor(i / (blocks * own));
    return (group * own + (i % own)) * blocks + (Math.floor(i / own) % blocks);
  };
  return (dtype: DataType, of: Float32Array | Uint8Array): Tensor => {
    const values = isRowsFirst ? of : of.map((_, i) => of[turned(i)]!);
    return tensorFromNumbers(dtype, isConv ? [rows] : matrixDims, values);
  };
}

/** Integers of a matrix where the layer has its weights. */
function placed({ rows, columns, channelAxis, position }: Layer, integers: Uint8Array): Uint8Array {
  if (channelAxis === 0) return integers;
  const data = new Uint8Array(integers.length);
  for (let first = 0; first < rows; first += ROWS) {
    const end = Math.min(rows, first + ROWS);
    for (let column = 0; column < columns; column++) {
      for (let row = first; row < end; row++) data[position(row, column)] = integers[row * columns + column]!;
    }
  }
  return data;
}

const EMBEDDING_BITS = new Set([3, 4, 8]);

/** Rows of a table, dequantized as they are looked up. */
function embedding(
  constant: ConstantLookup,
  node: Node,
  { bits, format }: TargetOptions,
): WeightTarget | { reason: string } {
  const [table, indices] = node.inputs;
  const source = constant(table);
  if (!table || !indices || source?.dtype !== "float32") return { reason: "it looks up no float32 constant" };
  const [rows = 0, columns = 0] = source.dims;
  if (source.dims.length !== 2 || intOf(node, "axis", 0) !== 0)
    return { reason: "it does not look up rows of a matrix" };
  if (format === "dequantize") return { reason: "the table is small" };
  if (!EMBEDDING_BITS.has(bits)) return { reason: `GatherBlockQuantized has no ${bits}-bit form` };
  return {
    node,
    layer: undefined,
    source,
    reading: "rows",
    matrix: {
      rows,
      columns,
      reader() {
        const reals = floatsOf(source);
        return (first, count) => reals.subarray(first * columns, (first + count) * columns);
      },
    },
    domain: "com.microsoft",
    layout: (asked) => asked,
    write(draft, store, matrix) {
      const { size } = matrix.layout;
      const dtype: DataType = bits === 8 ? "uint8" : "uint4";
      const blockDims = [rows, blocksIn(matrix)];
      const part = (suffix: string, tensor: Tensor) => store(table, `${table.name}_${suffix}`, tensor);
      const inputs = [
        part("quantized", tensorFromNumbers(dtype, [rows, columns], matrix.integers)),
        indices,
        part("scale", tensorFromNumbers("float32", blockDims, matrix.scales)),
        part("zero_point", tensorFromNumbers(dtype, blockDims, matrix.zeroPoints)),
      ];
      const attributes = { gather_axis: 0, quantize_axis: 1, block_size: size, ...(bits === 8 ? { bits } : {}) };
      const name = node.name || labelOf(node);
      const lookup = makeNode("GatherBlockQuantized", inputs, node.outputs, {
        domain: "com.microsoft",
        name,
        attributes,
      });
      draft.replaceNode(node, lookup);
    },
  };
}
