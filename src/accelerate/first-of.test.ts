import { expect, it } from "vitest";
import { firstOf } from "./first-of.ts";

it("the beginning of a sequence is read as it goes, and no item behind it is asked for", async () => {
  const asked: number[] = [];
  async function* numbers(until: number) {
    for (let i = 1; i <= until; i++) {
      asked.push(i);
      yield i;
    }
  }
  const read = async (until: number, count: number) => {
    asked.length = 0;
    const found: number[] = [];
    for await (const item of firstOf(numbers(until), count)) found.push(item);
    return found;
  };
  expect(await read(9, 3)).toEqual([1, 2, 3]);
  expect(asked).toEqual([1, 2, 3]);
  expect(await read(2, 3)).toEqual([1, 2]);
  expect(await read(9, 1)).toEqual([1]);
});
