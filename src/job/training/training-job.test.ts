import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { datasetOf } from "../../data/index.ts";
import { type Model, tensorFromNumbers } from "../../ir/index.ts";
import { fit, type TrainEvent, type TrainReport } from "../../train/index.ts";
import type { ProgressEvent } from "../console.ts";
import { configSchema } from "./training-config.ts";
import { runTraining } from "./training-job.ts";
import { showTraining } from "./training-outcome.ts";

vi.mock("../../train/index.ts", async (original) => ({ ...(await original<object>()), fit: vi.fn() }));

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

const data = datasetOf({
  size: 4,
  labels: async () => [0, 1, 0, 1],
  open: () => ({
    read: (i) => ({
      inputs: new Map([["input", tensorFromNumbers("float32", [2], [i, 1])]]),
      label: i % 2,
      source: `${i}`,
    }),
  }),
});

const evaluation = { epoch: 1, update: 3, metrics: { loss: 0.5, accuracy: 0.75 } };
const report: TrainReport = {
  parameters: 17,
  steps: 6,
  updates: 3,
  epochs: 1,
  samples: 4,
  seed: 1,
  seconds: 2.5,
  loss: 0.5,
  evaluations: [evaluation],
  best: { ...evaluation, monitor: "accuracy" },
  stoppedEarly: true,
};
const step = { type: "step", update: 3, epoch: 1, learningRate: 0.1, samplesPerSecond: 1, etaMs: 1 } as const;
const events: readonly TrainEvent[] = [
  { type: "start", parameters: 17, updates: 3, epochs: 1, resumedFrom: 4 },
  { ...step, step: 6, steps: 6, loss: 0.25 },
  { type: "evaluation", isBest: true, ...evaluation },
  { type: "evaluation", isBest: false, ...evaluation, epoch: 2, metrics: { loss: 0.625 } },
  { type: "early-stop", epoch: 1, reason: "no gain" },
];

async function trained(out: string, more: object = {}, told = events) {
  vi.mocked(fit).mockImplementation(((model: Model) => ({
    [Symbol.asyncIterator]: () => told.values(),
    result: Promise.resolve({ model, report }),
  })) as unknown as typeof fit);
  const said: string[] = [];
  const shown: ProgressEvent[] = [];
  const config = configSchema.parse({ model: { name: "mlp", hidden: [3] }, data: "d.npz", accumulate: 2, ...more });
  const target = {
    title: "a training",
    name: "mlp_trained",
    out,
    resume: false,
    data: { training: data, validation: data },
  };
  const result = await runTraining(target, config, {
    json: false,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: (event) => void shown.push(event),
  });
  return { said, shown, result, config, asked: vi.mocked(fit).mock.lastCall![1] };
}

it("a training tells its course: where it goes on, steps, evaluations, and why it ends early", async () => {
  const { said, shown } = await trained(join(folder, "run"));
  expect(said).toEqual([
    "resumed after batch 4",
    "epoch 1: loss 0.5000, accuracy 0.7500 (best)",
    "epoch 2: loss 0.6250",
    "ended early: no gain",
  ]);
  expect(shown).toEqual([{ stage: "train", done: 6, total: 6, detail: "loss 0.2500" }]);
  const fresh: readonly TrainEvent[] = [{ type: "start", parameters: 17, updates: 3, epochs: 1, resumedFrom: 0 }];
  expect((await trained(join(folder, "fresh"), {}, [...fresh, events[1]!])).said).toEqual([]);
});

it("a training reports what it was told, and its evaluations at their batches", async () => {
  const { result, asked } = await trained(join(folder, "run"));
  expect([result.file, result.page]).toEqual([
    join(folder, "run", "mlp_trained.onnx"),
    join(folder, "run", "report.html"),
  ]);
  const facts = JSON.parse(await readFile(join(folder, "run", "report.json"), "utf8"));
  // After 3 updates of 2 batches each.
  expect(facts.evaluations).toEqual([{ epoch: 1, step: 6, metrics: evaluation.metrics, isBest: true }]);
  expect(facts).toMatchObject({
    monitor: "accuracy",
    updates: 3,
    data: { source: "d.npz", training: 4, validation: 4 },
  });
  const settings = new Map(facts.settings.map(({ name, value }: { name: string; value: string }) => [name, value]));
  expect(settings.get("started from")).toBe("mlp");
  expect([settings.get("epochs"), settings.get("optimizer"), settings.get("accumulate")]).toEqual(["10", "adamw", "2"]);
  for (const name of ["model", "data", "seed", "precision"]) expect(settings.has(name), name).toBe(false);
  expect(asked).toMatchObject({ epochs: 10, accumulate: 2, resume: false });
});

it("a training into a file keeps its run beside it", async () => {
  const { result } = await trained(join(folder, "net.onnx"));
  expect([result.file, result.page]).toEqual([join(folder, "net.onnx"), join(folder, "net-run", "report.html")]);
});

it("a training says in the end what came of it", async () => {
  const { result, config } = await trained(join(folder, "run"));
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const plain = showTraining(config, result, { json: false, say });
  expect(said).toEqual([
    "17 numbers trained, 3 updates in 2.5 s",
    "best after epoch 1: accuracy 0.7500",
    `model:  ${result.file}`,
    `report: ${result.page}`,
  ]);
  expect(plain.result).toMatchObject({ model: "mlp", file: result.file, report: result.page, parameters: 17 });
  expect(plain.result).not.toHaveProperty("adapters");
  said.length = 0;
  const adapted = showTraining(config, { ...result, adapters: "a.safetensors" }, { json: true, say });
  expect([said, adapted.result]).toEqual([[], expect.objectContaining({ adapters: "a.safetensors" })]);
});
