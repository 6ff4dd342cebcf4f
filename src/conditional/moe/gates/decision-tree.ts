/** @file The expert is the leaf of a decision tree that was fitted beforehand. */
import { tensorFromNumbers } from "../../../ir/index.ts";
import type { DecisionTree } from "../fit-tree.ts";
import type { Gate } from "../gate.ts";
import { checkExperts } from "../scores.ts";
import { fixedRoute, positions } from "./fixed-route.ts";
import { remainder } from "./hash-words.ts";

/** Leaf number modulo experts. The tree is part of the graph: depth comparisons per token, and no multiplication. */
export function decisionTree(tree: DecisionTree): Gate {
  return {
    name: "decision-tree",
    learnable: false,
    hard: true,
    build(n, { tokens }, experts) {
      checkExperts(experts, "decision-tree");
      const { depth, features, thresholds } = tree;
      const featureTable = n.constant("features", tensorFromNumbers("int64", [features.length], features));
      const thresholdTable = n.constant("thresholds", tensorFromNumbers("float32", [thresholds.length], thresholds));
      const one = n.constant("one", tensorFromNumbers("int64", [], [1]));
      const two = n.constant("two", tensorFromNumbers("int64", [], [2]));
      let node = n.mul(positions(n, tokens), n.constant("root", tensorFromNumbers("int64", [], [0])));
      for (let level = 0; level < depth; level++) {
        const feature = n.gather(featureTable, node, 0);
        const picked = n.op("GatherElements", [tokens, n.unsqueeze(feature, [1])], { axis: 1 });
        const value = n.squeeze(picked, [1]);
        const right = n.cast(n.greater(value, n.gather(thresholdTable, node, 0)), "int64");
        node = n.add(n.add(n.mul(node, two), one), right);
      }
      const leaf = n.sub(node, n.constant("inner", tensorFromNumbers("int64", [], [2 ** depth - 1])));
      return fixedRoute(n, remainder(n, leaf, experts));
    },
  };
}
