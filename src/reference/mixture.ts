/** @file The mixture of experts of com.microsoft: two linear layers for each of the k best experts of a row. */
import { lastOf } from "../checked.ts";
import { floatOf, intOf, stringOf } from "../ir/index.ts";
import { type Dense, dense, numbers } from "./dense.ts";
import { geluTanh, type Unary } from "./elementwise.ts";
import { type Call, inputOf, type Kernels, optionalInput, unsupported } from "./kernel.ts";

const activations: Readonly<Record<string, Unary>> = {
  relu: (x) => Math.max(0, x),
  gelu: geluTanh,
  silu: (x) => x / (1 + Math.exp(-x)),
  identity: (x) => x,
};

interface Share {
  readonly expert: number;
  readonly weight: number;
}

/** The k best of a softmax over the scores, divided by their sum where that is asked for. */
function sharesOf(scores: Float64Array, k: number, normalised: boolean): Share[] {
  const most = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(score - most));
  const order = [...powers.keys()].sort((a, b) => powers[b]! - powers[a]!).slice(0, k);
  const counted = normalised ? order : [...powers.keys()];
  const sum = counted.reduce((total, expert) => total + powers[expert]!, 0);
  return order.map((expert) => ({ expert, weight: powers[expert]! / sum }));
}

/** x·Wᵀ + b with the weights [experts, outputs, inputs] of one expert. */
function affine(x: Float64Array, weights: Dense, bias: Dense | undefined, expert: number): Float64Array {
  const [, outputs = 0, inputs = 0] = weights.dims;
  const values = numbers(weights);
  const biases = bias && numbers(bias);
  return new Float64Array(outputs).map((_, o) => {
    const row = (expert * outputs + o) * inputs;
    return x.reduce((sum, value, i) => sum + value * values[row + i]!, biases?.[expert * outputs + o] ?? 0);
  });
}

function mixture(call: Call): Dense {
  const { node } = call;
  const activation = activations[stringOf(node, "activation_type", "relu")];
  if (!activation || call.inputs[6] || floatOf(node, "swiglu_limit") !== undefined) {
    throw unsupported(call, "a gated mixture");
  }
  const x = inputOf(call, 0);
  const router = inputOf(call, 1);
  const [rows = 0, experts = 0] = router.dims;
  const width = lastOf(x.dims);
  const [first, second] = [inputOf(call, 2), inputOf(call, 4)];
  const [values, scores] = [numbers(x), numbers(router)];
  const result = new Float64Array(values.length);
  for (let row = 0; row < rows; row++) {
    const token = values.subarray(row * width, (row + 1) * width);
    const own = scores.subarray(row * experts, (row + 1) * experts);
    for (const { expert, weight } of sharesOf(
      own,
      intOf(node, "k", 1),
      intOf(node, "normalize_routing_weights", 0) === 1,
    )) {
      const hidden = affine(token, first, optionalInput(call, 3), expert).map(activation);
      const answer = affine(hidden, second, optionalInput(call, 5), expert);
      for (const [i, value] of answer.entries()) result[row * width + i]! += weight * value;
    }
  }
  return dense(x.dtype, x.dims, result);
}

export const mixtures = { "com.microsoft::MoE": mixture } satisfies Kernels;
