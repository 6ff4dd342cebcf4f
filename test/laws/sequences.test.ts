/** @file Layers over sequences against numpy (test/fixtures/sequences, which says how), in both forms of their recurrence. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, type Value } from "../../src/ir/index.ts";
import {
  channelShuffle,
  chunkedFeedForward,
  type Layers,
  type LinearScanForm,
  layersInto,
  linear,
  linearScan,
  lshAttention,
  network,
  type QrnnPooling,
  qrnn,
  reversibleBlock,
  slicedRecurrent,
} from "../../src/nn/index.ts";
import { hashedAttention, sharedAttention } from "../../src/nn/lsh-attention.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { GradientCase } from "./gradient-cases/case.ts";
import { prepare } from "./gradient-check.ts";
import { derivativeCheck } from "./gradient-verdicts.ts";

interface Listed {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

interface Cases {
  readonly qrnn: readonly {
    readonly pooling: QrnnPooling;
    readonly window: number;
    readonly hidden: number;
    readonly x: Listed;
    readonly weight: Listed;
    readonly bias: Listed;
    readonly y: Listed;
  }[];
  readonly srnn: readonly {
    readonly parts: number;
    readonly times: number;
    readonly hidden: number;
    readonly x: Listed;
    readonly levels: readonly Readonly<Record<string, Listed>>[];
    readonly y: Listed;
  }[];
  readonly lsh: readonly {
    readonly bucket: number;
    readonly causal: boolean;
    readonly acrossBuckets: boolean;
    readonly rotations: Listed;
    readonly qk: Listed;
    readonly v: Listed;
    readonly y: Listed;
  }[];
}

const fixture = new URL("../fixtures/sequences/sequences.json", import.meta.url);
const cases = JSON.parse(readFileSync(fixture, "utf8")) as Cases;
const forms: readonly LinearScanForm[] = ["scan", "doubling"];

const tensorOf = ({ dims, data }: Listed): Tensor => tensorFromNumbers("float32", dims, data);

function withWeights(model: Model, weights: Readonly<Record<string, Listed>>): Model {
  const initializers = new Map(model.graph.initializers);
  for (const value of model.graph.initializers.keys()) {
    const given = weights[value.name];
    if (given) initializers.set(value, tensorOf(given));
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

function agree(model: Model, feeds: Readonly<Record<string, Listed>>, expected: Listed, digits = 5): void {
  const given = new Map(Object.entries(feeds).map(([name, listed]) => [name, tensorOf(listed)]));
  const y = evaluate(model, given).get("y");
  expect(y?.dims).toEqual(expected.dims);
  const numbers = [...numbersOf(y as Tensor)];
  for (const [i, number] of expected.data.entries()) expect(numbers[i]).toBeCloseTo(number, digits);
}

const open = ({ dims }: Listed): (number | string)[] => ["batch", ...dims.slice(1)];

describe("a quasi-recurrent layer", () => {
  const each = cases.qrnn.flatMap((entry) => forms.map((form) => [entry.pooling, form, entry] as const));

  it.each(each)("with %s pooling, by %s, is the paper's", (pooling, form, { window, hidden, ...entry }) => {
    const built = network(random(1), (n) =>
      n.output(qrnn(n, n.input("x", "float32", open(entry.x)), { hidden, window, pooling, form }), "y"),
    );
    const { weight, bias } = entry;
    agree(withWeights(built, { weight, bias }), { x: entry.x }, entry.y);
  });

  it("keeps its state where the forget gate is open, and takes the new value where it is closed", () => {
    const built = network(random(1), (n) =>
      n.output(qrnn(n, n.input("x", "float32", [1, 3, 1]), { hidden: 1, window: 1, pooling: "f" }), "y"),
    );
    // z = tanh(x), f = σ(bias).
    const weight = { dims: [1, 2], data: [1, 0] };
    const x = { dims: [1, 3, 1], data: [1, -2, 3] };
    const state = (bias: number) => withWeights(built, { weight, bias: { dims: [2], data: [0, bias] } });
    agree(state(50), { x }, { dims: [1, 3, 1], data: [0, 0, 0] });
    agree(state(-50), { x }, { dims: [1, 3, 1], data: [1, -2, 3].map(Math.tanh) });
  });

  it("refuses a window of no times", () => {
    const make = () => network(random(1), (n) => qrnn(n, n.input("x", "float32", [1, 3, 1]), { hidden: 1, window: 0 }));
    expect(make).toThrow(/window of a QRNN must be a whole number/);
  });
});

/** Layers of these, with fixed weights, over inputs of these dims. */
const trained: Readonly<
  Record<string, readonly [readonly (readonly number[])[], (n: Layers, x: readonly Value[]) => Value]>
> = {
  ...Object.fromEntries(
    forms.flatMap((form) =>
      [2, 5].map((time) => {
        const scanned = (n: Layers, [a, b]: readonly Value[]) => linearScan(n, a!, b!, form);
        return [
          `a linear recurrence of ${time} by ${form}`,
          [
            [
              [2, time, 3],
              [2, time, 3],
            ],
            scanned,
          ] as const,
        ];
      }),
    ),
  ),
  "a quasi-recurrent layer": [[[2, 4, 3]], (n, [x]) => qrnn(n, x!, { hidden: 2, pooling: "ifo", window: 3 })],
  "a sliced recurrent layer": [[[2, 4, 3]], (n, [x]) => slicedRecurrent(n, x!, { hidden: 2, parts: 2, times: 1 })],
  "hashed attention": [
    [[1, 8, 4]],
    (n, [x]) => lshAttention(n, x!, { heads: 2, bucket: 2, hashes: 2, source: random(3) }),
  ],
  "attention with shared keys": [
    [[1, 4, 4]],
    (n, [x]) => lshAttention(n, x!, { heads: 2, causal: true, source: random(3) }),
  ],
  "a feed-forward layer in chunks": [[[2, 4, 3]], (n, [x]) => chunkedFeedForward(n, x!, { hidden: 4, chunks: 2 })],
  "a reversible block": [
    [
      [2, 4, 3],
      [2, 4, 3],
    ],
    (n, [a, b]) =>
      n.concat(
        reversibleBlock(
          n,
          [a!, b!],
          (m, x) => linear(m, x, 3),
          (m, x) => m.tanh(linear(m, x, 3)),
        ),
        2,
      ),
  ],
  "shuffled channels": [[[2, 6, 2, 2]], (n, [x]) => channelShuffle(n, x!, 3)],
};

describe("the gradient of", () => {
  it.each(Object.entries(trained))("%s is that of numeric derivatives", async (name, [dims, build]) => {
    const inputs = Object.fromEntries(dims.map((list, i) => [`x${i}`, { dims: list }]));
    const part: GradientCase = {
      name,
      covers: [],
      inputs,
      build: (g, input) => [build(layersInto(g, random(5)), Object.keys(inputs).map(input))],
    };
    const found = await derivativeCheck(prepare(part, 1));
    expect(found?.precision).toBe("float64");
    expect(found?.error).toBeLessThan(1e-6);
  });
});

describe("a sliced recurrent network", () => {
  it.each(cases.srnn)("of $parts parts, $times times, is GRUs over parts", ({ parts, times, hidden, ...entry }) => {
    const built = network(random(1), (n) =>
      n.output(slicedRecurrent(n, n.input("x", "float32", open(entry.x)), { hidden, parts, times }), "y"),
    );
    const weights = entry.levels.flatMap((level, i) =>
      Object.entries(level).map(([name, listed]) => [`level${i}/${name}`, listed] as const),
    );
    agree(withWeights(built, Object.fromEntries(weights)), { x: entry.x }, entry.y);
  });

  it("refuses a length that its parts do not divide", () => {
    const make = () =>
      network(random(1), (n) => slicedRecurrent(n, n.input("x", "float32", [1, 20, 2]), { hidden: 2, parts: 3 }));
    expect(make).toThrow(/multiple of 3\^2 = 9 times.*20/);
  });
});

describe("hashed attention", () => {
  it.each(cases.lsh)(
    "in chunks of $bucket, causal $causal, across buckets $acrossBuckets, is a softmax over what was brought together",
    (entry) => {
      const { rotations, qk, v, y, ...settings } = entry;
      const built = network(random(1), (n) => {
        const [a, b] = [n.input("qk", "float32", open(qk)), n.input("v", "float32", open(v))];
        n.output(hashedAttention(n, a, b, { ...settings, rotations: tensorOf(rotations) }), "y");
      });
      agree(built, { qk, v }, y, 4);
    },
  );

  it.each([false, true])("over two chunks that see each other is attention to all, causal %s", (causal) => {
    const [first] = cases.lsh;
    const { qk, v } = first!;
    const rotations = tensorOf(first!.rotations);
    const built = (hashed: boolean) =>
      network(random(1), (n) => {
        const [a, b] = [n.input("qk", "float32", open(qk)), n.input("v", "float32", open(v))];
        const exact = () => sharedAttention(n, a, b, causal);
        n.output(
          hashed ? hashedAttention(n, a, b, { bucket: 4, causal, acrossBuckets: true, rotations }) : exact(),
          "y",
        );
      });
    const feeds = new Map(Object.entries({ qk: tensorOf(qk), v: tensorOf(v) }));
    const exact = evaluate(built(false), feeds).get("y") as Tensor;
    agree(built(true), { qk, v }, { dims: exact.dims, data: [...numbersOf(exact)] });
  });

  it("refuses lengths that two chunks do not divide", () => {
    const make = (time: number) => () =>
      network(random(1), (n) =>
        lshAttention(n, n.input("x", "float32", [1, time, 4]), { heads: 2, bucket: 4, source: random(1) }),
      );
    expect(make(12)).toThrow(/multiple of 8 positions, or at most 4/);
    expect(make(4)).not.toThrow();
  });
});
