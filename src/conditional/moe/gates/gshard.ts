import { uniformNoise } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkChoices, checkFactor, largest, linearScores, loadBalance, sharesOf, softmax } from "../scores.ts";

export interface GshardOptions {
  /** Factor of the load-balance loss over first choices; 0.01 by default. */
  readonly balance?: number;
  /** In training the second expert is kept with probability min(1, weight / this); 0.2 by default. */
  readonly secondThreshold?: number;
}

const gshardOptionsNames: OptionNames<GshardOptions> = { balance: true, secondThreshold: true };

/**
 * g₁, g₂: the two largest probabilities divided by their sum. In training a second choice whose g₂ is small is left out at random; in
 * inference it always counts. First choices of all tokens are served before any second one.
 */
export function gshard(options: GshardOptions = {}): Gate {
  const { balance = 0.01, secondThreshold = 0.2 } = checkOptions(options, gshardOptionsNames);
  checkFactor("balance", balance, "gshard");
  checkFactor("secondThreshold", secondThreshold, "gshard", 1e-6);
  return {
    name: "gshard",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkChoices(2, experts, "gshard");
      const probabilities = softmax(n, linearScores(n, tokens, experts));
      const { values, experts: chosen } = largest(n, probabilities, 2);
      const shares = sharesOf(n, values);
      const second = n.slice(shares, [1], [2], [1]);
      const first = n.slice(shares, [0], [1], [1]);
      // |u| is uniform in training and 0, which keeps every second choice, in inference.
      const drawn = n.mul(n.abs(uniformNoise(n, second)), secondThreshold);
      const kept = n.cast(n.greater(second, drawn), "float32");
      const weights = n.concat([first, n.mul(second, kept)], 1);
      const late = n.sub(n.number(1), n.mul(kept, 0.5));
      const order = n.concat([n.mul(first, 0), n.mul(late, 0.99)], 1);
      const [top] = n.ops("Split", [chosen, n.ints([1, 1])], 2, { axis: 1 });
      return {
        routing: { kind: "token-choice", experts: chosen, weights, order },
        losses: [{ name: "balance", weight: balance, value: loadBalance(n, probabilities, top, experts) }],
        affinity: probabilities,
      };
    },
  };
}
