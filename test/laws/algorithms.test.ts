/** @file Laws of algorithms: each leaves training as it is where it does nothing, and resumes to the same bits. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOfTensor, isSparse, type Model, numbersOf, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import {
  type Algorithm,
  type AlgorithmName,
  algorithms,
  callbacks,
  driven,
  earlyStopping,
  type FitOptions,
  fit,
  type Hooks,
  keepBest,
  probes,
  runningAverage,
  type TrainEvent,
  withinClips,
} from "../../src/train/index.ts";
import { moons, network, options } from "../moons.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "litheml-algorithms-"));
});
afterAll(() => rm(root, { recursive: true }));

const newFolder = () => mkdtemp(join(root, "run-"));

interface Subject {
  /** Does nothing in the runs of these laws. */
  readonly idle: () => Algorithm;
  /** Does something. */
  readonly busy: () => Algorithm;
}

const probing = (measure: boolean) =>
  probes([
    {
      name: "sum",
      start() {
        let looks = 0;
        return async (model) => {
          looks++;
          return measure ? [{ subject: "w2", name: "looked", values: [looks > 1 ? 1 : 0, ...weights(model).w2!] }] : [];
        };
      },
    },
  ]);

const slower = (factor: number) => ({
  train: ({ update }: { readonly update: number }) =>
    tensorFromNumbers("float32", [], [factor + (factor < 1 ? update : 0) / 100]),
  evaluate: tensorFromNumbers("float32", [], [1]),
});

const subjects: Readonly<Record<AlgorithmName, Subject>> = {
  callbacks: {
    idle: () => callbacks({ onStep: () => undefined, onEvaluation: () => undefined }),
    busy: () => callbacks({ onStep: ({ step }) => (step === 17 ? "stop" : undefined) }),
  },
  driven: { idle: () => driven({ factor: slower(1) }), busy: () => driven({ factor: slower(0.5) }) },
  earlyStopping: {
    idle: () => earlyStopping({ patience: 100 }),
    busy: () => earlyStopping({ patience: 2, minDelta: 0.2 }),
  },
  keepBest: { idle: () => keepBest(), busy: () => keepBest({ restore: true }) },
  probes: { idle: () => probing(false), busy: () => probing(true) },
  runningAverage: { idle: () => runningAverage(0), busy: () => runningAverage(0.9) },
  withinClips: { idle: () => withinClips(), busy: () => withinClips() },
};

/** The network of the tests with an input that nothing but a run feeds, by which the logits are multiplied. */
function withFactor(): Model {
  const plain = network();
  const { graph } = plain;
  const [logits] = graph.outputs;
  const factor = { name: "factor", type: { kind: "tensor", dtype: "float32", dims: [] } } as const;
  const scaled = { ...logits!, name: "scaled" };
  const last = {
    opType: "Mul",
    domain: "",
    name: "scale",
    inputs: [logits, factor],
    outputs: [scaled],
    attributes: new Map(),
  };
  return {
    ...plain,
    graph: { ...graph, inputs: [...graph.inputs, factor], outputs: [scaled], nodes: [...graph.nodes, last] },
  };
}

function weights({ graph }: Model): Record<string, number[]> {
  return Object.fromEntries(
    [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, [...numbersOf(data)]]])),
  );
}

/** Speed is no part of what happens. */
function timeless(event: TrainEvent): object {
  if (event.type === "checkpoint") return { ...event, path: "" };
  if (event.type !== "step") return event;
  const { samplesPerSecond: _, etaMs: __, ...rest } = event;
  return rest;
}

const { average: _, ...usual } = options();

async function trained(
  name: string,
  algorithm: Algorithm | undefined,
  overrides: Partial<FitOptions> = {},
  until = Infinity,
) {
  const isDriven = name === "driven";
  const all = [
    ...(isDriven && algorithm?.name !== "driven" ? [subjects.driven.idle()] : []),
    ...(algorithm ? [algorithm] : []),
  ];
  const controller = new AbortController();
  const run = fit(isDriven ? withFactor() : network(), {
    ...usual,
    epochs: 5,
    open: openReference,
    algorithms: all,
    signal: controller.signal,
    ...overrides,
  });
  const events: TrainEvent[] = [];
  for await (const event of run) {
    events.push(event);
    if (event.type === "checkpoint" && event.step === until) controller.abort();
  }
  const result = await run.result.catch(() => undefined);
  return { events, result, steps: events.filter((event) => event.type === "step").map(timeless) };
}

describe.each(Object.entries(subjects))("%s", (name, { idle, busy }) => {
  it("is in the index, and every run has its own", () => {
    expect(algorithms[name as AlgorithmName]).toBeTypeOf("function");
    const algorithm = busy();
    expect(algorithm.start()).not.toBe(algorithm.start());
  });

  it("leaves training as it is where it does nothing", async () => {
    const [with_, without] = [
      await trained(name, idle(), { checkpoint: { folder: await newFolder() } }),
      await trained(name, undefined, { checkpoint: { folder: await newFolder() } }),
    ];
    expect(with_.steps).toEqual(without.steps);
    expect(with_.steps).toHaveLength(25);
  });

  it("resumes to the same bits, events and report", async () => {
    const whole = await trained(name, busy(), { checkpoint: { folder: await newFolder(), everySteps: 3 } });
    const checkpoint = { folder: await newFolder(), everySteps: 3 };
    for (const until of [3, 10]) {
      const part = await trained(name, busy(), { checkpoint, resume: until > 3 }, until);
      expect(part.result).toBeUndefined();
    }
    const rest = await trained(name, busy(), { checkpoint, resume: true });
    expect(weights(rest.result!.model)).toEqual(weights(whole.result!.model));
    // Both are of this run alone, as the report says.
    const { seconds, loss } = rest.result!.report;
    expect(rest.result!.report).toEqual({ ...whole.result!.report, seconds, loss });
    const from = rest.events.findIndex(({ type }) => type === "start");
    const first = rest.events[from]!;
    const later = rest.events.slice(from + 1).map(timeless);
    expect(first.type === "start" && first.resumedFrom).toBe(10);
    expect(whole.events.map(timeless).slice(-later.length)).toEqual(later);
  });
});

/** What an algorithm of one's own may do: keep numbers and tensors, change parameters after updates, and count. */
function pulling(strength: number): Algorithm {
  return {
    name: "pulling",
    settings: { strength },
    start(): Hooks {
      let updates = 0;
      let mean: Tensor | undefined;
      return {
        onStart(_, saved) {
          updates = Number(saved?.values ?? 0);
          mean = saved?.tensors?.get("mean");
        },
        async onUpdate(run) {
          updates++;
          const w2 = (await run.read(["w2"])).get("w2")!;
          const before = mean && numbersOf(mean);
          const next = Array.from(numbersOf(w2), (x, i) => 0.9 * Number(before?.[i] ?? 0) + 0.1 * x);
          mean = tensorFromNumbers("float32", w2.dims, next);
          const drawn = Array.from(numbersOf(w2), (x, i) => x + strength * (next[i]! - x));
          await run.write(new Map([["w2", tensorFromNumbers("float32", w2.dims, drawn)]]));
          run.measured("pulling", [{ subject: "w2", name: "updates", values: [updates] }]);
        },
        save: () => ({ values: updates, ...(mean && { tensors: new Map([["mean", mean]]) }) }),
      };
    },
  };
}

describe("an algorithm with a state", () => {
  it.each([1, 4])("resumes to the same bits, with %i steps in a run", async (stepsPerRun) => {
    const whole = await trained("pulling", pulling(0.5), { stepsPerRun });
    const checkpoint = { folder: await newFolder(), everySteps: 3 };
    await trained("pulling", pulling(0.5), { checkpoint, stepsPerRun }, 9);
    const rest = await trained("pulling", pulling(0.5), { checkpoint, resume: true, stepsPerRun });
    expect(weights(rest.result!.model)).toEqual(weights(whole.result!.model));
    const counts = whole.events
      .filter((event) => event.type === "measurement")
      .map(({ measurements: [m] }) => m!.values[0]);
    expect(counts).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(weights(whole.result!.model)).not.toEqual(weights((await trained("pulling", pulling(0.4))).result!.model));
  });

  it("is refused with other settings, and by a run without it", async () => {
    const checkpoint = { folder: await newFolder() };
    await trained("pulling", pulling(0.5), { checkpoint, epochs: 1 });
    const resumed = (algorithm?: Algorithm) =>
      fit(network(), {
        ...usual,
        epochs: 1,
        open: openReference,
        checkpoint,
        resume: true,
        algorithms: algorithm ? [algorithm] : [],
      }).result;
    await expect(resumed(pulling(0.4))).rejects.toThrow(/another model, data or settings/);
    await expect(resumed()).rejects.toThrow(/another model, data or settings/);
    const { settings: _, ...unnamed } = pulling(0.5);
    const folder = await newFolder();
    await trained("pulling", unnamed, { checkpoint: { folder }, epochs: 1 });
    const bare = fit(network(), { ...usual, epochs: 1, open: openReference, checkpoint: { folder }, resume: true });
    await expect(bare.result).rejects.toThrow(/a run with other algorithms; expected pulling; got none/);
  });

  it("may not keep what JSON does not give back, nor write what the step does not have", async () => {
    const keeping = (values: number): Algorithm => ({ name: "keeping", start: () => ({ save: () => ({ values }) }) });
    const run = (algorithm: Algorithm, more: Partial<FitOptions> = {}) =>
      fit(network(), { ...usual, epochs: 1, open: openReference, algorithms: [algorithm], ...more }).result;
    const checkpoint = { folder: await newFolder() };
    await expect(run(keeping(Number.NaN), { checkpoint })).rejects.toThrow(
      /JSON does not give back.*algorithm keeping/,
    );
    const writing = (name: string, dims: number[]): Algorithm => ({
      name: "writing",
      start: () => ({ onUpdate: (given) => given.write(new Map([[name, tensorFromNumbers("float32", dims, [1])]])) }),
    });
    await expect(run(writing("w9", [1]))).rejects.toThrow(/does not fit the state.*one of w1.*got "w9"/);
    await expect(run(writing("w2", [1]))).rejects.toThrow(/expected float32\[16, 2\]; got float32\[1\]/);
  });
});

describe("the events of a run", () => {
  const listening = (name: string, told: string[]): Algorithm => {
    const say = (event: string) => void told.push(`${name} ${event}`);
    return {
      name,
      start: () => ({
        prepare(prepared) {
          say("prepare");
          return prepared;
        },
        onStart: () => say("start"),
        onStep: ({ step }) => say(`step ${step}`),
        onUpdate: ({ updates }) => say(`update ${updates}`),
        onEvaluation: ({ event }) => say(`evaluation ${event.epoch}`),
        onEpoch: (epoch) => say(`epoch ${epoch}`),
        save() {
          say("save");
          return {};
        },
        result(model) {
          say("result");
          return model;
        },
      }),
    };
  };

  it("reach algorithms in order, and the result the other way around", async () => {
    const told: string[] = [];
    const algorithms = [listening("a", told), listening("b", told)];
    const data = moons(64, 1);
    const checkpoint = { folder: await newFolder() };
    await fit(network(), { ...usual, data, epochs: 1, open: openReference, algorithms, checkpoint }).result;
    const both = (event: string) => [`a ${event}`, `b ${event}`];
    expect(told).toEqual([
      ...["prepare", "start", "step 1", "step 2", "update 1", "step 3", "step 4", "update 2"].flatMap(both),
      ...["evaluation 1", "epoch 1", "save"].flatMap(both),
      "b result",
      "a result",
    ]);
  });

  it("are known by their names alone", () => {
    const run = (algorithm: Algorithm) => fit(network(), { ...usual, open: openReference, algorithms: [algorithm] });
    const misspelt = { name: "misspelt", start: () => ({ onSteps: () => undefined }) as Hooks };
    return expect(run(misspelt).result).rejects.toThrow(/unknown option.*onStep.*"onSteps"/);
  });

  it("go to one algorithm of a name, which has what it needs", () => {
    const run = (given: readonly Algorithm[], more: Partial<FitOptions> = {}) =>
      fit(network(), { ...usual, open: openReference, algorithms: given, ...more });
    const stopping = earlyStopping({ patience: 2 });
    expect(() => run([stopping], { earlyStopping: { patience: 3 } })).toThrow(/one name; got "early-stopping"/);
    expect(() => run([keepBest()])).toThrow(/the algorithm keep-best needs checkpoint/);
    const { evaluate: _, ...bare } = usual;
    expect(() => fit(network(), { ...bare, algorithms: [stopping] })).toThrow(/early-stopping needs evaluate/);
  });

  it("may end the run, and the last reason is told", async () => {
    const ending = (name: string): Algorithm => ({
      name,
      start: () => ({ onStep: ({ step }, run) => void (step === 3 && run.stop(`${name} has seen enough`)) }),
    });
    const run = fit(network(), { ...usual, open: openReference, algorithms: [ending("a"), ending("b")] });
    const events: TrainEvent[] = [];
    for await (const event of run) events.push(event);
    expect(events.at(-1)).toEqual({ type: "early-stop", epoch: 1, reason: "b has seen enough" });
    expect((await run.result).report).toMatchObject({ steps: 3, stoppedEarly: true });
  });
});

it("hands out the tensors of the state, each with its bytes", async () => {
  const seen: Uint8Array[] = [];
  const looking: Algorithm = {
    name: "looking",
    start: () => ({
      async onUpdate(run) {
        seen.push(bytesOfTensor((await run.read(["w1"])).get("w1")!).slice());
      },
    }),
  };
  const { result } = await trained("looking", looking, { epochs: 1 });
  const [last] = [...result!.model.graph.initializers].filter(([{ name }]) => name === "w1").map(([, data]) => data);
  expect(seen).toHaveLength(2);
  expect(seen[1]).toEqual(bytesOfTensor(last as Tensor));
});
