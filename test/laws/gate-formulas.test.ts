/** @file What gates decide, lose and move, with noise and without, as numpy computes it from their papers. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { everyExpert, type Gate, gates, threshold, topK } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { editModel, type Model, makeNode, numbersOf, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";

type Numbers = readonly number[];

interface Case {
  readonly gate: keyof typeof makers;
  readonly options: Record<string, unknown>;
  readonly parameters: Readonly<Record<string, Numbers>>;
  /** Uniform numbers in the place of those that training draws, in their order. */
  readonly noise: readonly Numbers[];
  readonly results: Readonly<Record<string, Numbers>>;
  readonly losses: readonly { readonly name: string; readonly weight: number; readonly value: number }[];
}

interface Recorded {
  readonly tokens: number;
  readonly width: number;
  readonly experts: number;
  readonly x: Numbers;
  readonly cases: readonly Case[];
}

const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../fixtures/mixtures/gates.json", import.meta.url), "utf8"),
);
const { tokens, width, experts } = recorded;

const selections = { topK, threshold, everyExpert };

function scoreGate({ select, ...options }: Record<string, unknown>): Gate {
  const [name, number] = select as [keyof typeof selections, number];
  return gates.score({ ...options, select: selections[name](number) });
}

const makers = {
  soft: gates.soft,
  score: scoreGate,
  "top-k": gates["top-k"],
  switch: gates.switch,
  gshard: gates.gshard,
  "expert-choice": gates["expert-choice"],
  "sigmoid-bias": gates["sigmoid-bias"],
  cosine: gates.cosine,
  hierarchical: (options: Record<string, unknown>) => gates.hierarchical({ groups: 1, ...options }),
  "noisy-top-k": gates["noisy-top-k"],
};

/** All that the gate says, as outputs, and the factors of its losses. */
function told({ gate, options, parameters, noise }: Case) {
  const weights = new Map<string, number>();
  const built = network(random(1), (n) => {
    const x = n.input("x", "float32", [tokens, width]);
    const { routing, losses, affinity, moved = [] } = makers[gate](options).build(n, { tokens: x }, experts);
    for (const [key, value] of Object.entries({ ...routing, affinity })) {
      if (typeof value === "object") n.output(value, key);
    }
    for (const { name, weight, value } of losses) {
      weights.set(name, weight);
      n.output(value, `loss/${name}`);
    }
    for (const { next } of moved) n.output(next, "next");
  });
  const feeds = new Map([["x", tensorFromNumbers("float32", [tokens, width], recorded.x)]]);
  const results = evaluate(withNoise(withParameters(built, parameters), noise), feeds);
  return { weights, results };
}

function withParameters(model: Model, parameters: Case["parameters"]): Model {
  const given = Object.entries(parameters);
  return editModel(model, (draft) => {
    for (const [name, numbers] of given) {
      const [value, data] = [...model.graph.initializers].find(([own]) => own.name === name)!;
      draft.setInitializer(value, tensorFromNumbers("float32", data.dims, numbers));
    }
  });
}

/** Noise is Σ 2⁻ⁱ·(dᵢ − 1) over the ten numbers that a dropout leaves of ones: with (1 + 2u, 1, …, 1) in their place it is u. */
function withNoise(model: Model, noise: readonly Numbers[]): Model {
  const dropouts = model.graph.nodes.filter(({ opType }) => opType === "Dropout");
  if (noise.length > 0) expect(dropouts).toHaveLength(noise.length);
  return editModel(model, (draft) => {
    for (const [i, drawn] of noise.entries()) {
      const left = drawn.flatMap((u) => [1 + 2 * u, ...new Array<number>(9).fill(1)]);
      const value = tensorFromNumbers("float32", [tokens, drawn.length / tokens, 10], left);
      const { name, outputs } = dropouts[i]!;
      draft.replaceNode(dropouts[i]!, makeNode("Constant", [], outputs, { name, attributes: { value } }));
    }
  });
}

const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

describe.each(recorded.cases)("$gate $options with $noise.length draws", (given) => {
  it("decides, loses and moves what its paper says", () => {
    const { weights, results } = told(given);
    for (const [name, expected] of Object.entries(given.results)) {
      const found = list(results.get(name));
      expect(found, name).toHaveLength(expected.length);
      for (const [i, value] of found.entries()) expect(value, `${name} ${i}`).toBeCloseTo(expected[i]!, 6);
    }
    expect([...weights.keys()]).toEqual(given.losses.map(({ name }) => name));
    for (const { name, weight, value } of given.losses) {
      expect(weights.get(name), name).toBeCloseTo(weight, 9);
      expect(list(results.get(`loss/${name}`))[0], name).toBeCloseTo(value, 5);
    }
  });
});

it("GShard serves every first choice before any second one, and those left out last", () => {
  const dropped = recorded.cases.find(({ gate, noise }) => gate === "gshard" && noise.length > 0)!;
  const { results } = told(dropped);
  const [order, weights] = ["order", "weights"].map((name) => list(results.get(name)));
  const first = order!.filter((_, i) => i % 2 === 0);
  const kept = order!.filter((_, i) => i % 2 === 1 && weights![i]! > 0);
  const left = order!.filter((_, i) => i % 2 === 1 && weights![i] === 0);
  expect([kept.length > 0, left.length > 0]).toEqual([true, true]);
  expect(Math.max(...first)).toBeLessThan(Math.min(...kept));
  expect(Math.max(...kept)).toBeLessThan(Math.min(...left));
  for (const place of order!) expect(place >= 0 && place <= 1).toBe(true);
});

/** The expert of each token, under gates that learn nothing. */
function routesOf(gate: Gate, count: number, given: { readonly x?: Numbers; readonly ids?: Numbers }): number[] {
  const rows = (given.x?.length ?? 0) / width || given.ids!.length;
  const model = network(random(1), (n) => {
    const x = n.input("x", "float32", ["tokens", width]);
    const ids = n.input("ids", "int64", ["tokens"]);
    const { routing } = gate.build(n, { tokens: x, ids }, count);
    if (routing.kind === "token-choice") n.output(routing.experts, "experts");
  });
  const feeds = new Map([
    ["x", tensorFromNumbers("float32", [rows, width], given.x ?? new Array<number>(rows * width).fill(0))],
    ["ids", tensorFromNumbers("int64", [rows], given.ids ?? new Array<number>(rows).fill(0))],
  ]);
  return list(evaluate(model, feeds).get("experts"));
}

describe("gates without learning", () => {
  const source = random(5);
  const x = Array.from({ length: 200 * width }, () => source.normal());

  it("hash places: what lies opposite goes half of the buckets further, and every expert is used", () => {
    const opposite = x.map((value) => -value);
    const [here, there] = [x, opposite].map((of) => routesOf(gates["locality-hash"](), 6, { x: of }));
    here!.forEach((expert, t) => void expect(there![t]).toBe((expert + 3) % 6));
    expect(new Set(here).size).toBe(6);
    // Of five experts there are three columns and six buckets, the last of which begins again.
    expect(new Set(routesOf(gates["locality-hash"](), 5, { x })).size).toBe(5);
  });

  it("hash ids as Wellons' finaliser does, by the seed", () => {
    const ids = Array.from({ length: 64 }, (_, i) => 1 + 977 * i);
    const word = (id: number, seed: number) => {
      const mask = 0xffffffffn;
      let h = BigInt(id) ^ ((0x9e3779b9n * BigInt(seed + 1)) & mask);
      h = ((h ^ (h >> 16n)) * 0x7feb352dn) & mask;
      h = ((h ^ (h >> 15n)) * 0x846ca68bn) & mask;
      return Number((h ^ (h >> 16n)) % 5n);
    };
    for (const seed of [1, 2]) {
      expect(routesOf(gates["token-hash"]({ seed }), 5, { ids })).toEqual(ids.map((id) => word(id, seed)));
    }
  });

  it("balance frequent ids: the most frequent first, each to the expert with the least", () => {
    // 10 → expert 0; 4, 3, 2, 1 → expert 1, which has 4, 7, 9 and then 10.
    const gate = gates["token-hash"]({ frequencies: [1, 2, 3, 10, 4] });
    expect(routesOf(gate, 2, { ids: [0, 1, 2, 3, 4] })).toEqual([1, 1, 1, 0, 1]);
  });
});
