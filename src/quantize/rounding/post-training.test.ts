/** @file GPTQ, the search for ends, HQQ and AdaRound against numpy and torch. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Moments } from "../../calibration/index.ts";
import { dequantizeValue } from "../scheme.ts";
import { type BlockLayout, blockLimits, blockParameters, type WeightBits } from "../weights/weight-blocks.ts";
import { adaRound, learnRounding } from "./adaround.ts";
import { clipSearch } from "./clip-search.ts";
import { gptq } from "./gptq.ts";
import { halfQuadratic, hqq } from "./hqq.ts";
import { nearest } from "./nearest.ts";
import type { RoundingProblem, RoundingResult } from "./rounding.ts";

type Rows = readonly (readonly number[])[];

interface Recorded {
  readonly gptq: readonly {
    readonly bits: WeightBits;
    readonly symmetric: boolean;
    readonly actOrder: boolean;
    readonly damping: number;
    readonly rows: number;
    readonly columns: number;
    readonly size: 16;
    readonly weights: readonly number[];
    readonly inputs: Rows;
    readonly values: readonly number[];
    readonly scales: readonly number[];
    readonly zeroPoints: readonly number[];
  }[];
  readonly clip: readonly {
    readonly bits: WeightBits;
    readonly symmetric: boolean;
    readonly rows: number;
    readonly size: 16;
    readonly weights: readonly number[];
    readonly inputs: Rows;
    readonly values: readonly number[];
    readonly scales: readonly number[];
    readonly zeroPoints: readonly number[];
  }[];
  readonly hqq: readonly {
    readonly bits: WeightBits;
    readonly weights: readonly number[];
    readonly scale: number;
    readonly zeroPoint: number;
    readonly found: number;
  }[];
  readonly adaround: readonly {
    readonly steps: number;
    readonly learningRate: number;
    readonly regularization: number;
    readonly warmup: number;
    readonly rows: number;
    readonly columns: number;
    readonly weights: readonly number[];
    readonly scales: readonly number[];
    readonly zeros: readonly number[];
    readonly inputs: Rows;
    readonly h: readonly number[];
  }[];
}

const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/rounding/post-training.json", import.meta.url), "utf8"),
);

/** E[x xᵀ] of the rows, with a constant 1 behind each. */
function momentsOf(inputs: Rows): Moments {
  const n = inputs[0]!.length + 1;
  const gram = new Float64Array(n * n);
  for (const input of inputs) {
    const x = [...input, 1];
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i * n + j]! += (x[i]! * x[j]!) / inputs.length;
  }
  return { gram };
}

/** Rows of weights in blocks, each with the parameters of its own range. */
function blocked(weights: Float64Array, rows: number, layout: BlockLayout, moments?: Moments): RoundingProblem {
  const columns = weights.length / rows;
  const parametersOf = (values: Float64Array) => blockParameters(values, layout);
  return {
    weights,
    bias: new Float64Array(rows),
    rows,
    columns,
    limits: blockLimits(layout),
    moments,
    blocks: { size: layout.size, parametersOf },
    parameters(row, column) {
      const from = column - (column % layout.size);
      const end = Math.min(columns, from + layout.size);
      return parametersOf(weights.slice(row * columns + from, row * columns + end));
    },
  };
}

/** Mean ‖(w − ŵ) x‖² over the samples. */
function outputError(problem: RoundingProblem, inputs: Rows, { values, parameters }: RoundingResult): number {
  const { rows, columns, weights, blocks } = problem;
  const count = blocks ? Math.ceil(columns / blocks.size) : 1;
  let total = 0;
  for (const x of inputs) {
    for (let row = 0; row < rows; row++) {
      const off = x.reduce((sum, each, j) => {
        const at = row * columns + j;
        const own = parameters?.[row * count + Math.floor(j / (blocks?.size ?? columns))] ?? problem.parameters(row, j);
        return sum + (weights[at]! - dequantizeValue(values[at]!, own)) * each;
      }, 0);
      total += off ** 2 / inputs.length;
    }
  }
  return total;
}

describe("GPTQ", () => {
  it.each(recorded.gptq)(
    "has the integers and scales of the published loop: $bits bits, symmetric $symmetric, act-order $actOrder",
    (given) => {
      const { bits, symmetric, size, rows, inputs, damping, actOrder } = given;
      const problem = blocked(Float64Array.from(given.weights), rows, { bits, symmetric, size }, momentsOf(inputs));
      const found = gptq({ damping, order: actOrder ? "energy" : "stored" })(problem);
      expect([...found.values]).toEqual(given.values);
      if (actOrder) expect(found.parameters).toBeUndefined();
      else {
        expect(found.parameters!.map(({ scale }) => scale)).toEqual(given.scales);
        expect(found.parameters!.map(({ zeroPoint }) => zeroPoint)).toEqual(given.zeroPoints);
      }
      expect(outputError(problem, inputs, found)).toBeLessThan(outputError(problem, inputs, nearest(problem)));
    },
  );
});

describe("the search for ends", () => {
  it.each(recorded.clip)("chooses what the published search chooses: $bits bits, symmetric $symmetric", (given) => {
    const { bits, symmetric, size, rows, inputs } = given;
    const problem = blocked(Float64Array.from(given.weights), rows, { bits, symmetric, size }, momentsOf(inputs));
    const found = clipSearch()(problem);
    expect([...found.values]).toEqual(given.values);
    expect(found.parameters!.map(({ scale }) => scale)).toEqual(given.scales);
    expect(found.parameters!.map(({ zeroPoint }) => zeroPoint)).toEqual(given.zeroPoints);
    const { moments: _, ...unseen } = problem;
    expect(clipSearch()(unseen)).toEqual(nearest(problem));
    expect(clipSearch({ least: 1 })(problem).values).toEqual(nearest(problem).values);
  });

  it("refuses a share that is none", () => {
    expect(() => clipSearch({ least: 2 })).toThrow(/least/);
    expect(() => clipSearch({ grid: 0 })).toThrow(/grid/);
  });
});

describe("HQQ", () => {
  it.each(recorded.hqq)("moves the scale as numpy does: $bits bits", ({ bits, weights, scale, zeroPoint, found }) => {
    const settings = { rounds: 20, p: 0.7, beta: 10, growth: 1.01 };
    const start = { scale, zeroPoint };
    const after = halfQuadratic(Float64Array.from(weights), start, blockLimits({ bits }), settings);
    expect(after.zeroPoint).toBe(zeroPoint);
    expect(after.scale).toBeCloseTo(found, 6);
  });

  it("loses no more than nearest in Σ |w − ŵ|^p, and less for most blocks", () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 32, maxLength: 32 });
    let better = 0;
    fc.assert(
      fc.property(values, fc.constantFrom(2, 3, 4), (list, bits) => {
        const problem = blocked(Float64Array.from(list), 1, { bits: bits as WeightBits, symmetric: false, size: 16 });
        const lost = ({ values: integers, parameters }: RoundingResult) =>
          list.reduce((sum, weight, i) => {
            const own = parameters?.[Math.floor(i / 16)] ?? problem.parameters(0, i);
            return sum + Math.abs(weight - dequantizeValue(integers[i]!, own)) ** 0.7;
          }, 0);
        const [found, plain] = [lost(hqq()(problem)), lost(nearest(problem))];
        expect(found).toBeLessThanOrEqual(plain * (1 + 1e-9));
        if (found < plain) better++;
      }),
      { seed: 3, numRuns: 60 },
    );
    expect(better).toBeGreaterThan(40);
  });

  it("is nearest where scales are fixed", () => {
    const { blocks: _, ...fixed } = blocked(Float64Array.from([0.1, 0.7, -0.4, 0.2]), 1, {
      ...{ bits: 4, symmetric: false, size: 16 },
    });
    expect(hqq()(fixed)).toEqual(nearest(fixed));
  });
});

describe("AdaRound", () => {
  it.each(recorded.adaround)("learns what torch's gradients and Adam learn: $steps steps", (given) => {
    const { steps, learningRate, regularization, warmup, rows, columns: n, inputs } = given;
    const gram = new Float64Array(n * n);
    for (const x of inputs) {
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i * n + j]! += (x[i]! * x[j]!) / inputs.length;
    }
    for (let row = 0; row < rows; row++) {
      const part = (list: readonly number[]) => Float64Array.from(list.slice(row * n, (row + 1) * n));
      const [weights, scales, zeros] = [part(given.weights), part(given.scales), part(given.zeros)];
      const floors = weights.map((weight, i) => Math.floor(weight / scales[i]!) + zeros[i]!);
      const state = { weights, scales, zeros, floors, gram, shift: new Float64Array(n), limits: { low: -8, high: 7 } };
      const h = learnRounding(state, { steps, learningRate, regularization, warmup, betas: [20, 2] });
      for (const [i, each] of h.entries()) expect(each).toBeCloseTo(given.h[row * n + i]!, 6);
    }
  });

  it("loses less than nearest on inputs that move together, with every weight beside its own two integers", () => {
    let ratio = 0;
    for (const { inputs, weights, rows, columns } of recorded.gptq.slice(0, 4)) {
      const layout = { bits: 4, symmetric: false, size: 16 } as const;
      const problem = blocked(Float64Array.from(weights), rows, layout, momentsOf(inputs));
      const found = adaRound()(problem);
      expect(found.parameters).toBeUndefined();
      const [lost, plain] = [outputError(problem, inputs, found), outputError(problem, inputs, nearest(problem))];
      expect(lost).toBeLessThanOrEqual(plain * (1 + 1e-9));
      ratio += lost / plain / 4;
      for (const [i, value] of found.values.entries()) {
        const { scale, zeroPoint } = problem.parameters(Math.floor(i / columns), i % columns);
        expect(Math.abs(problem.weights[i]! / scale + zeroPoint - value)).toBeLessThanOrEqual(1 + 1e-9);
      }
    }
    expect(ratio).toBeLessThan(0.7);
  });
});
