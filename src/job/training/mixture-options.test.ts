import { expect, it } from "vitest";
import { gates, mlpExpert, moeLayer } from "../../conditional/index.ts";
import { glyphs, random } from "../../data/index.ts";
import type { Model } from "../../ir/index.ts";
import { mlp } from "../../models/index.ts";
import { linear, network } from "../../nn/index.ts";
import { mixtureOptions } from "./mixture-options.ts";

const evaluate = { data: glyphs({ split: "test", size: 2 }) };

function mixture(gate: Parameters<typeof moeLayer>[2]["gate"], isLast = false): Model {
  const answer = network(random(1), (n) => {
    const x = n.input("input", "float32", ["batch", 2]);
    const mixed = moeLayer(n.scope("moe"), x, { gate, expert: mlpExpert({ hidden: 4 }), experts: 3 });
    n.output(linear(n.scope("head"), mixed, 2), "logits");
  });
  const { outputs } = answer.graph;
  const place = outputs.findIndex(({ name }) => name === "logits");
  const others = outputs.filter((_, i) => i !== place);
  const ordered = isLast ? [...others, outputs[place]!] : [outputs[place]!, ...others];
  return { ...answer, graph: { ...answer.graph, outputs: ordered } };
}

it("a network without mixtures needs nothing", () => {
  const plain = mlp(random(1), { input: [2], hidden: [3], classes: 2 });
  expect(mixtureOptions(plain, { evaluate })).toEqual({});
});

it("losses of gates are terms, and routing is looked at where anything is evaluated", () => {
  const { terms, probes, ...rest } = mixtureOptions(mixture(gates.switch()), { evaluate });
  expect(terms!.map(({ name }) => name)).toEqual(["moe/auxiliary/balance", "moe/auxiliary/z"]);
  expect([probes!.length, rest]).toEqual([1, {}]);
  expect(mixtureOptions(mixture(gates.switch()), {})).not.toHaveProperty("probes");
});

it("the answer is named where a side output comes first, unless the output is chosen", () => {
  expect(mixtureOptions(mixture(gates.switch(), true), {}).output).toBe("logits");
  expect(mixtureOptions(mixture(gates.switch(), true), { output: "moe" })).not.toHaveProperty("output");
  expect(mixtureOptions(mixture(gates.switch()), {})).not.toHaveProperty("output");
});

it("the biases of gates move by themselves", () => {
  const { carry } = mixtureOptions(mixture(gates["sigmoid-bias"]()), {});
  expect(Object.keys(carry!)).toHaveLength(1);
  expect(Object.values(carry!)[0]).toMatch(/^next\//);
});
