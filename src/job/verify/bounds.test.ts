import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import type { Comparison, OutputAgreement } from "../../measure/index.ts";
import { type Bounds, boundsOfNetwork, brokenBounds, outcomeLine, showComparison } from "./bounds.ts";

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

function shown(changes: Partial<OutputAgreement> = {}, more: object = {}): string[] {
  const { agreement, accuracy } = compared(changes);
  const said: string[] = [];
  const latency = { ep: "cpu", threads: 1, batch: 4, a: { p50: 2 }, b: { p50: 1 }, ratio: 0.5, spread: [0.4, 0.6] };
  const comparison = { size: { a: 2048, b: 1024, ratio: 2 }, latency, agreement, accuracy, warnings: [], ...more };
  showComparison(comparison as unknown as Comparison, "random inputs", ["one bound"], {
    json: false,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: () => undefined,
  });
  return said;
}

describe("a comparison in words", () => {
  const line = (said: readonly string[], start: string) => said.filter((each) => each.startsWith(start));

  it("says where, how large, how alike and what is broken", () => {
    const said = shown({}, { warnings: [{ code: "W_NOISE", message: "times vary" }] });
    expect(said[0]).toBe("on random inputs; cpu, 1 thread, batch 4");
    expect(said[1]).toBe("size      2.0 KiB → 1.0 KiB, 2.00× smaller");
    expect(line(said, "accuracy")).toEqual([
      "accuracy  90.00 % → 87.50 % (36 → 35 of 40; change -5.00 % to 0.00 %, 95 % interval)",
    ]);
    expect(said.slice(-2)).toEqual(["W_NOISE: times vary", "BROKEN: one bound"]);
  });

  it("tells the share of equal answers where there are answers", () => {
    const { agreement } = compared();
    expect(line(shown(), "agreement")[0]).toMatch(
      /^agreement cosine 0\.97, relative error 0\.25, largest 0\.5 \(here\)$/,
    );
    const classes = shown({}, { agreement: { ...agreement, top1: 0.75 } });
    expect(line(classes, "agreement")[0]).toMatch(/^agreement same answer 75\.00 %, cosine 0\.97/);
  });

  it("says what the figures leave out, and nothing where they leave nothing out", () => {
    expect(line(shown(), "output")).toEqual([]);
    expect(line(shown({ elements: 0 }), "output")).toEqual(['output "y" is empty, so nothing of it was compared']);
    const lost = (onlyA: number) => line(shown({ notFinite: { a: 5, onlyB: 0, onlyA } }), "output")[0];
    expect(lost(0)).toBe('output "y" of the original is not finite in 5 of 100 elements');
    expect(lost(2)).toMatch(/5 of 100 elements; 2 of them are NaN there and numbers in the other$/);
  });
});
