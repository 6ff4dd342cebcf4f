import { describe, expect, it } from "vitest";
import { type Dataset, datasetOf, random } from "../data/index.ts";
import { equalModels, isSparse, type Model, numbersOf, tensorFromNumbers, verify } from "../ir/index.ts";
import { lenet, mlp } from "../models/index.ts";
import { batchNorm, dropout, type Layers, linear, network } from "../nn/index.ts";
import { evaluate } from "../reference/index.ts";
import { adamw, evaluateModel, type LossTerm } from "../train/index.ts";
import { type DistillOptions, distill, distillationGap } from "./distill.ts";
import { jointModel } from "./joint-model.ts";
import { features, softTargets } from "./losses/index.ts";

/** Points of the plane; the class is the quadrant's sign, known only where `labelled`. */
function points(count: number, labelled: boolean): Dataset {
  const source = random(5);
  const samples = Array.from({ length: count }, (_, i) => {
    const [x, y] = [source.normal(), source.normal()];
    const inputs = new Map([["input", tensorFromNumbers("float32", [2], [x, y])]]);
    return { inputs, source: `${i}`, ...(labelled && { label: Number(x * y > 0) }) };
  });
  const labels = samples.map(({ label }) => label ?? 0);
  return datasetOf({
    size: count,
    ...(labelled && { labels: async () => labels }),
    open: () => ({ read: (i) => samples[i]! }),
  });
}

function net(
  seed: number,
  width: number,
  extra: (n: Layers, x: ReturnType<Layers["input"]>) => ReturnType<Layers["input"]> = (_, x) => x,
): Model {
  return network(random(seed), (n) => {
    const x = n.input("input", "float32", ["batch", 2]);
    const hidden = n.op("Tanh", [extra(n, linear(n.scope("one"), x, width))]);
    n.output(linear(n.scope("two"), hidden, 2), "logits");
  });
}

const settings = {
  data: points(96, false),
  epochs: 3,
  batch: 32,
  optimizer: adamw({ weightDecay: 0 }),
  learningRate: 2e-2,
  seed: 1,
} as const;

const hidden = [{ teacher: "tanh", student: "tanh" }];

function initializers({ graph }: Model): Map<string, number[]> {
  return new Map(
    [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, [...numbersOf(data)]]])),
  );
}

describe("teacher and student in one graph", () => {
  it("compute what they compute alone", () => {
    const [teacher, student] = [net(1, 6), net(2, 6)];
    const joint = jointModel(student, { teacher, losses: [softTargets(), features({ pairs: hidden })] });
    expect(verify(joint.model)).toEqual([]);
    const feeds = new Map([["input", tensorFromNumbers("float32", [2, 2], [1, -1, 0.5, 2])]]);
    const results = evaluate(joint.model, feeds);
    for (const [prefix, alone] of [
      ["", student],
      ["teacher/", teacher],
    ] as const) {
      const expected = [...numbersOf(evaluate(alone, feeds).get("logits")!)];
      numbersOf(results.get(`${prefix}logits`)!).forEach((x, i) => void expect(x).toBeCloseTo(expected[i]!, 12));
    }
  });

  it("share an input of another name where there is one only", () => {
    const teacher = mlp(random(1), { input: [2], hidden: [4], classes: 2 });
    const student = network(random(2), (n) => n.output(linear(n, n.input("x", "float32", ["n", 2]), 2), "y"));
    expect(
      jointModel(student, { teacher, losses: [softTargets()] }).model.graph.inputs.map(({ name }) => name),
    ).toEqual(["x"]);
  });

  it("are compared by what they answer, wherever their other outputs stand", async () => {
    const plain = net(1, 6);
    const first = plain.graph.nodes.find(({ opType }) => opType === "Tanh")!.outputs[0]!;
    const teacher = { ...plain, graph: { ...plain.graph, outputs: [first, ...plain.graph.outputs] } };
    expect(jointModel(teacher, { teacher: plain, losses: [softTargets()] }).output).toBe("logits");
    const gap = (given: Model, options: object) =>
      distillationGap(given, { ...settings, teacher, losses: [softTargets()], ...options });
    expect(await gap(net(2, 6), {})).toEqual(await gap(net(2, 6), { teacher: plain }));
    const labelled = { data: points(16, true), loss: "crossEntropy", metrics: ["accuracy"] };
    expect(await gap(teacher, labelled)).toEqual(await gap(plain, labelled));
  });

  it("read the output that labels fit, in both", async () => {
    const two = (seed: number) =>
      network(random(seed), (n) => {
        const hidden = n.op("Tanh", [linear(n.scope("one"), n.input("input", "float32", ["batch", 2]), 6)]);
        n.output(linear(n.scope("age"), n.op("Tanh", [hidden]), 5), "age");
        n.output(linear(n.scope("sign"), hidden, 2), "sign");
      });
    const options = { data: points(16, true), teacher: two(1), losses: [softTargets()] };
    const gap = (more: object) => distillationGap(two(2), { ...options, ...more });
    const byLabels = await gap({ loss: "crossEntropy" });
    expect(byLabels).toEqual(await gap({ output: "sign", teacherOutput: "sign" }));
    expect(byLabels).not.toEqual(await gap({}));
  });

  it("are refused where they do not fit", () => {
    const options = { teacher: net(1, 6), losses: [softTargets()] };
    expect(() => jointModel(lenet(random(1), { size: 16 }), options)).toThrow(
      /different inputs.*"input" float32\[batch, 2\]/,
    );
    const unknown = features({ pairs: [{ teacher: "tanh", student: "nothing" }] });
    expect(() => jointModel(net(2, 6), { ...options, losses: [unknown] })).toThrow(/no such value.*"nothing".*student/);
    const other = features({ pairs: [{ teacher: "tanh", student: "input" }] });
    expect(() => jointModel(net(2, 6), { ...options, losses: [other] })).not.toThrow();
    const old: Model = { ...net(1, 6), opsets: new Map([["", 17]]) };
    expect(() => jointModel(net(2, 6), { ...options, teacher: old })).toThrow(/opset 21.*opset 17.*teacher/);
  });
});

describe("distillation", () => {
  it("needs no labels, leaves the teacher alone, and gives the student alone", async () => {
    const [teacher, student] = [net(1, 6), net(2, 4)];
    const kept = initializers(teacher);
    const losses = [softTargets({ temperature: 2 }), features({ pairs: hidden, weight: 0.5 })];
    const before = await distillationGap(student, { ...settings, teacher, losses: [softTargets()] });
    const size: LossTerm = { name: "size", weight: 0, build: (g, { output }) => g.sumOfSquares(output("logits")) };
    const run = distill(student, { ...settings, epochs: 12, teacher, losses, terms: [size] });
    const told: string[] = [];
    for await (const event of run) if (event.type === "step") told.push(Object.keys(event.terms ?? {}).join());
    const { model } = await run.result;
    const after = await distillationGap(model, { ...settings, teacher, losses: [softTargets()] });
    expect(after.softTargets).toBeLessThan(0.3 * before.softTargets!);
    expect(new Set(told)).toEqual(new Set(["softTargets,features,size"]));
    expect([...model.graph.initializers.keys()]).toEqual([...student.graph.initializers.keys()]);
    expect([model.graph.inputs, model.graph.outputs]).toEqual([student.graph.inputs, student.graph.outputs]);
    expect(initializers(teacher)).toEqual(kept);
  });

  it("starts with no loss where the student is the teacher, its dropout and batch normalization in inference form", async () => {
    const noisy = net(3, 6, (n, x) => dropout(n, batchNorm(n.scope("norm"), x), 0.5));
    const options: DistillOptions = {
      ...settings,
      teacher: noisy,
      losses: [softTargets()],
      batchNorm: "frozen",
      dropout: "off",
    };
    const run = distill(noisy, { ...options, epochs: 1, learningRate: 0 });
    for await (const event of run) if (event.type === "step") expect(event.loss).toBeCloseTo(0, 6);
    expect(equalModels((await run.result).model, noisy)).toBeUndefined();
  });

  it("keeps the student's own running statistics", async () => {
    const [teacher, student] = [1, 2].map((seed) => net(seed, 6, (n, x) => batchNorm(n.scope("norm"), x)));
    const { model } = await distill(student!, { ...settings, epochs: 1, teacher: teacher!, losses: [softTargets()] })
      .result;
    expect(initializers(model).get("norm/mean")).not.toEqual(initializers(student!).get("norm/mean"));
  });

  it("learns from labels besides, weighed", async () => {
    const [teacher, student] = [net(1, 6), net(2, 12)];
    const data = points(256, true);
    const options = { ...settings, data, epochs: 20, teacher, losses: [softTargets({ weight: 0.1 })] };
    const accuracyAt = async (labelWeight: number) => {
      const { model } = await distill(student, { ...options, loss: "crossEntropy", labelWeight }).result;
      return (await evaluateModel(model, { data, loss: "crossEntropy", metrics: ["accuracy"] })).accuracy!;
    };
    expect(await accuracyAt(1)).toBeGreaterThan((await accuracyAt(0)) + 0.15);
  });

  it("is the same bit for bit for the same seed, and trains only what is named", async () => {
    const [teacher, student] = [net(1, 6), net(2, 6)];
    const options: DistillOptions = { ...settings, teacher, losses: [softTargets()], trainable: [/^two/] };
    const [a, b] = await Promise.all([distill(student, options).result, distill(student, options).result]);
    expect(initializers(a.model)).toEqual(initializers(b.model));
    expect(initializers(a.model).get("one/weight")).toEqual(initializers(student).get("one/weight"));
    expect(initializers(a.model).get("two/weight")).not.toEqual(initializers(student).get("two/weight"));
    const unknown = distill(student, { ...options, trainable: ["three"] });
    await expect(unknown.result).rejects.toThrow(/no such float initializer/);
  });
});
