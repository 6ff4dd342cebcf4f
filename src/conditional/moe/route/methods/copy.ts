/** @file Sparse upcycling: Komatsuzaki et al., "Sparse upcycling: training mixture-of-experts from dense checkpoints" (2022), arXiv:2212.05055. */
import type { Expert } from "../../expert.ts";
import { moeLayer } from "../../moe-layer.ts";
import { activate, givenLinear } from "../activation.ts";
import type { FeedForward } from "../feed-forward.ts";
import { oneLike } from "../one-like.ts";
import { routeGate } from "../route-gate.ts";
import type { RouteMethod } from "./route-method.ts";

/**
 * Every expert begins as the block, the router at random. Weights of a token sum to 1: a softmax over the chosen ones, with k = 1 a
 * factor of 1 that has the gradient of the probability. So the network is the same before it is trained, and holds experts
 * times the parameters.
 */
export function copy(): RouteMethod {
  return {
    name: "copy",
    summary: "every expert a copy of the block: the same network at first, with room to learn",
    work: ({ topK }) => topK,
    check() {},
    build(n, block, { experts, topK, balance, zWeight }) {
      const gate = routeGate({
        k: topK,
        balance,
        zWeight,
        weigh: (inner, probabilities, scores) =>
          topK === 1 ? oneLike(inner, probabilities) : inner.softmax(scores, -1),
      });
      return moeLayer(n, block.first.input, { gate, expert: copied(block), experts, axis: -1 });
    },
  };
}

function copied(block: FeedForward): Expert {
  const { first, second } = block;
  return (n, rows) => {
    const inner = givenLinear(n.scope("in"), rows, [first.fanIn, first.fanOut], first.weight, first.bias);
    const active = activate(n, block, inner);
    return givenLinear(n.scope("out"), active, [second.fanIn, second.fanOut], second.weight, second.bias);
  };
}
