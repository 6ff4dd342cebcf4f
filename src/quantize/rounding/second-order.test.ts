import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Moments, quadraticForm, solveRow, upperFactor } from "../../calibration/index.ts";
import { dequantizeValue } from "../scheme.ts";
import { nearest } from "./nearest.ts";
import type { RoundingProblem, RoundingResult } from "./rounding.ts";
import { secondOrder } from "./second-order.ts";

const limits = { low: -8, high: 7 };

type Rows = readonly (readonly number[])[];

/** Moments of the patches in `seen`, each with a 1 at its end, and how far those in `meant` are from them. */
function momentsOf(seen: Rows, meant?: Rows): Moments {
  const n = seen[0]!.length + 1;
  const [gram, drift] = [new Float64Array(n * n), new Float64Array(n * n)];
  seen.forEach((row, at) => {
    const own = [...row, 1];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        gram[i * n + j]! += (own[i]! * own[j]!) / seen.length;
        drift[i * n + j]! += (([...(meant?.[at] ?? row), 1][i]! - own[i]!) * own[j]!) / seen.length;
      }
    }
  });
  return { gram, ...(meant && { drift }) };
}

interface Recorded {
  readonly damping: number;
  readonly biasFixed: boolean;
  readonly drifts: boolean;
  readonly inputs: Rows;
  readonly floatInputs: Rows;
  readonly weights: readonly number[];
  readonly bias: readonly number[];
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly values: readonly number[];
  readonly biases: readonly number[];
}

const recorded: readonly Recorded[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/rounding/second-order.json", import.meta.url), "utf8"),
);

function problemOf(given: Recorded): RoundingProblem {
  const { weights, bias, biasFixed, scales, zeroPoints, inputs, floatInputs, drifts } = given;
  const columns = inputs[0]!.length;
  return {
    weights: Float64Array.from(weights),
    bias: Float64Array.from(bias),
    biasFixed,
    rows: bias.length,
    columns,
    parameters: (row, i) => ({ scale: scales[row * columns + i]!, zeroPoint: zeroPoints[row * columns + i]! }),
    limits,
    moments: momentsOf(inputs, drifts ? floatInputs : undefined),
  };
}

/** Mean ‖w x + b − ŵ x̂ − b̂‖² over the samples themselves. */
function measuredError(given: Recorded, { values, bias }: RoundingResult): number {
  const { inputs, floatInputs } = given;
  const { weights, columns, rows, parameters, bias: own } = problemOf(given);
  let total = 0;
  for (const [at, seen] of inputs.entries()) {
    for (let row = 0; row < rows; row++) {
      const difference = floatInputs[at]!.reduce((sum, x, i) => {
        const { scale, zeroPoint } = parameters(row, i);
        return sum + weights[row * columns + i]! * x - (values[row * columns + i]! - zeroPoint) * scale * seen[i]!;
      }, own[row]! - bias[row]!);
      total += difference ** 2 / inputs.length;
    }
  }
  return total;
}

/** E‖w x + b − (ŵ x + b̂)‖² summed over rows. */
function outputError(problem: RoundingProblem, { values, bias }: RoundingResult): number {
  const { rows, columns, weights, moments } = problem;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const e = new Float64Array(columns + 1);
    for (let i = 0; i < columns; i++) {
      const at = row * columns + i;
      e[i] = weights[at]! - dequantizeValue(values[at]!, problem.parameters(row, i));
    }
    e[columns] = problem.bias[row]! - bias[row]!;
    total += quadraticForm(moments!.gram, columns + 1, e);
  }
  return total;
}

const numbers = (length: number, size: number) =>
  fc.array(fc.double({ min: -size, max: size, noNaN: true }), { minLength: length, maxLength: length });

const problems = fc.integer({ min: 1, max: 6 }).chain((columns) =>
  fc
    .record({
      weights: numbers(2 * columns, 1),
      bias: numbers(2, 1),
      samples: fc.array(numbers(columns, 3), { minLength: 1, maxLength: 12 }),
    })
    .map(
      ({ weights, bias, samples }): RoundingProblem => ({
        weights: Float64Array.from(weights),
        bias: Float64Array.from(bias),
        rows: 2,
        columns,
        parameters: () => ({ scale: 0.15, zeroPoint: 0 }),
        limits,
        moments: momentsOf(samples),
      }),
    ),
);

describe("second-order rounding", () => {
  it("is never worse than nearest in the output's error", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const plain = outputError(problem, nearest(problem));
        expect(outputError(problem, secondOrder()(problem))).toBeLessThanOrEqual(plain * (1 + 1e-9) + 1e-12);
      }),
      { seed: 7 },
    );
  });

  it("stays within the limits", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { values } = secondOrder()(problem);
        for (const value of values) expect(value >= limits.low && value <= limits.high).toBe(true);
      }),
      { seed: 8 },
    );
  });

  it.each(recorded)(
    "feeds errors back as numpy solves for them: damping $damping, bias fixed $biasFixed, drift $drifts",
    (given) => {
      const { values, bias } = secondOrder({ damping: given.damping, sweeps: 0 })(problemOf(given));
      expect([...values]).toEqual(given.values);
      bias.forEach((value, row) => void expect(value).toBeCloseTo(given.biases[row]!, 7));
    },
  );

  it.each(recorded)(
    "ends where no single step helps, no worse than nearest: damping $damping, bias fixed $biasFixed",
    (given) => {
      const problem = problemOf(given);
      const found = secondOrder({ damping: given.damping, sweeps: 100 })(problem);
      const least = measuredError(given, found);
      expect(least).toBeLessThanOrEqual(measuredError(given, nearest(problem)));
      for (const i of found.values.keys()) {
        for (const step of [-1, 1]) {
          const moved = found.values[i]! + step;
          if (moved < limits.low || moved > limits.high) continue;
          const other = { values: found.values.with(i, moved), bias: found.bias };
          expect(measuredError(given, other)).toBeGreaterThan(least - 1e-9);
        }
      }
    },
  );

  it("makes up for one weight by another that always moves with it", () => {
    const problem: RoundingProblem = {
      weights: Float64Array.from([0.4, 0.4]),
      bias: new Float64Array(1),
      rows: 1,
      columns: 2,
      parameters: () => ({ scale: 1, zeroPoint: 0 }),
      limits,
      moments: momentsOf([
        [1, 1],
        [-1, -1],
        [2, 2.01],
      ]),
    };
    expect([...nearest(problem).values]).toEqual([0, 0]);
    expect(secondOrder({ damping: 1e-6 })(problem).values.reduce((a, b) => a + b)).toBe(1);
  });

  it("goes through the weights again where one step makes another worth while", () => {
    const problem: RoundingProblem = {
      weights: Float64Array.from([-0.1, -0.1, 0.1, -0.4]),
      bias: new Float64Array(1),
      biasFixed: true,
      rows: 1,
      columns: 4,
      parameters: () => ({ scale: 1, zeroPoint: 0 }),
      limits,
      moments: momentsOf([
        [0, 4, 4, -4],
        [-4, -2, 1, -3],
        [0, -1, -1, 1],
        [2, 1, 0, 3],
      ]),
    };
    const [none, once, twice] = [0, 1, 2].map((sweeps) => secondOrder({ sweeps })(problem));
    expect(outputError(problem, once!)).toBeLessThan(outputError(problem, none!) - 0.01);
    expect(outputError(problem, twice!)).toBeLessThan(outputError(problem, once!) - 0.01);
    expect(secondOrder()(problem)).toEqual(twice);
  });

  it("moves the bias to where the mean of the error is", () => {
    const problem: RoundingProblem = {
      weights: Float64Array.from([0.3]),
      bias: Float64Array.from([5]),
      rows: 1,
      columns: 1,
      parameters: () => ({ scale: 1, zeroPoint: 0 }),
      limits,
      moments: momentsOf([[2], [2], [2.5]]),
    };
    const { values, bias } = secondOrder()(problem);
    const mean = (2 + 2 + 2.5) / 3;
    expect(values[0]! * mean + bias[0]!).toBeCloseTo(0.3 * mean + 5, 10);
  });

  it("rounds to nearest without moments", () => {
    const problem: RoundingProblem = {
      weights: Float64Array.from([0.26, -0.34]),
      bias: Float64Array.from([1]),
      rows: 1,
      columns: 2,
      parameters: () => ({ scale: 0.1, zeroPoint: 0 }),
      limits,
    };
    expect(secondOrder()(problem)).toEqual(nearest(problem));
  });
});

describe("triangular factors", () => {
  it("multiply to the matrix and solve", () => {
    const a = Float64Array.from([4, 2, 1, 2, 5, 3, 1, 3, 6]);
    const r = upperFactor(a, 3);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let k = 0; k < 3; k++) sum += r[i * 3 + k]! * r[j * 3 + k]!;
        expect(sum).toBeCloseTo(a[i * 3 + j]!, 12);
      }
    }
    const y = solveRow(r, 3, Float64Array.from([1, -2, 3]));
    for (let j = 0; j < 3; j++)
      expect(y[0]! * a[j]! + y[1]! * a[3 + j]! + y[2]! * a[6 + j]!).toBeCloseTo([1, -2, 3][j]!, 12);
  });

  it("find the one row of the matrix that a row vector is", () => {
    const a = Float64Array.from([4, 2, 1, 2, 5, 3, 1, 3, 6]);
    const r = upperFactor(a, 3);
    for (let i = 0; i < 3; i++) {
      solveRow(r, 3, a.slice(3 * i, 3 * i + 3)).forEach(
        (value, j) => void expect(value).toBeCloseTo(i === j ? 1 : 0, 12),
      );
    }
    // R = (1 2; 0 1): (1, 0) R Rᵀ = (5, 2), and the first component is 1 exactly.
    expect([...solveRow(Float64Array.of(1, 2, 0, 1), 2, Float64Array.of(5, 2))]).toEqual([1, 0]);
  });

  it("refuse what is not positive definite", () => {
    expect(() => upperFactor(Float64Array.from([1, 2, 2, 1]), 2)).toThrow(/positive definite/);
  });
});
