import { describe, expect, it } from "vitest";
import { branchNetworks, distance, feedsOf } from "../../../test/branch-networks.ts";
import { denseFeeds, denseModel } from "../../../test/models.ts";
import { CancelledError, UsageError } from "../../errors.ts";
import { choosePlacement, openPlaced, type Placement } from "./choose-placement.ts";

const model = branchNetworks["two stages"]({ branches: 4 });
const feeds = feedsOf(model, 1);
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

  it("of a model without branches are serial", async () => {
    const { choice, rows } = await choosePlacement(denseModel(), denseFeeds());
    expect([choice, rows]).toEqual([{ kind: "serial" }, [{ placement: { kind: "serial" } }]]);
  });

  it("can be cancelled, and take whole numbers of workers", async () => {
    await expect(choosePlacement(model, feeds, { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
    await expect(choosePlacement(model, feeds, { workers: 0 })).rejects.toThrow(UsageError);
  });
});
