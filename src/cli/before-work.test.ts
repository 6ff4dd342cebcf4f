/** @file What a command refuses before it opens a model: the model of these does not exist, and is not what they complain about. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PathError, UsageError } from "../errors.ts";
import type { Console } from "../job/console.ts";
import { parseArguments } from "./arguments.ts";
import { commands } from "./commands.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  await writeFile(join(folder, "taken-run"), "");
  await writeFile(join(folder, "file"), "");
});
afterAll(() => rm(folder, { recursive: true }));

const console: Console = {
  json: true,
  signal: new AbortController().signal,
  say: () => undefined,
  progress: () => undefined,
};

async function refused(name: string, words: readonly string[]): Promise<unknown> {
  const module = await commands[name]!.load();
  const placed = words.map((word) => word.replace("FOLDER", folder));
  const { operands, settings } = parseArguments(name, "", module, [join(folder, "absent.onnx"), ...placed])!;
  return module.run(operands, settings, console).catch((error: unknown) => error);
}

const samples = ["--data", "samples.npz"];

it.each([
  ["parallelize", ["--branches", "2", "-o", "FOLDER/taken.onnx"]],
  ["route", ["--experts", "2", "--finetune", "1", ...samples, "-o", "FOLDER/taken.onnx"]],
  ["accelerate", [...samples, "-o", "FOLDER/taken.onnx"]],
  ["accelerate", [...samples, "-o", "FOLDER/file"]],
  ["finetune", [...samples, "-o", "FOLDER/taken.onnx"]],
  ["finetune", [...samples, "-o", "FOLDER/file"]],
])("%s %j finds a file where the folder of the run would be", async (name, words) => {
  const error = await refused(name, words);
  expect(error).toBeInstanceOf(PathError);
  expect(String(error)).toMatch(/expected a folder, found something else/);
});

it.each([
  ["parallelize", ["--branches", "2", "-o", "FOLDER/out"], /\.onnx file/],
  ["route", ["--experts", "2", "-o", "FOLDER/out"], /\.onnx file/],
  ["route", ["--experts", "2", "--finetune", "1"], /--finetune needs data/],
  ["route", ["--experts", "2", "--finetune", "1", "--data", "random"], /--finetune needs data/],
  ["quantize", ["--form", "static"], /needs data to calibrate on/],
  ["accelerate", [...samples, "-o", "FOLDER/absent.onnx"], /would replace its source/],
  ["finetune", [...samples, "-o", "FOLDER/absent.onnx"], /would replace its source/],
  ["quantize", ["--form", "dynamic", "-o", "FOLDER/absent.onnx"], /would replace its source/],
])("%s %j is refused", async (name, words, message) => {
  const error = await refused(name, words);
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toMatch(message);
});
