import { describe, expect, it } from "vitest";
import { DataError } from "../errors.ts";
import { checkLabels, type LabelDomain } from "./labels.ts";

const classes: LabelDomain = { kind: "classes", count: 3 };

function refused(labels: readonly number[], domain: LabelDomain): string {
  try {
    checkLabels(labels, domain, (i) => `data.npz#${i}`);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message;
  }
  return "taken";
}

describe("labels", () => {
  it("of classes are positions of classes", () => {
    expect(refused([0, 1, 2], classes)).toBe("taken");
    for (const label of [-1, 0.5, Number.NaN, -100, 3, 2 ** 31, 2 ** 60, Number.POSITIVE_INFINITY]) {
      expect(refused([0, label], classes)).toMatch(/expected a whole number from 0 to 2; got .*at sample data\.npz#1/);
    }
  });

  it("are numbers, whatever a caller without types hands over", () => {
    for (const label of [undefined, null, "2", 1n, true]) {
      const labels = [label] as unknown as number[];
      for (const domain of [classes, { kind: "shares" }, { kind: "numbers" }, { kind: "integers" }] as const) {
        expect(refused(labels, domain)).toMatch(/a label is .*A label is a number/);
      }
    }
  });

  it("count for nothing only where the loss says so", () => {
    expect(refused([0, -100], { ...classes, ignored: -100 })).toBe("taken");
    expect(refused([0, -1], { ...classes, ignored: -100 })).toMatch(/or -100 to be ignored/);
    expect(refused([0, -100], classes)).toMatch(/ignoreIndex/);
  });

  it("tell how to mend what people mostly mean", () => {
    expect(refused([1, -1], classes)).toMatch(/as 0 and 1/);
    expect(refused([1, 3], classes)).toMatch(/not from 1/);
    expect(refused([0.5], classes)).toMatch(/meanSquaredError/);
  });

  it("of other losses are shares, finite or whole numbers", () => {
    expect(refused([-1, 1], { kind: "shares" })).toMatch(/from 0 to 1; got -1.*as 0 and 1/);
    expect(refused([-1e9, 0.5], { kind: "numbers" })).toBe("taken");
    expect(refused([0, Number.NaN], { kind: "numbers" })).toMatch(/a finite number; got NaN/);
    expect(refused([0.5], { kind: "integers" })).toMatch(/a whole number; got 0.5/);
  });
});
