import { describe, expect, it } from "vitest";
import { graphBuilder, model, numbersOf, sizeOf, tensor, tensorFromNumbers } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { stepBuilder } from "../step/step-builder.ts";
import { type MuonOptions, muon } from "./muon.ts";

/** The parameter after one update. */
function updated(dims: readonly number[], options: MuonOptions): number[] {
  const optimizer = muon(options);
  const g = graphBuilder({ infer: builderInference(21) });
  const [parameter, gradient] = [g.input("w", "float64", dims), g.input("g", "float64", dims)];
  const [learningRate, step] = [g.input("lr", "float64", []), g.input("step", "int64", [])];
  const initial = optimizer.init({ name: "w", dtype: "float64", dims });
  const state = new Map([...initial].map(([name, tensor]) => [name, g.input(name, "float64", tensor.dims)]));
  const next = optimizer.update(stepBuilder(g), { parameter, gradient, learningRate, step, state, decays: true });
  g.output(next.parameter, "next");
  const numbers = (seed: number) => Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(seed + 78.233 * i));
  const feeds = new Map([
    ["w", tensor("float64", dims, numbers(1))],
    ["g", tensor("float64", dims, numbers(2))],
    ["lr", tensor("float64", [], [0.1])],
    ["step", tensorFromNumbers("int64", [], [1])],
    ...initial,
  ]);
  return Array.from(numbersOf(evaluate(model(g.build()), feeds, { fetches: ["next"] }).get("next")!));
}

describe("a parameter of more axes that is taken for a matrix", () => {
  it.each([
    [
      [3, 2, 2],
      [3, 4],
    ],
    [
      [4, 1, 2],
      [4, 2],
    ],
  ])("moves as its rows do: %s as %s", (dims, flat) => {
    const applies = () => true;
    for (const scale of ["original", "adamw"] as const) {
      const [folded, plain] = [updated(dims, { applies, scale }), updated(flat, { applies, scale })];
      folded.forEach((x, i) => void expect(x).toBeCloseTo(plain[i]!, 12));
    }
  });

  it("is left to the other optimizer unless it is named", () => {
    expect(updated([3, 2, 2], {})).not.toEqual(updated([3, 2, 2], { applies: () => true }));
    expect(updated([3, 2, 2], {})).toEqual(updated([3, 2, 2], { applies: () => false }));
  });
});
