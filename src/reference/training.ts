/** @file The optimizers of ai.onnx.preview.training. Inputs are R, T, then all tensors, all gradients, all states. */
import { atLeast, nth } from "../checked.ts";
import { floatOf, stringOf } from "../ir/index.ts";
import { type Dense, dense, numbers } from "./dense.ts";
import { type Call, inputOf, type Kernel, type Kernels, scalarInput } from "./kernel.ts";

/** New values of one element: x, then its states. */
type Update = (x: number, gradient: number, states: readonly number[]) => readonly number[];

/** Applies an update with `states` states to every element of every tensor. */
function optimizer(states: number, make: (call: Call, rate: number, step: number) => Update): Kernel {
  return (call) => {
    const update = make(call, scalarInput(call, 0, 0), scalarInput(call, 1, 0));
    const decay = floatOf(call.node, "norm_coefficient", 0);
    const tensors = (call.inputs.length - 2) / (2 + states);
    const outputs: Dense[] = [];
    for (let i = 0; i < tensors; i++) {
      const [x, gradient, ...held] = atLeast(
        Array.from({ length: 2 + states }, (_, k) => inputOf(call, 2 + k * tensors + i)),
        2,
      );
      const old = [x, ...held].map(numbers);
      const fresh = old.map((values) => new Float64Array(values.length));
      numbers(gradient).forEach((g, at) => {
        const regularized = decay * nth(old, 0)[at]! + g;
        const results = update(
          nth(old, 0)[at]!,
          regularized,
          old.slice(1).map((values) => values[at]!),
        );
        results.forEach((value, k) => {
          nth(fresh, k)[at] = value;
        });
      });
      fresh.forEach((values, k) => {
        outputs[k * tensors + i] = dense(x.dtype, x.dims, values);
      });
    }
    return outputs;
  };
}

const adagrad = optimizer(1, ({ node }, rate, step) => {
  const r = rate / (1 + step * floatOf(node, "decay_factor", 0));
  const epsilon = floatOf(node, "epsilon", 1e-6);
  return (x, g, [h]) => {
    const next = h! + g * g;
    return [x - (r * g) / (Math.sqrt(next) + epsilon), next];
  };
});

const adam = optimizer(2, ({ node }, rate, step) => {
  const [alpha, beta] = [floatOf(node, "alpha", 0.9), floatOf(node, "beta", 0.999)];
  const epsilon = floatOf(node, "epsilon", 1e-6);
  const shrink = 1 - floatOf(node, "norm_coefficient_post", 0);
  const r = step > 0 ? (rate * Math.sqrt(1 - beta ** step)) / (1 - alpha ** step) : rate;
  return (x, g, [v, h]) => {
    const mean = alpha * v! + (1 - alpha) * g;
    const square = beta * h! + (1 - beta) * g * g;
    return [shrink * (x - (r * mean) / (Math.sqrt(square) + epsilon)), mean, square];
  };
});

const momentum = optimizer(1, ({ node }, rate, step) => {
  const alpha = floatOf(node, "alpha", 0);
  const beta = step > 0 ? floatOf(node, "beta", 1) : 1;
  const nesterov = stringOf(node, "mode") === "nesterov";
  return (x, g, [v]) => {
    const next = alpha * v! + beta * g;
    return [x - rate * (nesterov ? g + alpha * next : next), next];
  };
});

export const optimizers = {
  "ai.onnx.preview.training::Adagrad": adagrad,
  "ai.onnx.preview.training::Adam": adam,
  "ai.onnx.preview.training::Momentum": momentum,
} satisfies Kernels;
