import { describe, expect, it } from "vitest";
import { branchNetworks, distance, feedsOf } from "../../../test/branch-networks.ts";
import { denseFeeds, denseModel } from "../../../test/models.ts";
import { CancelledError, UsageError } from "../../errors.ts";
import type { raceLatency, Standing } from "../../measure/index.ts";
import { verdictOf } from "../../measure/verdict.ts";
import { choosePlacement, openPlaced, type Placement } from "./choose-placement.ts";

const model = branchNetworks["two stages"]({ branches: 4 });
const feeds = feedsOf(model, 1);
/** Of a session that takes `time` where the first takes `first`. */
function standing(time: number, first: number): Standing {
  const stats = { p50: time, p95: time, min: time, mean: time, rounds: 1, inputs: 1, sessions: 1 };
  const ratio = first / time;
  return { ...stats, ratio, spread: [ratio, ratio], verdict: verdictOf([ratio, ratio]) };
}

const placements: readonly Placement[] = [{ kind: "serial" }, { kind: "fused" }, { kind: "spread", workers: 3 }];

describe("placements", () => {
  it("give one result within rounding", async () => {
    await using whole = await openPlaced(model, placements[0]!);
    const expected = await whole.run(feeds);
    for (const placement of placements.slice(1)) {
      await using session = await openPlaced(model, placement);
      expect(distance(expected, await session.run(feeds))).toBeLessThan(1e-5);
    }
  });

  it("are fused where that is asked for, and left alone where they are serial", async () => {
    const nodes = async (placement: Placement) => {
      await using session = await openPlaced(model, placement, { profile: true, optimization: "disabled" });
      await session.run(feeds);
      return (await session.profile()).length;
    };
    const serial = await nodes({ kind: "serial" });
    expect(serial).toBe(model.graph.nodes.length);
    expect(await nodes({ kind: "fused" })).toBeLessThan(serial);
  });

  it("are measured, predicted and chosen from", async () => {
    const { choice, rows, cost, link } = await choosePlacement(model, feeds, { workers: 2, seconds: 0.4 });
    expect(rows.map(({ placement }) => placement.kind)).toEqual(["serial", "fused", "spread"]);
    expect(rows.map(({ placement }) => placement)).toContainEqual(choice);
    expect(cost!.steps.map(({ kind }) => kind)).toEqual(["run", "sum", "run", "sum", "run"]);
    expect(Math.min(link!.latency, link!.bandwidth)).toBeGreaterThan(0);
    for (const { measured, reason } of rows) expect(measured !== undefined).toBe(reason === undefined);
    const best = rows.find(({ placement }) => placement === choice);
    expect(choice.kind === "serial" || best!.measured!.spread[0] > 1).toBe(true);
  });

  it("are predicted from the times of their parts, and the hopeless ones are not timed", async () => {
    const raced: number[] = [];
    const timed = async (link: readonly number[], placed: readonly number[]) => {
      raced.length = 0;
      const race: typeof raceLatency = async (contenders) => {
        raced.push(contenders.length);
        const times = [parts, link, placed][raced.length - 1]!;
        return contenders.map((_, i) => standing(times[i]!, times[0]!));
      };
      return await choosePlacement(model, feeds, { workers: 3, race });
    };
    // A run of nothing, then both stages with one branch and with all four, so that a stage costs 1 + 4 · 3, then the head.
    const parts = [0.5, 4, 13, 4, 13, 2, 2];
    const near = await timed([1, 1, 1, 1], [30, 29, 20, 10]);
    expect(near.cost!.steps.filter(({ kind }) => kind === "run")).toEqual([
      { kind: "run", branches: 4, fixed: 1, branch: 3 },
      { kind: "run", branches: 4, fixed: 1, branch: 3 },
      { kind: "run", branches: 0, fixed: 2, branch: 0 },
    ]);
    expect(near.choice).toEqual({ kind: "spread", workers: 3 });
    expect(raced).toEqual([7, 4, 4]);
    const far = await timed([101, 1, 101, 1], [30, 29]);
    expect(far.link!.latency).toBe(100);
    expect(raced).toEqual([7, 4, 2]);
    expect(far.rows.slice(2).map(({ reason }) => reason)).toEqual(
      Array(2).fill("predicted to take longer than serial"),
    );
    for (const row of far.rows.slice(2)) expect(Object.keys(row)).not.toContain("measured");
    expect(far.choice).toEqual({ kind: "fused" });
  });

  it("of a model without branches are serial", async () => {
    const { choice, rows } = await choosePlacement(denseModel(), denseFeeds());
    expect([choice, rows]).toEqual([{ kind: "serial" }, [{ placement: { kind: "serial" } }]]);
  });

  it("can be cancelled, and take whole numbers of workers", async () => {
    await expect(choosePlacement(model, feeds, { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
    await expect(choosePlacement(model, feeds, { workers: 0 })).rejects.toThrow(UsageError);
  });
});
