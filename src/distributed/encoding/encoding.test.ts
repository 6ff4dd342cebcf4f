import fc from "fast-check";
import { expect, it } from "vitest";
import "../../../test/seed.ts";
import { FormatError } from "../../errors.ts";
import { packCodes, packedBytes, unpackCodes } from "./bits.ts";
import { bundle, unbundle } from "./bundle.ts";
import { decodeSparse, encodeSparse } from "./sparse.ts";

const ascending = fc.uniqueArray(fc.integer({ min: 0, max: 400_000 }), { maxLength: 8 });

it("values of many come back, 48 bits each, 16 more for every 65,535 places passed over", () => {
  fc.assert(
    fc.property(ascending, (drawn) => {
      const indices = Uint32Array.from(drawn).sort();
      const values = new Float32Array(400_001);
      for (const index of indices) values[index] = index / 7 - 20_000.5;
      const bytes = encodeSparse(values, indices);
      const gaps = [...indices].map((index, i) => index - (i > 0 ? indices[i - 1]! + 1 : 0));
      const escapes = gaps.reduce((sum, gap) => sum + Math.floor(gap / 65_535), 0);
      expect(bytes.length).toBe(6 * indices.length + 2 * escapes);
      expect(
        Buffer.compare(new Uint8Array(decodeSparse(bytes, values.length).buffer), new Uint8Array(values.buffer)),
      ).toBe(0);
    }),
    { numRuns: 25 },
  );
});

it.each([65_534, 65_535, 65_536, 131_069, 131_070, 131_071, 200_000])("a gap of %i comes back", (gap) => {
  const values = new Float32Array(gap + 1);
  values[gap] = 3;
  expect(decodeSparse(encodeSparse(values, Uint32Array.of(gap)), gap + 1)[gap]).toBe(3);
});

it("bytes of anybody are values within the tensor, or an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(100_000), (bytes, length) => {
      try {
        const values = decodeSparse(bytes, length);
        expect(values.length).toBe(length);
        expect(values.every(Number.isFinite)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 2000 },
  );
});

it("sparse messages that end early, point outside or hold no number are refused", () => {
  const bytes = encodeSparse(Float32Array.of(0, 1, 0, 2), Uint32Array.of(1, 3));
  for (let end = 0; end < bytes.length; end++) {
    if (end % 6 !== 0) expect(() => decodeSparse(bytes.subarray(0, end), 4)).toThrow("ends early");
  }
  expect(() => decodeSparse(bytes, 3)).toThrow("has a position outside of its tensor; expected less than 3; got 3");
  expect(() => decodeSparse(Uint8Array.of(0xff, 0xff), 70_000)).toThrow("ends early");
  expect(() => decodeSparse(Uint8Array.of(0, 0, 0, 0, 0xc0, 0x7f), 4)).toThrow("not finite");
});

it.each([1, 2, 3, 5, 8, 11, 16])("codes of %i bits come back", (bits) => {
  const codes = Array.from({ length: 37 }, (_, i) => (i * 40_503) % 2 ** bits);
  const bytes = new Uint8Array(4 + packedBytes(codes.length, bits));
  const packing = { offset: 4, count: codes.length, bits };
  packCodes(bytes, packing, (i) => codes[i]!);
  const read: number[] = [];
  unpackCodes(bytes, packing, (code) => read.push(code));
  expect(read).toEqual(codes);
  expect(packedBytes(codes.length, bits)).toBe(Math.ceil((37 * bits) / 8));
});

it("messages in one come apart, and lengths that do not make it up are refused", () => {
  const messages = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)];
  const bytes = bundle(messages);
  expect(bytes.length).toBe(3 * 4 + 3);
  expect(unbundle(bytes, 3)).toEqual(messages);
  expect(() => unbundle(bytes.slice(0, -1), 3)).toThrow("lengths that do not make it up");
  expect(() => unbundle(bytes.slice(0, 11), 3)).toThrow("ends early");
  bytes[3] = 0xff;
  expect(() => unbundle(bytes, 3)).toThrow(FormatError);
});
