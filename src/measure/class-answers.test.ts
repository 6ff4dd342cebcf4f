import { describe, expect, it } from "vitest";
import { DataError } from "../errors.ts";
import { tensor } from "../ir/index.ts";
import { classAnswers } from "./class-answers.ts";

const rows = (...values: readonly (readonly number[])[]) =>
  tensor("float32", [values.length, values[0]!.length], Float32Array.from(values.flat()));

describe("classAnswers", () => {
  it.each([
    ["a row of numbers for one sample", [1, 1600, 1], 1, false],
    ["numbers of another count than the samples", [6, 3], 2, false],
    ["one number per sample", [4, 1], 4, false],
    ["a picture", [1, 1, 4, 4], 1, false],
    ["a row of classes", [2, 3], 2, true],
    ["a row of classes behind a pool", [2, 3, 1, 1], 2, true],
  ] as const)("takes %s for what it is", (_, dims, samples, areClasses) => {
    const answers = classAnswers(["y"]);
    const size = dims.reduce((product: number, dim) => product * dim, 1);
    const output = tensor(
      "float32",
      [...dims],
      Float32Array.from({ length: size }, (_, i) => i),
    );
    answers.add([output], [output], samples, {});
    expect([...answers.top1()]).toEqual(areClasses ? [["y", 1]] : []);
  });

  it("finds the output that labels fit, wherever it stands", () => {
    const answers = classAnswers(["side", "narrow", "logits"]);
    const side = rows([9, 0, 0, 0], [9, 0, 0, 0]);
    const narrow = rows([1, 0], [1, 0]);
    const wrong = rows([1, 0, 0, 0], [1, 0, 0, 0]);
    answers.add([side, narrow, rows([0, 0, 0, 1], [0, 0, 1, 0])], [side, narrow, wrong], 2, { labels: [3, 2] });
    expect(answers.accuracy(1)).toMatchObject({ a: 1, b: 0, n: 2 });
    expect(answers.top1().get("side")).toBe(1);
    expect(answers.top1().get("logits")).toBe(0);
  });

  it.each([[[0, 2]], [[0, -1]], [[0, 0.5]]])("refuses labels %j of two classes", (labels) => {
    const answers = classAnswers(["y"]);
    const y = rows([0, 1], [1, 0]);
    answers.add([y], [y], 2, { labels });
    expect(() => answers.accuracy(1)).toThrow(DataError);
  });

  it("says how sure A is of the output that the labels fit, and what labels beside them would give", () => {
    const y = rows([0.9, 0.1, 0], [0.2, 0.2, 0.6], [0, 1, 0]);
    const accuracy = (left: typeof y, labels: readonly number[]) => {
      const answers = classAnswers(["y"]);
      answers.add([left], [left], 3, { labels });
      return answers.accuracy(1)!;
    };
    expect(accuracy(y, [0, 1, 0])).toMatchObject({ a: 1 / 3, classes: 3, shifted: { up: 2 / 3, down: 0 } });
    expect(accuracy(y, [1, 2, 2])).toMatchObject({ a: 1 / 3, shifted: { up: 0, down: 2 / 3 } });
    expect(accuracy(y, [0, 1, 0]).confidence).toBeCloseTo((0.9 + 0.6 + 1) / 3, 6);

    const logits = rows([Math.log(6), Math.log(2), 0], [-1000, 1000, 0], [-5, -5, -5]);
    expect(accuracy(logits, [0, 1, 0]).confidence).toBeCloseTo((6 / 9 + 1 + 1 / 3) / 3, 6);
    const logarithms = rows([Math.log(0.7), Math.log(0.2), Math.log(0.1)], [0, -1e9, -1e9], [-1e9, 0, -1e9]);
    expect(accuracy(logarithms, [0, 1, 0]).confidence).toBeCloseTo(2.7 / 3, 6);
  });

  it("gives no class to a row with NaN", () => {
    const answers = classAnswers(["y"]);
    answers.add([rows([1, 0])], [rows([Number.NaN, Number.NaN])], 1, {});
    expect(answers.top1().get("y")).toBe(0);
  });
});
