import { expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandModule } from "./command.ts";

const module: CommandModule = {
  declare: (command) => void command.argument("<model>", "a file").option("--out <file>", "a file"),
  run: async () => ({ result: {} }),
};
const parse = (...words: readonly string[]) => parseArguments("try", "a command", module, words);

it("words become arguments and options", () => {
  expect(parse("m.onnx", "--out", "o.onnx")).toEqual({ args: ["m.onnx"], options: { out: "o.onnx" }, isRandom: false });
});

it("empty words and unknown ones are refused by name", () => {
  expect(() => parse("")).toThrow(UsageError);
  expect(() => parse("")).toThrow(/^a word of the command is empty/);
  expect(() => parse("m.onnx", "--out", "")).toThrow(/empty; at --out/);
  expect(() => parse("m.onnx", "--ouf", "x")).toThrow(/unknown option '--ouf'.*lithe try --help/s);
  expect(() => parse()).toThrow(/missing required argument 'model'/);
});
