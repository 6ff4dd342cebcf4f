/** @file Regions: the export cuts out what the training form chooses, the work is that of the regions, and glances learn where to look. */
import { describe, expect, it } from "vitest";
import { exportEarlyExit, exportRegions, focusRegions, regionsOf } from "../../src/conditional/index.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import {
  editModel,
  type Model,
  makeNode,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  verify,
} from "../../src/ir/index.ts";
import { averagePool, conv, globalAveragePool, type Layers, linear, network } from "../../src/nn/index.ts";
import { costOf } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { fit, sgd, trainingStep } from "../../src/train/index.ts";

const [HEIGHT, WIDTH] = [12, 15];
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

const input = (n: Layers): Value => n.input("input", "float32", ["batch", 2, HEIGHT, WIDTH]);
const focus = (n: Layers, x: Value): Value =>
  globalAveragePool(n, n.op("Relu", [conv(n.scope("focus"), x, 6, { kernel: 3 })]));

/** A glance of 4 × 5 positions, whose own answer is an exit. */
function looking(size: number, count: number): Model {
  return network(random(size + count), (n) => {
    const x = input(n);
    const glance = averagePool(n, x, { kernel: 3 });
    const seen = n.op("Flatten", [glance], { axis: 1 });
    n.output(linear(n.scope("first"), seen, 3), "exit/0");
    const features = focusRegions(n.scope("look"), x, glance, focus, { size, count });
    n.output(linear(n.scope("head"), n.op("Concat", [seen, features], { axis: 1 }), 3), "logits");
  });
}

function pictures(count: number, seed = 3): Map<string, Tensor> {
  const source = random(seed);
  const values = Array.from({ length: count * 2 * HEIGHT * WIDTH }, () => source.normal());
  return new Map([["input", tensorFromNumbers("float32", [count, 2, HEIGHT, WIDTH], values)]]);
}

describe.each([
  { size: 3, count: 1 },
  { size: 5, count: 3 },
  { size: 3, count: 20 },
  { size: 1, count: 2 },
])("regions of $size × $size, $count of 20", ({ size, count }) => {
  const model = looking(size, count);
  const feeds = pictures(3);
  const trained = evaluate(model, feeds);

  it("are cut out at the best scores, one behind the other", () => {
    expect(verify(model)).toEqual([]);
    const weights = [...model.graph.initializers.keys()].find(({ name }) => name === "look/score/weight")!;
    const [a = 0, b = 0] = list(model.graph.initializers.get(weights) as Tensor);
    const pixels = list(feeds.get("input"));
    const at = (i: number, channel: number, row: number, column: number) =>
      pixels[((i * 2 + channel) * HEIGHT + row) * WIDTH + column]!;
    const square = (i: number, channel: number, top: number, left: number, length: number) =>
      Array.from({ length: length * length }, (_, k) =>
        at(i, channel, top + Math.floor(k / length), left + (k % length)),
      );
    const scores = Array.from({ length: 60 }, (_, k) => {
      const [i, top, left] = [Math.floor(k / 20), 3 * Math.floor((k % 20) / 5), 3 * (k % 5)];
      const means = [0, 1].map((c) => square(i, c, top, left, 3).reduce((sum, x) => sum + x) / 9);
      return a * means[0]! + b * means[1]!;
    });
    const crops = list(trained.get("look/region/crops"));
    const places = list(trained.get("look/region/places"));
    for (let i = 0; i < 3; i++) {
      const order = Array.from({ length: 20 }, (_, cell) => cell).sort(
        (p, q) => scores[20 * i + q]! - scores[20 * i + p]!,
      );
      const own = places.slice(i * count, (i + 1) * count);
      expect(own).toEqual(order.slice(0, count));
      own.forEach((cell, k) => {
        const top = Math.round((Math.floor(cell / 5) * (HEIGHT - size)) / 3);
        const left = Math.round(((cell % 5) * (WIDTH - size)) / 4);
        const wanted = [0, 1].flatMap((channel) => square(i, channel, top, left, size));
        expect(crops.slice((i * count + k) * wanted.length).slice(0, wanted.length)).toEqual(wanted);
      });
    }
  });

  it("export to a model that gives the same for the work of the regions", async () => {
    const exported = await exportRegions(model);
    expect(verify(exported)).toEqual([]);
    expect(exported.graph.outputs.map(({ name }) => name)).toEqual(["exit/0", "logits"]);
    expect(list(evaluate(exported, feeds).get("logits"))).toEqual(list(trained.get("logits")));
    await using session = await openSession(exported);
    const logits = list((await session.run(feeds)).get("logits"));
    logits.forEach((value, i) => void expect(value).toBeCloseTo(list(trained.get("logits"))[i]!, 4));
    const used = new Set(exported.graph.nodes.map(({ opType }) => opType));
    for (const opType of ["QuantizeLinear", "Dropout", "Softmax"]) expect(used).not.toContain(opType);
    const { macs, unknown } = costOf(exported);
    expect(unknown).toEqual([]);
    // The focus on each region; scores over 20 positions; both heads.
    expect(macs).toBe(count * size * size * 2 * 9 * 6 + 20 * 2 + 40 * 3 + 46 * 3);
  });

  it("are not looked at where the glance is sure", async () => {
    const exported = await exportRegions(model);
    const counts: number[] = [];
    for (const threshold of [-1, 2]) {
      const early = await exportEarlyExit(exported, { exits: ["exit/0"], thresholds: [threshold] });
      await using session = await openSession(early, { profile: true, optimization: "disabled" });
      const logits = list((await session.run(feeds)).get("logits"));
      const right = list(trained.get(threshold < 0 ? "exit/0" : "logits"));
      logits.forEach((value, i) => void expect(value).toBeCloseTo(right[i]!, 4));
      counts.push((await session.profile()).filter(({ opType }) => opType === "Conv").length);
    }
    expect(counts).toEqual([0, 2]);
  });
});

it("the whole picture as the only region is the plain network", async () => {
  const square = (n: Layers) => n.input("input", "float32", ["batch", 2, 6, 6]);
  const looked = network(random(1), (n) => {
    const x = square(n);
    const glance = averagePool(n, x, { kernel: 6 });
    n.output(
      focusRegions(n.scope("look"), x, glance, (m, crop) => focus(m.scope("f"), crop), { size: 6 }),
      "y",
    );
  });
  const weights = new Map([...looked.graph.initializers].map(([{ name }, data]) => [name, data as Tensor]));
  const plain = network(random(2), (n) => n.output(focus(n.scope("look").scope("f"), square(n)), "y"));
  const same = editModel(plain, (draft) => {
    for (const value of plain.graph.initializers.keys()) {
      if (/weight|bias/.test(value.name)) draft.setInitializer(value, weights.get(value.name)!);
    }
  });
  const feeds = new Map([
    ["input", tensorFromNumbers("float32", [2, 2, 6, 6], list(pictures(2).get("input")).slice(0, 144))],
  ]);
  const right = list(evaluate(same, feeds).get("y"));
  expect(list(evaluate(looked, feeds).get("y"))).toEqual(right);
  expect(list(evaluate(await exportRegions(looked), feeds).get("y"))).toEqual(right);
});

it("scores get the gradient of softly weighed regions", () => {
  const temperature = 0.5;
  const sum = (n: Layers, x: Value) => n.op("ReduceMean", [x, n.ints([2, 3])], { keepdims: 0 });
  const hard = network(random(5), (n) => {
    const x = input(n);
    n.output(focusRegions(n, x, averagePool(n, x, { kernel: 3 }), sum, { size: 3, temperature }), "y");
  });
  const soft = network(random(5), (n) => {
    const x = input(n);
    const means = averagePool(n, x, { kernel: 3 });
    const scores = n.op("Flatten", [conv(n.scope("score"), means, 1, { kernel: 1, bias: false })], { axis: 1 });
    const shares = n.op("Softmax", [n.op("Mul", [scores, n.number(1 / temperature)])], { axis: -1 });
    const cells = n.op("Reshape", [means, n.ints([0, 2, 20])]);
    n.output(
      n.op("ReduceSum", [n.op("Mul", [cells, n.op("Unsqueeze", [shares, n.ints([1])])]), n.ints([2])], { keepdims: 0 }),
      "y",
    );
  });
  const weight = tensorFromNumbers("float32", [1, 2, 1, 1], [0.7, -0.4]);
  const moved = (model: Model): number[] => {
    const step = trainingStep(model, {
      terms: [{ name: "mean", build: (g, { output }) => g.op("ReduceMean", [output("y")], { keepdims: 0 }) }],
      optimizer: sgd(),
      dropout: "off",
    });
    const [state] = step.state;
    const feeds = new Map([
      ...pictures(2),
      [step.learningRate, tensorFromNumbers("float32", [], [1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
      [state!.name, weight],
    ] as const);
    return list(evaluate(step.model, feeds).get(state!.output));
  };
  const [own, wanted] = [moved(hard), moved(soft)];
  expect(Math.abs(wanted[0]! - 0.7)).toBeGreaterThan(1e-3);
  own.forEach((value, i) => void expect(value).toBeCloseTo(wanted[i]!, 6));
});

/** Noise, in which one of nine regions is bright and has stripes: their direction is the class. */
function striped(position: number) {
  const source = random(11, position);
  const cell = source.below(9);
  const isStriped = (i: number) => Math.floor(i / 48) === Math.floor(cell / 3) && Math.floor((i % 12) / 4) === cell % 3;
  const light = (i: number) => (isStriped(i) ? 1 + ((position % 2 ? i : Math.floor(i / 12)) % 2) : 0);
  const pixels = Array.from({ length: 144 }, (_, i) => light(i) + 0.3 * source.normal());
  const inputs = new Map([["input", tensorFromNumbers("float32", [1, 12, 12], pixels)]]);
  return { cell, inputs, label: position % 2, source: `${position}` };
}

it("glances learn where to look", async () => {
  const model = network(random(1), (n) => {
    const x = n.input("input", "float32", ["batch", 1, 12, 12]);
    const glance = averagePool(n, x, { kernel: 4 });
    n.output(linear(n.scope("head"), focusRegions(n.scope("look"), x, glance, focus, { size: 4 }), 2), "logits");
  });
  const { model: trained } = await fit(model, {
    data: datasetOf({ size: 128, open: () => ({ read: striped }) }),
    epochs: 12,
    batch: 16,
    loss: "crossEntropy",
    output: "logits",
    optimizer: "adam",
    learningRate: 0.03,
    seed: 1,
  }).result;
  const held = Array.from({ length: 60 }, (_, i) => striped(1000 + i));
  const pixels = held.flatMap(({ inputs }) => list(inputs.get("input")));
  const made = evaluate(trained, new Map([["input", tensorFromNumbers("float32", [60, 1, 12, 12], pixels)]]));
  const places = list(made.get(regionsOf(trained)[0]!));
  expect(held.filter(({ cell }, i) => cell === places[i]).length).toBeGreaterThan(50);
});

it("wrong use is named", async () => {
  const using = (size: number, count: number) => () => looking(size, count);
  expect(using(13, 1)).toThrow(UsageError);
  expect(using(0, 1)).toThrow(UsageError);
  expect(using(3, 0)).toThrow(UsageError);
  expect(using(3, 21)).toThrow(UsageError);
  const bare = network(random(1), (n) => n.output(input(n), "y"));
  await expect(exportRegions(bare)).rejects.toThrow(UsageError);
  const model = looking(3, 1);
  const changed = editModel(model, (draft) => {
    const node = model.graph.nodes.find(({ opType }) => opType === "TopK")!;
    const [values] = node.outputs;
    draft.replaceNode(node, makeNode("ArgMax", [node.inputs[0]], [node.outputs[1]], { attributes: { axis: 1 } }));
    expect(values).toBeDefined();
  });
  await expect(exportRegions(changed)).rejects.toThrow(UnsupportedError);
});
