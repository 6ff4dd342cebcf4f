import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Dataset, datasetOf, horizontalFlip, random } from "../data/index.ts";
import { isSparse, type Model, numbersOf, tensorFromNumbers } from "../ir/index.ts";
import { linear, network } from "../nn/index.ts";
import { type OpenSession, openSession } from "../runtime/index.ts";
import { type DistillOptions, distill } from "./distill.ts";
import { features, softTargets } from "./losses/index.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-answers-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Points, moved by so much when they are read. */
function points(count: number, moved = () => 0): Dataset {
  const source = random(5);
  const rows = Array.from({ length: count }, () => [source.normal(), source.normal()] as const);
  return datasetOf({
    size: count,
    labels: async () => rows.map(([x, y]) => Number(x * y > 0)),
    open: () => ({
      read: (i) => ({
        inputs: new Map([["input", tensorFromNumbers("float32", [2], [rows[i]![0] + moved(), rows[i]![1]])]]),
        label: Number(rows[i]![0] * rows[i]![1] > 0),
        source: `${i}`,
      }),
    }),
  });
}

function net(seed: number, width: number): Model {
  return network(random(seed), (n) => {
    const hidden = n.op("Tanh", [linear(n.scope("one"), n.input("input", "float32", ["batch", 2]), width)]);
    n.output(linear(n.scope("two"), hidden, 3), "logits");
  });
}

const pairs = [{ teacher: "tanh", student: "tanh" }];
const settings: DistillOptions = {
  data: points(80),
  evaluate: { data: points(48), metrics: ["accuracy"] },
  teacher: net(1, 24),
  losses: [softTargets({ temperature: 2 }), features({ pairs })],
  loss: "crossEntropy",
  epochs: 3,
  batch: 16,
  optimizer: "adam",
  learningRate: 1e-2,
  seed: 1,
};

function weights({ graph }: Model): Record<string, number[]> {
  const dense = [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data] as const]));
  return Object.fromEntries(dense.map(([name, data]) => [name, [...numbersOf(data)]]));
}

async function trained(options: Partial<DistillOptions> = {}) {
  const { model, report } = await distill(net(2, 6), { ...settings, ...options }).result;
  return { weights: weights(model), metrics: report.evaluations.map(({ metrics }) => metrics) };
}

/** Sessions by what they are for. */
function counted() {
  const steps: string[] = [];
  const open: OpenSession = (model, options) => {
    steps.push(String(options?.step));
    return openSession(model, options);
  };
  return { steps, open };
}

describe("kept answers", () => {
  it("train what the teacher in the graph trains, bit for bit, and are found again", async () => {
    const [live, first] = [counted(), counted()];
    const plain = await trained({ open: live.open });
    expect(await trained({ cache: { folder }, open: first.open })).toEqual(plain);
    expect(live.steps).not.toContain("answering");
    expect(first.steps.filter((step) => step === "answering")).toHaveLength(2);
    const files = await readdir(folder);
    expect(files.map((name) => name.replace(/-.*/, "")).sort()).toEqual(["evaluation", "training"]);
    const before = await Promise.all(files.map((name) => readFile(join(folder, name))));
    expect(await trained({ cache: { folder } })).toEqual(plain);
    expect(await Promise.all(files.map((name) => readFile(join(folder, name))))).toEqual(before);
    const other = await trained({ cache: { folder }, teacher: net(7, 24) });
    expect(other).toEqual(await trained({ teacher: net(7, 24) }));
    expect(await readdir(folder)).toHaveLength(4);
  });

  it("take half the room in float16, and train nearly the same", async () => {
    const [plain, half] = [await trained(), await trained({ cache: { folder, dtype: "float16" } })];
    expect(half).not.toEqual(plain);
    for (const [name, values] of Object.entries(plain.weights)) {
      for (const [i, x] of values.entries()) expect(half.weights[name]![i]).toBeCloseTo(x, 1);
    }
    const [file] = (await readdir(folder)).filter((name) => name.startsWith("training"));
    expect((await readFile(join(folder, file!))).byteLength).toBe(80 * (8 + 2 * (3 + 24)));
  });

  it("are written again where a part was cut off", async () => {
    const plain = await trained({ cache: { folder } });
    const [file] = (await readdir(folder)).filter((name) => name.startsWith("training"));
    const whole = await readFile(join(folder, file!));
    await writeFile(join(folder, file!), whole.subarray(0, 100));
    expect(await trained({ cache: { folder } })).toEqual(plain);
    expect(await readFile(join(folder, file!))).toEqual(whole);
  });

  it("are refused for samples that change", async () => {
    expect(() => distill(net(2, 6), { ...settings, cache: { folder }, augment: [horizontalFlip()] })).toThrow(
      /kept answers.*augmentation changes them/,
    );
    expect(() => distill(net(2, 6), { ...settings, cache: { folder }, workers: 1 })).toThrow(/workers 0/);
    let reads = 0;
    const moving = points(80, () => reads++);
    await expect(trained({ cache: { folder }, data: moving })).rejects.toThrow(/kept answer is for another sample/);
  });
});
