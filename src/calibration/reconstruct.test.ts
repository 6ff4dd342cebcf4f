import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quadraticForm } from "./linear-algebra.ts";
import { reconstructed, type SparseProblem } from "./reconstruct.ts";

function gramOf(samples: readonly (readonly number[])[]): Float64Array {
  const n = samples[0]!.length;
  const gram = new Float64Array(n * n);
  for (const x of samples)
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i * n + j]! += (x[i]! * x[j]!) / samples.length;
  return gram;
}

const numbers = (length: number, size: number) =>
  fc.array(fc.double({ min: -size, max: size, noNaN: true }), { minLength: length, maxLength: length });

/** Halves of what a block costs least go. */
const half: SparseProblem["choose"] = (scores) => {
  const gone = new Uint8Array(scores.length);
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
  for (const i of order.slice(0, Math.floor(scores.length / 2))) gone[i] = 1;
  return gone;
};

const problems = fc.integer({ min: 2, max: 6 }).chain((columns) =>
  fc
    .record({
      weights: numbers(2 * columns, 1),
      samples: fc.array(numbers(columns, 3), { minLength: 1, maxLength: 12 }),
      split: fc.integer({ min: 1, max: columns }),
    })
    .map(
      ({ weights, samples, split }): SparseProblem => ({
        weights: Float64Array.from(weights),
        rows: 2,
        columns,
        gram: gramOf(samples),
        order: Int32Array.from({ length: columns }, (_, i) => i),
        ends: Int32Array.from(split < columns ? [split, columns] : [columns]),
        choose: half,
      }),
    ),
);

describe("a reconstruction", () => {
  it("is never worse than the same zeros alone, and is sparse", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { weights, mask, error, plainError } = reconstructed(problem);
        const { rows, columns, gram } = problem;
        expect(error).toBeLessThanOrEqual(plainError);
        let measured = 0;
        for (let row = 0; row < rows; row++) {
          const e = weights
            .subarray(row * columns, (row + 1) * columns)
            .map((weight, i) => problem.weights[row * columns + i]! - weight);
          measured += quadraticForm(gram, columns, e);
        }
        expect(measured).toBeCloseTo(error, 8);
        for (const [i, kept] of mask.entries()) if (kept === 0) expect(weights[i]).toBe(0);
        expect(mask.filter((kept) => kept === 0)).toHaveLength(
          [...problem.ends].reduce((sum, end, i) => sum + Math.floor((2 * (end - (problem.ends[i - 1] ?? 0))) / 2), 0),
        );
      }),
      { seed: 11 },
    );
  });

  it("finds what least squares finds where nothing is settled too early", () => {
    // The first weight goes, the others make up for it: w₂ + w₁ · H₂₁ / H₂₂ for inputs that are seen alone.
    const gram = gramOf([
      [1, 1, 0],
      [2, 1.5, 0],
      [-1, -1, 1],
      [0.5, 1, 2],
    ]);
    const { weights } = reconstructed(
      {
        weights: Float64Array.of(0.5, 1, -2),
        rows: 1,
        columns: 3,
        gram,
        order: Int32Array.of(0, 1, 2),
        ends: Int32Array.of(3),
        choose: () => Uint8Array.of(1, 0, 0),
      },
      1e-9,
    );
    const [a, b, c, d] = [gram[4]!, gram[5]!, gram[7]!, gram[8]!];
    const [p, q] = [0.5 * gram[3]!, 0.5 * gram[6]!];
    const determinant = a * d - b * c;
    expect(weights[0]).toBe(0);
    expect(weights[1]).toBeCloseTo(1 + (d * p - b * q) / determinant, 6);
    expect(weights[2]).toBeCloseTo(-2 + (a * q - c * p) / determinant, 6);
  });

  it("takes what costs least with what the others can make up for", () => {
    // The largest weight multiplies what two others see as well; the smallest sees what nothing else does.
    const samples = [
      [1, 1, 0],
      [-1, -1, 0],
      [2, 2.001, 0],
      [0, 0, 3],
    ];
    const { mask } = reconstructed({
      weights: Float64Array.of(1, 1, 0.8),
      rows: 1,
      columns: 3,
      gram: gramOf(samples),
      order: Int32Array.of(0, 1, 2),
      ends: Int32Array.of(3),
      choose: (scores) => Uint8Array.from(scores, (score) => (score === Math.min(...scores) ? 1 : 0)),
    });
    expect([...mask]).toEqual([0, 1, 1]);
  });
});
