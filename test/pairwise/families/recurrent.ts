/** @file LSTM, GRU and RNN. */
import { family, type PairInput, plain, whole } from "../family.ts";

const shared = {
  direction: [undefined, "forward", "reverse", "bidirectional"],
  layout: [undefined, 0],
  clip: [undefined, 0.4],
  bias: [false, true],
  lengths: [undefined, "full", "short"],
  initial: [false, true],
  outputs: [1, 2],
  time: [1, 4],
  batch: [1, 2],
  opset: [7, 14, 21],
} as const;

type Pick = { readonly [K in keyof typeof shared]: (typeof shared)[K][number] };

function recurrent(
  gates: number,
  { direction, layout, bias, lengths, initial, time, batch, opset }: Pick,
  states: number,
): (PairInput | undefined)[] | undefined {
  if (layout !== undefined && opset < 14) return undefined;
  const directions = direction === "bidirectional" ? 2 : 1;
  const [features, hidden] = [3, 2];
  const half = (...dims: number[]): PairInput => ({ dims, low: -0.7, high: 0.7 });
  const counts = Array.from({ length: batch }, (_, i) => (lengths === "full" ? time : Math.max(1, time - 1 - i)));
  const state = half(directions, batch, hidden);
  return [
    plain(time, batch, features),
    half(directions, gates * hidden, features),
    half(directions, gates * hidden, hidden),
    bias ? half(directions, 2 * gates * hidden) : undefined,
    lengths ? whole([batch], counts, "int32") : undefined,
    ...Array.from({ length: states }, () => (initial ? state : undefined)),
  ];
}

function attributes(pick: Pick) {
  return { hidden_size: 2, direction: pick.direction, layout: pick.layout, clip: pick.clip };
}

function listed(activations: readonly string[] | undefined, { direction }: Pick): string[] | undefined {
  if (!activations) return undefined;
  return direction === "bidirectional" ? [...activations, ...activations] : [...activations];
}

const lstm = family(
  "LSTM",
  {
    ...shared,
    outputs: [1, 2, 3],
    peepholes: [false, true],
    input_forget: [undefined, 0, 1],
    activations: [undefined, ["Sigmoid", "Tanh", "Tanh"], ["HardSigmoid", "Softsign", "Relu"]],
  },
  (pick) => {
    const inputs = recurrent(4, pick as Pick, 2);
    if (!inputs) return undefined;
    const directions = pick.direction === "bidirectional" ? 2 : 1;
    const peepholes: PairInput | undefined = pick.peepholes
      ? { dims: [directions, 6], low: -0.7, high: 0.7 }
      : undefined;
    return {
      inputs: [...inputs, peepholes],
      attributes: {
        ...attributes(pick as Pick),
        input_forget: pick.input_forget,
        activations: listed(pick.activations, pick as Pick),
      },
      outputs: pick.outputs,
      opset: pick.opset,
    };
  },
);

const gru = family(
  "GRU",
  {
    ...shared,
    linear_before_reset: [undefined, 0, 1],
    activations: [undefined, ["Sigmoid", "Tanh"], ["HardSigmoid", "Relu"], ["Sigmoid", "LeakyRelu"]],
  },
  (pick) => {
    const inputs = recurrent(3, pick, 1);
    return (
      inputs && {
        inputs,
        attributes: {
          ...attributes(pick),
          linear_before_reset: pick.linear_before_reset,
          activations: listed(pick.activations, pick),
        },
        outputs: pick.outputs,
        opset: pick.opset,
      }
    );
  },
);

const rnn = family(
  "RNN",
  {
    ...shared,
    activations: [undefined, ["Tanh"], ["Relu"], ["Sigmoid"], ["Elu"], ["ThresholdedRelu"], ["Affine"], ["ScaledTanh"]],
    parameters: [false, true],
  },
  (pick) => {
    const inputs = recurrent(1, pick, 1);
    if (!inputs) return undefined;
    const [name] = pick.activations ?? ["Tanh"];
    const takes: Record<string, number> = { Elu: 1, ThresholdedRelu: 1, Affine: 2, ScaledTanh: 2 };
    const count = takes[name] ?? 0;
    if (pick.parameters !== count > 0) return undefined;
    const directions = pick.direction === "bidirectional" ? 2 : 1;
    const values = (value: number): number[] => new Array<number>(directions).fill(value);
    return {
      inputs,
      attributes: {
        ...attributes(pick),
        activations: listed(pick.activations, pick),
        activation_alpha: count > 0 ? values(0.6) : undefined,
        activation_beta: count > 1 ? values(0.7) : undefined,
      },
      outputs: pick.outputs,
      opset: pick.opset,
    };
  },
);

export const recurrentFamilies = [lstm, gru, rnn];
