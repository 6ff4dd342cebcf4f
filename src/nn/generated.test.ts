import { describe, expect, it } from "vitest";
import { random } from "../data/index.ts";
import { isSparse, numbersOf, type Tensor, tensor } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { type GeneratedOptions, type GeneratorParts, generated, generatedTensor } from "./generated.ts";
import { network } from "./network.ts";

/** A generator of [2, 3] from two features, as a graph and as its four tensors. */
function built(dims: readonly number[], options: GeneratedOptions, seed = 1) {
  const names: Partial<GeneratorParts<string>>[] = [];
  const model = network(random(seed), (n) => {
    const { value, parameters } = generated(n, n.input("features", "float32", [1, 2]), dims, options);
    const { first, firstBias, second, secondBias } = parameters;
    names.push({
      first: first.name,
      firstBias: firstBias.name,
      second: second.name,
      secondBias: secondBias.name,
    });
    n.output(value, "weights");
  });
  const [found] = names as GeneratorParts<string>[];
  const at = (name: string): Tensor => {
    const [, data] = [...model.graph.initializers].find(([value]) => value.name === name)!;
    if (isSparse(data)) throw new Error("sparse");
    return data;
  };
  const parts = {
    first: at(found!.first),
    firstBias: at(found!.firstBias),
    second: at(found!.second),
    secondBias: at(found!.secondBias),
  };
  return { model, parts };
}

const weightsOf = (model: ReturnType<typeof built>["model"], features: readonly number[]) =>
  numbersOf(evaluate(model, new Map([["features", tensor("float32", [1, 2], features)]])).get("weights")!);

describe("generated", () => {
  it("is two products with a ReLU between them", () => {
    const parts: GeneratorParts<Tensor> = {
      first: tensor("float32", [2, 3], [1, -1, 2, 4, 0.5, -8]),
      firstBias: tensor("float32", [3], [0.25, -0.5, 1]),
      second: tensor("float32", [3, 2], [1, 10, 100, 1000, 0.5, 0.25]),
      secondBias: tensor("float32", [2], [-1, 3]),
    };
    // Hidden units 0.5 + 1 + 0.25, max(0, −0.5 + 0.125 − 0.5) and max(0, 1 − 2 + 1).
    expect([...numbersOf(generatedTensor(parts, [0.5, 0.25], [2]))]).toEqual([0.75, 20.5]);
    // Hidden units 0.25, 0 and 3.
    expect([...numbersOf(generatedTensor(parts, [1, 0], [1, 2]))]).toEqual([1.25 + 1.5 - 1, 12.5 + 0.75 + 3]);
  });

  it.each([[[2, 3]], [[4, 1, 3, 3]]])("computes in a graph what it computes outside of one, as %j", (dims) => {
    const { model, parts } = built(dims, { hidden: 7 });
    for (const features of [
      [1, 1],
      [0.1, 0.75],
      [0, 0.5],
    ]) {
      const outside = generatedTensor(parts, features, dims);
      expect(outside.dims).toEqual(dims);
      const expected = weightsOf(model, features);
      for (const [i, x] of numbersOf(outside).entries()) expect(x).toBeCloseTo(expected[i]!, 6);
    }
  });

  it("begins with the deviation that is asked for", () => {
    const draws = Array.from({ length: 40 }, (_, seed) =>
      weightsOf(built([100], { deviation: 0.05 }, seed).model, [1, 1]),
    );
    const square =
      draws.reduce((sum, own) => sum + own.reduce((all, x) => all + x * x, 0) / own.length, 0) / draws.length;
    expect(Math.sqrt(square)).toBeGreaterThan(0.045);
    expect(Math.sqrt(square)).toBeLessThan(0.055);
  });
});
