import { describe, expect, it } from "vitest";
import { encodeSafetensors, random, readSafetensors } from "../../data/index.ts";
import {
  type BuilderAttributes,
  dataTypes,
  float,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
  verify,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { openSession } from "../../runtime/index.ts";
import { trainingStep, withParameters } from "../index.ts";
import { trainedTensors } from "../loop/trained-model.ts";
import { addLora, applyLora, loraTensors, mergeLora, replaceHead } from "./index.ts";

function noise(dims: readonly number[], seed: number): Tensor {
  const source = random(seed);
  const values = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => source.normal());
  return tensorFromNumbers("float32", dims, values);
}

/** Pictures to three classes: a strided convolution, two linear layers of different kinds, a softmax. */
function pictures(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", ["batch", 2, 6, 6]);
  const weight = (name: string, dims: readonly number[], seed: number) => g.constant(name, noise(dims, seed));
  const geometry = { strides: [2, 2], pads: [1, 1, 1, 1], kernel_shape: [3, 3] };
  const filtered = g.op("Conv", [x, weight("conv.weight", [4, 2, 3, 3], 1), weight("conv.bias", [4], 2)], geometry);
  const pooled = g.op("Flatten", [g.op("GlobalAveragePool", [g.op("Relu", [filtered])])], { axis: 1 });
  const mixed = g.op("MatMul", [pooled, weight("mix.weight", [4, 5], 3)], {}, { name: "mixed" });
  const scores = g.op("Gemm", [mixed, weight("head.weight", [3, 5], 4), weight("head.bias", [3], 5)], {
    transB: 1,
    beta: float(1),
  });
  g.output(g.op("Softmax", [scores], { axis: -1 }), "probabilities");
  return model(g.build());
}

const feed = new Map([["x", noise([3, 2, 6, 6], 9)]]);

function outputOf(m: Model, name = "probabilities"): number[] {
  return Array.from(numbersOf(evaluate(m, feed, { fetches: [name] }).get(name)!));
}

function namesIn({ graph }: Model): string[] {
  return [...graph.initializers.keys()].map(({ name }) => name);
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
}

describe("replaceHead", () => {
  it("cuts before the last linear layer and its softmax", () => {
    const { model: changed, at, parameters } = replaceHead(pictures(), { classes: 7, seed: 3 });
    expect(verify(changed)).toEqual([]);
    expect([at, parameters]).toEqual(["mixed", ["head/weight", "head/bias"]]);
    expect(namesIn(changed)).not.toContain("head.weight");
    expect(changed.graph.outputs.map(({ name }) => name)).toEqual(["probabilities"]);
    const features = outputOf(pictures(), "mixed");
    const at2 = (name: string) =>
      numbersOf([...changed.graph.initializers].find(([v]) => v.name === name)![1] as Tensor);
    const [w, b] = [at2("head/weight"), at2("head/bias")];
    const logits = Array.from({ length: 21 }, (_, i) => {
      const [row, column] = [Math.floor(i / 7), i % 7];
      return [0, 1, 2, 3, 4].reduce((sum, k) => sum + features[5 * row + k]! * w[7 * k + column]!, b[column]!);
    });
    expect(largestDifference(outputOf(changed), logits)).toBeLessThan(1e-12);
    expect(Math.max(...w.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(5));
  });

  it("averages positions where the cut is a picture, and begins by the seed alone", () => {
    const build = (seed: number) => replaceHead(pictures(), { classes: 2, at: "conv", seed }).model;
    const [a, b, other] = [build(1), build(1), build(2)];
    expect(outputOf(a)).toEqual(outputOf(b));
    expect(outputOf(a)).not.toEqual(outputOf(other));
    expect(a.graph.nodes.map(({ opType }) => opType)).toEqual([
      "Conv",
      "GlobalAveragePool",
      "Flatten",
      "MatMul",
      "Add",
    ]);
  });

  it("has the type of what it reads", () => {
    const g = graphBuilder();
    const weight = g.constant("weight", tensorFromNumbers("float16", [4, 5], Array(20).fill(0.5)));
    g.output(g.op("MatMul", [g.input("x", "float16", ["batch", 4]), weight]), "scores");
    const { model: changed } = replaceHead(model(g.build()), { classes: 3 });
    expect(verify(changed)).toEqual([]);
    const parameters = [...changed.graph.initializers.values()] as Tensor[];
    expect(parameters.map(({ dtype, dims }) => [dtype, dims])).toEqual([
      ["float16", [4, 3]],
      ["float16", [3]],
    ]);
    expect(parameters.every((parameter) => numbersOf(parameter).some((x) => x !== 0))).toBe(true);
  });

  it("can read the output itself, which gives up its name", () => {
    const { model: longer } = replaceHead(pictures(), { classes: 2, at: "probabilities" });
    expect(verify(longer)).toEqual([]);
    expect(outputOf(longer)).toHaveLength(6);
  });

  it("takes the output behind most of the network, wherever it stands", () => {
    const { graph, ...rest } = pictures();
    const pooled = graph.nodes.find(({ opType }) => opType === "Flatten")!.outputs[0]!;
    for (const outputs of [
      [pooled, ...graph.outputs],
      [...graph.outputs, pooled],
    ]) {
      const { at, model: changed } = replaceHead({ ...rest, graph: { ...graph, outputs } }, { classes: 7 });
      expect(at).toBe("mixed");
      expect(changed.graph.outputs.map(({ name }) => name)).toEqual(outputs.map(({ name }) => name));
    }
  });

  /** A linear layer over features, and what stands behind it. */
  const ended = (opType: string, attributes: BuilderAttributes = {}): Model => {
    const g = graphBuilder({ infer: builderInference(21) });
    const features = g.op("Tanh", [g.input("x", "float32", ["batch", 4])], {}, { name: "features" });
    const scores = g.op("MatMul", [features, g.constant("weight", noise([4, 5], 1))]);
    g.output(g.unchecked(opType, [scores], 1, attributes)[0], "y");
    return model(g.build());
  };

  it.each<[string, BuilderAttributes]>([
    ["Cast", { to: dataTypes.float64.code }],
    ["Clip", {}],
    ["Dropout", {}],
    ["Flatten", { axis: 1 }],
    ["Identity", {}],
    ["LogSoftmax", {}],
    ["Relu", {}],
    ["Sigmoid", {}],
    ["Squeeze", {}],
    ["Transpose", { perm: [0, 1] }],
  ])("looks for the last linear layer behind a %s", (opType, attributes) => {
    const { at, model: changed } = replaceHead(ended(opType, attributes), { classes: 2 });
    expect(at).toBe("features");
    expect(changed.graph.nodes.map((node) => node.opType)).toEqual(["Tanh", "MatMul", "Add"]);
  });

  it("looks for none behind what makes other things than scores of them", () => {
    expect(() => replaceHead(ended("ArgMax"), { classes: 2 })).toThrow(/no last linear layer.*ArgMax/);
  });

  it("says what it cannot find", () => {
    expect(() => replaceHead(pictures(), { classes: 2, at: "tail" })).toThrow(/computes no such value.*"mixed"/);
    expect(() => replaceHead(pictures(), { classes: 2, output: "tail" })).toThrow(/no such output/);
    expect(() => replaceHead(pictures(), { classes: 0 })).toThrow(/classes must be a whole number of at least 1/);
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["batch", 4]);
    g.output(g.op("Add", [g.op("Tanh", [x]), x]), "y");
    expect(() => replaceHead(model(g.build()), { classes: 2 })).toThrow(/no last linear layer.*Name the value/);
  });
});

/** The model with adapters whose second factors are no longer zero, as after training. */
function trained(base = pictures()): Model {
  const { model: adapted, parameters } = addLora(base, { rank: 2, alpha: 3, seed: 1 });
  const moved = parameters.map((name, i): [string, Tensor] => {
    const old = [...adapted.graph.initializers].find(([value]) => value.name === name)![1] as Tensor;
    return [name, noise(old.dims, 20 + i)];
  });
  return withParameters(adapted, new Map(moved));
}

describe("adapters", () => {
  it("change nothing at first", () => {
    const { model: adapted, parameters } = addLora(pictures(), { rank: 2 });
    expect(verify(adapted)).toEqual([]);
    expect(parameters).toHaveLength(6);
    expect(outputOf(adapted)).toEqual(outputOf(pictures()));
  });

  it("kept apart make the same model again, also through a file", () => {
    const kept = loraTensors(trained());
    const { tensors } = readSafetensors(encodeSafetensors(kept));
    expect(outputOf(trained())).not.toEqual(outputOf(pictures()));
    expect(outputOf(applyLora(pictures(), tensors))).toEqual(outputOf(trained()));
  });

  it("merged compute the same, by the nodes of the model itself", async () => {
    const merged = mergeLora(pictures(), loraTensors(trained()));
    expect(merged.graph.nodes).toEqual(pictures().graph.nodes);
    expect(largestDifference(outputOf(merged), outputOf(trained()))).toBeLessThan(1e-6);
    await using session = await openSession(merged);
    const native = numbersOf((await session.run(feed)).get("probabilities")!);
    expect(largestDifference([...native], outputOf(trained()))).toBeLessThan(1e-5);
  });

  it("merged compute the same in a Gemm whose weight is stored as it multiplies", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["batch", 4]);
    g.output(g.op("Gemm", [x, g.constant("weight", noise([4, 3], 1)), g.constant("bias", noise([3], 2))]), "y");
    const plain = model(g.build());
    const rows = new Map([["x", noise([2, 4], 3)]]);
    const answers = (m: Model) => Array.from(numbersOf(evaluate(m, rows).get("y")!));
    const merged = mergeLora(plain, loraTensors(trained(plain)));
    expect(largestDifference(answers(plain), answers(trained(plain)))).toBeGreaterThan(0.1);
    expect(largestDifference(answers(merged), answers(trained(plain)))).toBeLessThan(1e-6);
  });

  it("begin within one over the root of how many numbers go into one", () => {
    const { model: adapted } = addLora(pictures(), { rank: 8, seed: 1 });
    const kept = loraTensors(adapted);
    for (const [name, inputs] of [
      ["conv.weight", 2 * 3 * 3],
      ["mix.weight", 4],
      ["head.weight", 5],
    ] as const) {
      const largest = Math.max(...numbersOf(kept.get(`${name}.lora_A`)!).map(Math.abs)) * Math.sqrt(inputs);
      expect(largest, name).toBeLessThanOrEqual(1 + 1e-6);
      expect(largest, name).toBeGreaterThan(0.8);
    }
  });

  it("are all that moves when they are what is trained", () => {
    const { model: adapted, parameters } = addLora(pictures(), { rank: 2, weights: ["conv.*", "mix.weight"], seed: 4 });
    expect(parameters).toEqual(
      [".lora_A", ".lora_B"].flatMap((end) => [`conv.weight${end}`]).concat(["mix.weight.lora_A", "mix.weight.lora_B"]),
    );
    const step = trainingStep(adapted, { loss: "meanSquaredError", optimizer: "adamw", trainable: parameters });
    const labels = tensorFromNumbers("float32", [3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    let state = new Map(step.state.map(({ name, initial }) => [name, initial]));
    const losses: number[] = [];
    for (let i = 1; i <= 30; i++) {
      const controls = [
        [step.labels!, labels],
        [step.learningRate, tensor("float32", [], [0.05])],
        [step.step, tensorFromNumbers("int64", [], [i])],
      ] as const;
      const results = evaluate(step.model, new Map([...feed, ...state, ...controls]));
      losses.push(numbersOf(results.get(step.loss)!)[0]!);
      state = new Map(step.state.map(({ name, output }) => [name, results.get(output)!]));
    }
    expect(losses[29]!).toBeLessThan(0.8 * losses[0]!);
    expect([...trainedTensors(step, state).keys()].sort()).toEqual([...parameters].sort());
  });

  it("go with a new head, whose tensors are kept beside them", () => {
    const head = replaceHead(pictures(), { classes: 4, seed: 1 });
    const { model: adapted, parameters } = addLora(head.model, { rank: 1, except: head.parameters });
    expect(parameters).not.toContain("head/weight.lora_A");
    const kept = loraTensors(adapted, head.parameters);
    expect([...kept.keys()]).toContain("head/weight");
    const other = replaceHead(pictures(), { classes: 4, seed: 2 }).model;
    expect(outputOf(applyLora(other, kept))).toEqual(outputOf(head.model));
    for (const misfit of [noise([5], 1), tensorFromNumbers("float64", [4], [1, 2, 3, 4])]) {
      expect(() => applyLora(other, new Map([...kept, ["head/bias", misfit]]))).toThrow(/does not fit.*"head\/bias"/);
    }
  });

  it("are refused by name where they do not fit", () => {
    expect(() => addLora(pictures(), { rank: 0 })).toThrow(/rank of an adapter/);
    expect(() => addLora(pictures(), { rank: 1, weights: ["tail*"] })).toThrow(
      /could carry an adapter.*conv\.weight.*"tail\*"/,
    );
    const kept = loraTensors(trained());
    const changed = (name: string, value: Tensor | undefined) => {
      const next = new Map(kept);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    };
    expect(() => applyLora(pictures(), changed("conv.weight.lora_B", undefined))).toThrow(/not whole/);
    expect(() => mergeLora(pictures(), changed("mix.weight.lora_B", noise([2, 6], 1)))).toThrow(/does not fit/);
    expect(() => mergeLora(pictures(), changed("tail", scalar("float32", 1)))).toThrow(/lacks what a tensor is for/);
  });

  it("leave out weights that something else reads too", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["batch", 4]);
    const [tied, free] = [g.constant("tied", noise([4, 4], 1)), g.constant("free", noise([4, 4], 2))];
    g.output(g.op("MatMul", [g.op("MatMul", [g.op("MatMul", [x, tied]), free]), g.op("Transpose", [tied])]), "y");
    expect(addLora(model(g.build()), { rank: 1 }).parameters).toEqual(["free.lora_A", "free.lora_B"]);
  });
});
