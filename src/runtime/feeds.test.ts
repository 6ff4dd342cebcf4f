import { describe, expect, it } from "vitest";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { strings, type Tensor, tensor } from "../ir/index.ts";
import { checkFeeds, tensorFromWire, wireFeeds } from "./feeds.ts";
import type { Port } from "./session.ts";

const ports: readonly Port[] = [
  { name: "ids", dtype: "int64", dims: ["batch", "length"] },
  { name: "mask", dtype: "float32", dims: ["batch", "length"] },
];

function feeds(ids: readonly number[], mask: readonly number[]): Map<string, Tensor> {
  const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
  return new Map([
    ["ids", tensor("int64", ids, new BigInt64Array(size(ids)))],
    ["mask", tensor("float32", mask, new Float32Array(size(mask)))],
  ]);
}

describe("checkFeeds", () => {
  it("accepts what fits, zero lengths included", () => {
    expect(() => checkFeeds(feeds([2, 3], [2, 3]), ports)).not.toThrow();
    expect(() => checkFeeds(feeds([0, 3], [0, 3]), ports)).not.toThrow();
  });

  it("wants exactly the names of the inputs", () => {
    const [ids] = feeds([1, 1], [1, 1]);
    expect(() => checkFeeds(new Map([ids!]), ports)).toThrow(/missing.*"mask"/);
    const more = new Map([...feeds([1, 1], [1, 1]), ["more", ids![1]]]);
    expect(() => checkFeeds(more, ports)).toThrow(/"more"/);
  });

  it("names the input for whatever a caller without types hands over", () => {
    const { dtype, dims, data } = feeds([1, 1], [1, 1]).get("mask")!;
    for (const feed of [
      undefined,
      null,
      1,
      "1",
      [],
      {},
      new Float32Array(1),
      { dtype, dims },
      { dims, data },
      { dtype, data },
    ]) {
      const given = feeds([1, 1], [1, 1]).set("mask", feed as unknown as Tensor);
      expect(() => checkFeeds(given, ports)).toThrow(DataError);
      expect(() => checkFeeds(given, ports)).toThrow(/a feed is no tensor.*at input "mask"/);
    }
    const typed = feeds([1, 1], [1, 1]).set("mask", {
      dtype,
      dims,
      data: new Float32Array(1) as unknown as Uint8Array,
    });
    expect(() => checkFeeds(typed, ports)).toThrow(/no bytes.*got Float32Array; at input "mask"/);
    const text = [{ name: "t", dtype: "string", dims: ["n"] }] as const;
    const plain = new Map([
      ["t", { dtype: "string", dims: [1], data: ["plain"] as unknown as Uint8Array[] } as Tensor],
    ]);
    expect(() => checkFeeds(plain, text)).toThrow(/not bytes.*got a string; at input "t"/);
    for (const all of [undefined, null, {}, []]) {
      expect(() => checkFeeds(all as unknown as Map<string, Tensor>, ports)).toThrow(/feeds are a map/);
    }
  });

  it("takes unequal lengths for one symbolic dim, as the runtime does", () => {
    expect(() => checkFeeds(feeds([2, 3], [2, 4]), ports)).not.toThrow();
  });

  it("takes unknown dims for different ones", () => {
    const unknown: Port[] = [
      { name: "ids", dtype: "int64", dims: ["", ""] },
      { name: "mask", dtype: "float32" },
    ];
    expect(() => checkFeeds(feeds([2, 3], [7, 4, 1]), unknown)).not.toThrow();
  });

  it.each<[string, Port, Tensor, typeof DataError | typeof ShapeError | typeof UnsupportedError]>([
    ["dtype", { name: "x", dtype: "float32", dims: [1] }, tensor("int32", [1], [1]), DataError],
    ["rank", { name: "x", dtype: "float32", dims: [1] }, tensor("float32", [1, 1], [1]), ShapeError],
    ["length", { name: "x", dtype: "float32", dims: [2] }, tensor("float32", [1], [1]), ShapeError],
    [
      "negative dim",
      { name: "x", dtype: "float32" },
      { dtype: "float32", dims: [-1], data: new Uint8Array(4) },
      ShapeError,
    ],
    [
      "fraction",
      { name: "x", dtype: "float32" },
      { dtype: "float32", dims: [0.5], data: new Uint8Array(2) },
      ShapeError,
    ],
    [
      "byte count",
      { name: "x", dtype: "float32" },
      { dtype: "float32", dims: [2], data: new Uint8Array(4) },
      DataError,
    ],
    ["string count", { name: "x", dtype: "string" }, { ...strings([1], ["a"]), dims: [2] }, DataError],
    [
      "reference",
      { name: "x", dtype: "float32" },
      { dtype: "float32", dims: [1], data: { location: "a", offset: 0 } },
      DataError,
    ],
    ["no tensor", { name: "x", dtype: undefined }, tensor("float32", [1], [1]), UnsupportedError],
  ])("refuses a wrong %s", (_, port, feed, error) => {
    expect(() => checkFeeds(new Map([["x", feed]]), [port])).toThrow(error);
  });
});

describe("messages", () => {
  it("copy feeds, and hand over whole buffers on request alone", () => {
    const whole = tensor("float32", [2], [1, 2]);
    const part = tensor("float32", [1], new Float32Array([1, 2]).subarray(1));
    const [copied] = wireFeeds(new Map([["x", whole]]), false);
    expect((copied!.data as Uint8Array).buffer).not.toBe((whole.data as Uint8Array).buffer);
    const [moved, cut] = wireFeeds(
      new Map([
        ["x", whole],
        ["part", part],
      ]),
      true,
    );
    expect(moved!.data).toBe(whole.data);
    expect((cut!.data as Uint8Array).buffer.byteLength).toBe(4);
  });

  it("take tensors out of shared memory", () => {
    const data = new Uint8Array(new SharedArrayBuffer(4));
    const [wire] = wireFeeds(new Map([["x", { dtype: "float32", dims: [1], data }]]), true);
    expect((wire!.data as Uint8Array).buffer).toBeInstanceOf(ArrayBuffer);
  });

  it("bring strings back", () => {
    const original = strings([2], ["a", "ü"]);
    const [wire] = wireFeeds(new Map([["s", original]]), false);
    expect(tensorFromWire(wire!)).toEqual(original);
  });
});
