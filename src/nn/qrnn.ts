/** @file The quasi-recurrent layer: Bradbury et al. (2016), arXiv:1611.01576: products over all times at once, and a recurrence without products of matrices. */
import type { Value } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import { fanInUniform, type Initialiser } from "./initialisers.ts";
import { type LinearScanForm, linearScan } from "./linear-scan.ts";
import { dimsOf, type Layers, lengthOf } from "./network.ts";

/** Which gates stand in the recurrence: f(orget), o(utput), i(nput). */
export type QrnnPooling = "f" | "fo" | "ifo";

export interface QrnnOptions {
  readonly hidden: number;
  /** Times that a gate sees, its own and those before; 2 by default. */
  readonly window?: number;
  /** `fo` by default, as in the paper. */
  readonly pooling?: QrnnPooling;
  /** How the recurrence is computed; `scan` by default, which is faster on one CPU. */
  readonly form?: LinearScanForm;
  /** Of weights and biases; uniform within 1/√(window·width) by default. */
  readonly weight?: Initialiser;
}

const qrnnOptionsNames: OptionNames<QrnnOptions> = {
  hidden: true,
  window: true,
  pooling: true,
  form: true,
  weight: true,
};

/**
 * [batch, time, width] of fixed time → [batch, time, hidden]. With X_t the last `window` inputs up to t, zeros before the first, oldest first:
 * z = tanh(X·W_z), f = σ(X·W_f), o = σ(X·W_o), i = σ(X·W_i), each with a bias, and
 *
 * - `f`: h_t = f_t·h_{t−1} + (1 − f_t)·z_t
 * - `fo`: c_t = f_t·c_{t−1} + (1 − f_t)·z_t, h_t = o_t·c_t
 * - `ifo`: c_t = f_t·c_{t−1} + i_t·z_t, h_t = o_t·c_t
 *
 * A large f keeps the state, as in the paper; in the `ForgetMult` of salesforce/pytorch-qrnn the same letter is 1 − f. The columns of the
 * weight are those of z, f, o and i, as many as there are.
 *
 * @throws UsageError for a window that is no number of times
 */
export function qrnn(n: Layers, x: Value, options: QrnnOptions): Value {
  const { hidden, window = 2, pooling = "fo", form = "scan", ...own } = checkOptions(options, qrnnOptionsNames);
  checkCount("the window of a QRNN", window);
  const gates = 1 + pooling.length;
  const fanIn = window * lengthOf(x, 2);
  const { weight = fanInUniform(fanIn) } = own;
  const product = n.matmul(windowsOf(n, x, window), n.parameter("weight", [fanIn, gates * hidden], weight));
  const shifted = n.add(product, n.parameter("bias", [gates * hidden], weight));
  const [z, ...raw] = n.ops("Split", [shifted], gates, { axis: -1, num_outputs: gates });
  const [forget, output, input] = raw.map((gate) => n.sigmoid(gate));
  const candidate = n.tanh(z as Value);
  const kept = forget as Value;
  const term = n.mul(input ?? n.sub(n.number(1), kept), candidate);
  const states = linearScan(n, kept, term, form);
  return output ? n.mul(output, states) : states;
}

/** [batch, time, width] → [batch, time, window·width]: the inputs of the last `window` times side by side, oldest first. */
function windowsOf(n: Layers, x: Value, window: number): Value {
  if (window === 1) return x;
  const length = lengthOf(x, 1);
  const padded = n.op("Pad", [x, n.ints([0, window - 1, 0, 0, 0, 0])]);
  const shifts = Array.from({ length: window }, (_, i) => n.slice(padded, [i], [i + length], [1]));
  return n.concat(shifts, dimsOf(x).length - 1);
}
