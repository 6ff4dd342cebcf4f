/** @file The optimizers as plain loops over numbers, written from their papers. */
import type { OptimizerName } from "../../src/train/index.ts";

interface Steps {
  readonly dims: readonly number[];
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly learningRates: readonly number[];
}

type Settings = Record<string, unknown>;

interface Reference {
  readonly defaults: Settings;
  readonly options: readonly Settings[];
  follow(steps: Steps, settings: Settings, decays: boolean): number[][];
}

type Vector = readonly number[];

const map2 = (a: Vector, b: Vector, f: (x: number, y: number) => number) => a.map((x, i) => f(x, b[i]!));
const norm = (a: Vector) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));

/** Runs `update` over the steps; `state` are vectors that begin with zeros. */
function walk(
  { start, gradients, learningRates }: Steps,
  states: number,
  update: (w: Vector, g: Vector, rate: number, t: number, state: Vector[]) => number[],
): number[][] {
  let w: Vector = start;
  const state = Array.from({ length: states }, () => start.map(() => 0) as Vector);
  return gradients.map((g, i) => {
    const next = update(w, g, learningRates[i]!, i + 1, state);
    w = next;
    return next;
  });
}

interface Moments {
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** m̂ / (√v̂ + ε), by Kingma and Ba. */
function adamDirection({ betas: [b1, b2], epsilon }: Moments, g: Vector, t: number, state: Vector[]): number[] {
  state[0] = map2(state[0]!, g, (m, x) => b1 * m + (1 - b1) * x);
  state[1] = map2(state[1]!, g, (v, x) => b2 * v + (1 - b2) * x * x);
  return map2(state[0], state[1], (m, v) => m / (1 - b1 ** t) / (Math.sqrt(v / (1 - b2 ** t)) + epsilon));
}

const sgd: Reference = {
  defaults: { momentum: 0, nesterov: false, weightDecay: 0 },
  options: [{}, { momentum: 0.9 }, { momentum: 0.9, nesterov: true, weightDecay: 0.01 }],
  follow(steps, settings, decays) {
    const { momentum, nesterov, weightDecay } = settings as {
      momentum: number;
      nesterov: boolean;
      weightDecay: number;
    };
    return walk(steps, 1, (w, raw, rate, _, state) => {
      const g = map2(raw, w, (x, y) => x + (decays ? weightDecay * y : 0));
      state[0] = map2(state[0]!, g, (b, x) => momentum * b + x);
      const direction = nesterov ? map2(g, state[0], (x, b) => x + momentum * b) : state[0];
      return map2(w, direction, (y, d) => y - rate * d);
    });
  },
};

const adam: Reference = {
  defaults: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 },
  options: [{}, { betas: [0.5, 0.7], epsilon: 0.1, weightDecay: 0.2 }],
  follow(steps, settings, decays) {
    const moments = settings as unknown as Moments;
    return walk(steps, 2, (w, raw, rate, t, state) => {
      const g = map2(raw, w, (x, y) => x + (decays ? moments.weightDecay * y : 0));
      return map2(w, adamDirection(moments, g, t, state), (y, d) => y - rate * d);
    });
  },
};

const adamw: Reference = {
  defaults: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 },
  options: [{}, { betas: [0.5, 0.7], epsilon: 0.1, weightDecay: 0.2 }],
  follow(steps, settings, decays) {
    const moments = settings as unknown as Moments;
    const decay = decays ? moments.weightDecay : 0;
    return walk(steps, 2, (w, g, rate, t, state) =>
      map2(w, adamDirection(moments, g, t, state), (y, d) => y - rate * decay * y - rate * d),
    );
  },
};

const lamb: Reference = {
  defaults: { betas: [0.9, 0.999], epsilon: 1e-6, weightDecay: 0.01 },
  options: [{}, { betas: [0.5, 0.7], weightDecay: 0 }],
  follow(steps, settings, decays) {
    const moments = settings as unknown as Moments;
    return walk(steps, 2, (w, g, rate, t, state) => {
      const adapted = adamDirection(moments, g, t, state);
      if (!decays) return map2(w, adapted, (y, d) => y - rate * d);
      const direction = map2(adapted, w, (d, y) => d + moments.weightDecay * y);
      const trust = norm(w) * norm(direction) === 0 ? 1 : norm(w) / norm(direction);
      return map2(w, direction, (y, d) => y - rate * trust * d);
    });
  },
};

const lion: Reference = {
  defaults: { betas: [0.9, 0.99], weightDecay: 0 },
  options: [{}, { betas: [0.5, 0.7], weightDecay: 0.2 }],
  follow(steps, settings, decays) {
    const { betas, weightDecay } = settings as unknown as Moments;
    const [b1, b2] = betas;
    return walk(steps, 1, (w, g, rate, _, state) => {
      const direction = map2(state[0]!, g, (m, x) => Math.sign(b1 * m + (1 - b1) * x));
      state[0] = map2(state[0]!, g, (m, x) => b2 * m + (1 - b2) * x);
      return map2(w, direction, (y, d) => y - rate * (d + (decays ? weightDecay * y : 0)));
    });
  },
};

const muon: Reference = {
  defaults: { momentum: 0.95, nesterov: true, weightDecay: 0.1, iterations: 5 },
  options: [{}, { momentum: 0.5, nesterov: false, weightDecay: 0, iterations: 2 }],
  follow(steps, settings, decays) {
    const { momentum, nesterov, weightDecay, iterations } = settings as {
      momentum: number;
      nesterov: boolean;
      weightDecay: number;
      iterations: number;
    };
    const [rows, columns] = steps.dims as [number, number];
    return walk(steps, 1, (w, g, rate, _, state) => {
      state[0] = map2(state[0]!, g, (b, x) => momentum * b + (1 - momentum) * x);
      const average = nesterov ? map2(g, state[0], (x, b) => (1 - momentum) * x + momentum * b) : state[0];
      let x: Vector = average.map((v) => v / Math.max(norm(average), 1e-7));
      for (let i = 0; i < iterations; i++) {
        const gram = product(x, transposed(x, rows, columns), rows, columns, rows);
        const square = product(gram, gram, rows, rows, rows);
        const inner = map2(gram, square, (a, b) => -4.775 * a + 2.0315 * b);
        x = map2(x, product(inner, x, rows, rows, columns), (a, b) => 3.4445 * a + b);
      }
      const factor = Math.sqrt(Math.max(1, rows / columns));
      return map2(w, x, (y, d) => y - rate * (decays ? weightDecay * y : 0) - rate * factor * d);
    });
  },
};

function product(a: Vector, b: Vector, n: number, inner: number, m: number): number[] {
  return Array.from({ length: n * m }, (_, at) => {
    const [row, column] = [Math.floor(at / m), at % m];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[row * inner + k]! * b[k * m + column]!;
    return sum;
  });
}

function transposed(a: Vector, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)]!);
}

export const references: Record<OptimizerName, Reference> = { sgd, adam, adamw, lamb, lion, muon };
