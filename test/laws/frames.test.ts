/** @file Frames that gates skip: the export computes the kept frames alone and gives what the gated form gives, and gates learn. */
import { describe, expect, it } from "vitest";
import { exportFrames, framesOf, frameTerm, skipFrames } from "../../src/conditional/index.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { ShapeError, UnsupportedError, UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, type Value, verify } from "../../src/ir/index.ts";
import { withOutputs } from "../../src/measure/capture.ts";
import { conv, globalAveragePool, type Layers, linear, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { fit, sgd, trainingStep } from "../../src/train/index.ts";

const [TIME, SIZE] = [6, 4];
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

const glance = (n: Layers, x: Value): Value => n.op("ReduceMean", [x, n.ints([3, 4])], { keepdims: 0 });
const frame = (n: Layers, x: Value): Value =>
  globalAveragePool(n, n.op("Tanh", [conv(n.scope("conv"), x, 5, { kernel: 3 })]));

/** The features of all frames, and an answer. */
function gated(open: number): Model {
  return network(random(1), (n) => {
    const x = n.input("input", "float32", ["batch", TIME, 2, SIZE, SIZE]);
    const features = skipFrames(n.scope("film"), x, { glance, frame, open });
    n.output(features, "features");
    n.output(linear(n.scope("head"), n.op("ReduceMean", [features, n.ints([1])], { keepdims: 0 }), 2), "logits");
  });
}

function films(count: number, seed = 5): Map<string, Tensor> {
  const source = random(seed);
  const values = Array.from({ length: count * TIME * 2 * SIZE * SIZE }, () => 20 * source.normal());
  return new Map([["input", tensorFromNumbers("float32", [count, TIME, 2, SIZE, SIZE], values)]]);
}

function initial({ graph }: Model, name: string): number[] {
  const found = [...graph.initializers].find(([value]) => value.name === name)!;
  return list(found[1] as Tensor);
}

/** How many frames the convolution sees, on ONNX Runtime. */
async function computed(exported: Model, feeds: Map<string, Tensor>): Promise<number> {
  const name = exported.graph.nodes.find(({ opType }) => opType === "Conv")!.outputs[0]!.name;
  await using session = await openSession(withOutputs(exported, [name]));
  return (await session.run(feeds)).get(name)!.dims[0]!;
}

describe("skipped frames", () => {
  const model = gated(0);
  const features = evaluate(gated(100), films(4)).get("features");

  it("repeat the last frame that was kept, and are not computed", async () => {
    expect(verify(model)).toEqual([]);
    const feeds = films(4);
    const made = evaluate(model, feeds);
    const [name] = framesOf(model);
    const gates = list(made.get(name!));
    const kept = gates.reduce((sum, gate) => sum + gate);
    expect([...new Set(gates)].sort()).toEqual([0, 1]);
    const all = list(features);
    const wanted = gates.flatMap((_, i) => {
      let last = i;
      while (gates[last] === 0) last--;
      expect(Math.floor(last / TIME)).toBe(Math.floor(i / TIME));
      return all.slice(5 * last, 5 * last + 5);
    });
    expect(list(made.get("features"))).toEqual(wanted);
    const exported = await exportFrames(model);
    expect(verify(exported)).toEqual([]);
    expect(exported.graph.outputs.map((output) => output.name)).toEqual(["features", "logits"]);
    expect(exported.graph.nodes.filter(({ opType }) => opType === "Scan")).toEqual([]);
    expect(list(evaluate(exported, feeds).get("features"))).toEqual(wanted);
    await using session = await openSession(exported);
    const answers = await session.run(feeds);
    list(answers.get("features")).forEach((value, i) => void expect(value).toBeCloseTo(wanted[i]!, 4));
    expect(await computed(exported, feeds)).toBe(kept);
    expect(kept).toBeLessThan(4 * TIME);
  });

  it("are none, or all but the first, at extreme gates", async () => {
    const feeds = films(4);
    const [open, closed] = await Promise.all([100, -100].map((logit) => exportFrames(gated(logit))));
    expect(list(evaluate(open!, feeds).get("features"))).toEqual(list(features));
    expect(await computed(open!, feeds)).toBe(4 * TIME);
    const first = list(features).map((_, i, all) => all[Math.floor(i / 5 / TIME) * 5 * TIME + (i % 5)]);
    expect(list(evaluate(closed!, feeds).get("features"))).toEqual(first);
    expect(await computed(closed!, feeds)).toBe(4);
  });

  it("become more, with gates and the network over frames learning together", async () => {
    const read = (position: number) => ({
      inputs: new Map([
        ["input", tensorFromNumbers("float32", [TIME, 2, SIZE, SIZE], list(films(1, position).get("input")))],
      ]),
      label: position % 2,
      source: `${position}`,
    });
    const gates = framesOf(model);
    const { model: trained } = await fit(model, {
      data: datasetOf({ size: 48, open: () => ({ read }) }),
      epochs: 5,
      batch: 16,
      loss: "crossEntropy",
      output: "logits",
      terms: [frameTerm(gates, 1 / TIME, 4)],
      optimizer: "adam",
      learningRate: 0.05,
      seed: 1,
    }).result;
    const share = (of: Model) => list(evaluate(of, films(32, 77)).get(gates[0]!)).reduce((a, b) => a + b) / (32 * TIME);
    expect(share(trained)).toBeLessThan(share(model) - 0.1);
    const weights = ({ graph }: Model) =>
      [...graph.initializers].filter(([{ name }]) => /conv\/weight/.test(name)).map(([, data]) => list(data as Tensor));
    expect(weights(trained)).not.toEqual(weights(model));
  });

  it("give their gates the gradient of the state update, through the rounding", () => {
    const step = trainingStep(model, {
      terms: [{ name: "mean", build: (g, { output }) => g.op("ReduceMean", [output("features")], { keepdims: 0 }) }],
      optimizer: sgd(),
      dropout: "off",
    });
    const feeds = films(2);
    const state = new Map(step.state.map(({ name, initial }) => [name, initial]));
    const bias = step.state.find(({ of }) => of === "film/skip/bias")!;
    const scalars = [
      [step.learningRate, tensorFromNumbers("float32", [], [1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
    ] as const;
    const moved = list(evaluate(step.model, new Map([...feeds, ...state, ...scalars])).get(bias.output))[0]!;
    // y_t = g_t·f_t + (1 − g_t)·y_{t−1}, from the last frame to the first.
    const gates = list(evaluate(model, feeds).get(framesOf(model)[0]!));
    const [own, all] = [
      list(evaluate(model, feeds).get("features")),
      list(evaluate(gated(100), feeds).get("features")),
    ];
    const [weight, pixels] = [initial(model, "film/skip/weight"), list(feeds.get("input"))];
    let gradient = 0;
    for (let i = 0; i < 2; i++) {
      let reaching = 0;
      for (let t = TIME - 1; t > 0; t--) {
        const at = i * TIME + t;
        reaching = 1 / own.length + (1 - (t + 1 < TIME ? gates[at + 1]! : 1)) * reaching;
        const change = [0, 1, 2, 3, 4].reduce((sum, k) => sum + all[5 * at + k]! - own[5 * (at - 1) + k]!, 0);
        const means = [0, 1].map(
          (c) => pixels.slice(16 * (2 * at + c), 16 * (2 * at + c + 1)).reduce((a, b) => a + b) / 16,
        );
        const share = 1 / (1 + Math.exp(-(weight[0]! * means[0]! + weight[1]! * means[1]!)));
        gradient += reaching * change * share * (1 - share);
      }
    }
    expect(Math.abs(gradient)).toBeGreaterThan(1e-3);
    expect(-moved).toBeCloseTo(gradient, 5);
  });

  it("are refused by name where they cannot be", async () => {
    expect(() => frameTerm([], 0.5)).toThrow(UsageError);
    expect(() => gated(Number.NaN)).toThrow(UsageError);
    const using = (over: (n: Layers, x: Value) => Value, seen = glance) =>
      network(random(1), (n) => {
        const x = n.input("input", "float32", ["batch", TIME, 2, SIZE, SIZE]);
        n.output(skipFrames(n, x, { glance: seen, frame: over }), "y");
      });
    expect(() => using(frame, (n, x) => n.op("Flatten", [x], { axis: 1 }))).toThrow(ShapeError);
    const reading = network(random(1), (n) => {
      const x = n.input("input", "float32", ["batch", TIME, 2, SIZE, SIZE]);
      const shift = n.input("shift", "float32", [5]);
      n.output(skipFrames(n, x, { glance, frame: (m, rows) => m.op("Add", [frame(m, rows), shift]) }), "y");
    });
    await expect(exportFrames(reading)).rejects.toThrow(UnsupportedError);
    const bare = network(random(1), (n) => n.output(n.input("x", "float32", ["batch", 2]), "y"));
    await expect(exportFrames(bare)).rejects.toThrow(UsageError);
  });
});
