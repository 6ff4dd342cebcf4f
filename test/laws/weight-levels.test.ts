/** @file Levels of weights: each is what its paper says, and so is its gradient; layers of them run and learn on ONNX Runtime. */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, type Value, verify } from "../../src/ir/index.ts";
import { vgg } from "../../src/models/index.ts";
import {
  binaryConv,
  binaryLinear,
  conv,
  type Initialiser,
  type Layers,
  linear,
  network,
  signOf,
  twn,
  type WeightLevels,
  type WeightLevelsName,
  weightLevels,
} from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession, resideIn } from "../../src/runtime/index.ts";
import { adamw, crossEntropy, type LossTerm, sgd, type TrainingStep, trainingStep } from "../../src/train/index.ts";

/** One row for each output. */
type Rows = readonly (readonly number[])[];

interface Defined {
  readonly levels: Rows;
  /** From the gradient of the levels. */
  gradient(of: Rows): Rows;
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const magnitudes = (numbers: readonly number[]) => numbers.map(Math.abs);
const sign = (x: number) => (x < 0 ? -1 : 1);
const each = (rows: Rows, f: (x: number, row: number, i: number) => number): Rows =>
  rows.map((row, r) => row.map((x, i) => f(x, r, i)));

function ternary(row: readonly number[], isKept: (magnitude: number) => boolean): readonly number[] {
  const kept = magnitudes(row).filter(isKept);
  const scale = kept.length === 0 ? 0 : mean(kept);
  return row.map((x) => (isKept(Math.abs(x)) ? scale * sign(x) : 0));
}

const distance = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);

/** The ternary row that is nearest, found by trying every number of kept weights. */
function nearestTernary(row: readonly number[]): readonly number[] {
  const tried = magnitudes(row).map((least) => ternary(row, (x) => x >= least));
  return tried.reduce((best, next) => (distance(row, next) < distance(row, best) ? next : best));
}

const ofPapers: Record<WeightLevelsName, (rows: Rows) => Defined> = {
  binaryConnect: (rows) => ({
    levels: each(rows, sign),
    gradient: (of) => each(rows, (x, r, i) => (Math.abs(x) <= 1 ? of[r]![i]! : 0)),
  }),
  bwn(rows) {
    const scales = rows.map((row) => mean(magnitudes(row)));
    return {
      levels: each(rows, (x, r) => scales[r]! * sign(x)),
      gradient: (of) =>
        each(rows, (x, r, i) => of[r]![i]! * (1 / rows[r]!.length + (Math.abs(x) <= 1 ? scales[r]! : 0))),
    };
  },
  twn: (rows) => ({
    levels: rows.map((row) => ternary(row, (x) => x > 0.7 * mean(magnitudes(row)))),
    gradient: (of) => of,
  }),
  ttq(rows) {
    const bound = 0.05 * Math.max(...rows.flatMap(magnitudes));
    const start = 1 / Math.sqrt(rows[0]!.length);
    return {
      levels: each(rows, (x) => (Math.abs(x) > bound ? start * sign(x) : 0)),
      gradient: (of) => each(rows, (x, r, i) => of[r]![i]! * (Math.abs(x) > bound ? start : 1)),
    };
  },
  absmean(rows) {
    const scale = mean(rows.flatMap(magnitudes));
    return {
      levels: each(rows, (x) => scale * Math.min(1, Math.max(-1, Math.round(x / (scale + 1e-5))))),
      gradient: (of) => of,
    };
  },
};

const OUTPUTS = 5;
const CHANNELS = 3;
const KERNEL = 2;
const INPUTS = CHANNELS * KERNEL * KERNEL;

/** Some beyond 1, one that is 0, and one of the other sign than its neighbours. */
const drawn: Initialiser = (dims, source) => {
  const numbers = new Float32Array(dims.reduce((a, b) => a * b, 1)).map(() => source.normal());
  numbers[0] = 0;
  return numbers;
};

/** Layers that show their weights where the input is one basis vector after another: [inputs, …] → [inputs, outputs]. */
const layers: Record<string, { dims: readonly number[]; build: (n: Layers, x: Value, levels: WeightLevels) => Value }> =
  {
    linear: {
      dims: [INPUTS],
      build: (n, x, levels) => linear(n, x, OUTPUTS, { levels, bias: false, weight: drawn }),
    },
    conv: {
      dims: [CHANNELS, KERNEL, KERNEL],
      build: (n, x, levels) => {
        const y = conv(n, x, OUTPUTS, { kernel: KERNEL, padding: 0, levels, bias: false, weight: drawn });
        return n.op("Flatten", [y], { axis: 1 });
      },
    },
  };

const basis = (dims: readonly number[]): Tensor =>
  tensorFromNumbers(
    "float32",
    [INPUTS, ...dims],
    Array.from({ length: INPUTS ** 2 }, (_, i) => (i % (INPUTS + 1) === 0 ? 1 : 0)),
  );

const coefficients = Array.from({ length: INPUTS * OUTPUTS }, (_, i) => Math.sin(7 * i + 1));

/** Σ y·c, whose gradient are the coefficients. */
const weighted = (dims: readonly number[], numbers: readonly number[]): LossTerm => ({
  name: "weighted",
  build: (g, { prediction }) =>
    g.sum(g.mul(prediction, g.constant("coefficients", tensorFromNumbers("float32", dims, numbers)))),
});

/** Outputs first, from a weight [inputs, outputs] or [outputs, …]. */
function rowsOf({ dims }: Tensor, numbers: ArrayLike<number>): Rows {
  const isFirst = dims[0] === OUTPUTS;
  return Array.from({ length: OUTPUTS }, (_, r) =>
    Array.from({ length: INPUTS }, (_, i) => numbers[isFirst ? r * INPUTS + i : i * OUTPUTS + r]!),
  );
}

const ofOutputs = (numbers: ArrayLike<number>): Rows =>
  Array.from({ length: OUTPUTS }, (_, r) => Array.from({ length: INPUTS }, (_, i) => numbers[i * OUTPUTS + r]!));

function feedsOf(step: TrainingStep, x: Tensor): Map<string, Tensor> {
  return new Map([
    ["x", x],
    [step.learningRate, tensorFromNumbers("float32", [], [1])],
    [step.step, tensorFromNumbers("int64", [], [1])],
    ...step.state.map(({ name, initial }) => [name, initial] as const),
  ]);
}

/** What one step of size 1 takes away from every parameter, by both engines. */
async function gradients(model: Model, x: Tensor, term: LossTerm): Promise<Map<string, number[]>> {
  const step = trainingStep(model, { terms: [term], optimizer: sgd() });
  const feeds = feedsOf(step, x);
  const expected = evaluate(step.model, feeds);
  await using session = await openSession(step.model);
  const got = await session.run(feeds);
  return new Map(
    step.state.map(({ name, initial, output }) => {
      const before = numbersOf(initial);
      const taken = Array.from(numbersOf(expected.get(output)!), (after, i) => before[i]! - after);
      const measured = Array.from(numbersOf(got.get(output)!), (after, i) => before[i]! - after);
      for (const [i, g] of measured.entries()) expect(g).toBeCloseTo(taken[i]!, 5);
      return [name, taken];
    }),
  );
}

function expectRows(got: Rows, expected: Rows): void {
  for (const [r, row] of expected.entries()) {
    for (const [i, x] of row.entries()) expect(got[r]![i]!, `${r}, ${i}`).toBeCloseTo(x, 6);
  }
}

const subjects: readonly (readonly [string, WeightLevels, (rows: Rows) => Defined])[] = [
  ...(Object.keys(weightLevels) as WeightLevelsName[]).map(
    (name) => [name, weightLevels[name](), ofPapers[name]] as const,
  ),
  ["twn, best", twn({ threshold: "best" }), (rows) => ({ levels: rows.map(nearestTernary), gradient: (of) => of })],
];

describe.each(subjects)("%s", (_, levels, define) => {
  it.each(Object.keys(layers))("%s: levels and gradient are those of the paper", async (kind) => {
    const { dims, build } = layers[kind]!;
    const built = network(random(3), (n) =>
      n.output(build(n, n.input("x", "float32", [INPUTS, ...dims]), levels), "y"),
    );
    expect(verify(built)).toEqual([]);
    const [, weight] = [...built.graph.initializers].find(([{ name }]) => name === "weight") as [Value, Tensor];
    const defined = define(rowsOf(weight, numbersOf(weight)));
    const x = basis(dims);
    expectRows(ofOutputs(numbersOf(evaluate(built, new Map([["x", x]])).get("y")!)), defined.levels);
    await using session = await openSession(built);
    const native = numbersOf((await session.run(new Map([["x", x]]))).get("y")!);
    expectRows(ofOutputs(native), defined.levels);
    const found = await gradients(built, x, weighted([INPUTS, OUTPUTS], coefficients));
    expectRows(rowsOf(weight, found.get("weight")!), defined.gradient(ofOutputs(coefficients)));
  });
});

it("the scales of ttq get the gradients of their levels", async () => {
  const built = network(random(3), (n) =>
    n.output(layers.linear!.build(n, n.input("x", "float32", [INPUTS, INPUTS]), weightLevels.ttq()), "y"),
  );
  const x = basis([INPUTS]);
  const levels = numbersOf(evaluate(built, new Map([["x", x]])).get("y")!);
  const found = await gradients(built, x, weighted([INPUTS, OUTPUTS], coefficients));
  const sumOf = (isIn: (level: number) => boolean) =>
    coefficients.reduce((sum, c, i) => sum + (isIn(levels[i]!) ? c : 0), 0);
  expect(found.get("positive_scale")![0]).toBeCloseTo(
    sumOf((level) => level > 0),
    6,
  );
  expect(found.get("negative_scale")![0]).toBeCloseTo(-sumOf((level) => level < 0), 6);
});

it.each([0, -1, Number.NaN])("a threshold of %d is refused", (threshold) => {
  expect(() => twn({ threshold })).toThrow(/out of range/);
  expect(() => weightLevels.ttq({ threshold })).toThrow(/out of range/);
});

describe("signs", () => {
  it("take zero as positive, and pass the gradient within 1 alone", async () => {
    const numbers = [-2, -1, -0.5, -1e-30, -0, 0, 1e-30, 0.5, 1, 1.5];
    const built = network(random(1), (n) => {
      const weight = n.parameter("weight", [10], () => Float32Array.from(numbers));
      n.output(signOf(n, n.mul(n.input("x", "float32", [10]), weight)), "y");
    });
    const x = tensorFromNumbers("float32", [10], new Array<number>(10).fill(1));
    await using session = await openSession(built);
    const y = numbersOf((await session.run(new Map([["x", x]]))).get("y")!);
    expect([...y]).toEqual([-1, -1, -1, -1, 1, 1, 1, 1, 1, 1]);
    const c = Array.from({ length: 10 }, (_, i) => i + 1);
    const found = await gradients(built, x, weighted([10], c));
    expect(found.get("weight")).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
  });

  it.each([false, true])("are summed over a padding of +1, with input scales: %s", (inputScale) => {
    const built = network(random(5), (n) => {
      const x = n.input("x", "float32", [1, 2, 4, 4]);
      n.output(binaryConv(n, x, 1, { kernel: 3, stride: 2, inputScale, levels: weightLevels.binaryConnect() }), "y");
    });
    const [, weight] = [...built.graph.initializers].find(([{ name }]) => name === "weight") as [Value, Tensor];
    const w = numbersOf(weight);
    const x = Array.from({ length: 32 }, (_, i) => Math.sin(3 * i + 1));
    const at = (channel: number, row: number, column: number) =>
      row < 0 || row > 3 || column < 0 || column > 3 ? undefined : x[16 * channel + 4 * row + column];
    const expected = [0, 2].flatMap((row) =>
      [0, 2].map((column) => {
        let [sum, scale] = [0, 0];
        for (let c = 0; c < 2; c++) {
          for (let k = 0; k < 9; k++) {
            const value = at(c, row + Math.floor(k / 3) - 1, column + (k % 3) - 1);
            sum += sign(w[9 * c + k]!) * (value === undefined ? 1 : sign(value));
            scale += Math.abs(value ?? 0) / 18;
          }
        }
        return inputScale ? sum * scale : sum;
      }),
    );
    const y = numbersOf(evaluate(built, new Map([["x", tensorFromNumbers("float32", [1, 2, 4, 4], x)]])).get("y")!);
    for (const [i, value] of expected.entries()) expect(y[i]!).toBeCloseTo(value, 6);
  });

  it("of features are scaled with the mean magnitude of a sample", () => {
    const built = network(random(5), (n) => {
      const x = n.input("x", "float32", [2, 3]);
      const plain = { levels: weightLevels.binaryConnect() };
      n.output(binaryLinear(n.scope("a"), x, 1, { ...plain, weight: () => Float32Array.of(1, -1, 1) }), "plain");
      const scaled = { ...plain, inputScale: true, weight: () => Float32Array.of(1, -1, 1) };
      n.output(binaryLinear(n.scope("b"), x, 1, scaled), "scaled");
    });
    const y = evaluate(built, new Map([["x", tensorFromNumbers("float32", [2, 3], [1, 2, 3, -1, -1, 4])]]));
    expect([...numbersOf(y.get("plain")!)]).toEqual([1, 1]);
    expect([...numbersOf(y.get("scaled")!)]).toEqual([2, 2]);
  });
});

const kinds = [
  ...(Object.keys(weightLevels) as WeightLevelsName[]).map((weights) => ({ weights })),
  { weights: "bwn", activations: "binary" },
  { weights: "bwn", activations: "binary", inputScale: true },
  { weights: "binaryConnect", activations: "binary" },
] as const;

describe("a network of few levels", () => {
  it.each(kinds)("learns a batch by heart: %j", async (kind) => {
    const model = vgg(random(1), { width: 4, size: 8, channels: 1, classes: 3, ...kind });
    const step = trainingStep(model, { loss: crossEntropy(), optimizer: adamw() });
    const source = random(7);
    const pixels = Array.from({ length: 6 * 64 }, () => source.normal());
    await using session = await openSession(step.model);
    const initial = new Map(step.state.map(({ name, initial }) => [name, initial]));
    const next = new Map(step.state.map(({ name, output }) => [name, output]));
    const state = await resideIn(session, initial, next);
    const losses: number[] = [];
    for (let i = 1; i <= 40; i++) {
      const feeds = new Map([
        ["input", tensorFromNumbers("float32", [6, 1, 8, 8], pixels)],
        [step.labels!, tensorFromNumbers("int64", [6], [0, 1, 2, 0, 1, 2])],
        [step.learningRate, tensorFromNumbers("float32", [], [0.01])],
        [step.step, tensorFromNumbers("int64", [], [i])],
      ]);
      const [results] = await state.advance([feeds], { fetches: [step.loss] });
      losses.push(numbersOf(results!.get(step.loss)!)[0]!);
    }
    expect(Math.min(...losses.slice(-5))).toBeLessThan(losses[0]! / 3);
  });

  it("is refused where an option would do nothing", () => {
    expect(() => vgg(random(1), { activations: "binary" })).toThrow(/few levels/);
    expect(() => vgg(random(1), { weights: "bwn", inputScale: true })).toThrow(/signs of inputs/);
    expect(() => vgg(random(1), { size: 30 })).toThrow(/halved/);
  });
});
