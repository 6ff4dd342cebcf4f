/** @file The trainer on ONNX Runtime: it learns, and however a run is cut up its parameters are the same. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CancelledError } from "../src/errors.ts";
import { isSparse, type Model, type Tensor, tensorFromNumbers, typedArray } from "../src/ir/index.ts";
import { type Algorithm, type FitOptions, fit, sgd, type TrainEvent } from "../src/train/index.ts";
import { killedAt } from "./killed.ts";
import { moons, network, options } from "./moons.ts";

const folders: string[] = [];

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "litheml-training-"));
  folders.push(path);
  return path;
}

afterAll(async () => {
  for (const path of folders) await rm(path, { recursive: true, force: true });
});

async function trained(overrides: Partial<FitOptions> = {}) {
  const events: TrainEvent[] = [];
  const run = fit(network(), { ...options(), ...overrides });
  for await (const event of run) events.push(event);
  return { ...(await run.result), events };
}

function parameters(model: Model): Record<string, number[]> {
  const dense = [...model.graph.initializers].filter(
    (entry): entry is [(typeof entry)[0], Tensor] => !isSparse(entry[1]),
  );
  return Object.fromEntries(
    dense.map(([{ name }, tensor]) => [name, Array.from(typedArray(tensor) as ArrayLike<number | bigint>, Number)]),
  );
}

describe("fit", () => {
  let whole: Awaited<ReturnType<typeof trained>>;
  beforeAll(async () => {
    whole = await trained();
  });

  it("learns, and tells what happens", () => {
    const steps = whole.events.filter((event) => event.type === "step");
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(whole.events[0]).toMatchObject({ type: "start", parameters: 114, updates: 15, resumedFrom: 0 });
    expect(whole.report).toMatchObject({
      steps: 30,
      updates: 15,
      epochs: 6,
      samples: 80,
      seed: 5,
      stoppedEarly: false,
    });
    expect(whole.report.evaluations).toHaveLength(6);
    expect(whole.report.evaluations[5]!.metrics.loss).toBeLessThan(whole.report.evaluations[0]!.metrics.loss!);
    expect(whole.report.evaluations[5]!.metrics.accuracy).toBeGreaterThan(0.8);
    expect(steps[29]!.learningRate).toBeLessThan(steps[0]!.learningRate / 10);
    expect(parameters(whole.model)).not.toEqual(parameters(network()));
  });

  it("gives the same bits for several steps per run", async () => {
    const looped = await trained({ stepsPerRun: 3 });
    expect(parameters(looped.model)).toEqual(parameters(whole.model));
    const losses = ({ events }: typeof whole) => events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
    expect(losses(looped)).toEqual(losses(whole));
  });

  it("gives other bits for another seed", async () => {
    const other = await trained({ seed: 6, epochs: 1 });
    expect(parameters(other.model)).not.toEqual(parameters((await trained({ epochs: 1 })).model));
  });

  it("is cancelled, and resumed to the same bits", async () => {
    const checkpoint = { folder: await folder(), everySteps: 3 };
    const run = fit(network(), { ...options(), checkpoint });
    for await (const event of run) if (event.type === "step" && event.step === 11) run.cancel();
    await expect(run.result).rejects.toThrow(CancelledError);
    const resumed = await trained({ checkpoint, resume: true });
    const from = resumed.events[0];
    expect(from?.type === "start" && from.resumedFrom).toBeGreaterThanOrEqual(9);
    expect(parameters(resumed.model)).toEqual(parameters(whole.model));
    expect(resumed.report.evaluations).toEqual(whole.report.evaluations);
  });

  it("is killed, and resumed to the same bits", async () => {
    const path = await folder();
    await killedAt(14, path);
    const facts = JSON.parse(await readFile(join(path, "checkpoint.json"), "utf8"));
    expect(facts.step).toBe(12);
    const resumed = await trained({ checkpoint: { folder: path, everySteps: 2 }, resume: true });
    expect(resumed.events[0]).toMatchObject({ type: "start", resumedFrom: facts.step });
    expect(parameters(resumed.model)).toEqual(parameters(whole.model));
  });

  it("refuses a checkpoint of another run, and a damaged one", async () => {
    const checkpoint = { folder: await folder() };
    await trained({ checkpoint, epochs: 1 });
    await expect(trained({ checkpoint, resume: true, seed: 9, epochs: 1 })).rejects.toThrow(
      /belongs to a run with another/,
    );
    const { state } = JSON.parse(await readFile(join(checkpoint.folder, "checkpoint.json"), "utf8"));
    await writeFile(join(checkpoint.folder, state), "broken");
    await expect(trained({ checkpoint, resume: true, epochs: 1 })).rejects.toThrow(/damaged/);
  });

  it("stops when nothing improves, and gives back the best", async () => {
    const checkpoint = { folder: await folder() };
    const stopping = { epochs: 20, learningRate: 0, earlyStopping: { patience: 2 }, restoreBest: true, checkpoint };
    const { report, model, events } = await trained({ ...stopping, batchNorm: "frozen" });
    expect(report).toMatchObject({ stoppedEarly: true, best: { epoch: 1, monitor: "loss" } });
    expect(report.evaluations).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ type: "early-stop", epoch: 3 });
    expect(parameters(model).w1).toEqual(parameters(network()).w1);
  });

  it("ends when a callback says so", async () => {
    const seen: number[] = [];
    const onStep = (event: { step: number }) => {
      seen.push(event.step);
      return event.step === 4 ? "stop" : undefined;
    };
    const { report } = await trained({ callbacks: { onStep } });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(report).toMatchObject({ steps: 4, stoppedEarly: true });
  });

  it("lets an algorithm read what is next to the runtime in the end, before the session is released", async () => {
    const read: number[] = [];
    const reading: Algorithm = {
      name: "reading",
      start: () => ({
        async result(model, run) {
          for (const name of ["w1", "w2"]) read.push((await run.read([name])).size);
          return model;
        },
      }),
    };
    await trained({ epochs: 1, algorithms: [reading] });
    expect(read).toEqual([1, 1]);
  });

  it("lets an algorithm change parameters that are next to the runtime, after every update", async () => {
    const updates: number[] = [];
    const emptied: Algorithm = {
      name: "emptied",
      start: () => ({
        async onUpdate(run) {
          updates.push(run.updates);
          const [[name, w2]] = [...(await run.read(["w2"]))] as [[string, Tensor]];
          await run.write(new Map([[name, tensorFromNumbers(w2.dtype, w2.dims, new Float64Array(32))]]));
        },
      }),
    };
    const { model, events } = await trained({ algorithms: [emptied], epochs: 2, average: 0, stepsPerRun: 5 });
    expect(updates).toEqual([1, 2, 3, 4, 5]);
    // Its average is taken before the algorithm is asked, so the last step alone is in it.
    expect(Math.max(...parameters(model).w2!.map(Math.abs))).toBeLessThan(0.15);
    const chance = events.filter((event) => event.type === "step").slice(2, 4);
    for (const { loss } of chance) expect(loss).toBeGreaterThan(0.6);
  });

  it("fails when the loss is no longer finite", async () => {
    const run = fit(network(), { ...options(), optimizer: sgd(), learningRate: 1e30, clip: 1e30 });
    await expect(run.result).rejects.toThrow(/loss is not finite.*step/);
  });

  it("refuses options that do not fit", () => {
    expect(() => fit(network(), { ...options(), epochs: 0 })).toThrow(/epochs must be a whole number of at least 1/);
    expect(() => fit(network(), { ...options(), resume: true })).toThrow(/resume needs checkpoint/);
    expect(() => fit(network(), { ...options(), monitor: "f1" })).toThrow(/no such metric to monitor/);
  });

  it("refuses samples without labels", async () => {
    const data = moons(20, 1);
    const bare = {
      ...data,
      async *pick(positions: readonly number[]) {
        for await (const { inputs, source } of data.pick(positions)) yield { inputs, source };
      },
    };
    await expect(fit(network(), { ...options(), data: bare }).result).rejects.toThrow(/no labels/);
  });
});
