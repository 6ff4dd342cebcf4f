import { expect, it } from "vitest";
import { UsageError } from "./errors.ts";
import { checkOptions, type OptionNames, pickOptions } from "./options.ts";

interface Some {
  readonly size?: number;
  readonly seed?: number;
}

const names: OptionNames<Some> = { size: true, seed: true };

it("gives back options whose names are known", () => {
  const options = { size: 1 };
  expect(checkOptions(options, names)).toBe(options);
});

it.each(["sise", "toString", "__proto__"])("refuses %s and lists the names that there are", (name) => {
  const options = Object.defineProperty({}, name, { value: 1, enumerable: true }) as Some;
  expect(() => checkOptions(options, names)).toThrow(UsageError);
  expect(() => checkOptions(options, names)).toThrow(/expected one of size, seed; got ".*"/);
});

it.each([undefined, null, 3, "size", []])("refuses %j in the place of options", (wrong) => {
  expect(() => checkOptions(wrong as Some, names)).toThrow(/have to be an object/);
});

it("picks what another function takes", () => {
  expect(pickOptions({ size: 1, other: 2 } as Some, names)).toEqual({ size: 1 });
});
