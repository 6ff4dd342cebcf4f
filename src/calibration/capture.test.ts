import { expect, it } from "vitest";
import { chunksOf } from "./capture.ts";

const chunks = (sizes: Readonly<Record<string, number>>, items: string, memory: number) =>
  [...chunksOf([...items], new Map(Object.entries(sizes)), memory)].map((chunk) => chunk.join(""));

it("values are read in runs that fill the memory and no more", () => {
  const sizes = { a: 40, b: 60, c: 1, d: 100, e: 50, f: 51 };
  // 40 + 60 is all there is; 50 and 51 are too much together.
  expect(chunks(sizes, "abcdef", 100)).toEqual(["ab", "c", "d", "e", "f"]);
});

it("a value that is larger than the memory is read alone", () => {
  expect(chunks({ a: 500, b: 1, c: 1, d: 500 }, "abcd", 100)).toEqual(["a", "bc", "d"]);
});

it("values of unknown size are read eight at a time", () => {
  expect(chunks({}, "abcdefghij", 100)).toEqual(["abcdefgh", "ij"]);
  expect(chunks({}, "", 100)).toEqual([]);
});
