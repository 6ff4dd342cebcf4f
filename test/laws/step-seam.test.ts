/** @file Laws of the seam: a step is its gradients, then its update, and what crosses between them may be changed there. */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import {
  bytesOfTensor,
  graphBuilder,
  type Model,
  maxOf,
  model,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  verify,
} from "../../src/ir/index.ts";
import { mlp } from "../../src/models/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import {
  crossEntropy,
  type GradientGraph,
  type OptimizerName,
  optimizers,
  type SplitStep,
  sgd,
  splitStep,
  type TrainingStep,
  type TrainingStepOptions,
  trainingStep,
  type UpdateGraph,
} from "../../src/train/index.ts";
import { network } from "../moons.ts";
import { smallNetworks } from "../small-networks.ts";

type Tensors = ReadonlyMap<string, Tensor>;

interface Engine {
  readonly dtype: "float32" | "float64";
  open(model: Model): Promise<{ run(feeds: Tensors): Promise<Tensors>; release(): Promise<void> }>;
}

const engines: Readonly<Record<string, Engine>> = {
  "ONNX Runtime": { dtype: "float32", open: (given) => openSession(given, { isolate: "thread" }) },
  float64: {
    dtype: "float64",
    open: async (given) => ({ run: async (feeds) => evaluate(given, feeds), release: async () => undefined }),
  },
};

const STEPS = 5;
const BATCH = 8;

type Taken = Partial<TrainingStep> & Pick<TrainingStep, "learningRate" | "step" | "accumulate">;

/** What batch `i`, counted from 0, brings beside the state. */
function feedsAt(i: number, { learningRate, step, accumulate, maskKey, apply }: Taken): Map<string, Tensor> {
  const wave = Array.from({ length: 2 * BATCH }, (_, k) => 2 * Math.sin(3 + i * 12.9898 + k * 78.233));
  const feeds = new Map([
    ["x", tensorFromNumbers("float32", [BATCH, 2], wave)],
    [
      "labels",
      tensorFromNumbers(
        "int64",
        [BATCH],
        wave.slice(0, BATCH).map((x) => Number(x > 0)),
      ),
    ],
    [learningRate, tensorFromNumbers("float32", [], [0.05])],
    [step, tensorFromNumbers("int64", [], [Math.floor(i / accumulate) + 1])],
  ]);
  if (maskKey) feeds.set(maskKey, tensorFromNumbers("uint32", [2], [7, i]));
  if (apply) feeds.set(apply, tensorFromNumbers("bool", [], [Number((i + 1) % accumulate === 0)]));
  return feeds;
}

type Part = Pick<TrainingStep, "model" | "state">;

function initialState(...parts: readonly Part[]): Map<string, Tensor> {
  return new Map(parts.flatMap(({ state }) => state.map(({ name, initial }) => [name, initial] as const)));
}

/** Runs a graph on what it takes of all that there is, and moves the state that it owns. */
function runner({ model, state: entries }: Part, run: (feeds: Tensors) => Promise<Tensors>) {
  return async (all: Tensors, state: Map<string, Tensor>): Promise<Tensors> => {
    const results = await run(new Map(model.graph.inputs.map(({ name }) => [name, all.get(name)!])));
    for (const { name, output } of entries) state.set(name, results.get(output)!);
    return results;
  };
}

/** What training was: the state in the end, and the scalars of every step. */
interface Trace {
  readonly state: Tensors;
  readonly told: Readonly<Record<string, readonly number[]>>;
}

const numberAt = (results: Tensors, name: string) => numbersOf(results.get(name)!)[0]!;

interface Course {
  readonly batches?: number;
  readonly cross?: Crossing;
  /** In the place of the batches of these tests. */
  readonly data?: Tensors;
}

async function fused(engine: Engine, step: TrainingStep, { batches = STEPS, data }: Course = {}): Promise<Trace> {
  const session = await engine.open(step.model);
  const run = runner(step, (feeds) => session.run(feeds));
  const state = initialState(step);
  const told = { loss: [] as number[], norm: [] as number[] };
  for (let i = 0; i < batches; i++) {
    const results = await run(new Map([...state, ...feedsAt(i, step), ...(data ?? [])]), state);
    told.loss.push(numberAt(results, step.loss));
    if (step.gradientNorm) told.norm.push(numberAt(results, step.gradientNorm));
  }
  await session.release();
  return { state, told };
}

type Crossing = (gradients: Tensors, batch: number) => Tensors | undefined;

/** Every batch goes through the gradient graph; what `cross` makes of its gradients, if anything, goes into the update. */
async function apart(
  engine: Engine,
  { gradients, update }: { readonly gradients: GradientGraph; readonly update: UpdateGraph },
  { cross = (same) => same, batches = STEPS, data }: Course = {},
): Promise<Trace> {
  const sessions = [await engine.open(gradients.model), await engine.open(update.model)] as const;
  const [first, second] = [gradients, update].map((part, i) => runner(part, (feeds) => sessions[i]!.run(feeds)));
  const state = initialState(gradients, update);
  const told = { loss: [] as number[], norm: [] as number[] };
  let updates = 0;
  for (let i = 0; i < batches; i++) {
    const feeds = new Map([...feedsAt(i, { ...gradients, ...update }), ...(data ?? [])]);
    const found = await first!(new Map([...state, ...feeds]), state);
    told.loss.push(numberAt(found, gradients.loss));
    const crossed = cross(new Map(gradients.gradients.map(({ name }) => [name, found.get(name)!])), i);
    if (!crossed) continue;
    const controls = update.accumulate > 1 ? feeds : feedsAt(updates++, update);
    const results = await second!(new Map([...state, ...controls, ...crossed]), state);
    if (update.gradientNorm) told.norm.push(numberAt(results, update.gradientNorm));
  }
  for (const session of sessions) await session.release();
  return { state, told };
}

/** The mean of the gradients of each `count` batches, summed in the engine's own precision. */
function meanOf({ dtype }: Engine, count: number): Crossing {
  let sums = new Map<string, Tensor>();
  return (gradients, batch) => {
    const before = sums;
    sums = new Map([...gradients].map(([name, tensor]) => [name, added(before.get(name), tensor, dtype)]));
    if ((batch + 1) % count > 0) return undefined;
    const means = new Map([...sums].map(([name, sum]) => [name, mapped(sum, (x) => x / count)]));
    sums = new Map();
    return means;
  };
}

function added(a: Tensor | undefined, b: Tensor, dtype: Engine["dtype"]): Tensor {
  const other = a && numbersOf(a);
  const sum = Array.from(numbersOf(b), (x, i) => x + Number(other?.[i] ?? 0));
  return tensorFromNumbers(dtype, b.dims, sum);
}

function mapped({ dtype, dims, ...rest }: Tensor, change: (x: number) => number): Tensor {
  return tensorFromNumbers(dtype, dims, Array.from(numbersOf({ dtype, dims, ...rest }), change));
}

function expectSameBits(a: Trace, b: Trace): void {
  expect(a.told).toEqual(b.told);
  expect([...a.state.keys()].sort()).toEqual([...b.state.keys()].sort());
  for (const [name, tensor] of a.state) expect(bytesOfTensor(tensor), name).toEqual(bytesOfTensor(b.state.get(name)!));
}

const usual = { loss: "crossEntropy", optimizer: "adamw" } as const;

/** Everything that crosses the seam, or has to go past it. */
const whole = { ...usual, clip: 0.5, average: 0.9, lossScale: { initial: 1024, every: 2 }, accumulate: 2 } as const;

const cases: Readonly<Record<string, TrainingStepOptions>> = {
  plain: usual,
  clip: { ...usual, clip: 0.05 },
  average: { ...usual, average: 0.9 },
  "loss scale": { ...usual, lossScale: { initial: 2 ** 15, every: 2 } },
  "loss scale that overflows": { ...usual, lossScale: { initial: 1e38, every: 2 } },
  accumulation: { ...usual, accumulate: 2 },
  "frozen statistics, no dropout": { ...usual, batchNorm: "frozen", dropout: "off" },
  "the portable profile": { ...whole, profile: "portable" },
  float16: { ...usual, precision: "float16", lossScale: {} },
  ...Object.fromEntries(
    (Object.keys(optimizers) as OptimizerName[]).map((optimizer) => [
      `${optimizer}, everything`,
      { ...whole, optimizer },
    ]),
  ),
};

describe.each(Object.entries(engines))("on %s, gradients and update together are the fused step", (_, engine) => {
  it.each(Object.entries(cases))("bit for bit: %s", async (_, options) => {
    const step = trainingStep(network(), options);
    expectSameBits(await apart(engine, splitStep(network(), options)), await fused(engine, step));
  });
});

describe("on large batches", () => {
  const WIDE = 600;
  const data = new Map([
    [
      "input",
      tensorFromNumbers(
        "float32",
        [WIDE, 80],
        Array.from({ length: WIDE * 80 }, (_, k) => Math.sin(k * 78.233)),
      ),
    ],
    [
      "labels",
      tensorFromNumbers(
        "int64",
        [WIDE],
        Array.from({ length: WIDE }, (_, k) => k % 3),
      ),
    ],
  ]);
  const make = () => mlp(random(1), { input: [80], hidden: [40], classes: 3 });

  /** The largest difference of a tensor of the state, relative to its largest number. */
  async function distance(options: TrainingStepOptions): Promise<number> {
    const engine = engines["ONNX Runtime"]!;
    const whole = await fused(engine, trainingStep(make(), options), { data });
    const parts = await apart(engine, splitStep(make(), options), { data });
    const distances = [...whole.state].map(([name, tensor]) => {
      const [a, b] = [numbersOf(tensor), numbersOf(parts.state.get(name)!)];
      return maxOf(a.map((x, i) => Math.abs(x - b[i]!))) / (maxOf(a.map(Math.abs)) || 1);
    });
    return maxOf(distances);
  }

  it("the bits are the same where a gradient goes through the optimizer's own formulas", async () => {
    expect(await distance({ ...usual, clip: 1 })).toBe(0);
  });

  it("the last bits may differ where the runtime makes one operator of a gradient's product and the sum behind it", async () => {
    const summed = [
      { ...usual, optimizer: sgd({ momentum: 0.9 }), accumulate: 2 },
      { ...usual, optimizer: sgd({ momentum: 0.9, weightDecay: 0.1 }), decayExclude: [] },
    ];
    const distances = await Promise.all(summed.map(distance));
    expect(maxOf(distances)).toBeGreaterThan(0);
    expect(maxOf(distances)).toBeLessThan(1e-5);
  });
});

describe.each(Object.entries(engines))("on %s, gradients averaged between the graphs", (name, engine) => {
  const { accumulate: _, lossScale: __, ...options } = whole;
  const accumulated = (count: number, more: Partial<TrainingStepOptions> = {}) =>
    fused(engine, trainingStep(network(), { ...options, ...more, accumulate: count }), { batches: 2 * count });
  const averaged = (count: number, more: Partial<TrainingStepOptions> = {}) =>
    apart(engine, splitStep(network(), { ...options, ...more }), { cross: meanOf(engine, count), batches: 2 * count });

  it.each([2, 4])("are those that %i batches accumulate, bit for bit", async (count) => {
    for (const more of [{}, { lossScale: { initial: 1024 } }]) {
      const [inside, outside] = [await accumulated(count, more), await averaged(count, more)];
      expect(outside.told.loss).toEqual(inside.told.loss);
      expect(outside.told.norm!.at(-1)).toBe(inside.told.norm!.at(-1));
      for (const [key, tensor] of outside.state) {
        expect(numbersOf(tensor), key).toEqual(numbersOf(inside.state.get(key)!));
      }
    }
  });

  it("are those that 3 batches accumulate, but for the rounding of a third", async () => {
    // An optimizer that divides by gradients would show the rounding of those that are nothing but rounding.
    const more = { optimizer: "sgd" } as const;
    const [inside, outside] = [await accumulated(3, more), await averaged(3, more)];
    for (const [key, tensor] of outside.state) {
      const expected = numbersOf(inside.state.get(key)!);
      const digits = name === "float64" ? 12 : 5;
      for (const [i, x] of numbersOf(tensor).entries()) expect(x, key).toBeCloseTo(Number(expected[i]), digits);
    }
  });
});

describe("the update", () => {
  const engine = engines.float64!;
  const options: TrainingStepOptions = { ...usual, clip: 0.5, lossScale: { initial: 8 } };
  const times = (factor: number): Crossing => {
    return (gradients) => new Map([...gradients].map(([name, tensor]) => [name, mapped(tensor, (x) => x * factor)]));
  };

  it("bounds the norm of the gradients that come in", async () => {
    const parts = splitStep(network(), options);
    const [own, larger] = [
      await apart(engine, parts, { batches: 1 }),
      await apart(engine, parts, { batches: 1, cross: times(64) }),
    ];
    expect(larger.told.norm![0]).toBeCloseTo(64 * own.told.norm![0]!, 10);
    expect(own.told.norm![0]).toBeGreaterThan(0);
  });

  it("leaves everything as it was where a gradient that comes in is not finite, and lowers the scale", async () => {
    const parts = splitStep(network(), options);
    const { state } = await apart(engine, parts, { batches: 1, cross: times(Number.POSITIVE_INFINITY) });
    for (const { name, kind, initial } of parts.update.state) {
      if (kind === "loss-scale") continue;
      expect(numbersOf(state.get(name)!), name).toEqual(Float64Array.from(numbersOf(initial)));
    }
    expect(numbersOf(state.get(parts.gradients.lossScale!)!)[0]).toBe(4);
  });
});

describe("what crosses", () => {
  /** Two biases behind each other, which have one gradient; and a parameter that is an output itself. */
  function alike(): Model {
    const g = graphBuilder({ infer: builderInference(21) });
    const bias = (name: string) => g.constant(name, tensorFromNumbers("float32", [2], [0.5, -0.5]));
    const x = g.input("x", "float32", ["batch", 2]);
    g.output(g.op("Add", [g.op("Add", [x, bias("a")]), bias("b")]), "logits");
    return model(g.build());
  }

  it("has a value of its own for every parameter", async () => {
    const parts = splitStep(alike(), { loss: "crossEntropy", optimizer: "sgd" });
    expect(parts.gradients.gradients.map(({ of, name, dims }) => [of, name, dims])).toEqual([
      ["a", "a:gradient", [2]],
      ["b", "b:gradient", [2]],
    ]);
    const { state } = await apart(engines.float64!, parts, {
      batches: 1,
      cross: (gradients) => new Map(gradients).set("a:gradient", tensorFromNumbers("float32", [2], [0, 0])),
    });
    expect([...numbersOf(state.get("a")!)]).toEqual([0.5, -0.5]);
    expect([...numbersOf(state.get("b")!)]).not.toEqual([0.5, -0.5]);
  });

  it("is told by names that both graphs have, and nothing but state and batch is taken beside it", () => {
    const { gradients, update } = splitStep(network(), whole);
    const inputs = ({ model }: Pick<TrainingStep, "model">) => model.graph.inputs.map(({ name }) => name);
    const outputs = ({ model }: Pick<TrainingStep, "model">) => model.graph.outputs.map(({ name }) => name);
    const names = gradients.gradients.map(({ name }) => name);
    expect(outputs(gradients)).toEqual(expect.arrayContaining(names));
    expect(inputs(update)).toEqual([
      ...names,
      update.learningRate,
      update.step,
      update.apply,
      ...update.state.map(({ name }) => name),
    ]);
    expect(inputs(gradients)).toEqual([
      ...gradients.batch,
      gradients.labels,
      gradients.maskKey,
      gradients.lossScale,
      ...gradients.parameters,
      ...gradients.state.map(({ name }) => name),
    ]);
    expect(gradients.state.map(({ kind, of }) => [kind, of])).toEqual([
      ["statistic", "mean"],
      ["statistic", "var"],
    ]);
    const shared = new Set(inputs(gradients).filter((name) => inputs(update).includes(name)));
    expect(shared).toEqual(new Set([gradients.lossScale, ...gradients.parameters]));
  });

  it.each(Object.entries(smallNetworks))("can be cut in %s", (_, { make, axis }) => {
    const options = { ...whole, loss: crossEntropy({ axis }) };
    const step = trainingStep(make(1), options);
    const { gradients, update }: SplitStep = splitStep(make(1), options);
    expect([...verify(gradients.model), ...verify(update.model)]).toEqual([]);
    const parts = [...gradients.state, ...update.state].map(({ name, output, kind }) => [name, output, kind]);
    expect(parts.sort()).toEqual(step.state.map(({ name, output, kind }) => [name, output, kind]).sort());
    const shared = gradients.model.graph.nodes.filter(({ name }) =>
      update.model.graph.nodes.some((n) => n.name === name && name !== ""),
    );
    expect(shared).toEqual([]);
  });
});
