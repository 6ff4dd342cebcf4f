import { describe, expect, it } from "vitest";
import { scalar, strings, tensor } from "../ir/index.ts";
import { distance } from "./distance.ts";

describe("distance", () => {
  it("accumulates over batches: ‖a − b‖ / ‖a‖ and the cosine", () => {
    const found = distance("y");
    found.add(tensor("float32", [2], [3, 0]), tensor("float32", [2], [3, 1]));
    found.add(tensor("float32", [1], [4]), tensor("float32", [1], [4]));
    const { maxAbs, relative, cosine } = found.result();
    expect(maxAbs).toBe(1);
    expect(relative).toBeCloseTo(1 / 5, 12);
    expect(cosine).toBeCloseTo(25 / (5 * Math.sqrt(26)), 12);
  });

  it("counts equal infinities and NaN as equal, others as infinitely far", () => {
    const same = distance("y");
    const odd = tensor("float32", [3], [Number.NaN, Number.POSITIVE_INFINITY, 1]);
    same.add(odd, odd);
    expect(same.result()).toMatchObject({ maxAbs: 0, relative: 0, cosine: 1 });
    const other = distance("y");
    other.add(tensor("float32", [2], [1, 1]), tensor("float32", [2], [1, Number.NaN]));
    expect(other.result()).toMatchObject({
      maxAbs: Number.POSITIVE_INFINITY,
      relative: Number.POSITIVE_INFINITY,
      cosine: 0,
    });
  });

  it("compares 64-bit integers and strings", () => {
    const ints = distance("y");
    ints.add(tensor("int64", [1], [4]), tensor("int64", [1], [6]));
    expect(ints.result().maxAbs).toBe(2);
    const texts = distance("t");
    texts.add(strings([2], ["a", "b"]), strings([2], ["a", "c"]));
    expect(texts.result().relative).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it("tells where only one of the two is finite, and compares nothing with what is NaN in A", () => {
    const found = distance("y");
    const nan = Number.NaN;
    found.add(tensor("float32", [4], [nan, nan, 3, 4]), tensor("float32", [4], [nan, 7, 3, Number.NEGATIVE_INFINITY]));
    found.add(
      tensor("float32", [2], [Number.POSITIVE_INFINITY, 0]),
      tensor("float32", [2], [Number.POSITIVE_INFINITY, 0]),
    );
    expect(found.result()).toMatchObject({ elements: 6, notFinite: { a: 3, onlyA: 1, onlyB: 1 }, relative: Infinity });
    const cured = distance("y");
    cured.add(tensor("float32", [2], [nan, 2]), tensor("float32", [2], [7, 2]));
    expect(cured.result()).toMatchObject({ relative: 0, cosine: 1, notFinite: { a: 1, onlyA: 1, onlyB: 0 } });
    const finite = distance("y");
    finite.add(tensor("float32", [1], [Number.NEGATIVE_INFINITY]), tensor("float32", [1], [-5]));
    expect(finite.result().relative).toBe(Number.POSITIVE_INFINITY);
  });

  it("knows 64-bit integers apart that are one double", () => {
    const found = distance("y");
    const far = 2n ** 62n;
    found.add(tensor("int64", [2], BigInt64Array.of(far, 1n)), tensor("int64", [2], BigInt64Array.of(far + 1n, 1n)));
    expect(found.result().same).toBe(0.5);
    expect(found.result().relative).toBeGreaterThan(0);
  });

  it("finds relative errors of numbers whose squares float64 cannot hold", () => {
    for (const scale of [1e-200, 1e200]) {
      const found = distance("y");
      found.add(tensor("float64", [1], [scale]), tensor("float64", [1], [1.5 * scale]));
      expect(found.result().relative).toBeCloseTo(0.5, 12);
    }
  });

  it.each([
    [tensor("float32", [4, 1], [1, 2, 3, 4]), tensor("float32", [1, 4], [1, 2, 3, 4]), "dims [1, 4]"],
    [tensor("float32", [2], [1, 2]), tensor("float32", [1], [1]), "dims [1]"],
    [strings([1], ["1"]), tensor("float32", [1], [1]), "float32"],
  ])("takes other dims and kinds for a difference", (a, b, words) => {
    const found = distance("y");
    found.add(a, a);
    found.add(a, b);
    expect(found.result()).toMatchObject({
      relative: Infinity,
      cosine: 0,
      same: 0,
      mismatch: expect.stringContaining(words),
    });
  });

  it("compares values of another type, and says the type", () => {
    const found = distance("y");
    found.add(tensor("float32", [1], [2]), tensor("float64", [1], [1]));
    expect(found.result()).toMatchObject({ relative: 0.5, mismatch: "float64 in the place of float32" });
  });

  it("has nothing against empty outputs and scalars", () => {
    const found = distance("y");
    found.add(tensor("float32", [0, 3], []), tensor("float32", [0, 3], []));
    expect(found.result()).toMatchObject({ elements: 0, relative: 0, same: 1 });
    found.add(scalar("float32", 2), scalar("float32", 1));
    expect(found.result().relative).toBe(0.5);
  });
});
