/** @file Laws of training by several ranks: it is the training of one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Dataset, datasetOf } from "../../src/data/index.ts";
import {
  type Communicator,
  type DataParallelOptions,
  dataParallel,
  denseExchange,
  diloco,
  type GradientExchange,
  localSgd,
  localTransports,
  openCommunicator,
  portsBetween,
  portTransport,
} from "../../src/distributed/index.ts";
import { floatsOf, isSparse, type Model, maxOf, numbersOf, tensorFromNumbers } from "../../src/ir/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { type Algorithm, type FitOptions, fit, sgd, type TrainEvent } from "../../src/train/index.ts";
import { moons, network } from "../moons.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "litheml-ranks-"));
  folders.push(folder);
  return folder;
}

/** 20 updates, the last of an epoch of a smaller batch. */
const usual: FitOptions = {
  data: moons(78, 1),
  epochs: 4,
  batch: 16,
  learningRate: 0.05,
  schedule: "cosine",
  loss: "crossEntropy",
  optimizer: sgd({ momentum: 0.9 }),
  clip: 1,
  seed: 5,
  batchNorm: "frozen",
  dropout: "off",
  open: openReference,
};

async function trained(overrides: Partial<FitOptions> = {}, model = network()) {
  const events: TrainEvent[] = [];
  const run = fit(model, { ...usual, ...overrides });
  for await (const event of run) events.push(event);
  const { model: result, report } = await run.result;
  return { parameters: parametersOf(result), events, report };
}

type Parameters = Record<string, number[]>;

function parametersOf({ graph }: Model): Parameters {
  const dense = [...graph.initializers].flatMap(([{ name }, tensor]) =>
    isSparse(tensor) ? [] : [[name, Array.from(numbersOf(tensor), Number)] as const],
  );
  return Object.fromEntries(dense);
}

/** The largest difference of a tensor, relative to its largest number. */
function distance(a: Parameters, b: Parameters): number {
  return maxOf(
    Object.entries(a).map(([name, values]) => {
      const other = b[name] ?? [];
      return maxOf(values.map((x, i) => Math.abs(x - (other[i] ?? Number.NaN)))) / (maxOf(values.map(Math.abs)) || 1);
    }),
  );
}

const transports = {
  local: localTransports,
  ports: (size: number) => portsBetween(size).map((ports, rank) => portTransport(rank, ports)),
};

type Options = Omit<DataParallelOptions, "communicator">;

/** The same run as every rank. */
async function ranks<T>(size: number, work: (communicator: Communicator) => Promise<T>, over = transports.local) {
  const all = over(size).map(openCommunicator);
  const each = all.map(async (communicator) => {
    try {
      return await work(communicator);
    } finally {
      await communicator[Symbol.asyncDispose]();
    }
  });
  return await Promise.all(each);
}

const together = (
  size: number,
  overrides: Partial<FitOptions> = {},
  { over = transports.local, ...options }: Options & { readonly over?: typeof transports.local } = {},
) =>
  ranks(
    size,
    (communicator) => trained({ ...overrides, algorithms: [dataParallel({ communicator, ...options })] }),
    over,
  );

describe("parallel equals serial", () => {
  const serial = trained();

  it.each([
    ["local", 2],
    ["local", 4],
    ["ports", 2],
    ["ports", 4],
  ] as const)("over %s by %i ranks after 20 updates", async (transport, size) => {
    const all = await together(size, {}, { over: transports[transport], bucketBytes: 100 });
    expect(all[0]?.report.updates).toBe(20);
    for (const { parameters } of all) expect(parameters).toEqual(all[0]?.parameters);
    expect(distance((await serial).parameters, all[0]?.parameters ?? {})).toBeLessThan(1e-5);
  });

  it("with accumulation, an average and a loss scale", async () => {
    const overrides = { accumulate: 2, average: 0.8, lossScale: { initial: 256, every: 3 } };
    const [first] = await together(3, overrides);
    const whole = await trained(overrides);
    expect(distance(whole.parameters, first?.parameters ?? {})).toBeLessThan(1e-5);
  });

  it("where batches have fewer samples than there are ranks", async () => {
    const overrides = { data: moons(8, 1), batch: 3 };
    const [first] = await together(4, overrides);
    expect(distance((await trained(overrides)).parameters, first?.parameters ?? {})).toBeLessThan(1e-5);
  });

  it("from the parameters of rank 0, whatever the others begin with", async () => {
    const zeroed = (model: Model): Model => ({
      ...model,
      graph: {
        ...model.graph,
        initializers: new Map(
          [...model.graph.initializers].map(([value, tensor]) => [
            value,
            value.name === "w1" && !isSparse(tensor) ? { ...tensor, data: new Uint8Array(4 * 2 * 16) } : tensor,
          ]),
        ),
      },
    });
    const all = await ranks(2, (communicator) =>
      trained(
        { algorithms: [dataParallel({ communicator })] },
        communicator.rank === 0 ? network() : zeroed(network()),
      ),
    );
    expect(all[1]?.parameters).toEqual(all[0]?.parameters);
    expect(distance((await serial).parameters, all[0]?.parameters ?? {})).toBeLessThan(1e-5);
  });

  it("tells how many bytes each rank sends: those of a ring", async () => {
    const all = await together(2);
    for (const { events, report } of all) {
      // The first epoch opens lanes, too.
      const [, told] = events.flatMap((event) => (event.type === "measurement" ? [event] : []));
      const bytes = report.parameters * Float32Array.BYTES_PER_ELEMENT;
      expect(told?.measurements.map(({ values: [value] }) => value)).toEqual([bytes, bytes]);
    }
  });
});

describe("batch normalisation", () => {
  const normal = { batchNorm: "train", evaluate: { data: moons(20, 2) } } as const;

  it("has the same running statistics on all ranks, the means of theirs, and one evaluation", async () => {
    const all = await together(2, normal);
    expect(all[1]?.parameters).toEqual(all[0]?.parameters);
    expect(all[1]?.report.evaluations).toEqual(all[0]?.report.evaluations);
    const own = await together(2, normal, { statistics: "first" });
    const mean = own[0]?.parameters.mean?.map((x, i) => (x + (own[1]?.parameters.mean?.[i] ?? Number.NaN)) / 2);
    expect(own[0]?.parameters.mean).not.toEqual(own[1]?.parameters.mean);
    expect(own[0]?.parameters.w1).toEqual(own[1]?.parameters.w1);
    for (const [i, x] of (mean ?? []).entries()) expect(all[0]?.parameters.mean?.[i]).toBeCloseTo(x, 2);
  });

  it("sees parts as ghost batches: accumulated ones of a serial run", async () => {
    const even = { ...normal, data: moons(64, 1), epochs: 2 };
    const [first] = await together(2, { ...even, batch: 16 });
    const ghosts = await trained({ ...even, batch: 8, accumulate: 2, schedule: "cosine" });
    expect(first?.report.updates).toBe(ghosts.report.updates);
    for (const name of ["w1", "scale", "shift", "w2", "b2"]) {
      const only = (all: Parameters) => ({ [name]: all[name] ?? [] });
      expect(distance(only(ghosts.parameters), only(first?.parameters ?? {})), name).toBeLessThan(1e-5);
    }
  });
});

/** Keeps half of every gradient for the next update. */
function halves(): GradientExchange {
  const dense = denseExchange();
  const kept = new Map<string, Float32Array>();
  return {
    async average(communicator, gradients, update) {
      for (const { name, values } of gradients) {
        const before = kept.get(name) ?? new Float32Array(values.length);
        for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) + (before[i] ?? 0);
        kept.set(
          name,
          values.map((x) => x / 2),
        );
        for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) / 2;
      }
      await dense.average(communicator, gradients, update);
    },
    readState: () => kept,
    restore(state) {
      for (const [name, values] of state) kept.set(name, values);
    },
  };
}

describe("checkpoints", () => {
  async function interrupted(folder: string, size: number, options: Options): Promise<void> {
    const checkpoint = { folder, everySteps: 7 };
    const runs = ranks(size, async (communicator) => {
      const algorithms = [dataParallel({ communicator, ...options })];
      const run = fit(network(), { ...usual, checkpoint, algorithms });
      for await (const event of run) if (event.type === "step" && event.step === 9) run.cancel();
      await run.result;
    });
    await expect(runs).rejects.toThrow();
  }

  it("of all ranks are one, which they go on from to the same bits", async () => {
    const options = { exchange: halves };
    const checkpoint = { folder: await newFolder(), everySteps: 7 };
    await interrupted(checkpoint.folder, 2, options);
    const resumed = await together(2, { checkpoint, resume: true }, options);
    const whole = await together(2, {}, options);
    for (const { parameters } of resumed) expect(parameters).toEqual(whole[0]?.parameters);
    expect(resumed[1]?.events.find(({ type }) => type === "start")).toMatchObject({ resumedFrom: 7 });
  });

  it("of four ranks are resumed by two, without loss of what the exchange had kept", async () => {
    const options = { exchange: halves };
    const checkpoint = { folder: await newFolder(), everySteps: 7 };
    await interrupted(checkpoint.folder, 4, options);
    const [resumed] = await together(2, { checkpoint, resume: true }, options);
    const whole = await together(4, {}, options);
    expect(distance(whole[0]?.parameters ?? {}, resumed?.parameters ?? {})).toBeLessThan(1e-5);
  });
});

it("a rank that fails is named to the others", async () => {
  const failures = await Promise.allSettled([
    ...localTransports(2)
      .map(openCommunicator)
      .map(async (communicator) => {
        await using _ = communicator;
        const algorithms = [dataParallel({ communicator })];
        const callbacks =
          communicator.rank === 1 ? { onStep: () => Promise.reject(new Error("rank 1 has had enough")) } : {};
        return await fit(network(), { ...usual, algorithms, callbacks }).result;
      }),
  ]);
  expect(failures.map((each) => (each.status === "rejected" ? String(each.reason.message) : ""))).toEqual([
    expect.stringContaining("rank 1 is gone"),
    expect.stringContaining("rank 1 has had enough"),
  ]);
});

/** Of sizes that all ranks and batches divide, with an optimizer that keeps nothing. */
const even = { data: moons(64, 1), optimizer: sgd(), epochs: 2 } as const;

const { clip: _, ...unclipped } = usual;

async function meeting(size: number, overrides: Partial<FitOptions>, make: (communicator: Communicator) => Algorithm) {
  return await ranks(size, async (communicator) => {
    const run = fit(network(), { ...unclipped, ...overrides, algorithms: [make(communicator)] });
    return parametersOf((await run.result).model);
  });
}

describe("ranks that meet now and then", () => {
  /** Every sample is the same one. */
  const alike: Dataset = datasetOf({
    size: 64,
    labels: async () => new Array<number>(64).fill(1),
    open: () => ({
      read: (position) => ({
        inputs: new Map([["x", tensorFromNumbers("float32", [2], [0.3, -0.7])]]),
        label: 1,
        source: `${position}`,
      }),
    }),
  });

  it("after every update are data parallel, where neither step keeps anything", async () => {
    const together = await meeting(2, even, (communicator) => dataParallel({ communicator }));
    for (const make of [
      (communicator: Communicator) => localSgd({ communicator, every: 1 }),
      (communicator: Communicator) => diloco({ communicator, every: 1, outerRate: 1, outerMomentum: 0 }),
    ]) {
      const local = await meeting(2, even, make);
      expect(local[1]).toEqual(local[0]);
      expect(distance(together[0] ?? {}, local[0] ?? {})).toBeLessThan(1e-5);
    }
  });

  it("with the same samples are one that trains alone", async () => {
    const overrides = { ...even, data: alike, optimizer: "adamw" } as const;
    const twice = { ...overrides, batch: 16 };
    const alone = parametersOf((await fit(network(), { ...unclipped, ...twice }).result).model);
    const local = await meeting(2, twice, (communicator) => localSgd({ communicator, every: 3 }));
    expect(distance(alone, local[0] ?? {})).toBeLessThan(1e-5);
  });

  it("take outer steps with Nesterov momentum", async () => {
    const one = { ...even, epochs: 1, batch: 32 };
    const make = (every: number) => (communicator: Communicator) =>
      diloco({ communicator, every, outerRate: 0.5, outerMomentum: 0.8 });
    const [after] = await meeting(1, one, make(1));
    // Two updates, after each of which the way from where they began is the gradient of an outer step.
    const before = parametersOf(network());
    const step = async (start: Parameters, done: number) => {
      const seen: Parameters[] = [];
      const put: Algorithm = {
        name: "put",
        start: () => ({
          async onUpdate(run) {
            const names = run.step.state.filter(({ kind }) => kind === "parameter").map(({ name }) => name);
            if (run.updates === done) {
              seen.push(Object.fromEntries([...(await run.read(names))].map(([name, t]) => [name, [...floatsOf(t)]])));
            }
            if (run.updates !== done - 1) return;
            const tensors = [...(await run.read(names))].map(
              ([name, { dtype, dims }]) => [name, tensorFromNumbers(dtype, dims, start[name] ?? [])] as const,
            );
            await run.write(new Map(tensors));
          },
        }),
      };
      await fit(network(), { ...unclipped, ...one, algorithms: [put] }).result;
      return seen[0] ?? {};
    };
    const combined = (a: Parameters, b: Parameters, mix: (x: number, y: number) => number): Parameters =>
      Object.fromEntries(Object.entries(b).map(([name, y]) => [name, y.map((v, i) => mix(a[name]?.[i] ?? 0, v))]));
    const first = combined(before, await step(before, 1), (x, y) => x - y);
    const middle = combined(before, first, (x, moved) => x - 0.5 * (moved + 0.8 * moved));
    const second = combined(middle, await step(middle, 2), (x, y) => x - y);
    const speed = combined(first, second, (m, moved) => 0.8 * m + moved);
    const change = combined(second, speed, (moved, m) => moved + 0.8 * m);
    const end = combined(middle, change, (x, moved) => x - 0.5 * moved);
    expect(distance(end, after ?? {})).toBeLessThan(1e-5);
  });

  it("in fragments have the same parameters in the end", async () => {
    const local = await meeting(2, even, (communicator) => diloco({ communicator, every: 4, fragments: 2 }));
    expect(local[1]).toEqual(local[0]);
  });

  it("go on from a checkpoint to the same bits", async () => {
    const make = (communicator: Communicator) => diloco({ communicator, every: 3 });
    const checkpoint = { folder: await newFolder(), everySteps: 2 };
    const overrides = { ...even, optimizer: "adamw" } as const;
    const interrupted = ranks(2, async (communicator) => {
      const algorithms = [make(communicator)];
      const run = fit(network(), { ...unclipped, ...overrides, checkpoint, algorithms });
      for await (const event of run) if (event.type === "step" && event.step === 5) run.cancel();
      await run.result;
    });
    await expect(interrupted).rejects.toThrow();
    const resumed = await meeting(2, { ...overrides, checkpoint, resume: true }, make);
    const other = { ...checkpoint, folder: await newFolder() };
    const whole = await meeting(2, { ...overrides, checkpoint: other }, make);
    expect(resumed).toEqual(whole);
  });

  it("are told what is out of range", () => {
    const [communicator] = localTransports(1).map(openCommunicator);
    if (!communicator) throw new Error("no rank");
    expect(() => localSgd({ communicator, every: 0 })).toThrow("every must be a whole number");
    expect(() => diloco({ communicator, outerMomentum: 1 })).toThrow("the outer step is out of range");
    expect(() => diloco({ communicator, every: 2, fragments: 3 })).toThrow("fragments");
  });
});
