import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { moons, network, options } from "../../../test/moons.ts";
import { floatsOf, isSparse, type Model, numbersOf } from "../../ir/index.ts";
import { type FitOptions, fit, type Probe, type TrainEvent } from "../index.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-probe-"));
});
afterAll(() => rm(folder, { recursive: true }));

function weightsOf({ graph }: Model): readonly number[] {
  const [, data] = [...graph.initializers].find(([{ name }]) => name === "w2")!;
  return isSparse(data) ? [] : [...floatsOf(data)];
}

/** A layer's weights, how far they moved since the last look, and the first number of every sample. */
const drift: Probe = {
  name: "drift",
  start() {
    let before: readonly number[] | undefined;
    return async (model, { feeds }) => {
      const weights = weightsOf(model);
      const seen: number[] = [];
      for await (const batch of feeds()) seen.push(...numbersOf(batch.get("x")!).filter((_, i) => i % 2 === 0));
      const moved = before && Math.hypot(...weights.map((w, i) => w - before![i]!));
      before = weights;
      return [
        { subject: "w2", name: "weights", values: weights, row: "weight" },
        { subject: "data", name: "x", values: seen, row: "sample" },
        ...(moved === undefined ? [] : [{ subject: "w2", name: "moved", values: [moved] }]),
      ];
    };
  },
};

async function told(overrides: Partial<FitOptions>, until = Number.POSITIVE_INFINITY) {
  const run = fit(network(), { ...options(), epochs: 4, probes: [drift], ...overrides });
  const events: TrainEvent[] = [];
  for await (const event of run) {
    events.push(event);
    if (event.type === "step" && event.step === until) run.cancel();
  }
  const model = await run.result.then(({ model }) => model).catch(() => undefined);
  return { events, model };
}

const measurements = (events: readonly TrainEvent[]) => events.filter((event) => event.type === "measurement");
const valuesOf = (event: Extract<TrainEvent, { type: "measurement" }>, name: string) =>
  event.measurements.find((item) => item.name === name)?.values;

describe("probes", () => {
  it("see the model and the samples of every evaluation, and are told after it", async () => {
    const { events, model } = await told({ evaluate: { data: moons(40, 2), batch: 16, every: 2 } });
    const kinds = events.flatMap(({ type }) => (type === "evaluation" || type === "measurement" ? [type] : []));
    expect(kinds).toEqual(["evaluation", "measurement", "evaluation", "measurement"]);
    const found = measurements(events);
    expect(found.map(({ probe, epoch, update }) => [probe, epoch, update])).toEqual([
      ["drift", 2, 5],
      ["drift", 4, 10],
    ]);
    expect(valuesOf(found[1]!, "weights")).toEqual(weightsOf(model!));
    const sample = async (position: number) => {
      for await (const { inputs } of moons(40, 2).pick([position])) return numbersOf(inputs.get("x")!)[0];
      return undefined;
    };
    expect(valuesOf(found[0]!, "x")).toHaveLength(40);
    expect(valuesOf(found[0]!, "x")![39]).toBe(await sample(39));
    expect(found.map((event) => valuesOf(event, "moved")?.length)).toEqual([undefined, 1]);
  });

  it("see batches of the size of the evaluation, and are told where they measured anything", async () => {
    const looking = (name: string, count: number): Probe => ({
      name,
      start:
        () =>
        async (_, { feeds, session }) => {
          const sizes: number[] = [];
          for await (const batch of feeds()) sizes.push(batch.get("x")!.dims[0]!);
          return Array(count).fill({ subject: `${session.step}`, name: "batches", values: sizes });
        },
    });
    const probes = [looking("nothing", 0), looking("one", 1), looking("two", 2)];
    const measured = async (batch?: number) => {
      const evaluate = { data: moons(5, 2), ...(batch && { batch }) };
      return measurements((await told({ epochs: 1, probes, evaluate })).events);
    };
    const batches = (sizes: readonly number[]) => ({ subject: "probing", name: "batches", values: sizes });
    const event = { type: "measurement", epoch: 1, update: 2 };
    expect(await measured(2)).toEqual([
      { ...event, probe: "one", measurements: [batches([2, 2, 1])] },
      { ...event, probe: "two", measurements: [batches([2, 2, 1]), batches([2, 2, 1])] },
    ]);
    expect((await measured())[0]!.measurements).toEqual([batches([5])]);
  });

  it("measure the same in a resumed run", async () => {
    const whole = await told({});
    const checkpoint = { folder };
    const first = await told({ checkpoint }, 13);
    const second = await told({ checkpoint, resume: true });
    expect(first.model).toBeUndefined();
    expect(measurements(second.events)[0]!.epoch).toBeGreaterThan(1);
    const both = new Map([...measurements(first.events), ...measurements(second.events)].map((e) => [e.epoch, e]));
    expect([...both.values()]).toEqual(measurements(whole.events));
  });

  it("leave the training as it is, and need evaluations", async () => {
    const [probed, plain] = await Promise.all([told({}), told({ probes: [] })]);
    expect(weightsOf(probed.model!)).toEqual(weightsOf(plain.model!));
    const { evaluate: _, ...bare } = options();
    expect(() => fit(network(), { ...bare, probes: [drift] })).toThrow(/probes needs evaluate/);
  });
});
