/** @file Laws of gradients in hand: a run that hands them to an algorithm which leaves them alone is the run without it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isSparse, type Model, maxOf, numbersOf } from "../../src/ir/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import {
  type Algorithm,
  type FitOptions,
  fit,
  type SeamGradient,
  sgd,
  type TrainEvent,
} from "../../src/train/index.ts";
import { moons, network, options } from "../moons.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "litheml-seam-"));
  folders.push(folder);
  return folder;
}

type Change = (gradients: readonly SeamGradient[], update: number) => void;

const handled = (change: Change = () => undefined): Algorithm => ({
  name: "handled",
  start: () => ({ onGradients: (gradients, update) => change(gradients, update) }),
});

const session = { isolate: "thread" } as const;

async function trained(overrides: Partial<FitOptions>) {
  const events: TrainEvent[] = [];
  const run = fit(network(), { ...options(), epochs: 2, session, ...overrides });
  for await (const event of run) events.push(event);
  const { model } = await run.result;
  return { parameters: parametersOf(model), events };
}

function parametersOf({ graph }: Model): Record<string, number[]> {
  const dense = [...graph.initializers].flatMap(([{ name }, tensor]) =>
    isSparse(tensor) ? [] : [[name, Array.from(numbersOf(tensor), Number)] as const],
  );
  return Object.fromEntries(dense);
}

type Parameters = Record<string, number[]>;

/** The largest difference of a tensor, relative to its largest number. */
function distance(a: Parameters, b: Parameters): number {
  return maxOf(
    Object.entries(a).map(([name, values]) => {
      const other = b[name] ?? [];
      return maxOf(values.map((x, i) => Math.abs(x - (other[i] ?? Number.NaN)))) / (maxOf(values.map(Math.abs)) || 1);
    }),
  );
}

const lossesOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "step" ? [[event.step, event.update, event.loss]] : []));

const cases: Readonly<Record<string, Partial<FitOptions>>> = {
  "statistics, dropout, accumulation, clipping and averages": {},
  "a loss scale": { lossScale: { initial: 2 ** 12, every: 2 } },
  "a loss scale that overflows": { lossScale: { initial: 1e38, every: 2 }, accumulate: 4 },
  "no accumulation": { accumulate: 1 },
  "a last batch of another size": { batch: 12 },
};

describe("gradients that are left alone", () => {
  it.each(Object.entries(cases))("give the same bits: %s", async (_, overrides) => {
    const [whole, apart] = [await trained(overrides), await trained({ ...overrides, algorithms: [handled()] })];
    expect(apart.parameters).toEqual(whole.parameters);
    expect(lossesOf(apart.events)).toEqual(lossesOf(whole.events));
  });

  it("give the same bits where no norm is told", async () => {
    const { clip: _, average: __, accumulate: ___, ...plain } = options();
    const ends = [[], [handled()]].map(async (algorithms) => {
      const run = fit(network(), { ...plain, epochs: 1, session, algorithms });
      return parametersOf((await run.result).model);
    });
    const [whole, apart] = await Promise.all(ends);
    expect(apart).toEqual(whole);
  });

  it("differ by rounding where three batches are averaged outside of the graph", async () => {
    const optimizer = sgd({ momentum: 0.9 });
    const overrides = { accumulate: 3, optimizer, learningRate: 0.05, batchNorm: "frozen" } as const;
    const [whole, apart] = [await trained(overrides), await trained({ ...overrides, algorithms: [handled()] })];
    expect(distance(whole.parameters, apart.parameters)).toBeLessThan(1e-5);
  });

  it("go on from a checkpoint in the midst of an update", async () => {
    const checkpoint = { folder: await newFolder(), everySteps: 3 };
    const algorithms = [handled()];
    const run = fit(network(), { ...options(), epochs: 2, session, algorithms, checkpoint });
    for await (const event of run) if (event.type === "checkpoint" && event.step === 3) run.cancel();
    await expect(run.result).rejects.toThrow("cancelled");
    const resumed = await trained({ algorithms, checkpoint, resume: true });
    expect(lossesOf(resumed.events)[0]?.[0]).toBe(4);
    expect(resumed.parameters).toEqual((await trained({})).parameters);
  });
});

describe("gradients in hand", () => {
  it("are those of whole updates, by the names of their parameters, and what is made of them is applied", async () => {
    const seen: [number, string[]][] = [];
    const none: Change = (gradients, update) => {
      seen.push([update, gradients.map(({ name }) => name)]);
      for (const { values } of gradients) values.fill(0);
    };
    const overrides = { optimizer: sgd(), average: 0, algorithms: [handled(none)] };
    const { parameters } = await trained(overrides);
    expect(seen.map(([update]) => update)).toEqual([1, 2, 3, 4, 5]);
    expect(seen[0]?.[1]).toEqual(["w1", "b1", "scale", "shift", "w2", "b2"]);
    const before = parametersOf(network());
    for (const name of ["w1", "b2", "scale"]) expect(parameters[name]).toEqual(before[name]);
    expect(parameters.mean).not.toEqual(before.mean);
  });

  it("are in no loop of several steps", async () => {
    const looped = fit(network(), { ...options(), stepsPerRun: 2, algorithms: [handled()] });
    await expect(looped.result).rejects.toThrow(/expected a stepsPerRun of 1; got 2/);
  });
});

describe("parts of batches", () => {
  const taking = (index: number, count: number, seen: SeamGradient[][]): Algorithm => ({
    name: "part",
    start: () => ({
      prepare: (preparation) => ({ ...preparation, part: { index, count } }),
      onGradients(gradients) {
        seen.push(gradients.map(({ values, ...rest }) => ({ ...rest, values: values.slice() })));
      },
    }),
  });
  const plain = { batchNorm: "frozen", dropout: "off", accumulate: 1, epochs: 1, open: openReference } as const;

  /** The gradients of the first update of an epoch in one batch of so many samples. */
  async function firstGradients(size: number, index: number, count: number): Promise<SeamGradient[]> {
    const seen: SeamGradient[][] = [];
    await trained({ ...plain, data: moons(size, 1), batch: size, algorithms: [taking(index, count, seen)] });
    return seen[0] ?? [];
  }

  it.each([
    [16, 2],
    [17, 3],
    [2, 3],
  ])("of a batch of %i: the mean over %i parts is the gradient of the batch", async (size, count) => {
    const whole = await firstGradients(size, 0, 1);
    const parts = await Promise.all(Array.from({ length: count }, (_, index) => firstGradients(size, index, count)));
    for (const [k, { name, values }] of whole.entries()) {
      const largest = maxOf(values.map(Math.abs)) || 1;
      const errors = Array.from(values, (value, i) => {
        const mean = parts.reduce((sum, part) => sum + (part[k]?.values[i] ?? Number.NaN), 0) / count;
        return Math.abs(mean - value) / largest;
      });
      expect(maxOf(errors), name).toBeLessThan(1e-5);
    }
  });
});
