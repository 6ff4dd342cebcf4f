import { describe, expect, it } from "vitest";
import {
  dequantize,
  grouping,
  groupParameters,
  limitsOf,
  parametersOf,
  type QuantizedType,
  quantizeValue,
  representable,
} from "./scheme.ts";

const u8 = { low: 0, high: 255 };

describe("limits", () => {
  it.each<[QuantizedType, boolean, boolean, number, number]>([
    ["uint8", false, false, 0, 255],
    ["int8", false, false, -128, 127],
    ["int8", true, false, -127, 127],
    ["uint8", false, true, 0, 127],
    ["int8", true, true, -64, 64],
    ["uint4", false, false, 0, 15],
    ["int4", false, false, -8, 7],
    ["int4", true, true, -4, 3],
    ["int16", true, false, -32767, 32767],
  ])("%s symmetric=%s reduced=%s is [%d, %d]", (dtype, symmetric, reducedRange, low, high) => {
    expect(limitsOf({ dtype, symmetric, reducedRange })).toEqual({ low, high });
  });
});

describe("parameters", () => {
  const range = { min: -1, max: 2 };

  it("gives the golden values of ONNX Runtime's tools", () => {
    expect(parametersOf(range, { low: -127, high: 127 }, true)).toEqual({ scale: Math.fround(2 / 127), zeroPoint: 0 });
    expect(parametersOf(range, { low: -127, high: 127 }, false)).toEqual({
      scale: Math.fround(3 / 254),
      zeroPoint: -42,
    });
    expect(parametersOf(range, u8, true)).toEqual({ scale: Math.fround(4 / 255), zeroPoint: 128 });
    expect(parametersOf(range, u8, false)).toEqual({ scale: Math.fround(3 / 255), zeroPoint: 85 });
    expect(parametersOf({ min: 0, max: 0 }, u8, false)).toEqual({ scale: 1, zeroPoint: 0 });
    expect(parametersOf({ min: 0, max: 0 }, u8, false, 1e-4)).toEqual({ scale: Math.fround(1e-4 / 255), zeroPoint: 0 });
  });

  it("widens a range to hold zero, which is then exact", () => {
    for (const given of [
      { min: 3, max: 7 },
      { min: -9, max: -2 },
      { min: -0.1, max: 5 },
    ]) {
      const parameters = parametersOf(given, u8, false);
      const zero = quantizeValue(0, parameters, u8);
      expect((zero - parameters.zeroPoint) * parameters.scale).toBe(0);
      expect(representable(parameters, u8).min).toBeLessThanOrEqual(parameters.scale / 2);
    }
  });
});

describe("groups", () => {
  it("follow channels", () => {
    const { dims, count, groupOf } = grouping([2, 3, 2], { kind: "channel", axis: 1 });
    expect([dims, count]).toEqual([[3], 3]);
    expect(Array.from({ length: 12 }, (_, i) => groupOf(i))).toEqual([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
  });

  it("follow blocks, the last one shorter", () => {
    const { dims, groupOf } = grouping([5, 2], { kind: "block", axis: 0, size: 2 });
    expect(dims).toEqual([3, 2]);
    expect(Array.from({ length: 10 }, (_, i) => groupOf(i))).toEqual([0, 1, 0, 1, 2, 3, 2, 3, 4, 5]);
  });

  it("name an axis that does not exist", () => {
    expect(() => grouping([2], { kind: "channel", axis: 3 })).toThrow(/axis below 1.*got 3/);
  });
});

it("keeps every weight within half a scale of itself", () => {
  const values = Float64Array.from({ length: 60 }, (_, i) => Math.sin(i * 7.3) * (1 + (i % 5)));
  const scheme = { dtype: "int8", symmetric: true, granularity: { kind: "channel", axis: 0 } } as const;
  const dims = [5, 12];
  const parameters = groupParameters(values, dims, scheme);
  const { groupOf } = grouping(dims, scheme.granularity);
  const limits = limitsOf(scheme);
  const integers = Int32Array.from(values, (value, i) => quantizeValue(value, parameters[groupOf(i)]!, limits));
  const back = dequantize({ dims, scheme, values: integers, parameters });
  values.forEach((value, i) => {
    expect(Math.abs(value - back[i]!)).toBeLessThanOrEqual(parameters[groupOf(i)]!.scale * 0.5001);
  });
});
