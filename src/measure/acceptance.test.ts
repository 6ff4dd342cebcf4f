import { describe, expect, it } from "vitest";
import { graphBuilder, type Model, model, type Tensor, tensor, tensorFromNumbers } from "../ir/index.ts";
import { lossyFaults, roundingFaults } from "./acceptance.ts";
import { distance } from "./distance.ts";

function agreementOf(a: Tensor, b: Tensor) {
  const found = distance("y");
  found.add(a, b);
  return { perOutput: [found.result()], missing: [] };
}

const plain: Model = model(graphBuilder().build());
const f32 = (...values: number[]) => tensor("float32", [values.length], Float32Array.from(values));
const many = (last: number) => f32(...new Array<number>(9999).fill(1), last);

describe("what a form may differ by", () => {
  it.each([
    ["something else that gives the same classes", f32(0, 0, 1), f32(0.1, 0.1, 0.2), /relative error/],
    ["a NaN", f32(1, 2), f32(1, Number.NaN), /not finite in 1 of 2/],
    ["an infinity", f32(1, 2), f32(1, Number.POSITIVE_INFINITY), /not finite/],
    ["other dims", f32(1, 2), tensor("float32", [2, 1], [1, 2]), /dims/],
  ])("is not %s", (_, a, b, words) => {
    expect(lossyFaults(agreementOf(a, b), { relative: 0.5 })).toEqual([expect.stringMatching(words)]);
  });

  it("is a little, or what was allowed", () => {
    expect(lossyFaults(agreementOf(f32(1, 2), f32(1.1, 2.1)), { relative: 0.5 })).toEqual([]);
    expect(lossyFaults(agreementOf(f32(1, 2), f32(-1, -2)), { relative: 2 })).toEqual([]);
    const nan = agreementOf(f32(1, 2), f32(1, Number.NaN));
    expect(lossyFaults(nan, { relative: 0.5, notFinite: true })).toEqual([]);
  });

  it("is not judged where the original is NaN", () => {
    expect(lossyFaults(agreementOf(f32(Number.NaN, 2), f32(7, 2)), { relative: 0.5 })).toEqual([]);
  });
});

describe("what rounding may change", () => {
  it.each([
    ["more than rounding", f32(1, 2), f32(1, 2.001), /relative error/],
    ["one element among many", many(1), many(1.005), /an element that is off/],
    ["an integer", tensor("int32", [2], [1, 2]), tensor("int32", [2], [1, 3]), /1 of 2 elements/],
    ["a NaN into a number", f32(Number.NaN), f32(1), /NaN in the original/],
  ])("is not %s", (_, a, b, words) => {
    expect(roundingFaults(agreementOf(a, b), plain)).toEqual([expect.stringMatching(words)]);
  });

  it("is the last digits, of each type its own", () => {
    expect(roundingFaults(agreementOf(f32(1, 2), f32(1, 2.00001)), plain)).toEqual([]);
    const half = (values: number[]) => tensorFromNumbers("float16", [2], values);
    expect(roundingFaults(agreementOf(half([1, 2]), half([1, 2.004])), plain)).toEqual([]);
    expect(roundingFaults(agreementOf(half([1, 2]), half([1, 2.1])), plain)).toHaveLength(1);
  });
});
