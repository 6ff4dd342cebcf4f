import { describe, expect, it } from "vitest";
import { random } from "../data/index.ts";
import { type Model, numbersOf, tensorFromNumbers, verify } from "../ir/index.ts";
import { linear, network } from "../nn/index.ts";
import { evaluate } from "../reference/index.ts";
import { ensemble } from "./ensemble.ts";
import { jointModel } from "./joint-model.ts";
import { softTargets } from "./losses/index.ts";

function net(seed: number, input = "input", classes = 3, size = 2): Model {
  return network(random(seed), (n) => {
    const hidden = n.op("Tanh", [linear(n.scope("one"), n.input(input, "float32", ["batch", size]), 4)]);
    n.output(linear(n.scope("two"), hidden, classes), "logits");
  });
}

const points = tensorFromNumbers("float32", [2, 2], [1, -0.5, 0.25, 2]);

function scores(model: Model, output: string, input = "input"): number[][] {
  const list = [...numbersOf(evaluate(model, new Map([[input, points]])).get(output)!)];
  return [list.slice(0, 3), list.slice(3)];
}

function softened(row: readonly number[], temperature: number): number[] {
  const powers = row.map((x) => Math.exp(x / temperature));
  const sum = powers.reduce((total, x) => total + x, 0);
  return powers.map((x) => x / sum);
}

describe("an ensemble", () => {
  it("answers with the weighted mean of what its members say at the temperature, and with what each says", () => {
    const [a, b] = [net(1), net(2, "x")];
    const temperature = 3;
    const both = ensemble([a, b], { weights: [3, 1], temperature });
    expect(verify(both)).toEqual([]);
    const outputs = both.graph.outputs.map(({ name }) => name);
    expect(outputs).toEqual(["ensemble", "teacher1/logits", "teacher2/logits"]);
    const [first, second] = [scores(a, "logits"), scores(b, "logits", "x")];
    expect(scores(both, "teacher1/logits")).toEqual(first);
    expect(scores(both, "teacher2/logits")).toEqual(second);
    for (const [i, row] of scores(both, "ensemble").entries()) {
      const [p, q] = [softened(first[i]!, temperature), softened(second[i]!, temperature)];
      softened(row, temperature).forEach((x, k) => void expect(x).toBeCloseTo(0.75 * p[k]! + 0.25 * q[k]!, 6));
    }
  });

  it("of one model teaches what the model teaches", () => {
    const [a, student] = [net(1), net(5)];
    const losses = [softTargets()];
    const terms = (teacher: Model) => {
      const { model, terms: built } = jointModel(student, { teacher, losses });
      return [built[0]!.name, model.graph.outputs[0]!.name];
    };
    expect(terms(ensemble([a]))).toEqual(terms(a));
    scores(ensemble([a]), "ensemble").forEach((row, i) => {
      softened(row, 1).forEach((x, k) => void expect(x).toBeCloseTo(softened(scores(a, "logits")[i]!, 1)[k]!, 6));
    });
  });

  it("is refused where members do not fit", () => {
    expect(() => ensemble([net(1), net(2, "input", 4)])).toThrow(/an ensemble.*\[batch, 3\].*\[batch, 4\]/);
    expect(() => ensemble([net(1), net(2, "input", 3, 5)])).toThrow(/different inputs/);
    expect(() => ensemble([net(1), net(2)], { weights: [1] })).toThrow(/2 weights/);
    expect(() => ensemble([net(1), net(2)], { weights: [0, 0] })).toThrow(/not all 0/);
    expect(() => ensemble([net(1)], { outputs: ["none"] })).toThrow(/no such value.*"none".*teacher1/);
  });
});
