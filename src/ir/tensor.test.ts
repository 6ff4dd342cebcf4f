import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidModelError, ShapeError, UnsupportedError } from "../errors.ts";
import { floatFormats } from "./float-formats.ts";
import {
  bytesOfTensor,
  floatsOf,
  int64s,
  numbersOf,
  roundHalfEven,
  strings,
  stringsOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  typedArray,
} from "./tensor.ts";
import { byteLength, type DataType, dataTypes } from "./types.ts";

/** Patterns as IEEE 754, the bfloat16 definition, and the OCP 8-bit and microscaling specifications give them. */
const patterns: readonly (readonly [DataType, number, number])[] = [
  ["float16", 0x3c00, 1],
  ["float16", 0x7bff, 65504],
  ["float16", 0x0001, 2 ** -24],
  ["float16", 0xfc00, Number.NEGATIVE_INFINITY],
  ["float16", 0x8000, -0],
  ["bfloat16", 0x3f80, 1],
  ["bfloat16", 0x4049, 3.140625],
  ["bfloat16", 0x7f80, Number.POSITIVE_INFINITY],
  ["bfloat16", 0x0001, 2 ** -133],
  ["float8e4m3fn", 0x7e, 448],
  ["float8e4m3fn", 0x01, 2 ** -9],
  ["float8e4m3fn", 0xb8, -1],
  ["float8e4m3fnuz", 0x7f, 240],
  ["float8e4m3fnuz", 0x40, 1],
  ["float8e5m2", 0x7b, 57344],
  ["float8e5m2", 0x01, 2 ** -16],
  ["float8e5m2fnuz", 0x7f, 57344],
  ["float8e5m2fnuz", 0x40, 1],
  ["float4e2m1", 0x7, 6],
  ["float4e2m1", 0x9, -0.5],
  ["float8e8m0", 127, 1],
  ["float8e8m0", 0, 2 ** -127],
  ["float8e8m0", 254, 2 ** 127],
];

describe("float formats", () => {
  it.each(patterns)("%s 0x%x is %d, both ways", (dtype, bits, value) => {
    expect(floatFormats[dtype]?.decode(bits)).toBe(value);
    expect(floatFormats[dtype]?.encode(value)).toBe(bits);
  });

  it.each([
    ["float8e4m3fn", 0x7f],
    ["float8e4m3fn", 0xff],
    ["float8e4m3fnuz", 0x80],
    ["float8e5m2", 0x7d],
    ["float8e5m2fnuz", 0x80],
    ["float16", 0x7e00],
    ["bfloat16", 0x7fc0],
    ["float8e8m0", 0xff],
  ] as const)("%s 0x%x is not a number", (dtype, bits) => {
    expect(floatFormats[dtype]?.decode(bits)).toBeNaN();
  });

  it.each([
    ["float16", 1 + 2 ** -11, 1],
    ["float16", 1 + 3 * 2 ** -11, 1 + 2 ** -9],
    ["float16", 65519, 65504],
    ["float16", 65520, Number.POSITIVE_INFINITY],
    ["float16", 2 ** -25, 0],
    ["bfloat16", 1 + 2 ** -8, 1],
    ["float8e4m3fn", 10_000, 448],
    ["float8e5m2", 1e9, 57344],
    ["float4e2m1", 5, 4],
    ["float4e2m1", 100, 6],
    ["float8e8m0", 23, 16],
    ["float8e8m0", 25, 32],
  ] as const)("%s rounds %d to %d", (dtype, value, rounded) => {
    expect(numbersOf(tensorFromNumbers(dtype, [], [value]))[0]).toBe(rounded);
  });

  it.each(Object.keys(floatFormats) as DataType[])("%s reads back every pattern it has", (dtype) => {
    const format = floatFormats[dtype]!;
    for (let bits = 0; bits < 2 ** dataTypes[dtype].bits; bits++) {
      const value = format.decode(bits);
      if (!Number.isNaN(value) && Number.isFinite(value)) expect(format.encode(value)).toBe(bits);
    }
  });
});

describe("tensors", () => {
  const numeric = (Object.keys(dataTypes) as DataType[]).filter((dtype) =>
    ["float", "int", "uint", "bool"].includes(dataTypes[dtype].kind),
  );
  it.each(numeric)("hold small whole numbers as %s", (dtype) => {
    const t = tensorFromNumbers(dtype, [3], [1, 1, 1]);
    expect((t.data as Uint8Array).length).toBe(byteLength(dtype, 3));
    expect([...numbersOf(t)]).toEqual([1, 1, 1]);
  });

  it("pack elements below eight bits from the low end", () => {
    expect(tensorFromNumbers("int4", [3], [1, -2, 7]).data).toEqual(Uint8Array.of(0xe1, 0x07));
    expect(tensorFromNumbers("uint2", [5], [3, 0, 1, 2, 3]).data).toEqual(Uint8Array.of(0b10_01_00_11, 0b11));
    expect([...numbersOf(tensorFromNumbers("int2", [4], [-2, -1, 0, 1]))]).toEqual([-2, -1, 0, 1]);
  });

  it("saturate and round to even", () => {
    expect([...numbersOf(tensorFromNumbers("int8", [4], [300, -300, 2.5, -1.5]))]).toEqual([127, -128, 2, -2]);
    expect([...numbersOf(tensorFromNumbers("uint8", [3], [-1, 255.6, 3.5]))]).toEqual([0, 255, 4]);
  });

  it("round half to even as Math.rint does", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), (n) => {
        expect(Math.abs(roundHalfEven(n + 0.5)) % 2).toBe(0);
        expect(roundHalfEven(n + 0.49)).toBe(n);
      }),
    );
  });

  it("keep 64-bit integers", () => {
    expect(typedArray(int64s([-1, 2 ** 40]))).toEqual(BigInt64Array.of(-1n, 2n ** 40n));
    expect([...numbersOf(int64s([-1, 2 ** 40]))]).toEqual([-1, 2 ** 40]);
  });

  it("share memory where alignment allows and copy where not", () => {
    const buffer = new ArrayBuffer(12);
    const aligned: Tensor = { dtype: "float32", dims: [2], data: new Uint8Array(buffer, 4, 8) };
    const unaligned: Tensor = { dtype: "float32", dims: [2], data: new Uint8Array(buffer, 2, 8) };
    expect(floatsOf(aligned).buffer).toBe(buffer);
    expect(floatsOf(unaligned).buffer).not.toBe(buffer);
  });

  it("keep strings", () => {
    expect(stringsOf(strings([2], ["a", "ä"]))).toEqual(["a", "ä"]);
    expect(() => bytesOfTensor(strings([1], ["a"]))).toThrow(UnsupportedError);
    expect(() => numbersOf(strings([1], ["a"]))).toThrow(UnsupportedError);
  });

  it("must fill their dims and be at hand", () => {
    expect(() => tensor("float32", [2], new Float32Array(3))).toThrow(ShapeError);
    const outside: Tensor = { dtype: "float32", dims: [2], data: { location: "w", offset: 0 } };
    expect(() => bytesOfTensor(outside)).toThrow(InvalidModelError);
  });
});
