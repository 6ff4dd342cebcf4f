import { describe, expect, it } from "vitest";
import { correctedBias } from "./bias-correction.ts";
import type { RoundingProblem } from "./index.ts";

/** Two channels of two inputs. x is (1, 0) and (3, 2) in the float model; x̂ is (1, 1) and (2, 2) in the quantized one. */
const problem: RoundingProblem = {
  weights: Float64Array.of(1, 2, 3, -1),
  bias: Float64Array.of(10, 20),
  rows: 2,
  columns: 2,
  parameters: (row, column) => ({ scale: row === 0 ? 0.5 : 2, zeroPoint: column }),
  limits: { low: -8, high: 7 },
  moments: {
    // Means of products of (x̂₁, x̂₂, 1), and of (x − x̂, 0) with them.
    gram: Float64Array.of(2.5, 2.5, 1.5, 2.5, 2.5, 1.5, 1.5, 1.5, 1),
    drift: Float64Array.of(1, 1, 0.5, -0.5, -0.5, -0.5, 0, 0, 0),
  },
};

/** ŵ is (1, 1.5) and (4, −2). */
const rounded = { values: Int32Array.of(2, 4, 2, 0), bias: Float64Array.of(7, 7) };

describe("bias correction", () => {
  it("adds the mean of what each channel loses, drift included", () => {
    // E[x] = (2, 1), E[x̂] = (1.5, 1.5): 10 + (1 · 2 + 2 · 1) − (1 + 1.5) · 1.5, and 20 + (3 · 2 − 1 · 1) − (4 − 2) · 1.5.
    expect([...correctedBias(problem, rounded)]).toEqual([10.25, 22]);
  });

  it("takes the inputs of both models for the same without drift", () => {
    // 10 + (3 − 2.5) · 1.5, and 20 + (2 − 2) · 1.5.
    const { gram } = problem.moments!;
    expect([...correctedBias({ ...problem, moments: { gram } }, rounded)]).toEqual([10.75, 20]);
  });

  it("leaves the bias as it was without moments", () => {
    expect([...correctedBias({ ...problem, moments: undefined }, rounded)]).toEqual([10, 20]);
  });
});
