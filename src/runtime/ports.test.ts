import { expect, it } from "vitest";
import { tensorType } from "../ir/index.ts";
import { portsFrom } from "./ports.ts";

it("tells a scalar from an unknown rank by the model's own declaration", () => {
  const wire = ["scalar", "declared", "silent"].map((name) => ({ name, dtype: "float32" as const, dims: [] }));
  const types = new Map([
    ["scalar", tensorType("float32", [])],
    ["declared", tensorType("float32", ["n", 2])],
    ["silent", undefined],
  ]);
  expect(portsFrom(wire, types).map(({ dims }) => dims)).toEqual([[], undefined, undefined]);
});

it("keeps what is not a tensor without a type", () => {
  expect(portsFrom([{ name: "s", dtype: undefined, dims: [] }], new Map())).toEqual([{ name: "s", dtype: undefined }]);
});

it("reads an unknown dim of the web build as unknown", () => {
  const wire = { name: "x", dtype: "float32" as const, dims: [2 ** 32 - 1, 3, "n"] };
  expect(portsFrom([wire], new Map())[0]!.dims).toEqual(["", 3, "n"]);
});
