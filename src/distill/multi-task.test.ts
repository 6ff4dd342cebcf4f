import { describe, expect, it } from "vitest";
import { collect, type Dataset, datasetOf, mixture, random } from "../data/index.ts";
import { graphBuilder, type Model, model, numbersOf, tensorFromNumbers } from "../ir/index.ts";
import { linear, network } from "../nn/index.ts";
import { builderInference } from "../ops/index.ts";
import { evaluate } from "../reference/index.ts";
import { openReference } from "../runtime/reference.ts";
import { evaluateModel, fit } from "../train/index.ts";
import { stepBuilder } from "../train/step/step-builder.ts";
import { annealed } from "./losses/annealed-targets.ts";
import { labelShareDrive, type MultiTaskOptions, multiTask } from "./multi-task.ts";

type Labelling = (x: number, y: number) => number;

const labellings: Readonly<Record<string, Labelling>> = {
  right: (x) => Number(x > 0),
  above: (_, y) => Number(y > 0),
  quadrant: (x, y) => 2 * Number(x > 0) + Number(y > 0),
};

function points(count: number, labelOf: Labelling, seed: number): Dataset {
  const source = random(seed);
  const rows = Array.from({ length: count }, () => [source.normal(), source.normal()] as const);
  return datasetOf({
    size: count,
    labels: async () => rows.map(([x, y]) => labelOf(x, y)),
    open: () => ({
      read: (i) => ({
        inputs: new Map([["input", tensorFromNumbers("float32", [2], rows[i]!)]]),
        label: labelOf(...rows[i]!),
        source: `${i}`,
      }),
    }),
  });
}

/** A trunk with a head for each width. */
function heads(seed: number, classes: Readonly<Record<string, number>>): Model {
  return network(random(seed), (n) => {
    const hidden = n.op("Tanh", [linear(n.scope("one"), n.input("input", "float32", ["batch", 2]), 8)]);
    for (const [name, count] of Object.entries(classes)) n.output(linear(n.scope(name), hidden, count), name);
  });
}

const classes = { right: 2, above: 2, quadrant: 4 };
const sizes = { right: 96, above: 48, quadrant: 24 };
const names = ["right", "above", "quadrant"] as const;

const usual = { batch: 12, optimizer: "adam", learningRate: 2e-2, seed: 1 } as const;

async function tasksOf(): Promise<MultiTaskOptions["tasks"]> {
  return Promise.all(
    names.map(async (name, i) => {
      const data = points(sizes[name], labellings[name]!, i + 1);
      const start = heads(i + 10, { logits: classes[name] });
      const { model: teacher } = await fit(start, { ...usual, data, epochs: 12, loss: "crossEntropy" }).result;
      return { name, teacher, data, output: name };
    }),
  );
}

describe("annealed targets", () => {
  it("are λ · label + (1 − λ) · teacher, of the samples of the task alone", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const floats = (name: string) => g.input(name, "float64", [4, 3]);
    const int = (name: string) => g.input(name, "int64", [4]);
    const parts = { teacher: floats("teacher"), student: floats("student"), task: int("task"), label: int("label") };
    g.output(annealed(stepBuilder(g), { ...parts, labelShare: g.input("share", "float64", []), of: 1 }), "loss");
    const [t, s] = [3, 4].map((seed) => {
      const source = random(seed);
      return Array.from({ length: 12 }, () => source.normal());
    }) as [number[], number[]];
    const [task, label] = [
      [1, 0, 1, 2],
      [2, 0, 1, 9],
    ];
    const softmax = (row: readonly number[]) => {
      const powers = row.map(Math.exp);
      return powers.map((x) => x / powers.reduce((sum, y) => sum + y, 0));
    };
    for (const share of [0, 0.25, 1]) {
      const feeds = new Map([
        ["teacher", tensorFromNumbers("float64", [4, 3], t)],
        ["student", tensorFromNumbers("float64", [4, 3], s)],
        ["task", tensorFromNumbers("int64", [4], task)],
        ["label", tensorFromNumbers("int64", [4], label)],
        ["share", tensorFromNumbers("float64", [], [share])],
      ]);
      const expected = [0, 2].map((i) => {
        const [p, q] = [t, s].map((list) => softmax(list.slice(3 * i, 3 * i + 3))) as [number[], number[]];
        return -p.reduce((sum, x, k) => sum + (share * Number(k === label[i]) + (1 - share) * x) * Math.log(q[k]!), 0);
      });
      const [loss] = numbersOf(evaluate(model(g.build()), feeds).get("loss")!);
      expect(loss).toBeCloseTo((expected[0]! + expected[1]!) / 4, 9);
    }
  });

  it("anneal from the teachers to the labels, or hold still", () => {
    const at = (drive: ReturnType<typeof labelShareDrive>, update: number) =>
      numbersOf(drive.train({ batch: update, update, updates: 11, seed: 0 }))[0];
    const shares = [0, 1, 5, 10].map((update) => at(labelShareDrive(undefined), update));
    shares.forEach((share, i) => void expect(share).toBeCloseTo([0, 0.1, 0.5, 1][i]!, 6));
    expect([0, 10].map((update) => at(labelShareDrive(0.5), update))).toEqual([0.5, 0.5]);
    expect(numbersOf(labelShareDrive(0).evaluate)[0]).toBe(1);
  });
});

describe("many teachers and one student", () => {
  it("share a run in which each head learns its own task, and the teachers stay", async () => {
    const tasks = await tasksOf();
    const student = heads(5, classes);
    const run = multiTask(student, { ...usual, tasks, epochs: 20 });
    const told = new Set<string>();
    for await (const event of run) if (event.type === "step") told.add(Object.keys(event.terms!).join());
    expect([...told]).toEqual(["right,above,quadrant"]);
    const { model: trained, report } = await run.result;
    expect(report.samples).toBe(20 * (96 + 48 + 24));
    expect([trained.graph.inputs, trained.graph.outputs]).toEqual([student.graph.inputs, student.graph.outputs]);
    for (const [i, name] of names.entries()) {
      const data = points(200, labellings[name]!, 50 + i);
      const { accuracy } = await evaluateModel(trained, {
        data,
        loss: "crossEntropy",
        output: name,
        metrics: ["accuracy"],
      });
      expect(accuracy, name).toBeGreaterThan(0.85);
    }
  });

  it("learn from the teachers alone where labels have no share", async () => {
    const tasks = await tasksOf();
    const lying = tasks.map((task) => ({ ...task, data: points(task.data.size, () => 0, 7) }));
    const lied = async (labelShare: number) => {
      const { model: trained } = await multiTask(heads(5, classes), { ...usual, tasks: lying, epochs: 20, labelShare })
        .result;
      const data = points(200, labellings.right!, 60);
      return (await evaluateModel(trained, { data, loss: "crossEntropy", output: "right", metrics: ["accuracy"] }))
        .accuracy!;
    };
    expect(await lied(0)).toBeGreaterThan(0.85);
    expect(await lied(1)).toBeLessThan(0.7);
  });

  it("are refused with too few tasks, a share that is none, and samples without labels", async () => {
    const tasks = await tasksOf();
    const options = { ...usual, tasks, epochs: 1, open: openReference };
    expect(() => multiTask(heads(5, classes), { ...options, tasks: tasks.slice(0, 1) })).toThrow(/too few tasks/);
    expect(() => multiTask(heads(5, classes), { ...options, labelShare: 2 })).toThrow(/share of the labels.*0 to 1/);
    const { labels: _, ...bare } = datasetOf({
      size: 4,
      open: () => ({
        read: () => ({ inputs: new Map([["input", tensorFromNumbers("float32", [2], [0, 1])]]), source: "a" }),
      }),
    });
    const some = [...tasks.slice(1), { ...tasks[0]!, data: bare }];
    await expect(multiTask(heads(5, classes), { ...options, tasks: some }).result).rejects.toThrow(
      /no label.*task right/,
    );
  });
});

describe("a mixture", () => {
  const sets = [
    points(400, labellings.right!, 1),
    points(100, labellings.above!, 2),
    points(25, labellings.quadrant!, 3),
  ];
  const tagged = (size: number, power: number, seed = 4) =>
    mixture(sets, { size, power, seed }, (sample, set) => ({ ...sample, source: `${set} ${sample.source}` }));

  it.each([0, 0.75, 1])("draws from sets in proportion to their sizes to the power %d", async (power) => {
    const size = 3000;
    const drawn = await collect(tagged(size, power));
    const counts = sets.map((_, set) => drawn.filter(({ source }) => source.startsWith(`${set} `)).length);
    const total = sets.reduce((sum, set) => sum + set.size ** power, 0);
    const expected = sets.map((set) => (size * set.size ** power) / total);
    const square = counts.reduce((sum, count, i) => sum + (count - expected[i]!) ** 2 / expected[i]!, 0);
    // The 0.1 % quantile of two degrees of freedom.
    expect(square).toBeLessThan(13.8);
  });

  it("hands out all samples of a set before any again, the same for the same seed", async () => {
    const drawn = (await collect(tagged(600, 0))).map(({ source }) => source);
    const small = drawn.filter((source) => source.startsWith("2 "));
    for (let start = 0; start + 25 <= small.length; start += 25) {
      expect(new Set(small.slice(start, start + 25)).size).toBe(25);
    }
    expect(small.slice(0, 25)).not.toEqual(small.slice(25, 50));
    expect((await collect(tagged(600, 0))).map(({ source }) => source)).toEqual(drawn);
    expect((await collect(tagged(600, 0, 5))).map(({ source }) => source)).not.toEqual(drawn);
    const picked: string[] = [];
    for await (const { source } of tagged(600, 0).pick([7, 3])) picked.push(source);
    expect(picked).toEqual([drawn[7], drawn[3]]);
  });

  it("is refused where there is nothing to draw", () => {
    expect(() => mixture([], { size: 3, seed: 1 })).toThrow(/nothing to draw from/);
    expect(() => mixture(sets, { size: 0, seed: 1 })).toThrow(/1 or more/);
  });
});
