import { expect, it } from "vitest";
import { moons, network } from "../../../test/moons.ts";
import type { Dataset } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { fedInputs, graphBuilder, int64s, type Model, model, namesOf } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { adamw, crossEntropy, evaluateModel, fit } from "../index.ts";
import { predictedOutput } from "./predicted-output.ts";

/** The network of the moons with its hidden layer as the first output. */
function withHidden(): Model {
  const plain = network();
  const hidden = plain.graph.nodes.find(({ opType }) => opType === "Relu")!.outputs[0]!;
  return { ...plain, graph: { ...plain.graph, outputs: [hidden, ...plain.graph.outputs] } };
}

/** The moons as if there were three classes. */
function threeClasses(): Dataset {
  const data = moons(16, 1);
  return { ...data, labels: async () => [0, 1, 2] };
}

it("is the one with as many scores as there are classes", async () => {
  const loss = "crossEntropy";
  expect(await predictedOutput(withHidden(), moons(16, 1), { loss })).toBe("logits");
  expect(await predictedOutput(withHidden(), moons(16, 1), { loss, output: "other" })).toBe("other");
  expect(await predictedOutput(withHidden(), moons(16, 1), { loss: "meanSquaredError" })).toBeUndefined();
  const wrong = predictedOutput(withHidden(), threeClasses(), { loss });
  await expect(wrong).rejects.toThrow(UsageError);
  await expect(wrong).rejects.toThrow(/one output with 3 scores.*\[16\], "logits" \[2\].*--output/);
});

it("is the one behind most of the network where several fit, in whatever order they are", async () => {
  const plain = network();
  const g = graphBuilder({ names: namesOf(plain), prefix: "side/" });
  const inputs = fedInputs(plain.graph);
  g.output(g.op("Neg", [inputs[0]!]), "side");
  const { nodes, outputs } = g.build();
  const orders = [...outputs, ...plain.graph.outputs];
  for (const order of [orders, orders.toReversed()]) {
    const both = { ...plain, graph: { ...plain.graph, nodes: [...plain.graph.nodes, ...nodes], outputs: order } };
    expect(await predictedOutput(both, moons(16, 1), { loss: "crossEntropy" })).toBe("logits");
  }
});

it("is counted by the labels that count", async () => {
  const data = { ...moons(16, 1), labels: async () => [0, 1, 255] };
  const loss = crossEntropy({ ignoreIndex: 255 });
  expect(await predictedOutput(withHidden(), data, { loss })).toBe("logits");
});

it("is the first where that holds scores of every position, and no data says otherwise", async () => {
  const { labels: _, ...data } = moons(16, 1);
  const outputs = (first: "tokens" | "sum") => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["batch", 3, 4]);
    const axes = (...list: number[]) => g.constant("axes", int64s(list));
    if (first === "tokens") g.output(g.op("Neg", [x]), "tokens");
    else g.output(g.op("ReduceSum", [x, axes(1, 2)], { keepdims: 0 }), "sum");
    g.output(g.op("ReduceMean", [x, axes(2)], { keepdims: 0 }), "others");
    g.output(g.op("Neg", [g.op("ReduceMean", [x, axes(1)], { keepdims: 0 })]), "scores");
    return model(g.build());
  };
  expect(await predictedOutput(outputs("tokens"), data, { loss: "crossEntropy" })).toBeUndefined();
  expect(await predictedOutput(outputs("sum"), data, { loss: "crossEntropy" })).toBe("scores");
});

it("is what a model is evaluated by", async () => {
  const options = { data: moons(16, 1), loss: "crossEntropy", metrics: ["accuracy"] } as const;
  expect(await evaluateModel(withHidden(), options)).toEqual(await evaluateModel(network(), options));
  await expect(evaluateModel(withHidden(), { ...options, data: threeClasses() })).rejects.toThrow(/option output/);
});

it("is what a run trains, and evaluates", async () => {
  const data = moons(16, 1);
  const run = (model: Model) =>
    fit(model, {
      data,
      epochs: 2,
      batch: 8,
      learningRate: 0.05,
      optimizer: adamw(),
      loss: "crossEntropy",
      evaluate: { data },
    }).result;
  const [plain, whole] = [await run(network()), await run(withHidden())];
  expect(whole.report.loss).toBeCloseTo(plain.report.loss, 5);
  expect(whole.report.evaluations.at(-1)!.metrics.loss).toBeCloseTo(plain.report.evaluations.at(-1)!.metrics.loss!, 5);
});
