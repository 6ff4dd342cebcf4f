import { describe, expect, it } from "vitest";
import { numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import type { TrainingStep } from "../step/step.ts";
import type { FedBatch } from "./batch-feeds.ts";
import { grouped, type Pace, stepFeeds } from "./step-feeds.ts";

const step = { learningRate: "rate", step: "step", maskKey: "key", apply: "apply", accumulate: 2 } as TrainingStep;
const pace: Pace = { learningRate: 0.5, schedule: (update, updates) => 1 - update / updates, updates: 4, seed: 5 };
const batch: FedBatch = {
  feeds: new Map([["x", tensorFromNumbers("float32", [1], [3])]]),
  count: 1,
  samples: 1,
  share: 1,
};

function fed(index: number, change: Partial<Pace> = {}): Record<string, number[]> {
  const feeds = stepFeeds(step, batch, index, { ...pace, ...change });
  return Object.fromEntries([...feeds].map(([name, tensor]) => [name, Array.from(numbersOf(tensor))]));
}

describe("the feeds of a step", () => {
  it("are the batch, the rate and number of its update, the key of its masks, and whether it ends the update", () => {
    expect(fed(2)).toEqual({ x: [3], rate: [0.375], step: [2], key: [5, 2], apply: [0] });
    expect(fed(3)).toEqual({ x: [3], rate: [0.375], step: [2], key: [5, 3], apply: [1] });
  });

  it("have another key for each seed, those that need more than 32 bits too", () => {
    // 5 ⊕ 1 = 4, and 0 ⊕ 3 = 3.
    expect(fed(0, { seed: 2 ** 32 + 5 }).key).toEqual([4, 0]);
    expect(fed(0, { seed: 3 * 2 ** 32 }).key).toEqual([3, 0]);
    expect(fed(0, { seed: 2 ** 32 - 1 }).key).toEqual([2 ** 32 - 1, 0]);
  });
});

describe("groups of batches", () => {
  async function groupsOf(counts: readonly number[], start: number, limit: (index: number) => number) {
    const source = (async function* () {
      for (const count of counts) yield { ...batch, count };
    })();
    const groups: number[][] = [];
    for await (const group of grouped(source, start, limit)) groups.push(group.map(({ count }) => count));
    return groups;
  }

  it("are as large as the limit says at their first batch, and the last is what is left", async () => {
    expect(await groupsOf([4, 4, 4, 4, 4], 0, () => 2)).toEqual([[4, 4], [4, 4], [4]]);
    expect(await groupsOf([4, 4], 0, () => 1)).toEqual([[4], [4]]);
    // Up to the next multiple of 3, from the batch at 1 on.
    expect(await groupsOf([4, 4, 4, 4, 4, 4], 1, (index) => 3 - (index % 3))).toEqual([[4, 4], [4, 4, 4], [4]]);
  });

  it("hold batches of one size", async () => {
    expect(await groupsOf([4, 4, 4, 3], 0, () => 8)).toEqual([[4, 4, 4], [3]]);
    // The one of 3 is at 1, so that two more fit behind it.
    expect(await groupsOf([4, 3, 3, 3, 3], 0, (index) => (index === 1 ? 3 : 2))).toEqual([[4], [3, 3, 3], [3]]);
  });
});
