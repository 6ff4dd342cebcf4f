import { describe, expect, it } from "vitest";
import { bytesOfTensor, floatsOf } from "../../ir/index.ts";
import { blockLimits, blockParameters, checkLayout, packForMatMulNBits } from "./weight-blocks.ts";

describe("blocks", () => {
  it("spread an asymmetric range with zero in it", () => {
    expect(blockParameters([-1, 2], { bits: 4, size: 16, symmetric: false })).toEqual({
      scale: Math.fround(3 / 15),
      zeroPoint: 5,
    });
    expect(blockParameters([3, 6], { bits: 4, size: 16, symmetric: false })).toEqual({
      scale: Math.fround(6 / 15),
      zeroPoint: 0,
    });
  });

  it("send the value of greatest magnitude to zero when symmetric, with a scale of the other sign", () => {
    const layout = { bits: 4, size: 16, symmetric: true } as const;
    expect(blockParameters([-1, 4], layout)).toEqual({ scale: -0.5, zeroPoint: 8 });
    expect(blockParameters([-4, 1], layout)).toEqual({ scale: 0.5, zeroPoint: 8 });
  });

  it("of zeros have a scale of 1, and zeros are what they stand for", () => {
    for (const values of [[0, 0], []]) {
      expect(blockParameters(values, { bits: 4, size: 16, symmetric: false })).toEqual({ scale: 1, zeroPoint: 0 });
      expect(blockParameters(values, { bits: 4, size: 16, symmetric: true })).toEqual({ scale: 1, zeroPoint: 8 });
    }
  });

  it("of 3 bits have the eight levels in the middle of a 4-bit integer, whose middle is zero when symmetric", () => {
    expect(blockParameters([-1, 2.5], { bits: 3, size: 16, symmetric: false })).toEqual({ scale: 0.5, zeroPoint: 6 });
    expect(blockParameters([-1, 4], { bits: 3, size: 16, symmetric: true })).toEqual({ scale: -1, zeroPoint: 8 });
    expect(blockParameters([0, 0], { bits: 3, size: 16, symmetric: false })).toEqual({ scale: 1, zeroPoint: 4 });
    expect([2, 3, 4, 8].map((bits) => blockLimits({ bits: bits as 4 }))).toEqual([
      { low: 0, high: 3 },
      { low: 4, high: 11 },
      { low: 0, high: 15 },
      { low: 0, high: 255 },
    ]);
  });

  it("look at their own part of the values alone", () => {
    const layout = { bits: 4, size: 16, symmetric: false } as const;
    expect(blockParameters([-100, -1, 2, 100], layout, 1, 3)).toEqual({ scale: Math.fround(3 / 15), zeroPoint: 5 });
  });

  it("refuse layouts without a kernel", () => {
    expect(() => checkLayout({ bits: 5 as 4, size: 32, symmetric: true })).toThrow(/8, 4, 3 or 2.*got 5/);
    expect(() => checkLayout({ bits: 4, size: 24, symmetric: true })).toThrow(/16, 32, 64, 128 or 256.*got 24/);
  });
});

describe("packing for MatMulNBits", () => {
  const integers = Uint8Array.from({ length: 2 * 20 }, (_, i) => i % 16);
  const zeros = Uint8Array.of(3, 4, 5, 6);
  const steps = Float32Array.of(0.3, 0.4, 0.5, 0.6);
  const layout = { bits: 4, size: 16, symmetric: false } as const;
  const blocks = { integers, scales: steps, zeroPoints: zeros };
  const { b, scales, zeroPoints } = packForMatMulNBits({ rows: 2, columns: 20, layout, ...blocks });

  it("puts the first integer of a byte into its low half, each row and block on its own bytes", () => {
    expect(b.dims).toEqual([2, 2, 8]);
    const bytes = bytesOfTensor(b);
    expect([...bytes.subarray(0, 8)]).toEqual([0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]);
    // Columns 16…19 of the first row, then the second block's zero point, 4.
    expect([...bytes.subarray(8, 16)]).toEqual([0x10, 0x32, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44]);
    expect([...bytes.subarray(16, 18)]).toEqual([0x54, 0x76]);
  });

  it("has a scale for every block and packs the zero points of a row", () => {
    expect([...floatsOf(scales)]).toEqual([0.3, 0.4, 0.5, 0.6].map(Math.fround));
    expect([...bytesOfTensor(zeroPoints)]).toEqual([0x43, 0x65]);
  });

  it("packs two bits and eight bits alike", () => {
    const ones = Uint8Array.from({ length: 16 }, (_, i) => i % 4);
    const one = { scales: Float32Array.of(1), zeroPoints: Uint8Array.of(2) };
    const two = packForMatMulNBits({
      rows: 1,
      columns: 16,
      layout: { ...layout, bits: 2 },
      integers: ones,
      ...one,
    });
    expect([...bytesOfTensor(two.b)]).toEqual([0xe4, 0xe4, 0xe4, 0xe4]);
    const eight = packForMatMulNBits({
      rows: 1,
      columns: 16,
      layout: { ...layout, bits: 8 },
      integers: ones,
      ...one,
    });
    expect([...bytesOfTensor(eight.b)]).toEqual([...ones]);
  });
});
