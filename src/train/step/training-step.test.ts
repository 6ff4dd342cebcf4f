import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import {
  float,
  type Graph,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  verify,
  withGraph,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { openSession } from "../../runtime/index.ts";
import { adamw, crossEntropy, sgd, type TrainingStep, trainingStep, withParameters } from "../index.ts";

type State = Map<string, Tensor>;
type Feed = Record<string, Tensor>;

function wave(count: number, seed: number, size = 1): number[] {
  return Array.from({ length: count }, (_, i) => size * Math.sin(seed * 12.9898 + i * 78.233));
}

function floats(dims: readonly number[], values: readonly number[]): Tensor {
  return tensorFromNumbers("float32", dims, values);
}

function classes(values: readonly number[]): Tensor {
  return tensorFromNumbers("int64", [values.length], values);
}

/** 4 → 5 → 3, with what `middle` puts behind the hidden layer. */
function network(
  middle: (g: ReturnType<typeof graphBuilder>, x: ReturnType<Graph["inputs"]["at"]> & object) => object,
) {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", ["batch", 4]);
  const weight = (name: string, dims: readonly number[], seed: number) =>
    g.constant(
      name,
      floats(
        dims,
        wave(
          dims.reduce((n, d) => n * d, 1),
          seed,
          0.7,
        ),
      ),
    );
  const affine = (input: typeof x, name: string, dims: readonly number[], seed: number) =>
    g.op("Add", [
      g.op("MatMul", [input, weight(`${name}.weight`, dims, seed)]),
      weight(`${name}.bias`, [dims[1]!], seed + 1),
    ]);
  const hidden = middle(g, affine(x, "hidden", [4, 5], 1)) as typeof x;
  g.output(affine(g.op("Tanh", [hidden]), "head", [5, 3], 3), "logits");
  return model(g.build());
}

const plain = () => network((_, x) => x);

function initialState(step: TrainingStep): State {
  return new Map(step.state.map(({ name, initial }) => [name, initial]));
}

function scalars(step: TrainingStep, number: number, rate = 0.1): Feed {
  return {
    [step.learningRate]: tensor("float32", [], [rate]),
    [step.step]: tensorFromNumbers("int64", [], [number]),
    ...(step.maskKey && { [step.maskKey]: tensorFromNumbers("uint32", [2], [7, number]) }),
  };
}

function advance(step: TrainingStep, state: State, feed: Feed): { results: Map<string, Tensor>; state: State } {
  const results = evaluate(step.model, new Map([...state, ...Object.entries(feed)]));
  return { results, state: new Map(step.state.map(({ name, output }) => [name, results.get(output)!])) };
}

function batch(from: number, count: number): Feed {
  const rows = wave(64, 5);
  return {
    x: floats([count, 4], rows.slice(from * 4, (from + count) * 4)),
    labels: classes(Array.from({ length: count }, (_, i) => (from + i) % 3)),
  };
}

function numbersAt(state: State, name: string): number[] {
  return Array.from(numbersOf(state.get(name)!));
}

function expectSame(a: State, b: State, names: readonly string[], digits = 6): void {
  for (const name of names) {
    const other = numbersAt(b, name);
    for (const [i, x] of numbersAt(a, name).entries()) expect(x, `${name}[${i}]`).toBeCloseTo(other[i]!, digits);
  }
}

const parameters = ["hidden.weight", "hidden.bias", "head.weight", "head.bias"];

describe("a training step", () => {
  it("is a valid model whose parameters and state are plain inputs", () => {
    const step = trainingStep(plain(), { loss: "crossEntropy", optimizer: "adamw" });
    expect(verify(step.model)).toEqual([]);
    expect(step.state.filter(({ kind }) => kind === "parameter").map(({ name }) => name)).toEqual(parameters);
    expect(step.state.map(({ output }) => output)).toContain("head.weight:next");
    expect(step.state.map(({ name }) => name)).toContain("head.weight:square");
    const constants = new Set([...step.model.graph.initializers.keys()].map(({ name }) => name));
    for (const { name } of step.state) expect(constants.has(name)).toBe(false);
    expect(step).toMatchObject({ batch: ["x"], labels: "labels", loss: "loss", prediction: "logits" });
  });

  it("moves parameters against the gradient of the loss", () => {
    const step = trainingStep(plain(), { loss: "crossEntropy", optimizer: sgd() });
    const state = initialState(step);
    const lossAt = (at: State) =>
      numbersOf(
        evaluate(step.model, new Map([...at, ...Object.entries({ ...batch(0, 6), ...scalars(step, 1) })])).get("loss")!,
      )[0]!;
    const { state: next } = advance(step, state, { ...batch(0, 6), ...scalars(step, 1) });
    for (const name of parameters) {
      const { dims } = state.get(name)!;
      const numbers = numbersAt(state, name);
      const shifted = (by: number) =>
        tensor(
          "float64",
          dims,
          numbers.map((x, i) => (i === 1 ? x + by : x)),
        );
      const slope =
        (lossAt(new Map([...state, [name, shifted(1e-6)]])) - lossAt(new Map([...state, [name, shifted(-1e-6)]]))) /
        2e-6;
      expect((numbers[1]! - numbersAt(next, name)[1]!) / Math.fround(0.1)).toBeCloseTo(slope, 6);
    }
  });

  it("runs on ONNX Runtime as in float64", async () => {
    const step = trainingStep(network(batchNormalised), {
      loss: crossEntropy({ smoothing: 0.1 }),
      optimizer: sgd({ momentum: 0.9, nesterov: true }),
      clip: 0.5,
      average: 0.9,
    });
    await using session = await openSession(step.model);
    let [state, reference] = [initialState(step), initialState(step)];
    for (let i = 1; i <= 3; i++) {
      const feed = { ...batch(i, 8), ...scalars(step, i) };
      const results = await session.run(new Map([...state, ...Object.entries(feed)]));
      state = new Map(step.state.map(({ name, output }) => [name, results.get(output)!]));
      reference = advance(step, reference, feed).state;
    }
    expectSame(state, reference, [...state.keys()], 4);
  });

  it("learns", () => {
    const step = trainingStep(plain(), { loss: "crossEntropy", optimizer: "adamw" });
    let state = initialState(step);
    const seen: number[] = [];
    for (let i = 1; i <= 30; i++) {
      const { results, state: next } = advance(step, state, { ...batch(0, 6), ...scalars(step, i) });
      seen.push(numbersOf(results.get("loss")!)[0]!);
      state = next;
    }
    expect(seen[29]!).toBeLessThan(seen[0]! / 4);
  });
});

describe("what is trained", () => {
  it("can be named, and the rest stays frozen in the graph", () => {
    const step = trainingStep(plain(), { loss: "crossEntropy", optimizer: "sgd", trainable: [/^head/] });
    expect(step.state.map(({ name }) => name)).toEqual(["head.weight", "head.bias"]);
    expect([...step.model.graph.initializers.keys()].map(({ name }) => name)).toContain("hidden.weight");
  });

  it("is not a scale of quantization per channel, unless it is named", () => {
    const quantized = network((g, x) => {
      const scale = g.constant(
        "scale",
        floats(
          [5],
          wave(5, 9).map((value) => 0.1 + Math.abs(value)),
        ),
      );
      const zero = g.constant("zero", tensorFromNumbers("int8", [5], [0, 0, 0, 0, 0]));
      const weight = g.constant("square.weight", floats([5, 5], wave(25, 8)));
      const q = g.op("QuantizeLinear", [weight, scale, zero], { axis: 1 });
      return g.op("MatMul", [x, g.op("DequantizeLinear", [q, scale, zero], { axis: 1 })]);
    });
    const options = { loss: "crossEntropy", optimizer: "sgd" } as const;
    const trained = (step: TrainingStep) => step.state.map(({ name }) => name).sort();
    expect(trained(trainingStep(quantized, options))).toEqual([...parameters, "square.weight"].sort());
    expect(trained(trainingStep(quantized, { ...options, trainable: ["scale"] }))).toEqual(["scale"]);
  });

  it("is refused when the name is unknown", () => {
    const options = { loss: "crossEntropy", optimizer: "sgd" } as const;
    expect(() => trainingStep(plain(), { ...options, trainable: ["tail"] })).toThrow(/no such float initializer/);
    expect(() => trainingStep(plain(), { ...options, output: "tail" })).toThrow(/no such output/);
    expect(() => trainingStep({ ...plain(), opsets: new Map([["", 17]]) }, options)).toThrow(/opset 21/);
  });

  it("decays without biases unless told", () => {
    const run = (decayExclude?: readonly string[]) => {
      const optimizer = sgd({ weightDecay: 1 });
      const step = trainingStep(plain(), { loss: "crossEntropy", optimizer, ...(decayExclude && { decayExclude }) });
      return advance(step, initialState(step), { ...batch(0, 6), ...scalars(step, 1) }).state;
    };
    const [usual, all] = [run(), run([])];
    const initial = initialState(trainingStep(plain(), { loss: "crossEntropy", optimizer: "sgd" }));
    expectSame(usual, all, ["hidden.weight", "head.weight"]);
    const [a, b, w] = [usual, all, initial].map((state) => numbersAt(state, "head.bias")[0]!);
    expect(a! - b!).toBeCloseTo(0.1 * w!, 6);
  });
});

describe("the average", () => {
  it("begins with the parameters and keeps its share of itself at every step", () => {
    const step = trainingStep(plain(), { loss: "crossEntropy", optimizer: sgd(), average: 0.75 });
    let state = initialState(step);
    let expected = numbersAt(state, "head.weight");
    for (let i = 1; i <= 3; i++) {
      state = advance(step, state, { ...batch(i, 6), ...scalars(step, i, 1) }).state;
      const now = numbersAt(state, "head.weight");
      expected = expected.map((old, at) => 0.75 * old + 0.25 * now[at]!);
      numbersAt(state, "head.weight:average").forEach((x, at) => void expect(x).toBeCloseTo(expected[at]!, 9));
      expect(Math.max(...now.map((x, at) => Math.abs(x - expected[at]!)))).toBeGreaterThan(1e-3);
    }
  });
});

describe("settings out of range", () => {
  it.each([
    ["average", [-0.1, 1, Number.NaN], [0, 0.5]],
    ["clip", [0, -1, Number.NaN], [0.1, 3]],
    ["accumulate", [0, 1.5, Number.NaN], [1, 2]],
  ])("of %s are refused, and those in range are taken", (name, wrong, right) => {
    const made = (value: number) => () =>
      trainingStep(plain(), { loss: "crossEntropy", optimizer: "sgd", [name]: value });
    for (const value of wrong)
      expect(made(value)).toThrow(new RegExp(`${name} (is out of range|must be a whole number)`));
    for (const value of right) expect(made(value)).not.toThrow();
  });
});

describe("accumulation", () => {
  it("over 2 batches of n equals one batch of 2n", () => {
    const options = { loss: "crossEntropy", optimizer: adamw(), clip: 0.3, average: 0.5 } as const;
    const whole = trainingStep(plain(), options);
    const halves = trainingStep(plain(), { ...options, accumulate: 2 });
    let [a, b] = [initialState(whole), initialState(halves)];
    for (let i = 1; i <= 2; i++) {
      a = advance(whole, a, { ...batch(0, 6), ...scalars(whole, i) }).state;
      for (const [part, last] of [
        [0, 0],
        [3, 1],
      ] as const) {
        const apply = tensorFromNumbers("bool", [], [last]);
        b = advance(halves, b, { ...batch(part, 3), ...scalars(halves, i), [halves.apply!]: apply }).state;
      }
    }
    expectSame(a, b, [...a.keys()], 9);
  });
});

describe("clipping", () => {
  it("scales all gradients to the largest norm", () => {
    const options = { loss: "crossEntropy", optimizer: sgd() } as const;
    const [free, clipped] = [trainingStep(plain(), options), trainingStep(plain(), { ...options, clip: 0.01 })];
    const feed = { ...batch(0, 6), ...scalars(free, 1) };
    const moved = (step: TrainingStep) => {
      const next = advance(step, initialState(step), feed).state;
      const start = initialState(step);
      return parameters.flatMap((name) => numbersAt(next, name).map((x, i) => x - numbersAt(start, name)[i]!));
    };
    const length = (numbers: number[]) => Math.hypot(...numbers);
    const norm = numbersOf(advance(clipped, initialState(clipped), feed).results.get(clipped.gradientNorm!)!)[0]!;
    expect(length(moved(free)) / Math.fround(0.1)).toBeCloseTo(norm, 6);
    expect(length(moved(clipped)) / Math.fround(0.1)).toBeCloseTo((0.01 * norm) / (norm + 1e-6), 8);
  });
});

describe("loss scaling", () => {
  const options = { loss: "crossEntropy", optimizer: adamw(), lossScale: { initial: 1024, every: 2 } } as const;

  it("changes nothing but the scale", () => {
    const [plainStep, scaled] = [
      trainingStep(plain(), { ...options, lossScale: undefined as never }),
      trainingStep(plain(), options),
    ];
    let [a, b] = [initialState(plainStep), initialState(scaled)];
    for (let i = 1; i <= 2; i++) {
      a = advance(plainStep, a, { ...batch(0, 6), ...scalars(plainStep, i) }).state;
      b = advance(scaled, b, { ...batch(0, 6), ...scalars(scaled, i) }).state;
    }
    expectSame(a, b, [...a.keys()], 9);
    expect(numbersAt(b, "loss_scale")).toEqual([2048]);
    const scales = scaled.state.filter(({ kind, of }) => kind === "loss-scale" && of === undefined);
    expect(scales.map(({ name }) => name)).toEqual(["loss_scale:good", "loss_scale"]);
  });

  const infinite = () => ({ ...batch(0, 6), x: floats([6, 4], new Array(24).fill(Number.POSITIVE_INFINITY)) });

  it("grows after as many updates as stated without an overflow, which halves it and counts anew", () => {
    const step = trainingStep(plain(), { ...options, optimizer: sgd() });
    let state = initialState(step);
    const told = [true, true, true, false, true, true].map((fits, i) => {
      const feed = fits ? batch(0, 6) : infinite();
      state = advance(step, state, { ...feed, ...scalars(step, i + 1, 0.01) }).state;
      return [...numbersAt(state, "loss_scale"), ...numbersAt(state, "loss_scale:good")];
    });
    expect(told).toEqual([
      [1024, 1],
      [2048, 0],
      [2048, 1],
      [1024, 0],
      [1024, 1],
      [2048, 0],
    ]);
  });

  it("is doubled after 2000 updates where nothing else is said, and only updates count", () => {
    const step = trainingStep(plain(), { ...options, lossScale: {}, accumulate: 2 });
    const after = (good: number, last: number) => {
      const state = new Map([...initialState(step), ["loss_scale:good", tensor("float32", [], [good])] as const]);
      const apply = { [step.apply!]: tensorFromNumbers("bool", [], [last]) };
      const next = advance(step, state, { ...batch(0, 6), ...scalars(step, 1), ...apply }).state;
      return [...numbersAt(next, "loss_scale"), ...numbersAt(next, "loss_scale:good")];
    };
    expect([after(1998, 1), after(1999, 1), after(1999, 0)]).toEqual([
      [65536, 1999],
      [131072, 0],
      [65536, 1999],
    ]);
  });

  it("skips an update that overflows", () => {
    const step = trainingStep(plain(), options);
    const state = initialState(step);
    const { state: next } = advance(step, state, { ...infinite(), ...scalars(step, 1) });
    expectSame(next, state, parameters, 12);
    expect(numbersAt(next, "loss_scale")).toEqual([512]);
  });
});

type Builder = ReturnType<typeof graphBuilder>;
type Value = Parameters<Builder["output"]>[0];

function batchNormalised(g: Builder, x: Value): Value {
  const vector = (name: string, values: readonly number[]) => g.constant(name, floats([5], values));
  const inputs = [
    vector("bn.scale", wave(5, 9)),
    vector("bn.bias", wave(5, 10)),
    vector("bn.mean", wave(5, 11)),
    vector("bn.var", [1, 2, 1, 0.5, 3]),
  ];
  return g.op("BatchNormalization", [x, ...inputs], { momentum: float(0.9), epsilon: float(1e-5) });
}

describe("BatchNormalization", () => {
  const options = { loss: "crossEntropy", optimizer: sgd() } as const;

  it("trains over the batch and keeps the statistics that PyTorch keeps", () => {
    const base = network(batchNormalised);
    const step = trainingStep(base, options);
    expect(step.state.filter(({ kind }) => kind === "statistic").map(({ name }) => name)).toEqual([
      "bn.mean",
      "bn.var",
    ]);
    const feed = { ...batch(0, 8), ...scalars(step, 1) };
    const { state } = advance(step, initialState(step), feed);
    const [node] = base.graph.nodes.filter(({ opType }) => opType === "BatchNormalization");
    const hidden = numbersOf(
      evaluate(base, new Map([["x", feed.x!]]), { fetches: [node!.inputs[0]!.name] })
        .values()
        .next().value!,
    );
    const column = Array.from({ length: 8 }, (_, row) => hidden[row * 5]!);
    const mean = column.reduce((sum, x) => sum + x, 0) / 8;
    const variance = column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 7;
    const start = initialState(step);
    expect(numbersAt(state, "bn.mean")[0]).toBeCloseTo(0.9 * numbersAt(start, "bn.mean")[0]! + 0.1 * mean, 7);
    expect(numbersAt(state, "bn.var")[0]).toBeCloseTo(0.9 * 1 + 0.1 * variance, 7);
  });

  it("can be frozen", () => {
    const step = trainingStep(network(batchNormalised), { ...options, batchNorm: "frozen", trainable: parameters });
    expect(step.state.map(({ name }) => name)).toEqual(parameters);
    expect(verify(step.model)).toEqual([]);
  });
});

describe("Dropout", () => {
  const dropping = (ratio: number): Model =>
    network((g, x) => g.op("Dropout", [x, g.constant("ratio", tensor("float32", [], [ratio]))]));
  const options = { loss: "crossEntropy", optimizer: sgd() } as const;

  it("drops by the key alone, as ONNX Runtime does by the same graph", async () => {
    const step = trainingStep(dropping(0.5), options);
    await using session = await openSession(step.model);
    const lossOf = async (key: number) => {
      const feed = { ...batch(0, 6), ...scalars(step, 1), [step.maskKey!]: tensorFromNumbers("uint32", [2], [key, 1]) };
      const feeds = new Map([...initialState(step), ...Object.entries(feed)]);
      const native = numbersOf((await session.run(feeds)).get("loss")!)[0]!;
      expect(native).toBeCloseTo(numbersOf(evaluate(step.model, feeds).get("loss")!)[0]!, 5);
      return native;
    };
    expect(await lossOf(1)).toBe(await lossOf(1));
    expect(new Set(await Promise.all([1, 2, 3].map(lossOf))).size).toBe(3);
  });

  it("keeps the stated share, scaled, and differs by layer and key", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["n"]);
    const twice = [0, 1].map((i) => g.op("Dropout", [x, g.constant(`ratio${i}`, tensor("float32", [], [0.25]))]));
    const weight = g.constant("w", floats([1], [1]));
    g.output(g.op("Mul", [g.op("Unsqueeze", [twice[0]!, g.constant("axes", int64s([0]))]), weight]), "first");
    g.output(twice[1]!, "second");
    const step = trainingStep(model(g.build()), { loss: "meanSquaredError", optimizer: "sgd" });
    const feed = { x: floats([4000], new Array(4000).fill(1)), labels: floats([1, 4000], new Array(4000).fill(0)) };
    const run = (key: number) => advance(step, initialState(step), { ...feed, ...scalars(step, key) }).results;
    const [a, b, other] = [run(1).get("first")!, run(1).get("second")!, run(2).get("first")!].map((t) =>
      Array.from(numbersOf(t)),
    );
    const kept = a!.filter((value) => value > 0);
    expect(new Set(kept).size).toBe(1);
    expect(kept[0]).toBeCloseTo(4 / 3, 6);
    expect(Math.abs(kept.length / 4000 - 0.75)).toBeLessThan(0.03);
    const agree = (u: number[], v: number[]) => u.filter((value, i) => value > 0 === v[i]! > 0).length / 4000;
    for (const share of [agree(a!, b!), agree(a!, other!)]) expect(Math.abs(share - 0.625)).toBeLessThan(0.04);
  });

  it("can stay off", () => {
    const step = trainingStep(dropping(0.5), { ...options, dropout: "off" });
    expect(step.maskKey).toBeUndefined();
  });
});

describe("what is trained unless it is named", () => {
  const trainedIn = (source: Model): string[] =>
    trainingStep(source, { loss: "meanSquaredError", optimizer: "sgd" }).state.map(({ name }) => name);

  it("is also the weights in Constant nodes, which come back trained", () => {
    const g = graphBuilder();
    const weight = g.op("Constant", [], { value: floats([4, 3], wave(12, 1)) }, { name: "weight" });
    g.output(g.op("MatMul", [g.input("x", "float32", ["batch", 4]), weight]), "y");
    const built = model(g.build());
    expect(() => trainedIn(built)).toThrow(UsageError);
    const nodes = built.graph.nodes.map(({ metadata: _, ...node }) => node);
    const source = withGraph(built, { ...built.graph, nodes });
    expect(trainedIn(source)).toEqual(["weight"]);
    const next = withParameters(source, new Map([["weight", floats([4, 3], wave(12, 2))]]));
    expect([...next.graph.initializers.values()].map((data) => numbersOf(data as Tensor)[0])).toEqual([
      Math.fround(wave(1, 2)[0]!),
    ]);
  });

  it("is no mask", () => {
    const g = graphBuilder();
    const mask = g.constant("mask", floats([1, 4], [0, 0, -3e38, -3e38]));
    const scores = g.op("Mul", [g.input("x", "float32", ["batch", 4]), g.constant("gain", floats([4], [1, 2, 3, 4]))]);
    g.output(g.op("Softmax", [g.op("Add", [scores, mask])]), "y");
    expect(trainedIn(model(g.build()))).toEqual(["gain"]);
  });
});
