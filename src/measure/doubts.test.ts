import { describe, expect, it } from "vitest";
import type { PairedAccuracy } from "./class-answers.ts";
import { doubtsAbout } from "./doubts.ts";

const sound: PairedAccuracy = {
  ...{ a: 0.9, b: 0.9, n: 200, interval: [0, 0], classes: 10, confidence: 0.93 },
  shifted: { up: 0.01, down: 0.02 },
};

function said(change: Partial<PairedAccuracy>): string {
  const warnings = doubtsAbout({ ...sound, ...change });
  for (const { code } of warnings) expect(code).toBe("W_ACCURACY");
  return warnings.map(({ message }) => message).join("\n");
}

describe("doubts about an accuracy", () => {
  it("are none where it is better than chance and near what the answers claim", () => {
    expect(said({})).toBe("");
    expect(said({ a: 0.65 })).toBe("");
    expect(said({ a: 0.3, confidence: 0.5 })).toBe("");
    expect(said({ a: 0.9, confidence: 0.3 })).toBe("");
  });

  it("arise where its interval includes chance or lies below it, whatever the answers claim", () => {
    const causes = /no better than chance among 10 classes \(10\.0 %\): likely the preset .*channels.*shifted by one/;
    expect(said({ a: 0.12 })).toMatch(causes);
    expect(said({ a: 0.02 })).toMatch(causes);
    expect(said({ a: 0.12, confidence: 0.15 })).toMatch(causes);
    expect(said({ a: 0.2 })).not.toMatch(/chance/);
    expect(said({ a: 0.12 })).toMatch(/^12\.0 % of 200 samples are right \(95 % interval 8\.2 % to 17\.2 %\)/);
  });

  it("arise where the answers are much surer than right, and a sample of a few leaves room", () => {
    expect(said({ a: 0.5 })).toMatch(/though the answers are 93\.0 % sure on average: likely the preset/);
    expect(said({ a: 0.5, n: 20 })).toBe("");
    expect(said({ a: 0.14, confidence: 0.45, n: 2000 })).toMatch(/45\.0 % sure/);
  });

  it("say that few samples tell little", () => {
    expect(said({ a: 0.5, n: 2, classes: 2, confidence: 0.9 })).toMatch(/more samples may tell otherwise$/);
    expect(said({ a: 0.12 })).not.toMatch(/more samples/);
  });

  it("name a shift of the labels that would fit", () => {
    const shift = (shifted: PairedAccuracy["shifted"]) => said({ a: 0.02, shifted });
    expect(shift({ up: 0.88, down: 0.01 })).toMatch(
      /each one larger would fit 88\.0 % of them, so they seem to be shifted$/,
    );
    expect(shift({ up: 0.01, down: 0.88 })).toMatch(/each one smaller would fit 88\.0 %/);
  });
});
