import { expect, it } from "vitest";
import { tensor } from "./tensor.ts";
import { tensorIndex } from "./tensor-index.ts";

const bytes = () => tensor("uint8", [100_000], new Uint8Array(100_000));
const changed = (at: number) => tensor("uint8", [100_000], new Uint8Array(100_000).fill(1, at, at + 1));

it("finds tensors of equal dtype, dims and bytes, and no others, wherever a byte differs", () => {
  const index = tensorIndex<string>();
  expect(index.get(bytes())).toBeUndefined();
  index.set(bytes(), "zeros");
  for (let at = 0; at < 100_000; at += 997) expect(index.get(changed(at))).toBeUndefined();
  for (const at of [0, 99_999]) expect(index.get(changed(at))).toBeUndefined();
  index.set(changed(50), "a one");
  index.set(changed(51), "a one behind");
  expect([index.get(bytes()), index.get(changed(50)), index.get(changed(51))]).toEqual([
    "zeros",
    "a one",
    "a one behind",
  ]);
  index.set(bytes(), "others");
  expect(index.get(bytes())).toBe("others");
  expect(index.get({ ...bytes(), dims: [1000, 100] })).toBeUndefined();
  expect(index.get({ ...bytes(), dtype: "int8" })).toBeUndefined();
});
