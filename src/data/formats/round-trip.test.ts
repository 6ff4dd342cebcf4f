import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LitheError } from "../../errors.ts";
import { byteLength, type DataType, numbersOf, sizeOf, type Tensor } from "../../ir/index.ts";
import { memorySource } from "../bytes.ts";
import { collect } from "../collect.ts";
import { csvDataset } from "./csv.ts";
import { quoteCsvCell, splitCsvLine } from "./csv-line.ts";
import { idxArray } from "./idx.ts";
import { jsonlDataset } from "./jsonl.ts";
import { encodeNpy, readNpy } from "./npy.ts";
import { encodeSafetensors, readSafetensors } from "./safetensors.ts";
import { parseStrictJson } from "./strict-json.ts";
import { zipEntries } from "./zip.ts";

const npyTypes = ["float32", "float16", "float64", "int8", "uint8", "int16", "uint32", "int64", "bool"] as const;
const safetensorsTypes = ["float32", "float16", "bfloat16", "int64", "uint8", "bool", "float8e4m3fn"] as const;

function tensors(types: readonly DataType[]): fc.Arbitrary<Tensor> {
  const shape = fc.tuple(fc.constantFrom(...types), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }));
  return shape.chain(([dtype, dims]) => {
    const length = byteLength(dtype, sizeOf(dims));
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ dtype, dims, data }));
  });
}

const names = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "a\u001b[31m", "😀"));

describe("npy", () => {
  it("reads what it wrote, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(tensors(npyTypes), async (value) => {
        const bytes = encodeNpy(value);
        expect(await readNpy(bytes)).toEqual(value);
        expect((bytes.byteLength - (value.data as Uint8Array).byteLength) % 64).toBe(0);
      }),
    );
  });

  it("writes NumPy's own bytes", () => {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    const text = new TextDecoder("latin1").decode(encodeNpy({ dtype: "float32", dims: [2], data: new Uint8Array(8) }));
    expect(text.slice(0, 10)).toBe("\x93NUMPY\x01\x00\x76\x00");
    expect(text.slice(10, 128)).toBe(`${header.padEnd(117)}\n`);
  });
});

describe("safetensors", () => {
  it("reads what it wrote, bit for bit", () => {
    const files = fc.tuple(
      fc.array(fc.tuple(names, tensors(safetensorsTypes)), { maxLength: 5 }),
      fc.array(fc.tuple(names, fc.string()), { maxLength: 3 }),
    );
    fc.assert(
      fc.property(files, ([entries, metadata]) => {
        const given = new Map(entries.filter(([name]) => name !== "__metadata__"));
        const found = readSafetensors(encodeSafetensors(given, new Map(metadata)));
        expect(new Set(found.tensors.keys())).toEqual(new Set(given.keys()));
        for (const [name, value] of given) expect(found.tensors.get(name)).toEqual(value);
        expect(found.metadata).toEqual(new Map(metadata));
      }),
    );
  });

  it("writes an 8-byte aligned header and falling element sizes", () => {
    const tensor = (dtype: DataType, bytes: number): Tensor => ({ dtype, dims: [1], data: new Uint8Array(bytes) });
    const bytes = encodeSafetensors(
      new Map([
        ["a", tensor("uint8", 1)],
        ["b", tensor("float64", 8)],
      ]),
    );
    const length = new DataView(bytes.buffer).getUint32(0, true);
    expect(length % 8).toBe(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      b: { dtype: "F64", shape: [1], data_offsets: [0, 8] },
      a: { dtype: "U8", shape: [1], data_offsets: [8, 9] },
    });
  });
});

describe("CSV", () => {
  it("splits what it joined", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (cells) => {
        expect(splitCsvLine(cells.map(quoteCsvCell).join(","), "test")).toEqual(cells);
      }),
    );
  });

  it("reads back tables of numbers", async () => {
    const row = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 20 }), async (rows) => {
        const text = ["x,y,z", ...rows.map((values) => values.join(","))].join("\n");
        const open = async () => memorySource("t.csv", new TextEncoder().encode(text));
        const samples = await collect(await csvDataset(open, { separator: "," }));
        const found = samples.map(({ inputs }) => [...numbersOf(inputs.get("input")!)].map((value) => value + 0));
        expect(found).toEqual(rows.map((values) => values.map((value) => value + 0)));
      }),
      { numRuns: 50 },
    );
  });
});

describe("strict JSON", () => {
  it("agrees with JSON.parse where no key repeats", () => {
    const plain = (value: unknown): unknown =>
      value instanceof Map
        ? Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]))
        : Array.isArray(value)
          ? value.map(plain)
          : value;
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(plain(parseStrictJson(text, "test", 1000))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("accepts nothing that JSON.parse refuses", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.nat(), fc.string({ maxLength: 1 }), (text, at, character) => {
        const cut = at % (text.length + 1);
        const changed = text.slice(0, cut) + character + text.slice(cut + 1);
        let valid = true;
        try {
          JSON.parse(changed);
        } catch {
          valid = false;
        }
        if (!valid) expect(() => parseStrictJson(changed, "test", 1000)).toThrow(LitheError);
      }),
      { numRuns: 500 },
    );
  });
});

describe("mutated bytes", () => {
  const encoder = new TextEncoder();
  const value: Tensor = { dtype: "float32", dims: [2, 2], data: new Uint8Array(16) };
  const readers: [string, Uint8Array, (bytes: Uint8Array) => Promise<unknown>][] = [
    ["npy", encodeNpy(value), (bytes) => readNpy(bytes)],
    [
      "safetensors",
      encodeSafetensors(
        new Map([
          ["a", value],
          ["b", value],
        ]),
      ),
      async (bytes) => readSafetensors(bytes),
    ],
    [
      "IDX",
      Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6),
      (bytes) => idxArray(async () => memorySource("x", bytes)),
    ],
    [
      "CSV",
      encoder.encode('a,"b"\n1,2\n3,"4"\n'),
      async (bytes) => collect(await csvDataset(async () => memorySource("x", bytes), { separator: "," })),
    ],
    [
      "JSONL",
      encoder.encode('{"inputs":{"x":[[1,2],[3,4]]},"label":1}\n'),
      async (bytes) => collect(await jsonlDataset(async () => memorySource("x", bytes))),
    ],
    [
      "zip",
      Uint8Array.from(Buffer.from("504b0506000000000000000000000000000000000000", "hex")),
      (bytes) => zipEntries(memorySource("x", bytes)),
    ],
  ];

  it.each(readers)("of %s give a value or a named error", async (_, original, read) => {
    const change = fc.record({ at: fc.nat(original.length - 1), byte: fc.nat(255) });
    const changes = fc.tuple(fc.array(change, { maxLength: 3 }), fc.nat(original.length));
    await fc.assert(
      fc.asyncProperty(changes, async ([edits, length]) => {
        const bytes = original.slice(0, edits.length > 0 ? original.length : length);
        for (const { at, byte } of edits) bytes[at] = byte;
        try {
          await read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(LitheError);
        }
      }),
      { numRuns: 400 },
    );
  });
});
