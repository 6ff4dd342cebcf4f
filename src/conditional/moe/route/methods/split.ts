/** @file Hidden units divided among experts: Zhang et al., "MoEfication: transformer feed-forward layers are mixtures of experts" (2021), arXiv:2110.01786. */
import { nth } from "../../../../checked.ts";
import { UsageError } from "../../../../errors.ts";
import type { Expert } from "../../expert.ts";
import { moeLayer } from "../../moe-layer.ts";
import { activate, givenLinear } from "../activation.ts";
import { balancedClusters } from "../balanced-clusters.ts";
import type { FeedForward, LinearLayer } from "../feed-forward.ts";
import { oneLike } from "../one-like.ts";
import { routeGate } from "../route-gate.ts";
import type { RouteMethod } from "./route-method.ts";

/**
 * y = Σ over the chosen experts of φ(x·W₁[:, e] + b₁[e])·W₂[e, :], plus b₂. Units that are active together share an expert: equal
 * clusters of what they gave on some tokens, or of the columns of W₁ where nothing was measured. The router scores an
 * expert by the mean of its units before the activation, x·mean(W₁[:, e]) + mean(b₁[e]). Chosen experts count 1, so with all of
 * them chosen the network is the same; parameters stay, work falls to k of the experts.
 */
export function split(): RouteMethod {
  return {
    name: "split",
    summary: "the block's hidden units divided among the experts by what is active together: less work",
    work: ({ experts, topK }) => topK / experts,
    check({ first }, { experts }) {
      if (first.fanOut % experts === 0) return;
      throw new UsageError("the hidden units cannot be divided among the experts", {
        expected: `a number of experts that divides ${first.fanOut}`,
        got: `${experts} experts`,
        where: `value ${JSON.stringify(first.output.name)}`,
      });
    },
    build(n, block, { experts, topK, balance, zWeight, seed }, activity) {
      const { first, second } = block;
      const members = balancedClusters(activity ?? columnsOf(first), { count: first.fanOut, clusters: experts, seed });
      const { bias } = first;
      const gate = routeGate({
        k: topK,
        balance,
        zWeight,
        weight: () => meanColumns(first, members),
        ...(bias && { bias: () => new Float32Array(members.map((units) => meanOf(units.map((j) => bias[j]!)))) }),
        weigh: (inner, probabilities) => oneLike(inner, probabilities),
      });
      const mixed = moeLayer(n, first.input, { gate, expert: partial(block, members), experts, axis: -1 });
      if (!second.bias) return mixed;
      const row = Float32Array.from(second.bias);
      return n.add(
        mixed,
        n.parameter("bias", [second.fanOut], () => row),
      );
    },
  };
}

/** W₁ᵀ by rows. */
function columnsOf({ weight, fanIn, fanOut }: LinearLayer): Float64Array {
  return new Float64Array(weight.length).map((_, i) => weight[(i % fanIn) * fanOut + Math.floor(i / fanIn)]!);
}

/** [width, experts]. */
function meanColumns({ weight, fanIn, fanOut }: LinearLayer, members: readonly (readonly number[])[]): Float32Array {
  return new Float32Array(fanIn * members.length).map((_, i) => {
    const at = Math.floor(i / members.length) * fanOut;
    return meanOf(nth(members, i % members.length).map((j) => weight[at + j]!));
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function partial(block: FeedForward, members: readonly (readonly number[])[]): Expert {
  const { first, second } = block;
  return (n, rows, index) => {
    const units = nth(members, index);
    const bias = first.bias && units.map((j) => first.bias![j]!);
    const columns = new Float32Array(first.fanIn * units.length).map((_, i) => {
      return first.weight[Math.floor(i / units.length) * first.fanOut + nth(units, i % units.length)]!;
    });
    const inner = givenLinear(n.scope("in"), rows, [first.fanIn, units.length], columns, bias);
    const kept = new Float32Array(units.length * second.fanOut);
    for (const [i, j] of units.entries()) {
      kept.set(second.weight.subarray(j * second.fanOut, (j + 1) * second.fanOut), i * second.fanOut);
    }
    return givenLinear(n.scope("out"), activate(n, block, inner), [units.length, second.fanOut], kept);
  };
}
