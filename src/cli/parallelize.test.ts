import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { denseModel } from "../../test/models.ts";
import { type RoutedModel, recoverRouted } from "../conditional/index.ts";
import { glyphs } from "../data/index.ts";
import type { Console, ProgressEvent } from "../job/console.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import type { Comparison } from "../measure/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { type Parallelized, type ParallelizeEvent, parallelize } from "../parallel/index.ts";
import type { RunFolder } from "../report/index.ts";
import type { TrainReport } from "../train/index.ts";
import type { ParallelizeFlags } from "./parallelize-flags.ts";
import { parallelized } from "./parallelize-job.ts";
import { parallelReport } from "./parallelize-report.ts";
import type { RouteFlags } from "./route-flags.ts";
import { recoveredRoute } from "./route-job.ts";

vi.mock("../parallel/index.ts", async (original) => ({ ...(await original<object>()), parallelize: vi.fn() }));
vi.mock("../conditional/index.ts", async (original) => ({ ...(await original<object>()), recoverRouted: vi.fn() }));

let folder = "";
let path = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  path = join(folder, "serial.onnx");
  await writeFile(path, encodeModel(denseModel()));
});
afterAll(() => rm(folder, { recursive: true }));

const training = glyphs({ split: "train", size: 4 });
const data = {
  source: "points",
  assumptions: [],
  hasLabels: false,
  calibrationSize: 40,
  evaluationSize: 60,
  datasets: { calibration: training, training },
} as unknown as LoadedData;
const shape = { branches: 2, group: 1, arrangement: "blocks" } as const;
const flags = { ...shape, ep: "cpu", threads: 1, seed: 1 } as unknown as ParallelizeFlags;
const step = { type: "step", step: 3, steps: 9, update: 3, epoch: 1, loss: 1, learningRate: 0.1 } as const;
const trainingStep = { ...step, samplesPerSecond: 1, etaMs: 1, terms: { answers: 0.5 } };
const distilled = { stage: "distil", done: 3, total: 9, detail: "answers 0.5000" };

function listener() {
  const said: string[] = [];
  const shown: ProgressEvent[] = [];
  const console: Console = {
    json: false,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: (event) => void shown.push(event),
  };
  return { console, said, shown };
}

it("making a network parallel tells what is found, measured, planned and learned", async () => {
  const events = [
    {
      type: "survey",
      runs: [
        { blocks: 4, period: 1 },
        { blocks: 6, period: 2 },
      ],
    },
    { type: "window", done: 1, total: 3 },
    { type: "depth", done: 2, total: 3 },
    { type: "plan", plan: { ...shape, windows: [{ run: 0, first: 0 }] }, depth: 3 },
    { type: "training", event: trainingStep },
  ] as unknown as ParallelizeEvent[];
  const run = { [Symbol.asyncIterator]: () => events.values(), result: Promise.resolve("the result") };
  vi.mocked(parallelize).mockReturnValue(run as unknown as ReturnType<typeof parallelize>);
  const { console, said, shown } = listener();
  const record = vi.fn();
  expect(await parallelized(denseModel(), data, flags, { record } as unknown as RunFolder, console)).toBe("the result");
  expect(said).toEqual([
    "found 4 blocks of 1 residual step, 6 blocks of 2 residual steps",
    "parallel parts: 1, sequential depth 3",
  ]);
  expect(shown).toEqual([
    { stage: "measure", done: 1, total: 3, detail: "parts" },
    { stage: "measure", done: 2, total: 3, detail: "depths" },
    distilled,
  ]);
  expect(record.mock.calls.map(([event]) => event)).toEqual([
    ...events.slice(0, 4),
    { stage: "training", ...trainingStep },
  ]);
  expect(vi.mocked(parallelize).mock.lastCall![1]).toMatchObject({
    ...shape,
    selection: { data: training, session: { ep: "cpu", threads: 1 } },
  });
});

it("a report counts runs and blocks from one, and names those that are parallel", async () => {
  const latency = { ep: "cpu", threads: 1, batch: 1, ratio: 1, spread: [1, 1] };
  const agreement = { maxAbs: 0, relative: 0, cosine: 1, lost: 0, build: "here" };
  const windows = [0, 1, 2].map((first) => ({ run: 0, first, divergence: first / 8 }));
  const plan = {
    ...shape,
    windows: [
      { run: 0, first: 2 },
      { run: 1, first: 0 },
    ],
  };
  const found = {
    model: denseModel(),
    plan,
    depth: { before: 4, after: 3 },
    windows,
    curve: [{ depth: 4, windows: [] }],
  };
  const reported = (changes: object) =>
    parallelReport({
      ...{
        path,
        out: join(folder, "out.onnx"),
        flags,
        original: denseModel(),
        data,
        runs: [],
        spread: undefined,
        broken: [],
      },
      comparison: { size: { a: 1, b: 1, ratio: 1 }, latency, agreement } as unknown as Comparison,
      found: { ...found, ...changes } as unknown as Parallelized,
    });
  const measured = await reported({});
  expect(measured.windows).toEqual([
    { place: "run 1, blocks 1 to 2", divergence: 0, isParallel: false },
    { place: "run 1, blocks 2 to 3", divergence: 0.125, isParallel: false },
    { place: "run 1, blocks 3 to 4", divergence: 0.25, isParallel: true },
  ]);
  expect([measured.data, measured.curve]).toEqual([
    { source: "points", selection: 40, training: 0, verification: 60 },
    [{ depth: 4 }],
  ]);
  expect([measured, measured.comparison].map((each) => Object.keys(each))).toEqual([
    expect.not.arrayContaining(["spread", "training"]),
    ["size", "latency", "agreement"],
  ]);
  const planned = await reported({ windows: [], curve: [] });
  expect(planned.windows).toEqual([
    { place: "run 1, blocks 3 to 4", isParallel: true },
    { place: "run 2, blocks 1 to 2", isParallel: true },
  ]);
  expect(planned.data.selection).toBe(0);
});

it("routing that is won back by distillation keeps a run of its own beside the result", async () => {
  const report = {
    parameters: 1,
    steps: 3,
    updates: 3,
    epochs: 1,
    samples: 4,
    seconds: 1,
    evaluations: [],
  } as unknown as TrainReport;
  const run = {
    [Symbol.asyncIterator]: () => [trainingStep].values(),
    result: Promise.resolve({ model: denseModel(), report }),
  };
  vi.mocked(recoverRouted).mockReturnValue(run as unknown as ReturnType<typeof recoverRouted>);
  const { console, shown } = listener();
  const out = join(folder, "routed.onnx");
  const asked = { ...flags, experts: 4, topK: 2, method: "copy", finetune: 1, learningRate: 0.1, temperature: 2, out };
  const job = { path, out, flags: asked as unknown as RouteFlags, data, model: denseModel() };
  const routed = { model: denseModel() } as unknown as RoutedModel;
  const recovered = await recoveredRoute({ ...job, routed }, console);
  expect([shown, recovered.report]).toEqual([[distilled], join(folder, "routed-run", "report.html")]);
  const { config } = JSON.parse(await readFile(join(folder, "routed-run", "run.json"), "utf8"));
  expect(config).toMatchObject({ command: "route", model: "serial.onnx", experts: 4, finetune: 1 });
  expect(config).not.toHaveProperty("out");
  const facts = JSON.parse(await readFile(join(folder, "routed-run", "report.json"), "utf8"));
  expect(facts).toMatchObject({
    title: "lithe: serial.onnx routed",
    data: { source: "points", training: 4, validation: 40 },
  });
  const plain = await recoveredRoute({ ...job, flags: flags as unknown as RouteFlags, routed }, console);
  expect(Object.keys(plain)).toEqual(["model"]);
});
