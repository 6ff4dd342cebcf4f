/** @file A multilayer perceptron with ReLU. */
import type { Model } from "../ir/index.ts";
import { dropout, linear, network, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface MlpModelOptions {
  /** Dims of one sample; flattened. */
  readonly input: readonly number[];
  readonly hidden?: readonly number[];
  readonly classes: number;
  readonly dropout?: number;
}

const mlpModelOptionsNames: OptionNames<MlpModelOptions> = { input: true, hidden: true, classes: true, dropout: true };

export function mlp(source: RandomSource, options: MlpModelOptions): Model {
  const { input, hidden = [256], classes, dropout: ratio } = checkOptions(options, mlpModelOptionsNames);
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", ...input]);
    let y = input.length === 1 ? x : n.op("Flatten", [x], { axis: 1 });
    for (const [i, width] of hidden.entries()) {
      y = dropout(n, n.relu(linear(n.scope(`hidden${i}`), y, width)), ratio);
    }
    n.output(linear(n.scope("head"), y, classes), "logits");
  });
}
