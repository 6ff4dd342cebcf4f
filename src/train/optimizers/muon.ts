/**
 * @file Muon, as torch.optim.Muon in full precision: Jordan et al., "Muon: an optimizer for hidden layers in neural
 * networks" (2024), https://kellerjordan.github.io/posts/muon/.
 *
 * b ← μb + (1 − μ)g; the update is the nearest semi-orthogonal matrix to the (Nesterov) momentum, by five steps of a
 * quintic Newton-Schulz iteration: X ← aX + (bA + cA²)X with A = XXᵀ.
 */
import type { Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { choice, flag, member, number } from "../../settings/index.ts";
import { dimsOf, type StepBuilder } from "../step/step-builder.ts";
import { adamw } from "./adamw.ts";
import { decayed, type Optimizer, type Parameter, zerosLike } from "./optimizer.ts";
import { checkFactor } from "./settings.ts";

export interface MuonOptions {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  /** Steps of the Newton-Schulz iteration. */
  readonly iterations?: number;
  /**
   * How the learning rate follows the shape [rows, columns]: `original` (default) √max(1, rows/columns), `adamw`
   * 0.2·√max(rows, columns), which suits learning rates found for AdamW.
   */
  readonly scale?: "original" | "adamw";
  /** Which parameters are matrices in this sense; default: rank 2. The first axis counts rows, the rest columns. */
  readonly applies?: (parameter: Parameter) => boolean;
  /** For all other parameters; AdamW by default. */
  readonly others?: Optimizer;
}

const coefficients = [3.4445, -4.775, 2.0315] as const;
const EPSILON = 1e-7;

const muonOptionsNames: OptionNames<MuonOptions> = {
  momentum: true,
  nesterov: true,
  weightDecay: true,
  iterations: true,
  scale: true,
  applies: true,
  others: true,
};

export function muon(options: MuonOptions = {}): Optimizer {
  checkOptions(options, muonOptionsNames);
  const { momentum = 0.95, nesterov = true, weightDecay = 0.1, iterations = 5 } = options;
  const { scale = "original", applies = ({ dims }) => dims.length === 2, others = adamw() } = options;
  checkFactor("momentum", momentum);
  checkFactor("weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  checkFactor("iterations", iterations, 100);
  return {
    name: "muon",
    init: (parameter) => (applies(parameter) ? new Map([["velocity", zerosLike(parameter)]]) : others.init(parameter)),
    update(g, inputs) {
      const { parameter, gradient, learningRate, state } = inputs;
      const before = state.get("velocity");
      if (!before) return others.update(g, inputs);
      const velocity = lerp(g, before, gradient, 1 - momentum);
      const dims = dimsOf(parameter) as readonly number[];
      const [rows, columns] = matrixOf(dims);
      const average = nesterov ? lerp(g, gradient, velocity, momentum) : velocity;
      const matrix = dims.length === 2 ? average : g.reshape(average, [rows, columns]);
      const direction = orthogonal(g, matrix, rows, columns, iterations);
      const factor =
        scale === "adamw" ? 0.2 * Math.sqrt(Math.max(rows, columns)) : Math.sqrt(Math.max(1, rows / columns));
      const step = g.mul(direction, g.mul(learningRate, factor));
      const shaped = dims.length === 2 ? step : g.reshape(step, dims);
      return {
        parameter: g.sub(decayed(g, inputs, weightDecay), shaped),
        state: new Map([["velocity", velocity]]),
      };
    },
  };
}

function lerp(g: StepBuilder, from: Value, to: Value, weight: number): Value {
  return g.add(g.mul(from, 1 - weight), g.mul(to, weight));
}

function matrixOf([rows = 1, ...rest]: readonly number[]): [number, number] {
  return [rows, rest.reduce((product, dim) => product * dim, 1)];
}

function orthogonal(g: StepBuilder, matrix: Value, rows: number, columns: number, iterations: number): Value {
  const [a, b, c] = coefficients;
  const turn = (x: Value) => (rows > columns ? g.transpose(x, [1, 0]) : x);
  let x = g.div(turn(matrix), g.max(g.sqrt(g.sumOfSquares(matrix)), EPSILON));
  for (let i = 0; i < iterations; i++) {
    const gram = g.matmul(x, g.transpose(x, [1, 0]));
    const inner = g.add(g.mul(gram, b), g.mul(g.matmul(gram, gram), c));
    x = g.add(g.mul(x, a), g.matmul(inner, x));
  }
  return turn(x);
}

member(muon, {
  momentum: number(),
  nesterov: flag(),
  weightDecay: number(),
  iterations: number(),
  scale: choice(["original", "adamw"]),
  applies: "code",
  others: "code",
});
