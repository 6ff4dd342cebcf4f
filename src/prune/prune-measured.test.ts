import { describe, expect, it } from "vitest";
import { timedSession } from "../../test/timed-session.ts";
import { random } from "../data/index.ts";
import { BoundError, UsageError } from "../errors.ts";
import { isSparse, type Model, type Tensor } from "../ir/index.ts";
import { mlp } from "../models/index.ts";
import type { OpenSession } from "../runtime/index.ts";
import { decidePruning, type MeasuredPruneOptions, pruneMeasured } from "./prune-measured.ts";

const network = mlp(random(1), { input: [8], hidden: [64, 64, 64], classes: 4 });

/** Units of the hidden layers. */
function unitsOf({ graph }: Model): number[] {
  return [...graph.initializers].flatMap(([{ name }, data]) =>
    /^hidden\d+\/weight$/.test(name) && !isSparse(data) ? [data.dims[1]!] : [],
  );
}

/** Where a run takes what is said of the units; the runs that were timed are counted by their units. */
function machine(time: (units: readonly number[]) => number) {
  const timed = new Set<string>();
  let isOpen = 0;
  const open: OpenSession = async (model) => {
    const units = unitsOf(model);
    timed.add(units.join(" "));
    isOpen++;
    return { ...timedSession(() => time(units)), release: async () => void isOpen-- };
  };
  return { open, timed, left: () => isOpen };
}

const sum = (units: readonly number[]): number => units.reduce((total, count) => total + count, 0);
const padded = (block: number) => (units: readonly number[]) =>
  sum(units.map((count) => block * Math.ceil(count / block)));

const blocksOf = (product: number) => async () => ({ convolution: 1, product });
const feeds = new Map<string, Tensor>();

describe("pruning for a target", () => {
  it("leaves multiples of the blocks that were measured", async () => {
    const { open, timed, left } = machine(padded(16));
    const { model, report, trials, chosen, round } = await pruneMeasured(network, {
      ...{ ratio: 0.3, open, feeds, blocks: blocksOf(16) },
    });
    expect([unitsOf(model), trials.length, chosen, round]).toEqual([
      [48, 48, 48],
      1,
      0,
      { convolution: 1, product: 16 },
    ]);
    expect(trials[0]!.latency).toMatchObject({ ratio: expect.closeTo(192 / 144, 9), verdict: "faster", sessions: 3 });
    expect(trials[0]).toMatchObject({ narrowed: 3, macs: report.macs.after / report.macs.before });
    expect([...timed]).toEqual(["64 64 64", "48 48 48"]);
    expect(left()).toBe(0);
  });

  it("rounds more, and then less, where that is what it takes", async () => {
    const only32 = machine((units) => (units.every((count) => count % 32 === 0) ? sum(units) : 1000));
    const more = await pruneMeasured(network, { ratio: 0.6, open: only32.open, feeds, blocks: blocksOf(16) });
    expect([unitsOf(more.model), more.trials.length]).toEqual([[32, 32, 32], 1]);
    const wide = machine((units) => (units.every((count) => count % 32 === 0) ? sum(units) : 1000));
    const twice = await pruneMeasured(network, { ratio: 0.7, open: wide.open, feeds, blocks: blocksOf(8) });
    expect([unitsOf(twice.model), twice.trials.length, twice.chosen]).toEqual([[32, 32, 32], 2, 1]);
    const fine = await pruneMeasured(network, { ratio: 0.1, open: machine(sum).open, feeds, blocks: blocksOf(32) });
    expect([unitsOf(fine.model), fine.round]).toEqual([[60, 60, 60], { convolution: 1, product: 4 }]);
  });

  it("narrows only where that pays", async () => {
    const { open } = machine(([first, second, third]) => (first! < 64 ? 500 : 0) + second! + third!);
    const { model, trials, chosen } = await pruneMeasured(network, {
      ...{ ratio: 0.5, round: "auto", open, feeds, blocks: blocksOf(32) },
    });
    expect(unitsOf(model)).toEqual([64, 32, 32]);
    expect(trials[chosen!]!.latency.verdict).toBe("faster");
  });

  it("is never slower, and says how much slower it would be", async () => {
    const { open, left } = machine((units) => 400 - sum(units));
    const slower = { ratio: 0.5, open, feeds, blocks: blocksOf(8) };
    const error = await pruneMeasured(network, slower).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BoundError);
    expect(String(error)).toMatch(/slower than the original.*3 widths in multiples of 1 \(conv.*8 \(products\): 0\.68/);
    await expect(pruneMeasured(network, { ...slower, round: 16 })).rejects.toThrow(/multiples of 16: 0\.68 times/);
    const none = machine(sum);
    const kept = await pruneMeasured(network, { ...slower, open: none.open, allowSlower: true });
    expect([unitsOf(kept.model), kept.trials, kept.chosen]).toEqual([[32, 32, 32], [], undefined]);
    expect(none.timed.size).toBe(0);
    const same = await pruneMeasured(network, { ...slower, open: machine(() => 5).open });
    expect(same.trials[same.chosen!]!.latency.verdict).toBe("same");
    expect(left()).toBe(0);
  });

  it("reaches a share of the time by measuring the whole network, within so many measurements", async () => {
    const { open, timed } = machine((units) => 96 + padded(8)(units));
    const { model, trials, chosen } = await pruneMeasured(network, {
      ...{ latency: 0.76, open, feeds, blocks: blocksOf(8), most: 0.8 },
    });
    // (96 + 3 · 40) / (96 + 3 · 64) is three quarters.
    expect(unitsOf(model)).toEqual([40, 40, 40]);
    expect(1 / trials[chosen!]!.latency.ratio).toBeCloseTo(0.75, 9);
    expect([...timed].slice(0, 2)).toEqual(["64 64 64", "16 16 16"]);
    expect(new Set(timed).size).toBe(trials.length + 1);
    const hasty = await decidePruning(network, {
      ...{ latency: 0.76, open, feeds, blocks: blocksOf(8), most: 0.8, measurements: 1 },
    });
    expect([hasty.trials.length, hasty.chosen]).toEqual([1, 0]);
    const far = { latency: 0.3, open, feeds, blocks: blocksOf(8), most: 0.8 };
    await expect(pruneMeasured(network, far)).rejects.toThrow(/cannot be reached.*at least 0\.500 of the original/);
  });

  it("refuses what it cannot do before anything is opened", async () => {
    const { open, timed } = machine(sum);
    const given = { open, feeds, blocks: blocksOf(1) };
    const refused = (amount: object) =>
      pruneMeasured(network, { ...given, ...amount } as unknown as MeasuredPruneOptions);
    for (const [amount, message] of [
      [{}, /one of ratio, macs and latency.*0 of them/],
      [{ ratio: 0.5, latency: 0.5 }, /2 of them/],
      [{ latency: 1 }, /latency is out of range/],
      [{ ratio: 0.001 }, /takes nothing away/],
      [{ macs: 0.001 }, /so few multiply-accumulates/],
      [{ ratio: 0.5, round: 0 }, /round must be/],
      [{ ratio: 0.5, rounds: 8 }, /unknown option/],
    ] as const) {
      const error = await refused(amount).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(UsageError);
      expect(String(error)).toMatch(message);
    }
    expect(timed.size).toBe(0);
  });
});
