/** @file Small models that each give some pass something to do, or to leave alone. */
import {
  type DataType,
  type Dims,
  float,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  model,
  scalar,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../src/ir/index.ts";
import type { EveryPassName } from "../every-pass.ts";

/** Numbers between -1 and 1 that look random and are always the same. */
export function numbers(count: number, seed = 1): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const wave = Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 43758.5453;
    return 2 * (wave - Math.floor(wave)) - 1;
  });
}

export function floats(dims: readonly number[], seed = 1, dtype: DataType = "float32") {
  return tensorFromNumbers(
    dtype,
    dims,
    numbers(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
}

/** Positive numbers, for variances. */
function variances(channels: number) {
  return tensorFromNumbers(
    "float32",
    [channels],
    numbers(channels, 9).map((x) => 1.5 + x),
  );
}

interface Parts {
  readonly opset?: number;
  readonly irVersion?: number;
}

export function build(make: (g: GraphBuilder) => void, { opset = 21, irVersion = 10 }: Parts = {}): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build(), { opsets: new Map([["", opset]]), irVersion });
}

function input(g: GraphBuilder, ...dims: Dims) {
  return g.input("x", "float32", dims);
}

function batchNorm(g: GraphBuilder, x: ReturnType<typeof input>, channels: number) {
  const [scale, bias, mean] = [2, 3, 4].map((seed) => g.constant(`p${seed}`, floats([channels], seed)));
  return g.op("BatchNormalization", [x, scale, bias, mean, g.constant("variance", variances(channels))]);
}

export const graphs = {
  "identity inside and at the output": () =>
    build((g) => {
      const x = g.op("Identity", [input(g, 2, 3)]);
      g.output(g.op("Identity", [g.op("Relu", [x])]), "y");
    }),
  "identity between input and output": () => build((g) => g.output(g.op("Identity", [input(g, 2, 3)]), "y")),
  "dropout at inference": () =>
    build((g) => {
      const ratio = g.constant("ratio", tensor("float32", [], [0.5]));
      const [y] = g.ops("Dropout", [g.op("Relu", [input(g, 4)]), ratio], 2);
      g.output(g.op("Neg", [y]), "y");
    }),
  "a sign with the gradient of its input": () =>
    build((g) => {
      const x = input(g, 4);
      const number = (value: number) => g.constant("number", scalar("float32", value));
      const scheme = [number(1024), g.constant("zero", scalar("uint8", 128))];
      const hard = g.op("Where", [g.op("Less", [x, number(0)]), number(-1), number(1)]);
      const soft = g.op("Clip", [x, number(-1), number(1)]);
      const zeros = g.op("DequantizeLinear", [g.op("QuantizeLinear", [soft, ...scheme]), ...scheme]);
      g.output(g.op("Add", [hard, zeros]), "y");
    }),
  "a range up to a vector of one element": () =>
    build((g) => {
      const x = input(g, "N", 4);
      const [one, two] = [1, 2].map((bound) => g.constant("bound", int64s([bound])));
      const length = g.op("Slice", [g.op("Shape", [x]), one, two]);
      const [zero, step] = [0, 1].map((number) => g.constant("number", scalar("int64", number)));
      g.output(g.op("Add", [x, g.op("Cast", [g.op("Range", [zero, length, step])], { to: 1 })]), "y");
    }),
  "reshapes in a chain": () =>
    build((g) => {
      const flat = g.op("Flatten", [input(g, 2, 3, 4)]);
      const wide = g.op("Reshape", [flat, g.constant("wide", int64s([4, 6]))]);
      g.output(g.op("Reshape", [wide, g.constant("back", int64s([2, 3, 4]))]), "y");
    }),
  "squeeze of unsqueeze": () =>
    build((g) => {
      const axes = g.constant("axes", int64s([1]));
      g.output(g.op("Squeeze", [g.op("Unsqueeze", [input(g, "n", 3), axes]), axes]), "y");
    }),
  "transposes in a chain": () =>
    build((g) => {
      const first = g.op("Transpose", [input(g, 2, 3, 4)], { perm: [1, 2, 0] });
      const second = g.op("Transpose", [first], { perm: [1, 2, 0] });
      g.output(second, "once");
      g.output(g.op("Transpose", [second], { perm: [1, 2, 0] }), "back");
    }),
  "casts there and back": () =>
    build((g) => {
      const x = input(g, 5);
      const wide = g.op("Cast", [x], { to: 11 });
      g.output(g.op("Cast", [wide], { to: 1 }), "same");
      g.output(g.op("Cast", [g.op("Cast", [x], { to: 10 })], { to: 1 }), "rounded");
    }),
  "neutral constants": () =>
    build((g) => {
      const x = input(g, 2, 3);
      const one = g.constant("one", tensor("float32", [1], [1]));
      const minusZero = g.constant("minus_zero", tensor("float32", [], new Float32Array([-0])));
      const zero = g.constant("zero", tensor("float32", [], [0]));
      const sum = g.op("Add", [g.op("Mul", [one, x]), minusZero]);
      g.output(g.op("Neg", [g.op("Sub", [g.op("Div", [sum, one]), zero])]), "y");
      g.output(g.op("Add", [x, zero]), "plus_zero");
      g.output(g.op("Mul", [x, g.constant("taller", tensor("float32", [2, 1, 1], [1, 1]))]), "taller_one");
    }),
  "empty pads, full slices, joins of one": () =>
    build((g) => {
      const pads = g.constant("pads", int64s([0, 0, 0, 0]));
      const padded = g.op("Pad", [input(g, 2, 3), pads]);
      const bounds = [int64s([0]), int64s([2 ** 31 - 1]), int64s([1])].map((t, i) => g.constant(`b${i}`, t));
      const sliced = g.op("Slice", [padded, ...bounds]);
      const joined = g.op("Concat", [sliced], { axis: 0 });
      const tiled = g.op("Tile", [joined, g.constant("once", int64s([1, 1]))]);
      const expanded = g.op("Expand", [tiled, g.constant("dims", int64s([2, 3]))]);
      g.output(g.op("Relu", [expanded]), "y");
    }),
  "windows that round up, and padding left to be worked out": () =>
    build((g) => {
      const x = g.input("x", "float32", [1, 1, 5, 5]);
      g.output(
        g.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [3, 3], pads: [0, 0, 1, 1], ceil_mode: 1 }),
        "cut",
      );
      const counted = { kernel_shape: [2, 2], strides: [3, 2], pads: [1, 0, 1, 0], ceil_mode: 1, count_include_pad: 1 };
      g.output(g.op("AveragePool", [x], counted), "counted");
      const w = g.constant("w", floats([1, 1, 2, 2]));
      g.output(
        g.op("ConvTranspose", [x, w], { auto_pad: "SAME_LOWER", strides: [2, 3], output_padding: [1, 1] }),
        "same",
      );
    }),
  "the same twice": () =>
    build((g) => {
      const x = input(g, 3, 4);
      const again = (name: string) => g.op("MatMul", [x, g.constant(name, floats([4, 2]))]);
      const [a, b] = [g.op("Exp", [x]), g.op("Exp", [x])];
      g.output(g.op("Add", [g.op("Sigmoid", [a]), g.op("Sigmoid", [b])]), "y");
      g.output(g.op("Sub", [again("w"), again("v")]), "z");
      const ones = [1, 2].map((i) => g.constant(`axis${i}`, int64s([1])));
      g.output(g.op("Add", [g.op("Unsqueeze", [x, ones[0]]), g.op("Unsqueeze", [x, ones[1]])]), "w2");
    }),
  "nodes and constants that nobody reads": () =>
    build((g) => {
      const x = input(g, 1, 2, 6, 6);
      g.input("unread", "float32", [1]);
      g.op("Exp", [g.op("Neg", [x])]);
      g.constant("lost", floats([7]));
      const [pooled] = g.ops("MaxPool", [x], 2, { kernel_shape: [2, 2] });
      g.output(pooled, "y");
    }),
  "constants to fold": () =>
    build((g) => {
      const x = input(g, "n", 3, 4);
      const w = g.op("Mul", [g.constant("a", floats([4])), g.constant("b", floats([4], 2))]);
      const literal = g.op("Constant", [], { value: tensor("float32", [4], [1, 2, 3, 4]) });
      g.output(g.op("Add", [g.op("Mul", [x, w]), literal]), "y");
      g.output(g.op("Exp", [w]), "constant_output");
    }),
  "shapes to fold": () =>
    build((g) => {
      const x = input(g, 2, 3, 4);
      const dims = g.op("Shape", [x]);
      const zero = g.constant("zero", int64s([0]));
      const rows = g.op("Gather", [dims, zero]);
      const target = g.op("Concat", [rows, g.constant("rest", int64s([-1]))], { axis: 0 });
      g.output(g.op("Reshape", [x, target]), "y");
    }),
  "quantized weights": () =>
    build((g) => {
      const scale = g.constant("scale", tensor("float32", [], [0.1]));
      const zero = g.constant("zero", tensor("int8", [], [0]));
      const w = g.constant("w", tensor("int8", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]));
      const x = g.op("DequantizeLinear", [g.op("QuantizeLinear", [input(g, 3, 4), scale, zero]), scale, zero]);
      g.output(g.op("MatMul", [x, g.op("DequantizeLinear", [w, scale, zero])]), "y");
    }),
  "convolution and batch normalization": () =>
    build((g) => {
      const w = g.constant("w", floats([4, 2, 3, 3]));
      const y = g.op("Conv", [input(g, 1, 4, 5, 5), w], { group: 2, pads: [1, 1, 1, 1] });
      g.output(batchNorm(g, y, 4), "y");
    }),
  "transposed convolution and batch normalization": () =>
    build((g) => {
      const inputs = [input(g, 1, 4, 3, 3), g.constant("w", floats([4, 3, 2, 2])), g.constant("b", floats([6], 5))];
      g.output(batchNorm(g, g.op("ConvTranspose", inputs, { group: 2, strides: [2, 2] }), 6), "y");
    }),
  "gemm and batch normalization": () =>
    build((g) => {
      const inputs = [input(g, 3, 4), g.constant("w", floats([5, 4])), g.constant("b", floats([1, 5], 5))];
      const attributes = {
        transB: 1,
        alpha: { type: "float", value: 0.5 },
        beta: { type: "float", value: 2 },
      } as const;
      g.output(batchNorm(g, g.op("Gemm", inputs, attributes), 5), "y");
    }),
  "batch normalization before a convolution": () =>
    build((g) => {
      const x = batchNorm(g, input(g, 1, 4, 5, 5), 4);
      g.output(g.op("Conv", [x, g.constant("w", floats([6, 2, 3, 3]))], { group: 2 }), "y");
    }),
  "batch normalization before a padded convolution": () =>
    build((g) => {
      const x = batchNorm(g, input(g, 1, 4, 5, 5), 4);
      g.output(g.op("Conv", [x, g.constant("w", floats([6, 4, 3, 3]))], { pads: [1, 1, 1, 1] }), "y");
    }),
  "batch normalization before gemm": () =>
    build((g) => {
      const x = batchNorm(g, input(g, 3, 4), 4);
      const attributes = { alpha: { type: "float", value: 0.5 }, beta: { type: "float", value: 2 } } as const;
      g.output(g.op("Gemm", [x, g.constant("w", floats([4, 5])), g.constant("c", floats([5], 6))], attributes), "y");
    }),
  "factors and shifts after linear operators": () =>
    build((g) => {
      const conv = g.op("Conv", [input(g, 1, 2, 4, 4), g.constant("w", floats([3, 2, 2, 2]))]);
      const shifted = g.op("Add", [g.constant("shift", floats([3, 1, 1], 2)), conv]);
      g.output(
        g.op("Div", [
          g.op("Mul", [shifted, g.constant("two", tensor("float32", [1], [2]))]),
          g.constant("f", floats([1, 3, 1, 1], 3)),
        ]),
        "y",
      );
      const gemm = g.op("Gemm", [g.input("z", "float32", [2, 4]), g.constant("v", floats([4, 3]))]);
      g.output(g.op("Sub", [gemm, g.constant("row_shift", floats([3], 4))]), "row");
      const other = g.op("Gemm", [g.input("u", "float32", [3, 4]), g.constant("v2", floats([4, 3]))]);
      g.output(g.op("Sub", [g.constant("left", floats([3], 4)), other]), "from_the_left");
      const columns = g.op("Gemm", [g.input("t", "float32", [3, 4]), g.constant("v3", floats([4, 3]))]);
      g.output(g.op("Add", [columns, g.constant("column_shift", floats([3, 1], 4))]), "column");
    }),
  "pads before windows": () =>
    build((g) => {
      const pads = g.constant("pads", int64s([0, 0, 1, 0, 0, 0, 1, 2]));
      const padded = g.op("Pad", [input(g, 1, 2, 5, 5), pads]);
      const w = g.constant("w", floats([3, 2, 3, 3]));
      g.output(g.op("Conv", [padded, w], { pads: [0, 1, 0, 1] }), "conv");
      g.output(g.op("AveragePool", [padded], { kernel_shape: [3, 3] }), "average");
      g.output(g.op("MaxPool", [padded], { kernel_shape: [3, 3] }), "maximum");
    }),
  "products and sums": () =>
    build((g) => {
      const x = input(g, "n", 4);
      const y = g.op("Add", [g.op("MatMul", [x, g.constant("w", floats([4, 3]))]), g.constant("b", floats([3]))]);
      g.output(
        g.op("Add", [g.constant("c", floats([1, 3])), g.op("MatMul", [y, g.constant("v", floats([3, 3]))])]),
        "y",
      );
      g.output(
        g.op("Add", [g.op("MatMul", [x, g.constant("u", floats([4, 3]))]), g.constant("d", floats([2, 1, 3]))]),
        "z",
      );
    }),
  "what WebGPU lacks": () =>
    build((g) => {
      const x = input(g, "n", 3, 2, 2);
      const parts = [2, 3, 4].map((seed) => g.constant(`p${seed}`, floats([3], seed)));
      const statistics = [...parts, g.constant("variance", variances(3))];
      const over = { training_mode: 1, momentum: float(0.75) };
      const [y, mean, variance] = g.ops("BatchNormalization", [x, ...statistics], 3, over);
      const signs = g.op("Sign", [y]);
      const sums = g.op("Sum", [g.op("Selu", [y]), g.op("Softsign", [y]), signs]);
      const zero = g.constant("zero", floats([1]));
      const flags = ["Greater", "Less"].map((opType, i) => g.unchecked(opType, [[y, sums][i], zero], 1)[0]);
      g.output(g.op("LogSoftmax", [g.op("Mean", [sums, y])], { axis: 1 }), "y");
      g.output(mean, "next mean");
      g.output(variance, "next variance");
      g.output(g.op("Or", flags), "or");
      g.output(g.op("Xor", flags), "xor");
    }),
  "branches that capture": () =>
    build((g) => {
      const x = input(g, 2, 3);
      const kept = g.op("Identity", [x]);
      const w = g.constant("w", floats([3]));
      const branch = (op: string) => {
        const inner = g.subgraph();
        const y = inner.op("Identity", [inner.unchecked(op, [kept, inner.op("Identity", [w])], 1)[0]]);
        inner.output(y);
        return graphAttribute(inner.build(op));
      };
      const total = g.op("ReduceSum", [x], { keepdims: 0 });
      const condition = g.op("Greater", [total, g.constant("zero", tensor("float32", [], [0]))]);
      const branches = { then_branch: branch("Add"), else_branch: branch("Mul") };
      g.output(g.op("Identity", [g.op("If", [condition], branches)]), "y");
    }),
  "branches that are always taken": () =>
    build((g) => {
      const x = input(g, 2, 3);
      const [yes, no] = [true, false].map((truth) => g.constant(`${truth}`, tensor("bool", [], [truth ? 1 : 0])));
      const branch = (seed: number, make: (inner: GraphBuilder, w: Value) => Value) => {
        const inner = g.subgraph();
        const built = make(inner, inner.constant("w", floats([3], seed)));
        return graphAttribute({ ...inner.build(`branch ${seed}`), outputs: [built] });
      };
      const nested = branch(1, (inner, w) => {
        const branches = {
          then_branch: branch(2, (deep, v) => deep.op("Mul", [x, v])),
          else_branch: branch(3, (deep, v) => deep.op("Add", [deep.op("Sub", [x, v]), w])),
        };
        return inner.op("Relu", [inner.op("If", [no!], branches)]);
      });
      const captured = branch(4, () => x);
      const constant = branch(5, (_, w) => w);
      const first = g.op("If", [yes!], { then_branch: nested, else_branch: captured });
      const second = g.op("If", [no!], { then_branch: constant, else_branch: captured });
      g.output(g.op("Add", [first, second]), "y");
      g.output(g.op("If", [yes!], { then_branch: constant, else_branch: nested }), "z");
    }),
  "branches with a sum": () =>
    build((g) => {
      const x = input(g, "n", 4);
      const branch = (seed: number) => {
        const [w, v] = [g.constant("w", floats([4, 6], seed)), g.constant("v", floats([6, 4], seed + 1))];
        const hidden = g.op("Relu", [g.op("Add", [g.op("MatMul", [x, w]), g.constant("b", floats([6], seed + 2))])]);
        return g.op("MatMul", [hidden, v]);
      };
      g.output(g.op("Add", [g.op("Add", [x, branch(1)]), branch(4)]), "y");
    }),
  "convolutional branches with an operator in the middle that has no rule": () =>
    build((g) => {
      const x = input(g, 2, 2, 5, 5);
      const axis = g.constant("axis", tensor("int64", [], [3]));
      const branch = (seed: number) => {
        const first = g.op("Conv", [x, g.constant("w", floats([3, 2, 3, 3], seed))], { pads: [1, 1, 1, 1] });
        const running = g.op("CumSum", [g.op("Tanh", [first]), axis]);
        return g.op("Conv", [running, g.constant("v", floats([2, 3, 1, 1], seed + 1))]);
      };
      g.output(g.op("Sum", [branch(1), branch(3), branch(5)]), "y");
    }),
  "float16 inside": () =>
    build((g) => {
      const x = input(g, 2, 3);
      const half = g.op("Cast", [x], { to: 10 });
      const w = g.constant("w", floats([3, 4], 2, "float16"));
      const filled = g.op("ConstantOfShape", [g.constant("dims", int64s([4]))], { value: floats([1], 3, "float16") });
      g.output(g.op("Cast", [g.op("Add", [g.op("MatMul", [half, w]), filled])], { to: 1 }), "y");
      g.output(g.op("MatMul", [half, w]), "half");
    }),
  "opset 6: broadcasting with an axis": () =>
    build(
      (g) => {
        const x = input(g, 2, 3, 4, 5);
        const b = g.constant("b", floats([3, 4]));
        const y = g.unchecked("Add", [x, b], 1, { broadcast: 1, axis: 1 })[0];
        g.output(g.op("PRelu", [y, g.constant("slope", floats([3]))]), "y");
      },
      { opset: 6, irVersion: 4 },
    ),
  "opset 9: attributes that became inputs": () =>
    build(
      (g) => {
        const x = input(g, 1, 2, 4, 4);
        const clipped = g.unchecked("Clip", [x], 1, {
          min: { type: "float", value: -0.5 },
          max: { type: "float", value: 0.25 },
        })[0];
        const padded = g.unchecked("Pad", [clipped], 1, {
          pads: [0, 0, 1, 1, 0, 0, 1, 1],
          value: { type: "float", value: 2 },
        })[0];
        const sliced = g.unchecked("Slice", [padded], 1, { starts: [1, 0], ends: [5, 6], axes: [2, 3] })[0];
        const squeezed = g.unchecked("Squeeze", [g.unchecked("Unsqueeze", [sliced], 1, { axes: [0] })[0]], 1, {
          axes: [0],
        })[0];
        const [left, right] = g.unchecked("Split", [squeezed], 2, { axis: 3, split: [2, 4] });
        g.output(g.unchecked("ReduceSum", [left], 1, { axes: [1] })[0], "sum");
        g.output(g.unchecked("ReduceMean", [right], 1, { axes: [2, 3], keepdims: 0 })[0], "mean");
      },
      { opset: 9, irVersion: 4 },
    ),
  "opset 11: softmax over a matrix": () =>
    build(
      (g) => {
        const x = input(g, 2, 3, 4);
        g.output(g.op("Softmax", [x]), "flattened");
        g.output(g.op("Softmax", [x], { axis: 2 }), "last");
        g.output(g.op("LogSoftmax", [x], { axis: -1 }), "minus_one");
        g.output(g.op("Hardmax", [x], { axis: 0 }), "all");
      },
      { opset: 11, irVersion: 6 },
    ),
  "opset 17: reductions and even splits": () =>
    build(
      (g) => {
        const x = input(g, 2, 3, 4);
        g.output(g.unchecked("ReduceMax", [x], 1, { axes: [-1] })[0], "max");
        g.output(g.op("ReduceL2", [x]), "norm");
        for (const [i, part] of g.ops("Split", [x], 2, { axis: 2 }).entries()) g.output(part, `part${i}`);
      },
      { opset: 17, irVersion: 8 },
    ),
  "opset 22: the same definitions": () =>
    build((g) => g.output(g.op("Cast", [g.op("Elu", [input(g, 3)])], { to: 11 }), "y"), { opset: 22 }),
  "IR version 3: weights among the inputs": () => {
    const whole = build((g) => g.output(g.op("MatMul", [input(g, 3, 4), g.constant("w", floats([4, 2]))]), "y"), {
      opset: 8,
      irVersion: 3,
    });
    const inputs = [...whole.graph.inputs, ...whole.graph.initializers.keys()];
    return { ...whole, graph: { ...whole.graph, inputs } };
  },
} satisfies Record<string, () => Model>;

/** On which graphs the golden texts show each pass. */
export const shownOn = {
  "upgrade-opset": [
    "opset 6: broadcasting with an axis",
    "opset 9: attributes that became inputs",
    "opset 11: softmax over a matrix",
  ],
  "freeze-initializers": ["IR version 3: weights among the inputs"],
  "infer-shapes": ["reshapes in a chain"],
  "squeeze-scalars": ["a range up to a vector of one element"],
  "fold-constants": ["constants to fold", "shapes to fold", "quantized weights"],
  "store-constants": ["constants to fold"],
  "eliminate-identity": ["identity inside and at the output", "branches that capture"],
  "eliminate-dropout": ["dropout at inference"],
  "settle-straight-through": ["a sign with the gradient of its input"],
  "inline-branches": ["branches that are always taken", "branches that capture"],
  "eliminate-noop": ["transposes in a chain", "neutral constants", "casts there and back"],
  "eliminate-common-subexpressions": ["the same twice"],
  "eliminate-dead-nodes": ["nodes and constants that nobody reads"],
  "explicit-windows": ["windows that round up, and padding left to be worked out"],
  "fuse-batchnorm": ["convolution and batch normalization", "batch normalization before gemm"],
  "fuse-affine": ["factors and shifts after linear operators"],
  "fuse-pad": ["pads before windows"],
  "fuse-matmul-add": ["products and sums"],
  "fuse-branches": ["branches with a sum", "convolutional branches with an operator in the middle that has no rule"],
  "roll-branches": ["branches with a sum"],
  "lower-portable": ["what WebGPU lacks"],
  "convert-float16": ["branches that capture", "products and sums"],
  "convert-float32": ["float16 inside"],
  cleanup: ["opset 9: attributes that became inputs", "branches that capture", "branches that are always taken"],
} satisfies Record<EveryPassName, readonly (keyof typeof graphs)[]>;
