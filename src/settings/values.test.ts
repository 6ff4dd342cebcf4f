import { expect, it } from "vitest";
import type * as z from "zod";
import {
  between,
  byteCount,
  choice,
  lengths,
  list,
  memberOf,
  names,
  numberList,
  positive,
  readWord,
  seconds,
  summariesOf,
  valuePairs,
  whole,
  wholeOr,
  writeWord,
} from "./values.ts";

/** What a word comes to, or what is said against it. */
function read(schema: z.ZodType, word: string): unknown {
  const { success, data, error } = schema.safeParse(readWord(schema, word));
  return success ? data : error.issues[0]!.message;
}

const reads = (schema: z.ZodType, ...words: readonly string[]) => words.map((word) => read(schema, word));

function refuses(schema: z.ZodType, message: RegExp, ...words: readonly string[]): void {
  for (const word of words) expect([word, read(schema, word)]).toEqual([word, expect.stringMatching(message)]);
}

it("numbers are read with their bounds, ends included", () => {
  expect([read(whole(1), "1"), read(whole(0), "0"), read(whole(2), "7")]).toEqual([1, 0, 7]);
  refuses(whole(1), /^It must be a whole number, 1 or more\.$/, "0", "-1", "1.5", "", " ", "x", "1e300");
  expect(reads(wholeOr("auto", 1), "auto", "1", "16")).toEqual(["auto", 1, 16]);
  refuses(wholeOr("auto", 1), /^It must be a whole number, 1 or more, or auto\.$/, "0", "-1", "1.5", "", "x", "Auto");
  expect(reads(between(0, 1), "0", "1", "0.25")).toEqual([0, 1, 0.25]);
  refuses(between(0, 1), /^It must be a number from 0 to 1\.$/, "-0.1", "1.1", "", "NaN");
  expect(read(positive(), "1e-9")).toBe(1e-9);
  refuses(positive(), /above 0/, "0", "-1", "");
});

it("times are seconds, sizes bytes", () => {
  expect(reads(seconds(), "90", "90s", "1.5m", "2h")).toEqual([90, 90, 90, 7200]);
  expect(reads(byteCount(), "1", "2k", "1.5M", "4g", "4GB")).toEqual([1, 2048, 1.5 * 2 ** 20, 2 ** 32, 2 ** 32]);
  refuses(seconds(), /such as 90s/, "", "-1s", "1d", "1 s");
  refuses(byteCount(), /such as 800m/, "", "0", "4t", "-1");
});

it("lists are separated by commas", () => {
  expect(read(names(), "head, block1/*")).toEqual(["head", "block1/*"]);
  refuses(names(), /head,block1/, "head,,x");
  expect(reads(list(["cpu", "wasm"]), "cpu, wasm", "wasm", "none")).toEqual([["cpu", "wasm"], ["wasm"], []]);
  refuses(list(["cpu", "wasm"]), /^"tpu" is not one of cpu, wasm, none\.$/, "cpu,tpu");
});

it("lengths stand by their names", () => {
  expect([...(read(lengths(), "batch=1, length=128") as Map<string, number>)]).toEqual([
    ["batch", 1],
    ["length", 128],
  ]);
  refuses(lengths(), /such as batch=1/, "batch", "batch=", "=1", "batch=1,x");
});

it("pairs of values and lists of numbers are separated by commas", () => {
  expect(read(valuePairs(), "a/1=b, c=d=e")).toEqual([
    { teacher: "a/1", student: "b" },
    { teacher: "c=d", student: "e" },
  ]);
  refuses(valuePairs(), /such as teacher_value=student_value/, "a", "a=", "=b", "a=b,", "");
  expect(read(numberList(), "2, 0.5,0")).toEqual([2, 0.5, 0]);
  refuses(numberList(), /such as 2,1/, "", "1,", "x", "-1");
});

it("one of some numbers is a number", () => {
  expect(reads(choice(["auto", 7, 8]), "auto", "7")).toEqual(["auto", 7]);
  refuses(choice(["auto", 7, 8]), /expected one of/, "9", "07");
});

it.each([
  [seconds(), "90s"],
  [byteCount(), "4096"],
  [list(["cpu", "wasm"]), "cpu,wasm"],
  [list(["cpu", "wasm"]), "none"],
  [names(), "head,block1/*"],
  [lengths(), "batch=1,length=128"],
  [valuePairs(), "a=b,c=d"],
  [numberList(), "2,0.5"],
  [choice(["auto", 7, 8]), "7"],
  [whole(0), "3"],
  [wholeOr("auto", 1), "auto"],
  [wholeOr("auto", 1), "8"],
] as const)("what a word says is written as that word: %#", (schema, word) => {
  expect(writeWord(schema, read(schema, word))).toBe(word);
});

it("a member is chosen by its name, and told by its sentence", () => {
  const family = { one: { summary: "the first" }, two: { summary: "the second" } };
  expect(read(memberOf(family), "two")).toBe("two");
  refuses(memberOf(family), /expected one of "one"\|"two"/, "three");
  expect(summariesOf(family)).toBe("one: the first; two: the second");
});
