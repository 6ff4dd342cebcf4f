import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import type { Comparison, OutputAgreement } from "../measure/index.ts";
import { type Bounds, boundsOfNetwork, brokenBounds, outcomeLine } from "./bounds.ts";

const output: OutputAgreement = {
  name: "y",
  dtype: "float32",
  elements: 100,
  maxAbs: 0.5,
  relative: 0.25,
  cosine: 0.97,
  largest: 3,
  same: 0.5,
  notFinite: { a: 0, onlyB: 0, onlyA: 0 },
};

/** 0.9 of the labels are right before and 0.875 after; 0.1 of the samples get another class. */
function compared(changes: Partial<OutputAgreement> = {}, lost = 0.1): Pick<Comparison, "accuracy" | "agreement"> {
  const perOutput = [{ ...output, ...changes }];
  const agreement = { n: 40, maxAbs: 0.5, relative: 0.25, cosine: 0.97, lost, perOutput, missing: [], build: "here" };
  const accuracy = {
    a: 0.9,
    b: 0.875,
    n: 40,
    interval: [0, 0.05],
    classes: 4,
    confidence: 0.9,
    shifted: { up: 0, down: 0 },
  };
  return { agreement, accuracy } as unknown as Pick<Comparison, "accuracy" | "agreement">;
}

const broken = (bounds: Bounds, comparison = compared()) => brokenBounds(comparison as Comparison, bounds);

describe("bounds", () => {
  it.each<[string, Bounds, RegExp | undefined]>([
    ["none", {}, undefined],
    // 0.9 − 0.875 = 0.025
    ["a drop within", { maxDrop: 0.026 }, undefined],
    ["a drop beyond", { maxDrop: 0.024 }, /^accuracy falls by 2\.50 %, bound 2\.40 %$/],
    // 1 − 0.1 = 0.9
    ["agreement within", { minAgreement: 0.9 }, undefined],
    ["agreement below", { minAgreement: 0.91 }, /^agreement is 90\.00 %, bound 91\.00 %$/],
    ["an error within", { allowError: 0.25 }, undefined],
    ["an error beyond", { allowError: 0.24 }, /relative error of 0.25, bound 0.24$/],
  ])("of %s", (_, bounds, sentence) => {
    expect(broken(bounds)).toEqual(sentence ? [expect.stringMatching(sentence)] : []);
  });

  it("are all told when several are broken", () => {
    expect(broken({ maxDrop: 0, minAgreement: 1, allowError: 0 })).toHaveLength(3);
  });

  it("hold for an accuracy that rises, and not for one that is no number", () => {
    const { agreement, accuracy } = compared();
    const other = (a: number, b: number) => ({ agreement, accuracy: { ...accuracy!, a, b } });
    expect(broken({ maxDrop: 0 }, other(0.5, 0.75))).toEqual([]);
    expect(broken({ maxDrop: 0.9 }, other(0.5, Number.NaN))).toHaveLength(1);
    expect(broken({ minAgreement: 0.1 }, compared({}, Number.NaN))).toHaveLength(1);
  });

  it("need labels for accuracy", () => {
    const { agreement } = compared();
    expect(() => brokenBounds({ agreement } as Comparison, { maxDrop: 0.5 })).toThrow(UsageError);
  });

  it("are broken by numbers that are lost, unless that is allowed", () => {
    const lost = compared({ notFinite: { a: 0, onlyB: 3, onlyA: 0 } });
    expect(broken({}, lost)).toEqual([expect.stringMatching(/not finite in 3 of 100/)]);
    expect(broken({ allowNotFinite: true }, lost)).toEqual([]);
  });

  it("of another network of the same task leave an output of zeros out, unless answers are judged", () => {
    const errorOf = (bounds: Bounds & { finetune?: number }) => boundsOfNetwork(bounds).allowError;
    expect(errorOf({})).toBe(1);
    for (const judged of [{ maxDrop: 0.1 }, { minAgreement: 0.5 }, { finetune: 2 }]) {
      expect(errorOf(judged)).toBe(Number.POSITIVE_INFINITY);
    }
    expect(errorOf({ maxDrop: 0.1, allowError: 0.3 })).toBe(0.3);
  });

  it("decide whether there is a file", () => {
    expect(outcomeLine("out.onnx", [])).toBe("model:  out.onnx");
    expect(outcomeLine("out.onnx", ["one", "two"])).toMatch(/out\.onnx was not written.*one; two/s);
  });
});
