import { expect, it } from "vitest";
import { localTransports, openCommunicator } from "../index.ts";
import { gatheredStates, stateOfRank } from "./rank-states.ts";

const before = (rank: number) => new Map([["weight", Float32Array.of(rank + 1, 10 * rank)]]);

async function gathered(size: number) {
  const ranks = localTransports(size).map(openCommunicator);
  const all = await Promise.all(ranks.map((rank) => gatheredStates(rank, before(rank.rank))));
  return all[0] ?? {};
}

const mean = (states: readonly (Float32Array | undefined)[], i: number) =>
  states.reduce((sum, values) => sum + (values?.[i] ?? Number.NaN), 0) / states.length;

it.each([
  [4, 4],
  [4, 2],
  [2, 4],
  [3, 2],
  [1, 3],
])("the mean of what %i ranks keep is that of the %i that go on", async (size, next) => {
  const saved = await gathered(size);
  const states = Array.from({ length: next }, (_, rank) => stateOfRank(saved, { rank, size: next }).get("weight"));
  const own = Array.from({ length: size }, (_, rank) => before(rank).get("weight"));
  expect(mean(states, 0)).toBeCloseTo(mean(own, 0), 5);
  expect(mean(states, 1)).toBeCloseTo(mean(own, 1), 5);
});

it("as many ranks go on with their own", async () => {
  const saved = await gathered(3);
  for (let rank = 0; rank < 3; rank++) expect(stateOfRank(saved, { rank, size: 3 })).toEqual(before(rank));
});

it("two of four ranks take the means of two each", async () => {
  const saved = await gathered(4);
  expect(stateOfRank(saved, { rank: 1, size: 2 }).get("weight")).toEqual(Float32Array.of(3, 20));
});
