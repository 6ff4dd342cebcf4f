import { InvalidArgumentError } from "commander";
import { expect, it } from "vitest";
import { between, byteCount, choice, list, names, parseDims, seconds, valued, whole } from "./options.ts";

it("numbers are read with their bounds, ends included", () => {
  expect([whole(1)("1"), whole(0)("0"), whole(2)("7")]).toEqual([1, 0, 7]);
  for (const text of ["0", "-1", "1.5", "", " ", "x", "1e300"])
    expect(() => whole(1)(text)).toThrow(/number, 1 or more/);
  expect([between(0, 1)("0"), between(0, 1)("1"), between(0, 1)("0.25")]).toEqual([0, 1, 0.25]);
  for (const text of ["-0.1", "1.1", "", "NaN"]) expect(() => between(0, 1)(text)).toThrow(/from 0 to 1/);
});

it("times are seconds, sizes bytes", () => {
  expect(["90", "90s", "1.5m", "2h"].map(seconds)).toEqual([90, 90, 90, 7200]);
  expect(["1", "2k", "1.5M", "4g", "4GB"].map(byteCount)).toEqual([1, 2048, 1.5 * 2 ** 20, 2 ** 32, 2 ** 32]);
  for (const text of ["", "-1s", "1d", "1 s"]) expect(() => seconds(text)).toThrow(InvalidArgumentError);
  for (const text of ["", "0", "4t", "-1"]) expect(() => byteCount(text)).toThrow(InvalidArgumentError);
});

it("lists are separated by commas", () => {
  expect(names("head, block1/*")).toEqual(["head", "block1/*"]);
  expect(() => names("head,,x")).toThrow(InvalidArgumentError);
  const providers = list(["cpu", "wasm"]);
  expect([providers("cpu, wasm"), providers("wasm"), providers("none")]).toEqual([["cpu", "wasm"], ["wasm"], []]);
  expect(() => providers("cpu,tpu")).toThrow('"tpu" is not one of cpu, wasm, none.');
});

it("dims are lengths by name", () => {
  expect([...parseDims("batch=1, length=128")]).toEqual([
    ["batch", 1],
    ["length", 128],
  ]);
  for (const text of ["batch", "batch=", "=1", "batch=1,x"])
    expect(() => parseDims(text)).toThrow(InvalidArgumentError);
});

it("an option has a value of its own only where one is given", () => {
  expect(valued("--n <n>", "a number", whole(1), 3).defaultValue).toBe(3);
  expect(valued("--n <n>", "a number", whole(1)).defaultValue).toBeUndefined();
  expect(choice("--ep <p>", "provider", ["cpu", "wasm"], "cpu").defaultValue).toBe("cpu");
  expect(choice("--ep <p>", "provider", ["cpu", "wasm"]).defaultValue).toBeUndefined();
});
