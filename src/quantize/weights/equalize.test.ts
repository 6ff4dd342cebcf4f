import { expect, it } from "vitest";
import { floatsOf, graphBuilder, isSparse, model, tensor } from "../../ir/index.ts";
import { equalize } from "./equalize.ts";

it("equalizing gives both sides of a channel the geometric mean of their largest weights", () => {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 1, 4, 4]);
  const constant = (name: string, dims: number[], values: number[]) =>
    g.constant(name, tensor("float32", dims, values));
  const first = g.op("Conv", [x, constant("w1", [2, 1, 1, 1], [8, -0.5]), constant("b1", [2], [8, 1])]);
  // Two outputs; each reads two numbers of channel 0, then two of channel 1.
  const weights = constant("w2", [2, 2, 1, 2], [2, 0.25, 1, -4.5, -1, 0.5, 3, 2]);
  g.output(g.op("Conv", [g.op("Relu", [first]), weights]), "y");
  const { graph } = equalize(model(g.build()));
  const numbersOf = (name: string) => {
    const [, data] = [...graph.initializers].find(([value]) => value.name === name)!;
    return isSparse(data) ? [] : [...floatsOf(data)];
  };
  // s = √(8 / 2) = 2 and √(0.5 / 4.5) = 1/3.
  const expected = {
    w1: [4, -1.5],
    b1: [4, 3],
    w2: [4, 0.5, 1 / 3, -1.5, -2, 1, 1, 2 / 3],
  };
  for (const [name, values] of Object.entries(expected)) {
    numbersOf(name).forEach((value, i) => void expect(value, `${name} ${i}`).toBeCloseTo(values[i]!, 5));
  }
});

it("equalizing cuts scales at the limit, and passes over channels without weights", () => {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 1, 4, 4]);
  const constant = (name: string, dims: number[], values: number[]) =>
    g.constant(name, tensor("float32", dims, values));
  const first = g.op("Conv", [x, constant("w1", [3, 1, 1, 1], [100, 0.01, 0])]);
  g.output(g.op("Conv", [first, constant("w2", [1, 3, 1, 1], [0.01, 100, 5])]), "y");
  const { graph } = equalize(model(g.build()), { rounds: 1, limit: 10 });
  const [w1, w2] = [...graph.initializers.values()].map((data) => (isSparse(data) ? [] : [...floatsOf(data)]));
  // √(100 / 0.01) = 100 and its inverse, cut at 10 and 1/10.
  w1!.forEach((value, i) => void expect(value).toBeCloseTo([10, 0.1, 0][i]!, 5));
  w2!.forEach((value, i) => void expect(value).toBeCloseTo([0.1, 10, 5][i]!, 5));
});

it("equalizing leaves a model without such chains as it is", () => {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 1, 4, 4]);
  g.output(g.op("Conv", [x, g.constant("w", tensor("float32", [1, 1, 1, 1], [3]))]));
  const source = model(g.build());
  expect(equalize(source)).toBe(source);
});
