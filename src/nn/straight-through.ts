/**
 * @file Hard values with the gradient of soft ones: Bengio et al. (2013), arXiv:1308.3432. They are written as quantization, whose
 * gradient passes its rounding, so that a network with them is an ordinary ONNX graph.
 */
import { scalar, type Value } from "../ir/index.ts";
import type { Layers } from "./network.ts";

/** No weight comes near half of it, dividing by it does not round, and float16 holds it. */
const VANISHING = 2 ** 10;

/** Whole multiples of `step`, 256 in all from −`zero` of them on; the gradient is that of x within their range, and none beyond. */
export function inSteps(n: Layers, x: Value, step: number, zero: number): Value {
  const scheme = [n.number(step), n.constant("zero", scalar("uint8", zero))];
  return n.op("DequantizeLinear", [n.op("QuantizeLinear", [x, ...scheme]), ...scheme]);
}

/** `hard`, with the gradient of `soft` in the place of its own. Both have the same dims. */
export function straightThrough(n: Layers, hard: Value, soft: Value): Value {
  return n.add(hard, zeroWithSlope(n, n.sub(soft, hard)));
}

/** x without its gradient. */
export function detached(n: Layers, x: Value): Value {
  return n.sub(x, zeroWithSlope(n, x));
}

/**
 * +1 where x ≥ 0, −1 elsewhere, with the gradient of x where |x| ≤ 1 and none beyond: Hubara et al. (2016), arXiv:1602.02830. Zero counts
 * as positive.
 */
export function signOf(n: Layers, x: Value): Value {
  return n.add(plainSign(n, x), zeroWithSlope(n, gated(n, x)));
}

/** The same without a gradient. */
export function plainSign(n: Layers, x: Value): Value {
  return n.where(n.less(x, 0), -1, 1);
}

/** x within [−1, 1]; its gradient is that of x where |x| ≤ 1, and none beyond. */
export function gated(n: Layers, x: Value): Value {
  return n.op("Clip", [x, n.number(-1), n.number(1)]);
}

/** 0 for every x up to 512, with the gradient of x. */
export function zeroWithSlope(n: Layers, x: Value): Value {
  return inSteps(n, x, VANISHING, 128);
}
