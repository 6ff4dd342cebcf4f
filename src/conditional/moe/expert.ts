import type { Value } from "../../ir/index.ts";
import { type Activation, type Initialiser, type Layers, lengthOf, linear } from "../../nn/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";

/**
 * An expert over rows [rows, …]: an MLP over tokens, a convolutional network over pictures. It is built once per expert, under the scope
 * `expertI/`, and sees only the rows that were sent to it, in any number, none included.
 */
export interface Expert {
  (n: Layers, rows: Value, index: number): Value;
  /** What it is made of, where it is an MLP: an operator that computes whole mixtures has to know. */
  readonly mlp?: MlpExpertOptions;
}

export interface MlpExpertOptions {
  readonly hidden: number;
  /** An ONNX operator of one input; `Gelu` by default. */
  readonly activation?: Activation;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
}

const mlpExpertOptionsNames: OptionNames<MlpExpertOptions> = {
  hidden: true,
  activation: true,
  weight: true,
  biasInitial: true,
};

/** Two linear layers with an activation in between, back to the width of the rows. */
export function mlpExpert(mlp: MlpExpertOptions): Expert {
  checkOptions(mlp, mlpExpertOptionsNames);
  const { hidden, activation = "Gelu", ...options } = mlp;
  checkCount("the number of hidden units of an expert", hidden);
  const expert: Expert = (n, rows) => {
    const inner = n.op(activation, [linear(n.scope("in"), rows, hidden, options)]);
    return linear(n.scope("out"), inner, lengthOf(rows, -1), options);
  };
  return Object.assign(expert, { mlp });
}
