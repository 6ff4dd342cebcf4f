import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeNpy } from "../../data/index.ts";
import { CancelledError, DataError, LitheError, UsageError } from "../../errors.ts";
import { graphBuilder, model, numbersOf, type Tensor, tensor } from "../../ir/index.ts";
import { loadData } from "./load.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

const options = { ep: "cpu", threads: 1, seed: 1, calibrationSamples: 4, evalSamples: 100 } as const;

function network() {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 3]);
  g.output(g.op("Relu", [x]), "y");
  return model(g.build());
}

function listener(controller = new AbortController()) {
  const said: string[] = [];
  return { said, signal: controller.signal, say: (line: string) => void said.push(line) };
}

async function written(samples: number, width = 3): Promise<string> {
  const path = join(folder, "data.npy");
  const values = Float32Array.from({ length: samples * width }, (_, i) => i);
  await writeFile(path, encodeNpy(tensor("float32", [samples, width], values)));
  return path;
}

async function firsts(batches: AsyncIterable<{ feeds: ReadonlyMap<string, Tensor> }>): Promise<number[]> {
  const list: number[] = [];
  for await (const { feeds } of batches) list.push(Number(numbersOf(feeds.get("x")!)[0]));
  return list;
}

describe("data for commands", () => {
  it("has no sample in both parts, and the same parts for the same seed", async () => {
    const data = await written(20);
    const one = await loadData(network(), { ...options, data }, listener());
    const calibration = await firsts(one.calibration());
    const evaluation = await firsts(one.evaluation());
    expect([calibration.length, evaluation.length]).toEqual([4, 16]);
    expect(new Set([...calibration, ...evaluation]).size).toBe(20);
    const two = await loadData(network(), { ...options, data }, listener());
    expect(await firsts(two.calibration())).toEqual(calibration);
  });

  it("makes up as many random samples as it is told, and few where nobody says", async () => {
    const told = await loadData(network(), { ...options, data: "random" }, listener());
    expect([told.calibrationSize, told.evaluationSize]).toEqual([4, 100]);
    const { calibrationSamples: _, evalSamples: __, ...silent } = options;
    const usual = await loadData(network(), { ...silent, data: "random" }, listener());
    expect([usual.calibrationSize, usual.evaluationSize]).toEqual([16, 32]);
    expect(await firsts(usual.evaluation())).toHaveLength(32);
  });

  it("says each assumption once", async () => {
    const console = listener();
    const { assumptions } = await loadData(network(), { ...options, data: "random" }, console);
    expect(assumptions.length).toBeGreaterThan(0);
    expect(console.said).toEqual(assumptions.map((assumption) => `assumed: ${assumption}`));
  });

  it("ends an iteration when it is told to", async () => {
    const controller = new AbortController();
    const { evaluation } = await loadData(network(), { ...options, data: await written(20) }, listener(controller));
    let seen = 0;
    const reading = (async () => {
      for await (const _ of evaluation()) if (++seen === 3) controller.abort();
    })();
    await expect(reading).rejects.toBeInstanceOf(CancelledError);
    expect(seen).toBe(3);
  });

  it("finds data that does not fit before anything else happens", async () => {
    const data = await written(20, 5);
    await expect(loadData(network(), { ...options, data }, listener())).rejects.toBeInstanceOf(LitheError);
  });

  it("needs data, and two samples of it", async () => {
    await expect(loadData(network(), options, listener())).rejects.toBeInstanceOf(UsageError);
    const data = await written(1);
    await expect(loadData(network(), { ...options, data }, listener())).rejects.toBeInstanceOf(DataError);
  });
});

describe("data by name and from files", () => {
  const pictures = () => {
    const g = graphBuilder();
    g.output(g.op("Relu", [g.input("image", "float32", ["batch", 3, 32, 32])]), "y");
    return model(g.build());
  };
  async function sizes(batches: AsyncIterable<{ count: number }>): Promise<number[]> {
    const list: number[] = [];
    for await (const { count } of batches) list.push(count);
    return list;
  }

  it("are the embedded glyphs, with labels, in batches as told", async () => {
    const few = { ...options, data: "demo", evalSamples: 5 };
    const data = await loadData(pictures(), few, listener());
    expect(data).toMatchObject({
      source: "the embedded glyphs",
      hasLabels: true,
      calibrationSize: 4,
      evaluationSize: 5,
    });
    expect(await sizes(data.evaluation())).toEqual([1, 1, 1, 1, 1]);
    const stacked = await loadData(pictures(), { ...few, batch: 2 }, listener());
    expect([await sizes(stacked.evaluation()), await sizes(stacked.calibration())]).toEqual([
      [2, 2, 1],
      [2, 2],
    ]);
    expect(data.datasets?.training.size).toBe(2000);
  });

  it("hand each input of a model its own values", async () => {
    const g = graphBuilder();
    const [a, b] = [g.input("a", "float32", ["n", 1]), g.input("b", "float32", ["n", 1])];
    g.output(g.op("Add", [a, b]), "y");
    const path = join(folder, "two.jsonl");
    const line = (i: number) => JSON.stringify({ inputs: { a: [i], b: [-i] } });
    await writeFile(path, Array.from({ length: 4 }, (_, i) => line(i)).join("\n"));
    const { evaluation } = await loadData(
      model(g.build()),
      { ...options, calibrationSamples: 1, data: path },
      listener(),
    );
    for await (const { feeds } of evaluation()) {
      expect(Number(numbersOf(feeds.get("b")!)[0])).toBeCloseTo(-Number(numbersOf(feeds.get("a")!)[0]));
    }
  });

  const labelled = async (labels: readonly number[]) => {
    const path = join(folder, "labels.txt");
    await writeFile(path, labels.join("\n"));
    return { ...options, data: await written(labels.length), labels: path };
  };
  /** Of data [n, 3]: output dims behind the batch axis. */
  const answering = (dims: readonly number[]) => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 3]);
    const shape = g.constant(
      "shape",
      tensor("int64", [dims.length + 1], BigInt64Array.from([-1, ...dims].map(BigInt))),
    );
    const weight = g.constant(
      "w",
      tensor("float32", [3, dims.reduce((n, d) => n * d)], new Float32Array(3 * dims.reduce((n, d) => n * d))),
    );
    g.output(g.op("Reshape", [g.op("MatMul", [x, weight]), shape]), "y");
    return model(g.build());
  };

  it("have the labels of the file that is named", async () => {
    const { hasLabels, evaluation } = await loadData(network(), await labelled([0, 1, 2, 0, 1, 2]), listener());
    expect(hasLabels).toBe(true);
    for await (const { labels } of evaluation()) expect(labels).toHaveLength(1);
    const { labels: _, ...plain } = await labelled([0, 1, 2, 0, 1, 2]);
    expect((await loadData(network(), plain, listener())).hasLabels).toBe(false);
  });

  it("have labels within the classes of the model, where it tells classes apart", async () => {
    const wide = await labelled([0, 9, 0, 9, 0, 9]);
    await expect(loadData(answering([3]), wide, listener())).rejects.toThrow(DataError);
    await expect(loadData(answering([3, 1, 1]), wide, listener())).rejects.toThrow(DataError);
    for (const dims of [[10], [1], [3, 2]]) {
      expect((await loadData(answering(dims), wide, listener())).hasLabels).toBe(true);
    }
  });

  it("are pictures prepared in one way", async () => {
    const image = { ...options, data: await written(6) };
    const both = { ...image, preset: "imagenet", preprocess: join(folder, "absent.json") } as const;
    await expect(loadData(network(), both, listener())).rejects.toThrow(/prepared in one way only/);
    const absent = { ...image, preprocess: join(folder, "absent.json") };
    await expect(loadData(network(), absent, listener())).rejects.toThrow(/the preprocess file cannot be read/);
    await writeFile(join(folder, "wrong.json"), "{");
    const wrong = { ...image, preprocess: join(folder, "wrong.json") };
    await expect(loadData(network(), wrong, listener())).rejects.toThrow(/the file is not JSON/);
    await expect(loadData(network(), { ...image, preset: "none of these" as "unit" }, listener())).rejects.toThrow(
      /none of these/,
    );
  });
});
