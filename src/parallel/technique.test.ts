import { expect, it, vi } from "vitest";
import { denseModel } from "../../test/models.ts";
import type { Comparison } from "../measure/index.ts";
import type { TechniqueContext } from "../technique/index.ts";
import { type ParallelizeEvent, parallelize } from "./parallelize.ts";
import { type ParallelizeSettings, parallelizeTechnique } from "./technique.ts";

vi.mock("./parallelize.ts", async (original) => ({ ...(await original<object>()), parallelize: vi.fn() }));

const own: ParallelizeSettings = { branches: 2, group: 1, arrangement: "blocks" };
const samples = {} as NonNullable<TechniqueContext["data"]["datasets"]>["calibration"];

function listener(datasets?: TechniqueContext["data"]["datasets"]) {
  const [said, shown, events, trained]: [string[], object[], object[], object[]] = [[], [], [], []];
  const context = {
    session: { ep: "cpu", threads: 1 },
    signal: new AbortController().signal,
    data: { ...(datasets && { datasets }) },
    emit: async (event: object) => void events.push(event),
    trained: async (event: object) => void trained.push(event),
    say: (line: string) => void said.push(line),
    progress: (event: object) => void shown.push(event),
  } as unknown as TechniqueContext;
  return { context, said, shown, events, trained };
}

function planned(changes: object = {}) {
  const windows = [0, 1, 2].map((first) => ({ run: 0, first, divergence: first / 8 }));
  const plan = {
    ...own,
    windows: [
      { run: 0, first: 2 },
      { run: 1, first: 0 },
    ],
  };
  const curve = [{ depth: 4, divergence: 0.5, windows: 0 }];
  return { model: denseModel(), plan, depth: { before: 4, after: 3 }, windows, curve, ...changes };
}

function running(events: readonly object[], result: object): void {
  const run = { [Symbol.asyncIterator]: () => events.values(), result: Promise.resolve(result) };
  vi.mocked(parallelize).mockReturnValue(run as unknown as ReturnType<typeof parallelize>);
}

const step = { type: "step", step: 3, steps: 9 };
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
  { type: "plan", plan: { ...own, windows: [{ run: 0, first: 0 }] }, depth: 3 },
  { type: "training", event: step },
] as unknown as ParallelizeEvent[];

it("making a network parallel tells what is found, measured, planned and learned", async () => {
  running(events, planned());
  const { context, said, shown, events: kept, trained } = listener({ calibration: samples, training: samples });
  const evidence = await parallelizeTechnique.run(denseModel(), own, context);
  expect(said).toEqual([
    "found 4 blocks of 1 residual step, 6 blocks of 2 residual steps",
    "parallel parts: 1, sequential depth 3",
  ]);
  expect(shown).toEqual([
    { stage: "measure", done: 1, total: 3, detail: "parts" },
    { stage: "measure", done: 2, total: 3, detail: "depths" },
  ]);
  expect([kept, trained]).toEqual([events.slice(0, 4), [step]]);
  expect(vi.mocked(parallelize).mock.lastCall![1]).toMatchObject({
    ...own,
    selection: { data: samples, session: { ep: "cpu", threads: 1 } },
  });
  expect(evidence.facts).toEqual({
    shape: own,
    depth: { before: 4, after: 3 },
    windows: evidence.windows,
    curve: [{ depth: 4, divergence: 0.5 }],
  });
});

it("runs and blocks are counted from one, and those that are parallel are named", async () => {
  const windowsOf = async (changes: object) => {
    running([], planned(changes));
    return (await parallelizeTechnique.run(denseModel(), own, listener().context)).windows;
  };
  expect(await windowsOf({})).toEqual([
    { place: "run 1, blocks 1 to 2", divergence: 0, isParallel: false },
    { place: "run 1, blocks 2 to 3", divergence: 0.125, isParallel: false },
    { place: "run 1, blocks 3 to 4", divergence: 0.25, isParallel: true },
  ]);
  expect(await windowsOf({ windows: [] })).toEqual([
    { place: "run 1, blocks 3 to 4", isParallel: true },
    { place: "run 2, blocks 1 to 2", isParallel: true },
  ]);
});

it("a report draws accuracy over depth where it is known, else divergence", async () => {
  const sectionsOf = async (changes: object, accuracy?: object) => {
    running(events.slice(0, 1), planned(changes));
    const evidence = await parallelizeTechnique.run(denseModel(), own, listener().context);
    return parallelizeTechnique.sections(evidence, own, { accuracy } as unknown as Comparison);
  };
  const plain = await sectionsOf({});
  expect(plain.verdict).toBe("4 blocks in sequence became 3, 2 branches side by side");
  expect(plain.cards![0]).toMatchObject({ value: "3", change: "4 → 3 blocks" });
  expect(plain.facts).toEqual([
    ["blocks found", "4 of 1 residual steps; 6 of 2 residual steps"],
    ["arrangement", "blocks, 2 branches of 1 blocks"],
  ]);
  expect(plain.parts[0]).toMatchObject({ y: "divergence", series: [{ points: [[4, 0.5]] }] });
  const curve = [{ depth: 4, divergence: 0.5, accuracy: 0.75, windows: 0 }];
  expect((await sectionsOf({ curve }, { a: 0.9, b: 0.8 })).parts[0]).toMatchObject({
    title: "Accuracy against sequential depth",
    series: [{ points: [[4, 0.75]] }, { points: [[4, 0.9]] }, { points: [[3, 0.8]] }],
  });
  expect((await sectionsOf({}, { a: 0.9, b: 0.8 })).parts[0]).toMatchObject({ y: "divergence" });
  const windows = [{ run: 0, first: 0, divergence: Number.POSITIVE_INFINITY }];
  expect((await sectionsOf({ windows })).parts[1]).toMatchObject({
    rows: [{ cells: ["run 1, blocks 1 to 2", "no bound", null], isChosen: false }],
  });
});

it("a depth needs samples that are not made up", () => {
  const check = (given: object) => () => parallelizeTechnique.check({ ...own, ...given });
  expect(check({ depth: 0, data: "random" })).toThrow(/^--depth needs data; .*got random/);
  expect(check({ depth: 2 })).toThrow(/got none/);
  for (const fine of [{}, { data: "random" }, { depth: 2, data: "d.npz" }]) expect(check(fine)).not.toThrow();
});
