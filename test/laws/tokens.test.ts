/** @file Reductions of tokens: sizes add up, equal tokens merge without loss, the order of the kept stays, float64 and ONNX Runtime agree. */
import { describe, expect, it } from "vitest";
import { reduceTokens, type TokenReductionName, tokenReductions } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, type Value, verify } from "../../src/ir/index.ts";
import { mlp, vit } from "../../src/models/index.ts";
import { type Layers, network } from "../../src/nn/index.ts";
import { costOf, inferModel } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";

const names = Object.keys(tokenReductions) as TokenReductionName[];
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

function drawn(dims: readonly number[], seed: number): Tensor {
  const source = random(seed);
  const count = dims.reduce((a, b) => a * b, 1);
  return tensorFromNumbers(
    "float32",
    dims,
    Array.from({ length: count }, () => source.normal()),
  );
}

const build = (pooling: "mean" | "class", depth = 3) =>
  vit(random(3), { size: 16, patch: 4, width: 12, depth, heads: 2, channels: 1, classes: 5, pooling });
const pictures = new Map([["input", drawn([2, 1, 16, 16], 5)]]);

/** A reduction by itself over [1, time, 2]. */
function alone(name: TokenReductionName, remove: number, keepsFirst: boolean, feeds: Record<string, Tensor>) {
  const [, time = 0, width = 0] = feeds.values!.dims;
  const model = network(random(1), (n) => {
    const [keys, received] = [n.input("keys", "float32", [1, time, 2]), n.input("received", "float32", [1, time])];
    const inputs = {
      values: n.input("values", "float32", [1, time, width]),
      sizes: n.input("sizes", "float32", [1, time, 1]),
      keys: () => keys,
      received: () => received,
    };
    const made = tokenReductions[name]().build(n, { ...inputs, time, remove, keepsFirst });
    n.output(made.values, "fewer");
    n.output(made.sizes, "counts");
  });
  const made = evaluate(model, new Map(Object.entries(feeds)));
  return { values: list(made.get("fewer")), sizes: list(made.get("counts")) };
}

describe.each(names)("reduction %s", (name) => {
  const feeds = {
    values: drawn([1, 7, 3], 1),
    sizes: tensorFromNumbers("float32", [1, 7, 1], [1, 2, 1, 3, 1, 1, 2]),
    keys: drawn([1, 7, 2], 2),
    received: tensorFromNumbers("float32", [1, 7], [0.01, 0.3, 0.1, 0.2, 0.05, 0.24, 0.1]),
  };

  it("takes away what it says, keeps the number of first tokens, and the first where it has to", () => {
    const most = tokenReductions[name]().most(7, true);
    for (let remove = 1; remove <= most; remove++) {
      const { values, sizes } = alone(name, remove, true, feeds);
      expect(sizes).toHaveLength(7 - remove);
      expect(sizes.reduce((a, b) => a + b)).toBeCloseTo(11, 5);
      list(feeds.values)
        .slice(0, 3)
        .forEach((x, i) => void expect(values[i]).toBeCloseTo(x, 5));
    }
  });

  it.each(["mean", "class"] as const)("gives an ordinary model around a %s, equal on ONNX Runtime", async (pooling) => {
    const reduced = reduceTokens(build(pooling), { reduction: name, remove: 4 });
    expect(verify(reduced)).toEqual([]);
    expect(inferModel(reduced).problems).toEqual([]);
    expect(costOf(reduced).macs).toBeLessThan(0.8 * costOf(build(pooling)).macs);
    await using session = await openSession(reduced);
    const [own, exact] = [await session.run(pictures), evaluate(reduced, pictures)];
    list(own.get("logits")).forEach((x, i) => void expect(x).toBeCloseTo(list(exact.get("logits"))[i]!, 4));
  });

  it("leaves the model alone where nothing goes, and weights as they are", () => {
    const model = build("mean");
    expect(reduceTokens(model, { reduction: name, remove: 0 })).toBe(model);
    const reduced = reduceTokens(model, { reduction: name, remove: 2 });
    const named = new Map([...reduced.graph.initializers].map(([value, tensor]) => [value.name, tensor]));
    for (const [value, tensor] of model.graph.initializers) expect(named.get(value.name)).toBe(tensor);
  });
});

describe("merging", () => {
  it("changes nothing where all tokens are equal", () => {
    const model = unplaced(build("mean"));
    const flat = new Map([["input", tensorFromNumbers("float32", [1, 1, 16, 16], new Array(256).fill(0.5))]]);
    const merged = reduceTokens(model, { remove: 5 });
    const whole = list(evaluate(model, flat).get("logits"));
    list(evaluate(merged, flat).get("logits")).forEach((x, i) => void expect(x).toBeCloseTo(whole[i]!, 5));
  });

  it.each(["mean", "class"] as const)(
    "of equal pairs is exact: one that stands for two counts twice, around a %s",
    (pooling) => {
      const model = unplaced(build(pooling));
      const source = random(8);
      // Patches of 4 by 4 side by side are the same, and no two pairs are.
      const patches = Array.from({ length: 8 }, () => Array.from({ length: 16 }, () => source.normal()));
      const pixels = Array.from({ length: 256 }, (_, i) => {
        const [row, column] = [Math.floor(i / 16), i % 16];
        return patches[2 * Math.floor(row / 4) + Math.floor(column / 8)]![4 * (row % 4) + (column % 4)]!;
      });
      const paired = new Map([["input", tensorFromNumbers("float32", [1, 1, 16, 16], pixels)]]);
      const whole = list(evaluate(model, paired).get("logits"));
      const merged = list(evaluate(reduceTokens(model, { remove: [5, 0, 0] }), paired).get("logits"));
      merged.forEach((x, i) => void expect(x).toBeCloseTo(whole[i]!, 5));
      expect(Math.max(...whole) - Math.min(...whole)).toBeGreaterThan(0.01);
    },
  );

  it("goes by directions of keys, not by their lengths, and leaves the class alone", () => {
    const given = {
      values: tensorFromNumbers("float32", [1, 4, 1], [1, 2, 30, 4]),
      sizes: tensorFromNumbers("float32", [1, 4, 1], [1, 1, 1, 1]),
      // Token 0 has the direction of token 1; token 2 that of token 3, nearly, though its product with token 1 is larger.
      keys: tensorFromNumbers("float32", [1, 4, 2], [1, 0, 9, 0, 1, 1, 0.1, 0.11]),
      received: tensorFromNumbers("float32", [1, 4], [0.25, 0.25, 0.25, 0.25]),
    };
    expect(alone("merge", 1, false, given).values).toEqual([30, 1.5, 4]);
    expect(alone("merge", 1, true, given).values).toEqual([1, 2, 17]);
  });

  it("makes the most similar pair one, weighted by sizes", () => {
    const { values, sizes } = alone("merge", 1, false, {
      values: tensorFromNumbers("float32", [1, 4, 1], [1, 2, 30, 4]),
      sizes: tensorFromNumbers("float32", [1, 4, 1], [1, 1, 1, 3]),
      keys: tensorFromNumbers("float32", [1, 4, 2], [1, 0, 0, 1, 1, 1, 2, 2.1]),
      received: tensorFromNumbers("float32", [1, 4], [0.25, 0.25, 0.25, 0.25]),
    });
    expect(values).toEqual([1, 2, 10.5]);
    expect(sizes).toEqual([1, 1, 4]);
  });
});

it("pruning puts the mean of the rest, weighted by attention, behind the kept", () => {
  const { values, sizes } = alone("prune", 1, false, {
    values: tensorFromNumbers("float32", [1, 4, 1], [1, 2, 3, 4]),
    sizes: tensorFromNumbers("float32", [1, 4, 1], [1, 1, 1, 1]),
    keys: drawn([1, 4, 2], 1),
    received: tensorFromNumbers("float32", [1, 4], [0.125, 0.375, 0.125, 0.375]),
  });
  expect(values.map((x) => Math.round(x * 1e6) / 1e6)).toEqual([2, 4, 2]);
  expect(sizes).toEqual([1, 1, 2]);
  const counted = alone("prune", 1, false, {
    values: tensorFromNumbers("float32", [1, 4, 1], [1, 2, 3, 4]),
    sizes: tensorFromNumbers("float32", [1, 4, 1], [5, 1, 3, 2]),
    keys: drawn([1, 4, 2], 1),
    received: tensorFromNumbers("float32", [1, 4], [0.125, 0.375, 0.125, 0.375]),
  });
  expect(counted.sizes).toEqual([1, 2, 8]);
});

/** Without positions, so that equal patches are equal tokens. */
function unplaced(model: Model): Model {
  const initializers = new Map(model.graph.initializers);
  for (const [value, tensor] of initializers) {
    if (!value.name.includes("positions") || "indices" in tensor) continue;
    const zeros = new Array<number>(tensor.dims.reduce((a, b) => a * b, 1)).fill(0);
    initializers.set(value, tensorFromNumbers("float32", tensor.dims, zeros));
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

describe("wrong use", () => {
  it("is named", () => {
    expect(() => reduceTokens(build("mean"), { remove: [1, 1] })).toThrow(UsageError);
    expect(() => reduceTokens(build("mean"), { remove: [9, 0, 0] })).toThrow(UsageError);
    expect(() => reduceTokens(build("mean"), { remove: -1 })).toThrow(UsageError);
    expect(() => reduceTokens(mlp(random(1), { input: [4], classes: 2 }), { remove: 1 })).toThrow(UnsupportedError);
  });
});

interface Plain {
  readonly reader: "mean" | "class" | "mean that keeps its axis";
  readonly time: number;
  readonly blocks?: number;
  /** What happens to the scores before the softmax. */
  readonly scaled?: (n: Layers, scores: Value, heads: Value) => Value;
  /** Makes the keys [1, 1, time, 1] of the tokens [1, time, 1]. */
  readonly keysOf?: (n: Layers, x: Value) => Value;
  readonly end?: (n: Layers, read: Value) => Value;
  /** What becomes of the tokens behind each block. */
  readonly behind?: (n: Layers, x: Value) => Value;
}

/** Blocks of attention over tokens of one number, x + softmax(x·xᵀ)·x, two by default, and what reads them. */
function plainAttention({ reader, time, blocks = 2, scaled, keysOf, end, behind }: Plain): Model {
  return network(random(1), (n) => {
    let x = n.input("x", "float32", ["batch", time, 1]);
    for (let block = 0; block < blocks; block++) {
      const heads = n.op("Unsqueeze", [x, n.ints([1])]);
      const keys = n.op("Transpose", [keysOf ? keysOf(n, x) : heads], { perm: [0, 1, 3, 2] });
      const product = n.op("MatMul", [heads, keys]);
      const scores = scaled ? scaled(n, product, heads) : product;
      const mixed = n.op("MatMul", [n.op("Softmax", [scores], { axis: -1 }), heads]);
      x = n.op("Add", [x, n.op("Squeeze", [mixed, n.ints([1])])]);
      if (behind) x = behind(n, x);
    }
    const first = n.constant("first", tensorFromNumbers("int64", [], [0]));
    const readers: Record<Plain["reader"], () => Value> = {
      mean: () => n.op("ReduceMean", [x, n.ints([1])], { keepdims: 0 }),
      class: () => n.op("Gather", [x, first], { axis: 1 }),
      "mean that keeps its axis": () => n.op("ReduceMean", [x, n.ints([1])]),
    };
    const read = readers[reader]();
    n.output(end ? end(n, read) : read, "y");
  });
}

interface Counted {
  readonly x: number;
  readonly size: number;
}

/** The same with one token fewer after each block: what gets least attention becomes one, weighted by it. */
function prunedByHand(start: readonly number[], reader: "mean" | "class", blocks = 2): number {
  const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0);
  let tokens: Counted[] = start.map((x) => ({ x, size: 1 }));
  for (let block = 0; block < blocks; block++) {
    const shares = tokens.map(({ x: query }) => {
      const powers = tokens.map(({ x, size }) => size * Math.exp(query * x));
      return powers.map((power) => power / sum(powers));
    });
    const received = tokens.map((_, j) =>
      reader === "class" ? shares[0]![j]! : sum(shares.map((row) => row[j]!)) / shares.length,
    );
    const moved = tokens.map(({ x, size }, i) => ({
      x: x + sum(tokens.map((other, j) => shares[i]![j]! * other.x)),
      size,
    }));
    const order = moved.map((_, j) => j).sort((a, b) => received[b]! - received[a]!);
    const first = reader === "class" ? [0] : [];
    const kept = [...first, ...order.filter((j) => !first.includes(j))].slice(0, tokens.length - 2);
    const rest = moved.map((_, j) => j).filter((j) => !kept.includes(j));
    const weight = sum(rest.map((j) => received[j]!));
    const mean = sum(rest.map((j) => (received[j]! / weight) * moved[j]!.x));
    const size = sum(rest.map((j) => moved[j]!.size));
    tokens = [...kept.sort((a, b) => a - b).map((j) => moved[j]!), { x: mean, size }];
  }
  if (reader === "class") return tokens[0]!.x;
  return sum(tokens.map(({ x, size }) => x * size)) / start.length;
}

it.each(["mean", "class"] as const)(
  "pruning by the attention that tokens get is what it is by hand, around a %s",
  (reader) => {
    for (const blocks of [1, 2]) {
      const [y] = list(pruned({ reader, time: x.length, blocks }).get("y"));
      expect(y).toBeCloseTo(prunedByHand(x, reader, blocks), 6);
    }
  },
);

const x = [-0.25, 0.75, -0.5, 1, 0.5, -1, 0.25];

function pruned(plain: Plain): Map<string, Tensor> {
  const reduced = reduceTokens(plainAttention(plain), { reduction: "prune", remove: 1 });
  expect(verify(reduced)).toEqual([]);
  return evaluate(reduced, new Map([["x", tensorFromNumbers("float32", [1, x.length, 1], x)]]));
}

describe("attention is found", () => {
  const time = x.length;

  it("behind scalings of its scores by constants, and behind no others", () => {
    const scalings: readonly NonNullable<Plain["scaled"]>[] = [
      (n, scores) => n.op("Div", [n.op("Mul", [scores, n.number(4)]), n.number(4)]),
      (n, scores) => n.op("Mul", [n.number(0.5), n.op("Mul", [scores, n.number(2)])]),
    ];
    for (const scaled of scalings) {
      const [y] = list(pruned({ reader: "mean", time, scaled }).get("y"));
      expect(y).toBeCloseTo(prunedByHand(x, "mean"), 6);
    }
    const byTokens: Plain = { reader: "mean", time, scaled: (n, scores, heads) => n.op("Mul", [scores, heads]) };
    expect(() => pruned(byTokens)).toThrow(/no attention blocks/);
  });

  it("over as many tokens in every block, and not where some are dropped between", () => {
    const fewer: Plain = {
      reader: "mean",
      time,
      behind: (n, x) => n.op("Slice", [x, n.ints([0]), n.ints([time - 1]), n.ints([1])]),
    };
    expect(() => pruned(fewer)).toThrow(/no attention blocks.*7, 6 tokens/);
  });

  it("before a mean that keeps the axis of the tokens", () => {
    const y = pruned({ reader: "mean that keeps its axis", time }).get("y")!;
    expect(y.dims).toEqual([1, 1, 1]);
    expect(list(y)[0]).toBeCloseTo(prunedByHand(x, "mean"), 6);
  });

  it("but not reduced where a shape says the number of tokens, a node has a body or the opset is another one", () => {
    const written: Plain = {
      reader: "mean",
      time,
      keysOf: (n, tokens) => n.op("Reshape", [tokens, n.ints([-1, 1, time, 1])]),
    };
    expect(() => pruned(written)).toThrow(/number of tokens is written into the model.*0 or -1/);
    const open: Plain = { ...written, keysOf: (n, tokens) => n.op("Reshape", [tokens, n.ints([0, 1, -1, 1])]) };
    expect(list(pruned(open).get("y"))[0]).toBeCloseTo(prunedByHand(x, "mean"), 6);
    const bodied: Plain = {
      reader: "mean that keeps its axis",
      time,
      end: (n, read) =>
        n.scan([], [read], (inner, _, [value]) => ({ states: [], results: [inner.op("Neg", [value])] })).results[0]!,
    };
    expect(verify(plainAttention(bodied))).toEqual([]);
    expect(() => pruned(bodied)).toThrow(/an operator that tokens cannot be reduced around.*Scan/);
    const old = { ...plainAttention({ reader: "mean", time }), opsets: new Map([["", 17]]) };
    expect(() => reduceTokens(old, { remove: 1 })).toThrow(/opset 21.*opset 17.*upgradeOpset/);
  });
});
