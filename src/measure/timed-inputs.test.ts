import { describe, expect, it } from "vitest";
import { denseModel, loopModel } from "../../test/models.ts";
import { DataError } from "../errors.ts";
import { tensor } from "../ir/index.ts";
import { dependsOnData } from "./data-dependent.ts";
import { timedInputs } from "./timed-inputs.ts";

async function* batches(...rows: readonly number[]) {
  for (const count of rows)
    yield { feeds: new Map([["x", tensor("float32", [count, 2], new Float32Array(2 * count))]]) };
}

describe("timedInputs", () => {
  it("takes the first batch, or all of its shapes where the work depends on the data", async () => {
    expect(await timedInputs(batches(4, 4, 1), false)).toHaveLength(1);
    const several = await timedInputs(batches(4, 4, 3, 4), true);
    expect(several.map(({ feeds }) => feeds.get("x")!.dims)).toEqual([
      [4, 2],
      [4, 2],
      [4, 2],
    ]);
    expect(await timedInputs(batches(...Array<number>(500).fill(1)), true)).toHaveLength(128);
    expect(await timedInputs(batches(...Array<number>(9).fill(2 ** 21)), true)).toHaveLength(4);
    expect(await timedInputs(batches(2 ** 24, 2 ** 24), true)).toHaveLength(1);
  });

  it("takes no input that was made up, and refuses data without a batch", async () => {
    async function* probes() {
      for await (const batch of batches(1, 1)) yield { ...batch, isProbe: true };
    }
    await expect(timedInputs(probes(), true)).rejects.toThrow(DataError);
  });
});

it("knows models whose work depends on the data", () => {
  expect(dependsOnData(denseModel())).toBe(false);
  expect(dependsOnData(loopModel())).toBe(true);
});
