/** @file Quantized operators of com.microsoft: the float operator between dequantizing and quantizing. */
import { nth } from "../checked.ts";
import { floatOf, intOf } from "../ir/index.ts";
import { type Dense, isDense, numbers } from "./dense.ts";
import { elementwise, mapped, zipped } from "./elementwise.ts";
import { concatenated, normalAxis, transposed } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, optionalInput } from "./kernel.ts";
import { matmul, transposedLast } from "./matmul.ts";
import { poolings } from "./pool.ts";
import { dequantized, dynamicParameters, type Parameters, quantizations, quantized } from "./quant.ts";
import { softmaxes } from "./softmax.ts";

/** Per-tensor parameters from two inputs. */
function parameters(call: Call, at: number): Parameters {
  const zeroPoint = optionalInput(call, at + 1);
  return { scale: scalarOf(inputOf(call, at)), zeroPoint: zeroPoint && scalarOf(zeroPoint) };
}

function scalarOf(x: Dense): Dense {
  return numbers(x).length === 1 ? { ...x, dims: [] } : x;
}

/** The quantized array at input `at`, followed by its scale and zero point, as floats. */
function real(call: Call, at: number): Dense {
  return dequantized(inputOf(call, at), parameters(call, at + 1));
}

function requantized(call: Call, y: Dense, at: number, like: Dense): Dense {
  const target = parameters(call, at);
  return quantized(y, target, target.zeroPoint?.dtype ?? like.dtype, call.precision);
}

/** x, its parameters, the result's parameters, around a float kernel of one input. */
function around(kernel: Kernel): Kernel {
  return (call) => {
    const result = kernel({ ...call, inputs: [real(call, 0)] });
    const y = "length" in result ? result[0] : result;
    return isDense(y) ? requantized(call, y, 3, inputOf(call, 0)) : [];
  };
}

/** a, its parameters, b, its parameters, the result's parameters. */
function between(f: (a: number, b: number) => number): Kernel {
  return (call) => requantized(call, zipped(real(call, 0), real(call, 3), f), 6, inputOf(call, 0));
}

/** Averages over all places, the channels first or last. */
function globalAverage(call: Call): Dense {
  const last = intOf(call.node, "channels_last", 0) === 1;
  const x = real(call, 0);
  const rank = x.dims.length;
  const inner = [...x.dims.keys()].slice(1);
  const first = last ? transposed(x, [0, rank - 1, ...inner.slice(0, -1)]) : x;
  const y = poolings.GlobalAveragePool({ ...call, inputs: [first] }) as Dense;
  const back = last ? transposed(y, [0, ...inner.slice(1), 1]) : y;
  return requantized(call, back, 3, inputOf(call, 0));
}

/** The result's parameters first, then each part with its own. */
function concat(call: Call): Dense {
  const count = (call.inputs.length - 2) / 3;
  const parts = Array.from({ length: count }, (_, i) => real(call, 2 + 3 * i));
  const joined = concatenated(parts, normalAxis(intOf(call.node, "axis", 0), nth(parts, 0).dims.length));
  return requantized(call, joined, 0, inputOf(call, 2));
}

/** α·op(A)·op(B) + C with C in steps of α·scaleA·scaleB; floats come out when no scale for the result is given. */
function gemm(call: Call): Dense {
  const { node } = call;
  const turned = (x: Dense, flag: string): Dense => (intOf(node, flag, 0) ? transposedLast(x) : x);
  const alpha = floatOf(node, "alpha", 1);
  const b = inputOf(call, 3);
  const scaleB = parameters(call, 4);
  const columns = (v: Dense): Dense =>
    intOf(node, "transB", 0) && v.dims.length === 1 ? { ...v, dims: [nth(v.dims, 0), 1] } : v;
  const own = { scale: columns(scaleB.scale), zeroPoint: scaleB.zeroPoint && columns(scaleB.zeroPoint) };
  const product = mapped(
    matmul(turned(real(call, 0), "transA"), turned(dequantized(b, own), "transB")),
    (v) => v * alpha,
  );
  const c = optionalInput(call, 6);
  const step = zipped(scaleB.scale, parameters(call, 1).scale, (x, y) => alpha * x * y);
  const bias = c && zipped({ ...c, dtype: product.dtype }, step, (value, s) => value * s);
  const y = bias ? zipped(product, bias, (value, offset) => value + offset) : product;
  return optionalInput(call, 7) ? requantized(call, y, 7, inputOf(call, 0)) : y;
}

function withBias(y: Dense, bias: Dense | undefined): Dense {
  return bias ? zipped(y, bias, (value, offset) => value + offset) : y;
}

/** a, b, their scales, their zero points, bias. */
function matmulIntegerToFloat(call: Call): Dense {
  const operand = (i: number): Dense => {
    const zeroPoint = optionalInput(call, 4 + i);
    return dequantized(inputOf(call, i), {
      scale: scalarOf(inputOf(call, 2 + i)),
      zeroPoint: zeroPoint && scalarOf(zeroPoint),
    });
  };
  return withBias(matmul(operand(0), operand(1)), optionalInput(call, 6));
}

/** a in floats, quantized here to its range; b, its scale and zero point, bias. */
function dynamicQuantizeMatmul(call: Call): Dense {
  const a = inputOf(call, 0);
  const own = dynamicParameters(a, call.precision);
  const rounded = dequantized(quantized(a, own, "uint8", call.precision), own);
  const weights = dequantized(inputOf(call, 1), parameters(call, 2));
  return withBias(matmul(rounded, weights), optionalInput(call, 4));
}

const softmax: Kernel = around((call) => softmaxes.Softmax({ ...call, version: intOf(call.node, "opset", 13) }));

export const microsoftQuantized = {
  "com.microsoft::QuantizeLinear": quantizations.QuantizeLinear,
  "com.microsoft::DequantizeLinear": quantizations.DequantizeLinear,
  "com.microsoft::QLinearAdd": between((a, b) => a + b),
  "com.microsoft::QLinearMul": between((a, b) => a * b),
  "com.microsoft::QLinearSigmoid": around(elementwise.Sigmoid),
  "com.microsoft::QLinearLeakyRelu": around(elementwise.LeakyRelu),
  "com.microsoft::QLinearAveragePool": around(poolings.AveragePool),
  "com.microsoft::QLinearGlobalAveragePool": globalAverage,
  "com.microsoft::QLinearSoftmax": softmax,
  "com.microsoft::QLinearConcat": concat,
  "com.microsoft::QGemm": gemm,
  "com.microsoft::MatMulIntegerToFloat": matmulIntegerToFloat,
  "com.microsoft::DynamicQuantizeMatMul": dynamicQuantizeMatmul,
} satisfies Kernels;
