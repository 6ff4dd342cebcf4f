import { expect, it } from "vitest";
import { member, memberFacts } from "./member.ts";
import { choice, number, numbers } from "./values.ts";

interface Options {
  readonly rate?: number;
  readonly kind?: "one" | "two";
  readonly apply?: () => void;
  readonly classes: number;
}

const made = member((options: Options) => options, {
  rate: number(),
  kind: choice(["one", "two"]),
  apply: "code",
  classes: "given",
});

it("a configuration may state what a schema says, and all may be left out", () => {
  const { settings, given } = memberFacts(made);
  expect(given).toEqual(["classes"]);
  expect(Object.keys(settings.shape)).toEqual(["rate", "kind"]);
  expect(settings.parse({})).toEqual({});
  expect(settings.parse({ rate: 2, kind: "two" })).toEqual({ rate: 2, kind: "two" });
  for (const wrong of [{ classes: 3 }, { apply: 1 }, { kind: "three" }, { rate: "fast" }]) {
    expect(settings.safeParse(wrong).success).toBe(false);
  }
});

it("no option is left without a statement, and none is stated that there is not", () => {
  const make = (options: { readonly rate?: number; readonly list?: readonly number[] } = {}) => options;
  // @ts-expect-error list is not stated
  member(make, { rate: number() });
  // @ts-expect-error list holds numbers
  member(make, { rate: number(), list: number() });
  // @ts-expect-error there is no such option
  member(make, { rate: number(), list: numbers(), other: number() });
  expect(memberFacts(member(make, { rate: number(), list: numbers() })).given).toEqual([]);
  expect(() => memberFacts(() => 1)).toThrow(/states its options/);
});
