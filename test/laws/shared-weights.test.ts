/** @file Weights that are used more than once, or that stand elsewhere than among the initializers: stored once, in every form. */
import { describe, expect, it } from "vitest";
import {
  allGraphs,
  byteLength,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  isSparse,
  literalOf,
  type Model,
  model,
  scalar,
  sizeOf,
  type Tensor,
  tensor,
  type Value,
} from "../../src/ir/index.ts";
import { type QuantizeOptions, quantize } from "../../src/quantize/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { withOwnIntegers } from "../../src/runtime/rules/own-integers.ts";
import { noise } from "../models.ts";
import { rawRun } from "../raw-runtime.ts";

const WIDTH = 64;

function filled(dims: readonly number[], seed: number, size = 0.25): Tensor {
  return tensor(
    "float32",
    dims,
    noise(sizeOf(dims), seed).map((value) => value * size),
  );
}

const square = (seed = 1) => filled([WIDTH, WIDTH], seed);

function literal(g: GraphBuilder, value: Tensor): Value {
  return g.op("Constant", [], { value });
}

/** A network of a hidden value; y is its result. */
function dense(body: (g: GraphBuilder, x: Value) => Value): Model {
  const g = graphBuilder();
  g.output(body(g, g.input("x", "float32", ["batch", WIDTH])), "y");
  return model(g.build());
}

function pictures(body: (g: GraphBuilder, x: Value) => Value): Model {
  const g = graphBuilder();
  g.output(body(g, g.input("x", "float32", ["batch", 16, 6, 6])), "y");
  return model(g.build());
}

const relu = (g: GraphBuilder, x: Value): Value => g.op("Relu", [x]);

interface Network {
  readonly make: () => Model;
  readonly bytes: number;
}

/** By name, with the float bytes of their distinct weights. */
const networks: Record<string, Network> = {
  "one weight of six products": {
    bytes: 4 * WIDTH ** 2,
    make: () =>
      dense((g, x) => {
        const w = g.constant("w", square());
        return [1, 2, 3, 4, 5, 6].reduce((h) => relu(g, g.op("MatMul", [h, w])), x);
      }),
  },
  "one kernel and one bias of three convolutions": {
    bytes: 4 * 16 * 16 * 9,
    make: () =>
      pictures((g, x) => {
        const inputs = [g.constant("w", filled([16, 16, 3, 3], 2)), g.constant("b", filled([16], 3))];
        return [1, 2, 3].reduce((h) => relu(g, g.op("Conv", [h, ...inputs], { pads: [1, 1, 1, 1] })), x);
      }),
  },
  "equal tensors under two names": {
    bytes: 4 * WIDTH ** 2,
    make: () =>
      dense((g, x) =>
        g.op("MatMul", [relu(g, g.op("MatMul", [x, g.constant("a", square())])), g.constant("b", square())]),
      ),
  },
  "a matrix, and the same through Gemm's transB and a bias": {
    bytes: 4 * WIDTH ** 2,
    make: () =>
      dense((g, x) => {
        const w = g.constant("w", square());
        const bias = [g.constant("b", filled([WIDTH], 4)), g.constant("c", filled([WIDTH], 5))];
        const first = g.op("Gemm", [x, w, bias[0]], { transB: 1 });
        return g.op("Gemm", [relu(g, first), w, bias[1]], { transB: 1 });
      }),
  },
  "weights in Constant nodes": {
    bytes: 4 * WIDTH ** 2,
    make: () =>
      dense((g, x) => {
        const w = literal(g, square());
        return g.op("MatMul", [relu(g, g.op("Add", [g.op("MatMul", [x, w]), literal(g, filled([WIDTH], 6))])), w]);
      }),
  },
  "a weight behind Identity and Reshape": {
    bytes: 4 * WIDTH ** 2,
    make: () =>
      dense((g, x) => {
        const flat = g.constant("w", filled([WIDTH ** 2], 1));
        const dims = literal(g, tensor("int64", [2], [WIDTH, -1]));
        const w = g.op("Identity", [g.op("Reshape", [flat, dims])]);
        return g.op("MatMul", [relu(g, g.op("MatMul", [x, w])), g.op("Reshape", [flat, dims])]);
      }),
  },
  "a weight that both branches capture": {
    bytes: 4 * WIDTH ** 2,
    make: () =>
      dense((g, x) => {
        const w = g.constant("w", square());
        const branch = (of: Value) => {
          const inner = g.subgraph();
          inner.output(inner.op("MatMul", [of, w]));
          return graphAttribute(inner.build("branch"));
        };
        const total = g.op("ReduceSum", [x], { keepdims: 0 });
        const zero = g.constant("zero", scalar("float32", 0));
        const negative = g.op("Neg", [x]);
        return g.op("If", [g.op("Greater", [total, zero])], { then_branch: branch(x), else_branch: branch(negative) });
      }),
  },
};

/** An embedding whose table is the last matrix, too. */
function tied(last: (g: GraphBuilder, h: Value, table: Value) => Value): Model {
  const g = graphBuilder();
  const table = g.constant("table", filled([4 * WIDTH, WIDTH], 7));
  const looked = g.op("Gather", [table, g.input("x", "int64", ["batch"])]);
  g.output(last(g, relu(g, looked), table), "y");
  return model(g.build());
}

Object.assign(networks, {
  "a table that is the last matrix, transposed": {
    bytes: 16 * WIDTH ** 2,
    make: () => tied((g, h, table) => g.op("MatMul", [h, g.op("Transpose", [table])])),
  },
  "a table that is the matrix of a Gemm": {
    bytes: 16 * WIDTH ** 2,
    make: () => tied((g, h, table) => g.op("Gemm", [h, table], { transB: 1 })),
  },
  "one set of weights of two LSTM layers": {
    bytes: 32 * WIDTH ** 2,
    make: () => {
      const g = graphBuilder();
      const weights = [filled([1, 4 * WIDTH, WIDTH], 8), filled([1, 4 * WIDTH, WIDTH], 9)];
      const inputs = weights.map((value) => g.constant("w", value));
      const axis = g.constant("axis", tensor("int64", [1], [1]));
      const layer = (x: Value): Value => g.op("Squeeze", [g.op("LSTM", [x, ...inputs], { hidden_size: WIDTH }), axis]);
      g.output(layer(layer(g.input("x", "float32", [5, "batch", WIDTH]))), "y");
      return model(g.build());
    },
  },
});

const isTable = (name: string): boolean => name.includes("table");
const isLstm = (name: string): boolean => name.includes("LSTM");
const isPicture = (name: string): boolean => name.includes("kernel");

function feedsOf(name: string, seed: number): Feeds {
  if (isTable(name)) return new Map([["x", tensor("int64", [4], [seed, 7, 2 * seed, 250])]]);
  if (isLstm(name)) return new Map([["x", filled([5, 4, WIDTH], seed, 2)]]);
  return new Map([["x", filled(isPicture(name) ? [4, 16, 6, 6] : [4, WIDTH], seed, 2)]]);
}

function storedBytes(of: Model): number {
  let bytes = 0;
  for (const { initializers, nodes } of allGraphs(of.graph)) {
    const held = [
      ...[...initializers.values()].flatMap((data) => (isSparse(data) ? [] : [data])),
      ...nodes.map(literalOf),
    ];
    for (const data of held) if (data) bytes += byteLength(data.dtype, sizeOf(data.dims));
  }
  return bytes;
}

/** As ONNX Runtime computes it without lithe around it. */
async function outputOf(of: Model, name: string, options = {}): Promise<Float32Array> {
  return Float32Array.from(await rawRun(of, feedsOf(name, 99), options));
}

function relativeError(expected: Float32Array, actual: Float32Array): number {
  const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(expected.map((value, i) => value - actual[i]!)) / norm(expected);
}

interface Form {
  readonly options: QuantizeOptions;
  /** Share of the float bytes that may be stored, and relative error. */
  readonly share: number;
  readonly error: number;
  /** Networks of which the form takes nothing. */
  readonly leaves?: (name: string) => boolean;
}

const isBranch = (name: string): boolean => name.includes("branches");

function formsFor(name: string): Record<string, Form> {
  const calibration = async function* (): AsyncGenerator<Feeds> {
    for (const seed of [1, 2, 99]) yield feedsOf(name, seed);
  };
  const data = { open: openSession, calibration };
  const isChain = name.startsWith("one") && !isLstm(name);
  const corrected = { rounding: "second-order", equalization: true } as const;
  return {
    static: { options: { form: "static", ...data }, share: 0.35, error: 0.06, leaves: isBranch },
    ...(isChain && {
      "static, second order": { options: { form: "static", ...data, ...corrected }, share: 0.35, error: 0.06 },
      "static, sequential": {
        options: { form: "static", ...data, ...corrected, sequential: true },
        share: 0.35,
        error: 0.06,
      },
    }),
    dynamic: { options: { form: "dynamic" }, share: 0.35, error: 0.06 },
    "weight-only, 8 bits": { options: { form: "weight-only", bits: 8 }, share: 0.35, error: 0.06, leaves: isPicture },
    "weight-only, 4 bits, second order": {
      options: { form: "weight-only", bits: 4, ...data, rounding: "second-order" },
      share: isTable(name) || isLstm(name) ? 0.35 : 0.25,
      error: 0.4,
      leaves: isPicture,
    },
    "weight-only, dequantized": {
      options: { form: "weight-only", bits: 8, format: "dequantize", convolutions: true },
      // Each branch has its own: the runtime looks for the integers of a product beside it. Lookups take rows, products blocks.
      share: isBranch(name) || isTable(name) ? 0.6 : 0.35,
      error: 0.06,
    },
    float16: { options: { form: "float16" }, share: 0.55, error: 0.005 },
  };
}

const weighted = new Set(["Conv", "Gemm", "LSTM", "MatMul"]);
const precise = { extra: { session: { x64quantprecision: "1" } } };

describe.each(Object.keys(networks))("%s", (name) => {
  const { make, bytes } = networks[name]!;
  const forms = formsFor(name);

  it.each(Object.keys(forms).filter((form) => !forms[form]!.leaves?.(name)))("is stored once: %s", async (form) => {
    const { options, share, error } = forms[form]!;
    const source = make();
    const { model: quantized, report } = await quantize(source, options);
    expect(report.layers.filter(({ quantized: is, opType }) => !is && weighted.has(opType))).toEqual([]);
    const twice = name.startsWith("equal") && form === "float16" ? 2 : 1;
    expect(storedBytes(quantized)).toBeLessThan(share * bytes * twice);
    const expected = await outputOf(source, name);
    expect(relativeError(expected, await outputOf(quantized, name))).toBeLessThan(error);
    expect(relativeError(expected, await outputOf(withOwnIntegers(quantized), name, precise))).toBeLessThan(error);
  });
});
