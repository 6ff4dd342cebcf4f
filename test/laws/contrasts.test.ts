/** @file Contrasts: value, gradients, Z and banks of two batches as PyTorch has them; negatives of other classes alone, all alike; resumed to the same bits. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differentiateGraph } from "../../src/autodiff/index.ts";
import { type Dataset, datasetOf, random } from "../../src/data/index.ts";
import { contrasts, type DistillOptions, distill, softTargets } from "../../src/distill/index.ts";
import { contrast } from "../../src/distill/losses/contrast.ts";
import { negativesOf } from "../../src/distill/losses/contrasts.ts";
import {
  graphBuilder,
  isSparse,
  type Model,
  model,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
} from "../../src/ir/index.ts";
import { linear, network } from "../../src/nn/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { stepBuilder } from "../../src/train/step/step-builder.ts";

interface Published {
  readonly samples: number;
  readonly width: number;
  readonly negatives: number;
  readonly batch: number;
  readonly temperature: number;
  readonly momentum: number;
  readonly studentBank: readonly number[];
  readonly teacherBank: readonly number[];
  readonly batches: readonly Batch[];
}

interface Batch {
  readonly sample: readonly number[];
  readonly others: readonly number[];
  readonly student: readonly number[];
  readonly teacher: readonly number[];
  readonly loss: number;
  readonly studentGradient: readonly number[];
  readonly teacherGradient: readonly number[];
  readonly scale: readonly number[];
  readonly studentBank: readonly number[];
  readonly teacherBank: readonly number[];
}

const published: Published = JSON.parse(
  readFileSync(new URL("../fixtures/distillation/contrasts.json", import.meta.url), "utf8"),
);

/** The formulas with the gradients of both sides, in float64. */
function formulas({ samples, width, negatives, batch, temperature, momentum }: Published): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const floats = (name: string, ...dims: number[]) => g.input(name, "float64", dims);
  const [teacher, student] = [floats("teacher", batch, width), floats("student", batch, width)];
  const made = contrast(stepBuilder(g), {
    teacher,
    student,
    teacherBank: floats("teacherBank", samples, width),
    studentBank: floats("studentBank", samples, width),
    scale: floats("scale", 2),
    sample: g.input("sample", "int64", [batch]),
    others: g.input("others", "int64", [batch, negatives]),
    ...{ size: samples, negatives, temperature, momentum },
  });
  const { loss } = made;
  const named = { loss, teacherBank: made.teacherBank, studentBank: made.studentBank, scale: made.scale };
  for (const value of Object.values(named)) g.output(value);
  const { graph, gradients } = differentiateGraph(g.build(), { of: loss, wrt: [teacher, student], opset: 21 });
  const found = { ...named, teacherGradient: gradients.get(teacher)!, studentGradient: gradients.get(student)! };
  names = Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value.name]));
  return model({ ...graph, outputs: Object.values(found) });
}

let names: Record<string, string> = {};

describe("contrasts", () => {
  it("are what PyTorch gives over two batches, with Z of the first and the banks behind each", () => {
    const whole = formulas(published);
    const { samples, width, batch, negatives } = published;
    const floats = (dims: readonly number[], list: readonly number[]) => tensorFromNumbers("float64", dims, list);
    let kept: Pick<Batch, "studentBank" | "teacherBank" | "scale"> = { ...published, scale: [0, 0] };
    for (const expected of published.batches) {
      const results = evaluate(
        whole,
        new Map([
          ["teacher", floats([batch, width], expected.teacher)],
          ["student", floats([batch, width], expected.student)],
          ["teacherBank", floats([samples, width], kept.teacherBank)],
          ["studentBank", floats([samples, width], kept.studentBank)],
          ["scale", floats([2], kept.scale)],
          ["sample", tensorFromNumbers("int64", [batch], expected.sample)],
          ["others", tensorFromNumbers("int64", [batch, negatives], expected.others)],
        ]),
      );
      const of = (name: string) => [...numbersOf(results.get(names[name]!)!)];
      const close = (name: keyof Batch) => {
        const [got, wanted] = [of(name), [expected[name]].flat()];
        expect(got).toHaveLength(wanted.length);
        got.forEach(
          (x, i) => void expect(Math.abs(x - wanted[i]!), name).toBeLessThan(1e-5 * (1 + Math.abs(wanted[i]!))),
        );
      };
      for (const name of [
        "loss",
        "teacherGradient",
        "studentGradient",
        "scale",
        "teacherBank",
        "studentBank",
      ] as const) {
        close(name);
      }
      kept = { scale: of("scale"), teacherBank: of("teacherBank"), studentBank: of("studentBank") };
    }
    expect(published.batches[1]!.scale).toEqual(published.batches[0]!.scale);
  });

  it("hold each sample against those of other classes alone, all of them alike, and others in another batch", () => {
    const classes = [2, 0, 1, 0, 2, 2, 0, 1];
    const order = [1, 3, 6, 2, 7, 0, 4, 5];
    const starts = [5, 0, 3, 0, 5, 5, 0, 3];
    const counts = [3, 3, 2, 3, 3, 3, 3, 2];
    const draws = 4000;
    const g = graphBuilder({ infer: builderInference(21) });
    const sample = g.input("sample", "int64", ["n"]);
    const key = g.input("key", "uint32", [2]);
    const others = negativesOf(stepBuilder(g), sample, key, { order, starts, counts, negatives: draws });
    g.output(others, "others");
    const drawn = (batch: number) => {
      const feeds = new Map<string, Tensor>([
        ["sample", tensorFromNumbers("int64", [3], [0, 3, 7])],
        ["key", tensorFromNumbers("uint32", [2], [99, batch])],
      ]);
      return [...numbersOf(evaluate(model(g.build()), feeds).get("others")!)];
    };
    const first = drawn(1);
    for (const [row, anchor] of [0, 3, 7].entries()) {
      const own = first.slice(row * draws, (row + 1) * draws);
      const others = classes.flatMap((name, i) => (name === classes[anchor] ? [] : [i]));
      expect([...new Set(own)].sort()).toEqual(others);
      const expected = draws / others.length;
      const square = others.reduce((sum, i) => sum + (own.filter((x) => x === i).length - expected) ** 2 / expected, 0);
      expect(square).toBeLessThan(20);
    }
    expect(drawn(2)).not.toEqual(first);
    expect(drawn(1)).toEqual(first);
  });

  it("need two classes, and settings that fit", () => {
    const pairs = [{ teacher: "t", student: "s" }];
    expect(() => contrasts({ pairs, classes: [1, 1, 1] })).toThrow(/two classes or more.*3 samples of 1/);
    expect(() => contrasts({ pairs, classes: [0, 1], momentum: 1 })).toThrow(/momentum of contrasts/);
  });
});

/** Points whose class is the sign of their product. */
function points(count: number, seed: number): Dataset {
  const source = random(seed);
  const rows = Array.from({ length: count }, () => [source.normal(), source.normal()] as const);
  const label = (i: number) => Number(rows[i]![0] * rows[i]![1] > 0);
  return datasetOf({
    size: count,
    labels: async () => rows.map((_, i) => label(i)),
    open: () => ({
      read: (i) => ({
        inputs: new Map([["input", tensorFromNumbers("float32", [2], rows[i]!)]]),
        label: label(i),
        source: `${i}`,
      }),
    }),
  });
}

function net(seed: number, width: number): Model {
  return network(random(seed), (n) => {
    const hidden = n.op("Tanh", [linear(n.scope("one"), n.input("input", "float32", ["batch", 2]), width)]);
    n.output(linear(n.scope("two"), hidden, 2), "logits");
  });
}

function weights({ graph }: Model): Record<string, number[]> {
  const dense = [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data] as const]));
  return Object.fromEntries(dense.map(([name, data]) => [name, [...numbersOf(data)]]));
}

describe("a run with contrasts", () => {
  let root = "";
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "lithe-contrasts-"));
  });
  afterAll(() => rm(root, { recursive: true }));

  async function options(folder?: string): Promise<DistillOptions> {
    const [data, held] = [points(70, 3), points(30, 4)];
    const classes = await data.labels!();
    const pairs = [{ teacher: "tanh", student: "tanh" }];
    return {
      data,
      evaluate: { data: held, metrics: ["accuracy"] },
      teacher: net(1, 12),
      losses: [softTargets(), contrasts({ pairs, classes, width: 4, negatives: 8 })],
      loss: "crossEntropy",
      epochs: 4,
      batch: 16,
      optimizer: "adam",
      learningRate: 1e-2,
      seed: 2,
      ...(folder !== undefined && { checkpoint: { folder, everySteps: 3 } }),
    };
  }

  it("pulls the student towards the places of the teacher, and gives the student alone", async () => {
    const student = net(2, 6);
    const run = distill(student, { ...(await options()), epochs: 12 });
    const told: number[] = [];
    for await (const event of run) if (event.type === "step") told.push(event.terms!.contrasts!);
    const { model: trained, report } = await run.result;
    const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
    expect(mean(told.slice(-10))).toBeLessThan(0.8 * mean(told.slice(0, 10)));
    expect(report.evaluations.map(({ metrics }) => metrics.contrasts)).toEqual(report.evaluations.map(() => 0));
    expect([...trained.graph.initializers.keys()]).toEqual([...student.graph.initializers.keys()]);
    expect(trained.graph.inputs).toEqual(student.graph.inputs);
  });

  it("resumes to the same bits, banks and Z included", async () => {
    const whole = await distill(net(2, 6), await options(await mkdtemp(join(root, "run-")))).result;
    const folder = await mkdtemp(join(root, "run-"));
    const controller = new AbortController();
    const part = distill(net(2, 6), { ...(await options(folder)), signal: controller.signal });
    for await (const event of part) if (event.type === "checkpoint" && event.step === 9) controller.abort();
    await expect(part.result).rejects.toThrow();
    const rest = await distill(net(2, 6), { ...(await options(folder)), resume: true }).result;
    expect(weights(rest.model)).toEqual(weights(whole.model));
  });
});
