import { expect, it } from "vitest";
import * as z from "zod";
import { UsageError } from "../errors.ts";
import { flag, lengths, seconds, setting, text, whole } from "../settings/index.ts";
import { declared, nearest, parseArguments } from "./arguments.ts";
import { defineCommand } from "./command.ts";

const module = defineCommand({
  operands: [["<model>", "a file"]],
  settings: z.strictObject({
    out: setting("-o, --out <file>", "a file", text().exactOptional()),
    rounds: setting("--rounds <n>", "how often", whole(1).default(3)),
    fast: setting("--fast", "at once", flag().exactOptional()),
  }),
  run: async () => ({ result: {} }),
});
const parse = (...words: readonly string[]) => parseArguments("try", "a command", module, words);

it("words become operands and settings, read by the schema", () => {
  expect(parse("m.onnx", "--out", "o.onnx")).toEqual({
    operands: ["m.onnx"],
    settings: { out: "o.onnx", rounds: 3 },
    isRandom: false,
  });
  expect(parse("m.onnx", "--rounds", "7", "--fast", "--json")!.settings).toEqual({ rounds: 7, fast: true });
});

it("empty words and unknown ones are refused by name", () => {
  expect(() => parse("")).toThrow(UsageError);
  expect(() => parse("")).toThrow(/^a word of the command is empty/);
  expect(() => parse("m.onnx", "--out", "")).toThrow(/empty; at --out/);
  expect(() => parse("m.onnx", "--ouf", "x")).toThrow(/unknown option '--ouf'.*lithe try --help/s);
  expect(() => parse("m.onnx", "--rounds", "0")).toThrow(/'--rounds <n>' argument '0' is invalid.*1 or more/s);
  expect(() => parse()).toThrow(/missing required argument 'model'/);
});

it("help tells every setting, with what is taken when nothing is said", () => {
  const help = declared("try", "a command", module).helpInformation();
  expect(help).toMatch(/-o, --out <file> +a file\n/);
  expect(help).toMatch(/--rounds <n> +how often \(default: 3\)/);
});

it("help has groups, marks what is required, writes defaults as a user would, and ends in examples", () => {
  const settings = z.strictObject({
    data: setting("--data <path>", "samples", text()),
    time: setting("--time <time>", "how long", seconds().default(90)),
    dims: setting("--dims <list>", "lengths", lengths().default(new Map())),
  });
  const help = declared("try", "a command", { operands: [], settings }, ["try --data x", "try --data y"]);
  const written: string[] = [];
  help.configureOutput({ writeOut: (text) => void written.push(text) }).outputHelp();
  const shown = written.join("");
  expect(shown).toMatch(/^Data:\n +--data <path> +samples \(required\)$/m);
  expect(shown).toMatch(/^Execution:\n +--dims <list> +lengths \(default: none\)$/m);
  expect(shown).toMatch(/--time <time> +how long \(default: 90s\)/);
  expect(shown).toMatch(/Examples:\n {2}npx litheml try --data x\n {2}npx litheml try --data y\n/);
});

it("misspelt words are answered with what is like them", () => {
  expect(() => parse("m.onnx", "--round", "3")).toThrow(/^unknown option '--round'\. Did you mean --rounds\? See/);
  expect(nearest("acelerate", ["accelerate", "bench"])).toBe("accelerate");
  expect(nearest("xylophone", ["accelerate", "bench"])).toBeUndefined();
});

it("a setting is found under its flag, or the command is a defect", () => {
  const settings = z.strictObject({ other: setting("--name <n>", "a name", text()) });
  expect(() => declared("try", "", { operands: [], settings })).toThrow(
    /the setting other cannot be found under --name/,
  );
});
