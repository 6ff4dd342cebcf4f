import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeNpy } from "../data/index.ts";
import { CancelledError, DataError, LitheError, UsageError } from "../errors.ts";
import { graphBuilder, model, numbersOf, type Tensor, tensor } from "../ir/index.ts";
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
