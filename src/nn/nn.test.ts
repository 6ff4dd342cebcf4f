import { describe, expect, it } from "vitest";
import { numbersOf, type Tensor, tensorFromNumbers, type Value, verify } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import {
  attention,
  averagePool,
  batchNorm,
  conv,
  fanInUniform,
  groupNorm,
  gru,
  type Initialiser,
  kaimingNormal,
  type Layers,
  layerNorm,
  lengthOf,
  linear,
  lstm,
  maxPool,
  network,
  type RandomSource,
  rmsNorm,
  rnn,
  rotaryPositions,
  sinusoidalPositions,
  stochasticDepth,
  truncatedNormal,
  xavierUniform,
} from "./index.ts";

/** A small multiplicative generator; quality does not matter here. */
function source(seed = 1): RandomSource {
  let state = seed * 48271;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

function run(
  dims: readonly number[],
  layer: (n: Layers, x: Value) => Value,
): { numbers: number[]; dims: readonly number[] } {
  const built = network(source(), (n) => n.output(layer(n, n.input("x", "float32", ["batch", ...dims.slice(1)])), "y"));
  expect(verify(built)).toEqual([]);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const x: Tensor = tensorFromNumbers(
    "float32",
    dims,
    Array.from({ length: count }, (_, i) => Math.sin(7 * i + 1)),
  );
  const y = evaluate(built, new Map([["x", x]])).get("y")!;
  return { numbers: Array.from(numbersOf(y)), dims: y.dims };
}

function moments(numbers: readonly number[]): [number, number] {
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  return [mean, numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length];
}

describe("layers", () => {
  it("give the dims that they promise", () => {
    expect(run([2, 3], (n, x) => linear(n, x, 5)).dims).toEqual([2, 5]);
    expect(run([2, 4, 7, 7], (n, x) => conv(n, x, 6, { kernel: 3, stride: 2, groups: 2 })).dims).toEqual([2, 6, 4, 4]);
    expect(run([2, 4, 6, 6], (n, x) => maxPool(n, x, { kernel: 2 })).dims).toEqual([2, 4, 3, 3]);
    expect(run([2, 4, 6, 6], (n, x) => averagePool(n, x, { kernel: 3, stride: 1, padding: 1 })).dims).toEqual([
      2, 4, 6, 6,
    ]);
  });

  it("normalise", () => {
    for (const norm of [layerNorm, (n: Layers, x: Value) => rmsNorm(n, x, { epsilon: 0 })]) {
      const { numbers } = run([2, 8], norm);
      expect(numbers.slice(0, 8).reduce((sum, x) => sum + x * x, 0) / 8).toBeCloseTo(1, 3);
    }
    const [mean, variance] = moments(run([1, 4, 2, 2], (n, x) => groupNorm(n, x, { groups: 2 })).numbers.slice(0, 8));
    expect(mean).toBeCloseTo(0, 6);
    expect(variance).toBeCloseTo(1, 3);
    expect(run([2, 3], batchNorm).numbers[4]).toBeCloseTo(Math.sin(29) / Math.sqrt(1 + 1e-5), 5);
  });

  it("encode positions by sines", () => {
    const encoded = run([1, 3, 4], sinusoidalPositions).numbers;
    const plain = run([1, 3, 4], (n, x) => n.op("Identity", [x])).numbers;
    expect(encoded[4]! - plain[4]!).toBeCloseTo(Math.sin(1), 6);
    expect(encoded[7]! - plain[7]!).toBeCloseTo(Math.cos(1 / 100), 6);
  });

  it("turn pairs of features by their position", () => {
    const angles = [1, 1 / 100];
    const turned = run([1, 1, 3, 4], rotaryPositions).numbers;
    const plain = run([1, 1, 3, 4], (n, x) => n.op("Identity", [x])).numbers;
    const row = (numbers: readonly number[], time: number) =>
      numbers.slice(4 * time, 4 * time + 4) as [number, number, number, number];
    expect(row(turned, 0)).toEqual(row(plain, 0));
    const [before, after] = [row(plain, 2), row(turned, 2)];
    for (const i of [0, 1]) {
      const [cosine, sine] = [Math.cos(2 * angles[i]!), Math.sin(2 * angles[i]!)];
      expect(after[i]!).toBeCloseTo(before[i]! * cosine - before[i + 2]! * sine, 6);
      expect(after[i + 2]!).toBeCloseTo(before[i]! * sine + before[i + 2]! * cosine, 6);
    }
    expect(() => run([1, 1, 3, 5], rotaryPositions)).toThrow(/even width/);
  });

  it("attend by distance with rotary positions", () => {
    const constant = (n: Layers, x: Value) => n.op("Mul", [x, n.number(0)]);
    const attended = (n: Layers, x: Value) =>
      attention(n, n.op("Add", [constant(n, x), n.number(1)]), { heads: 2, rotary: true });
    const { numbers, dims } = run([2, 5, 8], attended);
    expect(dims).toEqual([2, 5, 8]);
    for (const [i, y] of numbers.entries()) expect(y).toBeCloseTo(numbers[i % 8]!, 6);
  });

  it("recur over time", () => {
    const halves: Initialiser = (dims) => new Float32Array(dims.reduce((product, dim) => product * dim, 1)).fill(0.5);
    const { numbers } = run([2, 3, 4], (n, x) => rnn(n, x, { hidden: 1, weight: halves }));
    const row = (i: number) => [0, 1, 2, 3].reduce((sum, k) => sum + Math.sin(7 * (4 * i + k) + 1), 0);
    const step = (before: number, i: number) => Math.tanh(0.5 * row(i) + 0.5 * before + 1);
    expect(numbers[3]).toBeCloseTo(step(0, 3), 6);
    expect(numbers[4]).toBeCloseTo(step(step(0, 3), 4), 6);
    for (const layer of [rnn, gru, lstm]) {
      expect(run([2, 3, 4], (n, x) => layer(n, x, { hidden: 5 })).dims).toEqual([2, 3, 5]);
      expect(run([2, 3, 4], (n, x) => layer(n, x, { hidden: 5, bidirectional: true })).dims).toEqual([2, 3, 10]);
    }
  });

  it("of random depth are plain residuals outside of training", () => {
    const twice = run([2, 3], (n, x) => stochasticDepth(n, x, 0.5, (inner) => inner)).numbers;
    expect(twice[1]).toBeCloseTo(2 * Math.sin(8), 6);
  });

  it("need to know their widths", () => {
    const build = () => network(source(), (n) => void lengthOf(n.input("x", "float32", ["batch", "width"]), 1));
    expect(build).toThrow(/axis of fixed length/);
  });

  it("name their parameters by scope", () => {
    const built = network(source(), (n) =>
      n.output(linear(n.scope("a").scope("b"), n.input("x", "float32", [1, 2]), 3), "y"),
    );
    expect([...built.graph.initializers.keys()].map(({ name }) => name)).toEqual(["a/b/weight", "a/b/bias"]);
  });
});

describe("initial values", () => {
  it.each([
    ["fanInUniform", fanInUniform(25), 1 / 75],
    ["kaimingNormal", kaimingNormal(50), 0.04],
    ["xavierUniform", xavierUniform(30, 20), 0.04],
    ["truncatedNormal", truncatedNormal(0.1), 0.00774],
  ] as const)("%s have their mean and variance", (_, initial, expected) => {
    const [mean, variance] = moments(Array.from(initial([100, 100], source())));
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(variance / expected).toBeCloseTo(1, 1);
  });
});
