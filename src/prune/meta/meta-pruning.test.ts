/** @file The procedure on points in the plane, by the reference evaluator: what it evaluates, what it makes, and that it can go on. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { moons } from "../../../test/moons.ts";
import { openTaking } from "../../../test/small-job.ts";
import { random } from "../../data/index.ts";
import { isSparse, type Model, numbersOf, tensorFromNumbers, verify } from "../../ir/index.ts";
import { batchNorm, linear, network } from "../../nn/index.ts";
import { encodeModel } from "../../onnx/index.ts";
import { costOf } from "../../ops/index.ts";
import { openReference } from "../../runtime/reference.ts";
import { type MetaPruned, type MetaPruningEvent, type MetaPruningOptions, metaPruning } from "./meta-pruning.ts";
import { countedChoices } from "./width-space.ts";
import { widthSupernet } from "./width-supernet.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "litheml-meta-"));
});
afterAll(() => rm(root, { recursive: true }));

/** 2 → 8 → 12 → 2 with norms. */
function classifier(): Model {
  return network(random(1), (n) => {
    let y = n.input("x", "float32", ["batch", 2]);
    for (const [i, width] of [8, 12].entries()) {
      const layer = n.scope(`hidden${i}`);
      y = n.relu(batchNorm(layer, linear(layer, y, width, { bias: false })));
    }
    n.output(linear(n.scope("head"), y, 2), "logits");
  });
}

const usual: MetaPruningOptions = {
  data: moons(60, 1),
  macs: 0.5,
  scales: [0.25, 0.5, 0.75, 1],
  supernet: { epochs: 2, batch: 10 },
  network: { epochs: 2, batch: 10 },
  recalibration: { samples: 20, batch: 10 },
  held: 20,
  evolution: { population: 4, parents: 2, mutations: 2, crossovers: 2, generations: 1 },
  open: openReference,
  seed: 3,
};

async function told(options: Partial<MetaPruningOptions> = {}) {
  const run = metaPruning(classifier(), { ...usual, ...options });
  const events: MetaPruningEvent[] = [];
  for await (const event of run) events.push(event);
  return { ...(await run.result), events };
}

const trialsOf = ({ trials }: Pick<MetaPruned, "trials">) => trials.map(({ widths }) => widths.join());

describe("metaPruning", () => {
  it("makes an ordinary network of widths that keep to the limit, the best that it evaluated", async () => {
    const { model, report, trials, events, training, supernet } = await told();
    expect(verify(model)).toEqual([]);
    expect(report.macs.before).toBe(costOf(classifier()).macs);
    expect(report.macs.after).toBe(costOf(model).macs);
    expect(trials.length).toBeGreaterThan(4);
    for (const { macs } of trials) expect(macs).toBeLessThanOrEqual(0.5 * report.macs.before);
    expect(new Set(trialsOf({ trials })).size).toBe(trials.length);
    const best = Math.max(...trials.map(({ accuracy }) => accuracy!));
    const [chosen] = trials.filter(({ accuracy }) => accuracy === best);
    expect(report.widths.slice(0, 2).map(({ after }) => after)).toEqual(chosen!.widths);
    expect(report.widths.at(-1)).toMatchObject({ before: 2, after: 2, held: ["it is an output of the model"] });
    expect([supernet.samples, training.samples]).toEqual([40, 60]);
    const kinds = events.map((event) => (event.type === "training" ? event.of : event.type));
    expect([...new Set(kinds)]).toEqual(["supernet", "trial", "network"]);
  });

  it("evaluates nothing that is slower than it may be", async () => {
    const { macs: _, ...rest } = usual;
    const open = openTaking((timed) => 0.01 * costOf(timed).macs);
    const feeds = new Map([["x", tensorFromNumbers("float32", [1, 2], [0.1, 0.2])]]);
    const share = 0.5;
    const run = metaPruning(classifier(), { ...rest, open, latency: { share, feeds } });
    const { trials, report } = await run.result;
    for (const { macs, latency, accuracy } of trials) {
      expect(latency).toBeCloseTo(macs / report.macs.before, 6);
      expect(accuracy === undefined).toBe(latency! > share);
    }
    expect(new Set(trials.map(({ accuracy }) => accuracy === undefined)).size).toBe(2);
    expect(report.macs.after).toBeLessThanOrEqual(share * report.macs.before);
    const none = metaPruning(classifier(), { ...rest, open, latency: { share: 0.01, feeds } });
    await expect(none.result).rejects.toThrow(/no candidate is as fast.*at most 0\.01/);
  });

  it("begins the network with new weights, or with generated ones", async () => {
    const still = { network: { epochs: 1, batch: 10, learningRate: 0 } };
    const [scratch, generated] = [await told(still), await told({ ...still, start: "generated" })];
    expect(scratch.report).toEqual(generated.report);
    const scale = ({ graph }: Model) =>
      [...graph.initializers].flatMap(([{ name }, data]) =>
        name === "hidden0/scale" && !isSparse(data) ? [...numbersOf(data)] : [],
      );
    expect(new Set(scale(scratch.model))).toEqual(new Set([1]));
    expect(scale(generated.model).every((x) => x !== 1)).toBe(true);
  });

  it("ends as it would have when it is interrupted anywhere and goes on", async () => {
    const whole = await told({ checkpoint: { folder: join(root, "whole") } });
    expect(encodeModel(whole.model)).toEqual(encodeModel((await told()).model));
    const places = {
      supernet: (event: MetaPruningEvent) => event.type === "training" && event.event.type === "checkpoint",
      search: (event: MetaPruningEvent) => event.type === "trial" && event.done === 3,
      network: (event: MetaPruningEvent) =>
        event.type === "training" && event.of === "network" && event.event.type === "checkpoint",
    };
    for (const [name, isPlace] of Object.entries(places)) {
      const checkpoint = { folder: join(root, name) };
      const run = metaPruning(classifier(), { ...usual, checkpoint });
      for await (const event of run) if (isPlace(event)) run.cancel();
      await expect(run.result).rejects.toThrow(/cancelled/);
      const again = await told({ checkpoint, resume: true });
      expect(trialsOf(again), name).toEqual(trialsOf(whole));
      expect(encodeModel(again.model), name).toEqual(encodeModel(whole.model));
      const journal = (await readFile(join(root, name, "search.jsonl"), "utf8")).trim().split("\n");
      expect(journal, name).toHaveLength(1 + whole.trials.length);
    }
  });

  it("says at once what does not fit", () => {
    const starting = (options: Partial<MetaPruningOptions>) => () =>
      metaPruning(classifier(), { ...usual, ...options });
    expect(starting({ macs: 1 })).toThrow(/share of the original is out of range/);
    const latency = { share: 0.5, feeds: new Map() };
    expect(starting({ latency })).toThrow(/one of macs and latency.*both/);
    expect(starting({ macs: 0.01 })).toThrow(/cannot be reached; expected a share of at least 0\.\d+/);
    expect(starting({ scales: [0] })).toThrow(/scales are shares/);
    expect(starting({ resume: true })).toThrow(/resume needs checkpoint/);
    expect(starting({ held: 0 })).toThrow(/held is no count/);
    expect(starting({ exclude: ["nothing"] })).toThrow(/matches no node/);
    expect(starting({ exclude: ["*"] })).toThrow(/no layer of the model has widths.*excluded by name/);
  });
});

describe("the choices within a limit", () => {
  const counted = countedChoices(widthSupernet(classifier(), { scales: [0.25, 0.5, 0.75, 1] }));
  const whole = counted.macsOf([0, 0]);

  it("are drawn within it, all of them", async () => {
    const space = counted.within(0.3);
    const draws = random(1);
    const found = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const choice = space.sample(draws);
      expect(counted.macsOf(choice)).toBeLessThanOrEqual(0.3 * whole);
      found.add(space.key(choice));
    }
    const all = [...space.all()].filter((choice) => counted.macsOf(choice) <= 0.3 * whole);
    expect([...found].sort()).toEqual(all.map((choice) => space.key(choice)).sort());
    expect(all.length).toBeGreaterThan(3);
  });
});
