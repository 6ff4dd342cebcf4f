import { expect, it } from "vitest";
import { numbersOf, tensor } from "../../ir/index.ts";
import type { raceLatency, Standing } from "../../measure/index.ts";
import { measureLink } from "./link.ts";

/** What a sum takes between two ranks when the four runs take these milliseconds: the small pair and its single rank, the large ones. */
function linkOf(...times: readonly number[]) {
  const race: typeof raceLatency = async () => times.map((p50) => ({ p50 }) as Standing);
  return measureLink({ race });
}

it("a link is the line through what a small and a large sum take beyond one rank", async () => {
  const { latency, bandwidth } = await linkOf(3, 1, 12, 2);
  expect(latency).toBe(2);
  expect(bandwidth).toBe(((2 ** 18 - 2 ** 8) * 4) / (10 - 2));
});

it("a link takes no less than nothing, and a large sum no less than a small one", async () => {
  expect((await linkOf(1, 3, 12, 2)).latency).toBe(0);
  const { latency, bandwidth } = await linkOf(9, 1, 5, 4);
  expect(latency).toBe(8);
  expect(bandwidth).toBeGreaterThan(1e300);
});

it("a link is measured where ranks add up what they have, beside one that has nothing to add", async () => {
  const answers: number[][] = [];
  const feeds = new Map([["x", tensor("float32", [3], [1, 2, 3])]]);
  const race: typeof raceLatency = async (contenders) => {
    for (const { session } of contenders) answers.push([...numbersOf((await session.run(feeds)).get("sum")!)]);
    expect(
      contenders.map((contender) => [...(contender.feeds as typeof feeds).values()].map(({ dims }) => dims)),
    ).toEqual([2 ** 8, 2 ** 8, 2 ** 18, 2 ** 18].map((length) => [[length]]));
    return contenders.map(() => ({ p50: 1 }) as Standing);
  };
  await measureLink({ race });
  const [pair, single] = [
    [-2, -4, -6],
    [-1, -2, -3],
  ];
  expect(answers).toEqual([pair, single, pair, single]);
});
