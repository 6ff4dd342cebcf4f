/** @file One-operator models in every form, for measuring what a form is worth on a machine. */
import {
  type AttributesOf,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  type Model,
  model,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import {
  blockParameters,
  emptyBlocks,
  packForMatMulNBits,
  storedBits,
  type WeightBits,
} from "../weights/weight-blocks.ts";

/** A model with one input `x` of fixed dims and one output. */
export interface ProbeModel {
  readonly model: Model;
  readonly inputDims: readonly number[];
}

const CHANNELS = 64;
const SIDE = 56;
const KERNEL = 3;
const WIDTH = 1024;
const INPUT_SCALE = 1 / 64;
const WEIGHT_SCALE = 1 / 512;

/** Deterministic values in [-1, 1). */
function noise(count: number): Float32Array {
  let state = 1;
  return new Float32Array(count).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function noiseTensor(dims: readonly number[]): Tensor {
  return tensor("float32", dims, noise(dims.reduce((a, b) => a * b, 1)));
}

function build(
  inputDims: readonly number[],
  body: (g: GraphBuilder, x: Value) => Value,
  microsoft = false,
): ProbeModel {
  const g = graphBuilder();
  const x = g.input("x", "float32", inputDims);
  const y = body(g, x);
  const built = withOutput(g.build("probe"), y);
  const opsets = new Map([["", 21], ...(microsoft ? ([["com.microsoft", 1]] as const) : [])]);
  return { model: model(built, { opsets }), inputDims };
}

/** The builder knows no types, so the output is given one. */
function withOutput(graph: Graph, y: Value): Graph {
  const typed: Value = { ...y, type: { kind: "tensor", dtype: "float32" } };
  const nodes = graph.nodes.map((node) => ({ ...node, outputs: node.outputs.map((o) => (o === y ? typed : o)) }));
  return { ...graph, nodes, outputs: [typed] };
}

interface Product {
  readonly inputDims: readonly number[];
  readonly weightDims: readonly number[];
  readonly opType: "Conv" | "MatMul";
  readonly attributes: AttributesOf<"Conv">;
}

export const probeProducts = {
  conv: {
    inputDims: [1, CHANNELS, SIDE, SIDE],
    weightDims: [CHANNELS, CHANNELS, KERNEL, KERNEL],
    opType: "Conv",
    attributes: { kernel_shape: [KERNEL, KERNEL], pads: [1, 1, 1, 1] },
  },
  "conv 1x1": {
    inputDims: [1, CHANNELS, SIDE, SIDE],
    weightDims: [CHANNELS, CHANNELS, 1, 1],
    opType: "Conv",
    attributes: { kernel_shape: [1, 1] },
  },
  depthwise: {
    inputDims: [1, CHANNELS, SIDE, SIDE],
    weightDims: [CHANNELS, 1, KERNEL, KERNEL],
    opType: "Conv",
    attributes: { kernel_shape: [KERNEL, KERNEL], pads: [1, 1, 1, 1], group: CHANNELS },
  },
  "matmul of one row": { inputDims: [1, WIDTH], weightDims: [WIDTH, WIDTH], opType: "MatMul", attributes: {} },
  "matmul of 64 rows": { inputDims: [64, WIDTH], weightDims: [WIDTH, WIDTH], opType: "MatMul", attributes: {} },
} as const satisfies Record<string, Product>;

export type ProbeProduct = keyof typeof probeProducts;

function integers(dims: readonly number[], dtype: "int8" | "uint8"): Tensor {
  const count = dims.reduce((a, b) => a * b, 1);
  return tensorFromNumbers(
    dtype,
    dims,
    noise(count).map((value) => Math.round(value * 100) + (dtype === "uint8" ? 128 : 0)),
  );
}

export function floatProbe({ inputDims, weightDims, opType, attributes }: Product): ProbeModel {
  return build(inputDims, (g, x) => g.op(opType, [x, g.constant("w", noiseTensor(weightDims))], attributes));
}

export function staticProbe(
  { inputDims, weightDims, opType, attributes }: Product,
  weightType: "int8" | "uint8",
): ProbeModel {
  return build(inputDims, (g, x) => {
    const inputScale = g.constant("x_scale", scalar("float32", INPUT_SCALE));
    const inputZero = g.constant("x_zero", scalar("uint8", 128));
    const pair = (value: Value): Value =>
      g.op("DequantizeLinear", [g.op("QuantizeLinear", [value, inputScale, inputZero]), inputScale, inputZero]);
    const weight = g.op("DequantizeLinear", [
      g.constant("w", integers(weightDims, weightType)),
      g.constant("w_scale", scalar("float32", WEIGHT_SCALE)),
      g.constant("w_zero", scalar(weightType, weightType === "int8" ? 0 : 128)),
    ]);
    return pair(g.op(opType, [pair(x), weight], attributes));
  });
}

export function dynamicProbe(
  { inputDims, weightDims, opType, attributes }: Product,
  weightType: "int8" | "uint8",
): ProbeModel {
  return build(inputDims, (g, x) => {
    const [q, scale, zero] = g.ops("DynamicQuantizeLinear", [x], 3);
    const weight = g.constant("w", integers(weightDims, weightType));
    const weightZero = g.constant("w_zero", scalar(weightType, weightType === "int8" ? 0 : 128));
    const product = g.op(
      opType === "Conv" ? "ConvInteger" : "MatMulInteger",
      [q, weight, zero, weightZero],
      attributes,
    );
    const scales = g.op("Mul", [scale, g.constant("w_scale", scalar("float32", WEIGHT_SCALE))]);
    return g.op("Mul", [g.op("Cast", [product], { to: 1 }), scales]);
  });
}

export function weightOnlyProbe({ inputDims, weightDims, opType, attributes }: Product): ProbeModel {
  return build(inputDims, (g, x) => {
    const weight = g.op("DequantizeLinear", [
      g.constant("w", integers(weightDims, "int8")),
      g.constant("w_scale", scalar("float32", WEIGHT_SCALE)),
    ]);
    return g.op(opType, [x, weight], attributes);
  });
}

/** Level 4 computes on activations rounded to int8, level 0 in float32: the numbers differ, and the times by two orders of magnitude. */
export function nbitsProbe({ inputDims, weightDims }: Product, bits: WeightBits, accuracyLevel: 0 | 4): ProbeModel {
  const [columns = 0, rows = 0] = weightDims;
  const layout = { bits, size: 32, symmetric: true } as const;
  const { scale, zeroPoint } = blockParameters([-1, 1], layout);
  const top = 2 ** bits - 1;
  const blocks = emptyBlocks(rows, columns, layout);
  blocks.integers.set(noise(rows * columns).map((value) => Math.round(((value + 1) / 2) * top)));
  blocks.scales.fill(scale);
  blocks.zeroPoints.fill(zeroPoint);
  const { b, scales } = packForMatMulNBits(blocks);
  return build(
    inputDims,
    (g, x) => {
      const inputs = [x, g.constant("b", b), g.constant("scales", scales)];
      const attributes = {
        K: columns,
        N: rows,
        bits: storedBits(bits),
        block_size: layout.size,
        accuracy_level: accuracyLevel,
      };
      return g.op("com.microsoft::MatMulNBits", inputs, attributes);
    },
    true,
  );
}

export function float16Probe({ inputDims, weightDims, opType, attributes }: Product): ProbeModel {
  return build(inputDims, (g, x) => {
    const half = tensorFromNumbers("float16", weightDims, noise(weightDims.reduce((a, b) => a * b, 1)));
    const product = g.op(opType, [g.op("Cast", [x], { to: 10 }), g.constant("w", half)], attributes);
    return g.op("Cast", [product], { to: 1 });
  });
}
