/** @file Two levels: groups first, then experts within the chosen groups. Shazeer et al. (2017), arXiv:1701.06538, appendix B. */
import { UsageError } from "../../../errors.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkChoices, checkFactor, largest, linearScores, loadBalance, pickChosen, softmax } from "../scores.ts";

export interface HierarchicalOptions {
  /** Groups; experts are divided among them in order. */
  readonly groups: number;
  /** Groups per token; 2 by default. */
  readonly groupsPerToken?: number;
  /** Experts per chosen group; 2 by default. */
  readonly expertsPerGroup?: number;
  /** Factor of the load-balance losses of both levels; 0.01 by default. */
  readonly balance?: number;
}

const hierarchicalOptionsNames: OptionNames<HierarchicalOptions> = {
  groups: true,
  groupsPerToken: true,
  expertsPerGroup: true,
  balance: true,
};

/** Weights are those of the group times those within it, each a softmax over what was chosen (over all where only one is). */
export function hierarchical(options: HierarchicalOptions): Gate {
  checkOptions(options, hierarchicalOptionsNames);
  const { groups, groupsPerToken = 2, expertsPerGroup = 2, balance = 0.01 } = options;
  checkFactor("balance", balance, "hierarchical");
  return {
    name: "hierarchical",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      if (experts % groups !== 0) {
        throw new UsageError("the groups of a gate do not divide its experts", {
          expected: `a divisor of ${experts}`,
          got: String(groups),
        });
      }
      const size = experts / groups;
      checkChoices(groupsPerToken, groups, "hierarchical, groups");
      checkChoices(expertsPerGroup, size, "hierarchical, experts");
      const groupScores = linearScores(n.scope("group"), tokens, groups);
      const probabilities = softmax(n, groupScores);
      const outer = largest(n, groupScores, groupsPerToken);
      const outerWeights =
        groupsPerToken === 1 ? pickChosen(n, probabilities, outer.experts) : softmax(n, outer.values);
      const all = n.reshape(linearScores(n, tokens, experts), [-1, groups, size]);
      const places = n.expand(n.unsqueeze(outer.experts, [2]), n.concat([n.shape(outer.experts), n.ints([size])], 0));
      const inside = n.op("GatherElements", [all, places], { axis: 1 });
      const inner = largest(n, inside, expertsPerGroup);
      const innerWeights =
        expertsPerGroup === 1 ? pickChosen(n, softmax(n, inside), inner.experts) : softmax(n, inner.values);
      const first = n.mul(n.unsqueeze(outer.experts, [2]), n.ints([size]));
      const flat = n.ints([-1, groupsPerToken * expertsPerGroup]);
      const chosen = n.op("Reshape", [n.add(first, inner.experts), flat]);
      const product = n.mul(n.unsqueeze(outerWeights, [2]), innerWeights);
      const affinity = n.reshape(n.mul(n.unsqueeze(probabilities, [2]), softmax(n, all)), [-1, experts]);
      return {
        routing: { kind: "token-choice", experts: chosen, weights: n.op("Reshape", [product, flat]) },
        losses: [
          {
            name: "group-balance",
            weight: balance / groupsPerToken,
            value: loadBalance(n, probabilities, outer.experts, groups),
          },
          {
            name: "balance",
            weight: balance / (groupsPerToken * expertsPerGroup),
            value: loadBalance(n, affinity, chosen, experts),
          },
        ],
        affinity,
      };
    },
  };
}
