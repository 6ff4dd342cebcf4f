import { expect, it } from "vitest";
import { table } from "./text-table.ts";

it("columns are as wide as their widest cell, numbers stand to the right", () => {
  expect(
    table(
      ["operator", "n", "text"],
      [
        ["Conv", 7, "a"],
        ["Gemm", 1234, "bc"],
      ],
    ),
  ).toEqual(["operator     n  text", "Conv         7  a", "Gemm      1234  bc"]);
  expect(table(["n"], [["longest"], [3]])).toEqual(["n", "longest", "3"]);
});

it("a row that ends early leaves the other columns as they are", () => {
  expect(table(["a", "", "c"], [["x"], ["y", "", "z"]])).toEqual(["a    c", "x", "y    z"]);
});
