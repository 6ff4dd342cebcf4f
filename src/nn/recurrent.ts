/** @file Recurrent layers over [batch, time, width], as ONNX's own operators. */
import type { AttributesOf, Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { fanInUniform, type Initialiser } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";

export interface RecurrentOptions {
  readonly hidden: number;
  /** Reads the sequence in both directions; the results stand side by side. */
  readonly bidirectional?: boolean;
  /** Of all weights and biases; uniform within 1/√hidden by default, as in PyTorch. */
  readonly weight?: Initialiser;
}

const recurrentOptionsNames: OptionNames<RecurrentOptions> = { hidden: true, bidirectional: true, weight: true };

/** h ← tanh(W·x + R·h + b): Elman (1990). → [batch, time, hidden], or 2·hidden when bidirectional. */
export function rnn(n: Layers, x: Value, options: RecurrentOptions): Value {
  checkOptions(options, recurrentOptionsNames);
  return recurrent(n, x, "RNN", 1, options);
}

/** A gated recurrent unit: Cho et al. (2014), arXiv:1406.1078, reset after the product as in PyTorch. Dims as of `rnn`. */
export function gru(n: Layers, x: Value, options: RecurrentOptions): Value {
  checkOptions(options, recurrentOptionsNames);
  return recurrent(n, x, "GRU", 3, options, { linear_before_reset: 1 });
}

/** Long short-term memory with a forget gate: Gers et al. (2000). Dims as of `rnn`. */
export function lstm(n: Layers, x: Value, options: RecurrentOptions): Value {
  checkOptions(options, recurrentOptionsNames);
  return recurrent(n, x, "LSTM", 4, options);
}

function recurrent(
  n: Layers,
  x: Value,
  opType: "RNN" | "GRU" | "LSTM",
  gates: number,
  { hidden, bidirectional = false, weight = fanInUniform(hidden) }: RecurrentOptions,
  attributes: Pick<AttributesOf<"GRU">, "linear_before_reset"> = {},
): Value {
  const directions = bidirectional ? 2 : 1;
  const parameters = [
    n.parameter("weight", [directions, gates * hidden, lengthOf(x, 2)], weight),
    n.parameter("recurrent_weight", [directions, gates * hidden, hidden], weight),
    n.parameter("bias", [directions, 2 * gates * hidden], weight),
  ];
  const steps = n.transpose(x, [1, 0, 2]);
  const direction = bidirectional ? "bidirectional" : "forward";
  // [time, directions, batch, hidden]
  const states = n.op(opType, [steps, ...parameters], { hidden_size: hidden, direction, ...attributes });
  const rows = n.transpose(states, [2, 0, 1, 3]);
  return n.reshape(rows, [0, 0, directions * hidden]);
}
