/** @file Every option of every command is read, and changes what the command makes of its words or is refused. */

import { dirname, join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { parseArguments } from "../../src/cli/arguments.ts";
import type { CommandModule } from "../../src/cli/command.ts";
import { commands } from "../../src/cli/commands.ts";
import { withLimits } from "../../src/cli/limits.ts";
import { glyphs, random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import type { LoadedData } from "../../src/job/data/loaded-data.ts";
import { type RecoveryFlags, recoveryOf } from "../../src/job/recovery.ts";
import { pickSettings } from "../../src/job/settings/command-line.ts";
import type { RuntimeOptions } from "../../src/job/settings/settings.ts";
import { teaching } from "../../src/job/training/distill-flags.ts";
import { tuning } from "../../src/job/training/finetune-flags.ts";
import { readConfig } from "../../src/job/training/training-config.ts";
import { configOf } from "../../src/job/training/training-flags.ts";
import { network } from "../../src/nn/index.ts";
import { quantizeTechnique } from "../../src/quantize/index.ts";
import { optionsOf } from "../../src/quantize/technique.ts";
import { openSession } from "../../src/runtime/index.ts";
import { type Field, fieldsOf, unwrapped } from "../../src/settings/index.ts";
import { importsOf, type Source, sourcesIn } from "../meta/sources.ts";
import { denseModel } from "../models.ts";

type Distillation = RecoveryFlags & RuntimeOptions;
type Values = Readonly<Record<string, unknown>>;

const loaded = await Promise.all(
  Object.entries(commands).map(async ([name, { load, runsNothing }]) => {
    const module = await load();
    return [name, runsNothing ? module : withLimits(module)] as const;
  }),
);
const modules: ReadonlyMap<string, CommandModule> = new Map(loaded);

/** Words that a command cannot be without. */
const required: Readonly<Record<string, readonly string[]>> = {
  compare: ["a.onnx", "b.onnx"],
  cascade: ["s.onnx", "m.onnx"],
  prune: ["m.onnx", "--ratio", "0.5"],
  metaprune: ["m.onnx", "--target-macs", "0.5"],
  quantize: ["m.onnx", "--form", "static"],
  parallelize: ["m.onnx", "--branches", "2"],
  route: ["m.onnx", "--experts", "2"],
  train: ["--model", "m.onnx", "--data", "d.npz"],
  finetune: ["m.onnx", "--data", "d.npz"],
  distill: ["--teacher", "t.onnx", "--student", "s.onnx", "--data", "d.npz"],
  doctor: [],
  demo: [],
  plan: ["m.onnx", "--cluster", "cluster.json"],
};

function leastWords(command: string): readonly string[] {
  return required[command] ?? ["m.onnx"];
}

it.each(Object.entries(commands).flatMap(([name, { examples }]) => examples.map((words) => [words, name] as const)))(
  "the example %j in the help is a command line of %s",
  (words, name) => {
    const [first, ...rest] = words.split(" ");
    expect([first, parse(name, rest)]).toEqual([name, expect.any(Object)]);
  },
);

function fieldsIn(command: string): readonly Field[] {
  return fieldsOf(modules.get(command)!.settings);
}

function parse(command: string, words: readonly string[]): Values {
  return parseArguments(command, "", modules.get(command)!, words)!.settings;
}

/** A value that no option has unless it is given. */
const samples: Readonly<Record<string, string>> = {
  "--data": "other.csv",
  "--budget": "7s",
  "--time": "7s",
  "--time-limit": "7s",
  "--memory-limit": "1g",
  "--dims": "batch=3",
  "--check-ep": "cpu",
  "--validation": "0.3",
  "--average": "0.3",
  "--max-drop": "0.3",
  "--alpha": "0.3",
  "--outliers": "0.3",
  "--min-agreement": "0.3",
  "--model": "other.onnx",
  "--ratio": "0.3",
  "--drop": "0.3",
  "--target-cost": "0.3",
  "--target-macs": "0.3",
  "--target-latency": "0.3",
  "--most": "0.3",
  "--prune": "0.3",
  "--pairs": "a=b",
  "--teacher": "other.onnx",
  "--augment": "cutout",
  "--sparsity": "0.3",
  "--pattern": "2:4",
  "--limit": "head=0.3",
  "--most-error": "0.3",
  "--label-share": "0.3",
};

/** The option with every value of its list, or with one that it does not have by itself. */
function variants({ schema, facts: { flag, placeholder, word } }: Field): string[][] {
  if (!placeholder) return [[flag]];
  const { usual } = unwrapped(schema);
  const { schema: inner } = unwrapped(word ?? schema);
  if (!(inner instanceof z.ZodLiteral)) return [[flag, samples[flag] ?? "3"]];
  return [...inner.values].filter((value) => value !== usual).map((value) => [flag, String(value)]);
}

/** Words that ask `prune` for zeros, in place of those without which it cannot be. */
const zeros = ["m.onnx", "--sparsity", "0.5"];

/** Words that stand in place of the least, where those say the opposite. */
const bases: Readonly<Record<string, readonly string[]>> = { "--sparsity": ["m.onnx"], "--pattern": ["m.onnx"] };

/** The least words of a command with more, unless those begin with a model themselves. */
function wordsWith(command: string, more: readonly string[]): readonly string[] {
  return more[0] === "m.onnx" ? more : [...leastWords(command), ...more];
}

/** Words under which an option counts. */
const helpers: Readonly<Record<string, readonly string[]>> = {
  files: ["--data", "d.npz"],
  "with --data": ["--data", "d.npz"],
  "with --probe": ["--probe"],
  "with --prune": ["--prune", "0.5"],
  "with --finetune": ["--finetune", "2"],
  "with --lora": ["--lora", "2"],
  "unless --head none": ["--head", "auto"],
  static: ["--form", "static"],
  "static, with --finetune": ["--form", "static", "--finetune", "2"],
  "static, weight-only": ["--form", "weight-only"],
  "static, dynamic, weight-only": ["--form", "weight-only"],
  smoothquant: ["--transform", "smoothquant"],
  "weight-only": ["--form", "weight-only"],
  size: ["--goal", "size"],
  "without --sparsity and --pattern": [],
  "with --sparsity": zeros,
  "with --sparsity or --pattern": zeros,
  "vector, block": [...zeros, "--granularity", "vector"],
  sensitivity: ["--ranking", "sensitivity"],
};

/** Words under which it does not. */
const hindrances: Readonly<Record<string, readonly (readonly string[])[]>> = {
  files: [[], ["--data", "random"], ["--data", "demo"]],
  "unless --head none": [["--head", "none"]],
  static: [
    ["--form", "dynamic"],
    ["--form", "weight-only"],
    ["--form", "float16"],
  ],
  "static, with --finetune": [[], ["--form", "dynamic", "--finetune", "2"]],
  "static, weight-only": [
    ["--form", "dynamic"],
    ["--form", "float16"],
  ],
  "static, dynamic, weight-only": [
    ["--form", "float16"],
    ["--form", "levels"],
  ],
  smoothquant: [[], ["--transform", "hadamard"]],
  "weight-only": [
    ["--form", "static"],
    ["--form", "dynamic"],
    ["--form", "float16"],
  ],
  size: [[], ["--goal", "latency"], ["--goal", "balanced"]],
  "without --sparsity and --pattern": [zeros, ["m.onnx", "--pattern", "2:4"]],
  "with --sparsity": [[], ["m.onnx", "--pattern", "2:4"]],
  "vector, block": [zeros, [...zeros, "--granularity", "element"]],
  sensitivity: [[], ["--ranking", "global"], [...zeros, "--ranking", "global"]],
};

describe.each([...modules.keys()])("the options of %s", (command) => {
  it("are handed over, or refused with what they need", () => {
    for (const field of fieldsIn(command)) {
      const { name, facts } = field;
      const { flag, condition, description } = facts;
      const base = bases[flag] ?? wordsWith(command, condition ? helpers[condition.label]! : []);
      const plain = parse(command, base)[name];
      const given = variants(field).map((words) => parse(command, [...base, ...words])[name]);
      expect(given, flag).not.toContain(undefined);
      expect(
        given.some((value) => value !== plain),
        flag,
      ).toBe(true);
      if (!condition) continue;
      expect(description).toContain(condition.label);
      for (const idle of hindrances[condition.label] ?? [[]]) {
        const words = wordsWith(command, idle);
        expect(parse(command, words), `${flag} ${idle}`).not.toHaveProperty(name);
        const refused = () => parse(command, [...words, ...variants(field)[0]!]);
        expect(refused, `${flag} ${idle}`).toThrow(UsageError);
        expect(refused).toThrow(flag);
        expect(refused).toThrow(condition.expected);
      }
    }
  });

  it("are read by what the command runs", () => {
    const read = namesRead(`src/cli/${command}.ts`);
    expect(fieldsIn(command).flatMap(({ name }) => (read.has(name) ? [] : [name]))).toEqual([]);
  });
});

it("a command knows when it makes up its inputs", () => {
  const isRandom = (command: string, ...words: readonly string[]) =>
    parseArguments(command, "", modules.get(command)!, [...leastWords(command), ...words])!.isRandom;
  const made = [...modules.keys()].filter((command) => isRandom(command));
  expect(made).toEqual([
    "bench",
    "compare",
    "clean",
    "prune",
    "metaprune",
    "quantize",
    "parallelize",
    "route",
    "exits",
    "cascade",
    "accelerate",
  ]);
  expect(isRandom("bench", "--data", "random")).toBe(true);
  expect(isRandom("bench", "--data", "d.npz")).toBe(false);
  expect(isRandom("inspect", "--data", "random")).toBe(true);
});

const sources = new Map(sourcesIn("src").map((source) => [source.path, source]));

/** What commands are made of. */
const own = /^src\/(cli|job)\/|\/technique\.ts$/;

/** Where a technique stands that a command takes from the index of its family. */
const techniques: Readonly<Record<string, string | readonly string[]>> = {
  clean: "src/accelerate/clean-technique.ts",
  prune: ["technique", "technique-choice", "sparse-technique", "narrow"].map((name) => `src/prune/${name}.ts`),
  metaprune: "src/prune/meta/technique.ts",
  quantize: ["src/quantize/technique.ts", "src/quantize/transformed.ts"],
  route: "src/conditional/moe/route/technique.ts",
  exits: ["technique", "leaving", "train-heads", "answered"].map((name) => `src/conditional/exit/${name}.ts`),
  cascade: ["cascade-technique", "leaving"].map((name) => `src/conditional/exit/${name}.ts`),
  parallelize: "src/parallel/technique.ts",
};

/** Names of properties that are read in a file and those of commands, jobs and techniques that it imports. */
function namesRead(path: string): Set<string> {
  const names = new Set<string>();
  const command = path.replace(/^.*\/|\.ts$/g, "");
  const paths = [path, "src/cli/limits.ts", ...[techniques[command] ?? []].flat()];
  for (const each of paths) {
    const source = sources.get(each);
    if (!source) continue;
    for (const { specifier } of importsOf(source)) {
      const next = join(dirname(each), specifier);
      if (own.test(next) && !paths.includes(next)) paths.push(next);
    }
    readIn(source, names);
  }
  return names;
}

function readIn({ tree }: Source, names: Set<string>): void {
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText(tree) === "z.strictObject") return;
    if (ts.isPropertyAccessExpression(node)) names.add(node.name.text);
    if (ts.isBindingElement(node)) names.add((node.propertyName ?? node.name).getText(tree));
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

/** As much of a job's context as settings are turned into options with. */
const context = {
  open: openSession,
  session: { ep: "cpu", threads: 1 },
  signal: new AbortController().signal,
  data: { calibration: async function* () {}, timed: () => Promise.reject(new Error("nothing is timed")) },
  saturates: async () => false,
  progress: () => undefined,
} as const;

describe("options that only some settings have", () => {
  const data = {
    calibration: async function* () {},
    datasets: { training: glyphs({ split: "train", size: 2 }) },
  } as unknown as LoadedData;

  /** The options that change what is made of the words, and those that are refused. */
  async function sorted(command: string, least: readonly string[], made: (flags: Values) => unknown) {
    const plain = JSON.stringify(await made(parse(command, least)));
    const changing = new Set<string>();
    const refused = new Set<string>();
    for (const field of fieldsIn(command)) {
      const { name } = field;
      for (const words of variants(field).map((given) => [...least, ...given])) {
        try {
          if (JSON.stringify(await made(parse(command, words))) !== plain) changing.add(name);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          refused.add(name);
        }
      }
    }
    return { changing: [...changing], refused: [...refused] };
  }

  const integer = ["observer", "weightBits", "perTensor", "equalize", "biasCorrection"];
  const blocked = ["bits", "blockSize", "symmetric", "format", "accuracyLevel", "rest", "convolutions"];
  const named = ["exclude", "include"];

  it.each([
    ["static", ["rounding", ...integer, ...named], blocked],
    ["weight-only", ["rounding", ...blocked, ...named], integer],
    ["dynamic", named, ["rounding", ...integer, ...blocked]],
    ["float16", named, ["rounding", ...integer, ...blocked]],
    ["levels", named, ["rounding", ...integer, ...blocked]],
  ])(
    "quantize --form %s hands all that it takes to the quantizer, and refuses the rest",
    async (form, takes, others) => {
      const found = await sorted("quantize", ["m.onnx", "--form", form], (flags) =>
        optionsOf(pickSettings(quantizeTechnique.settings, flags), context),
      );
      const own = [...integer, ...blocked, ...named, "rounding"];
      expect(found.changing.filter((name) => own.includes(name)).sort()).toEqual([...takes].sort());
      expect(found.refused.filter((name) => own.includes(name)).sort()).toEqual([...others].sort());
    },
  );

  it.each(["parallelize", "prune", "quantize", "route", "exits"])(
    "%s hands all of the distillation over with --finetune",
    async (command) => {
      const own = ["finetune", "learningRate", "trainBatch", "temperature", "featureWeight", "augment"];
      const words = [...leastWords(command), "--finetune", "2"];
      const { changing } = await sorted(command, words, (flags) => {
        return recoveryOf(denseModel(), data, flags as Distillation);
      });
      expect(changing).toEqual(expect.arrayContaining(own));
    },
  );

  it("a batch that the model does not take is refused", () => {
    const model = network(random(1), (n) => n.output(n.op("Relu", [n.input("x", "float32", [4, 3])]), "y"));
    const flags = parse("route", [...leastWords("route"), "--finetune", "2"]) as Distillation;
    expect(recoveryOf(model, data, flags)).toMatchObject({ batch: 4 });
    expect(recoveryOf(model, data, { ...flags, trainBatch: 4 })).toMatchObject({ batch: 4 });
    expect(() => recoveryOf(model, data, { ...flags, trainBatch: 8 })).toThrow("--train-batch 4");
    expect(recoveryOf(denseModel(), data, flags)).toMatchObject({ batch: 32 });
  });

  it.each(["train", "finetune", "distill"])(
    "%s makes a configuration of all that it does not do itself",
    async (command) => {
      const words = [...leastWords(command), ...(command === "finetune" ? ["--lora", "2"] : [])];
      const config = (flags: Values) => {
        const { timeLimit: _, memoryLimit: __, ...own } = flags;
        const given = configOf(own);
        if (command === "distill") return readConfig(undefined, teaching(given));
        return readConfig(undefined, command === "finetune" ? tuning({ ...given, model: "m.onnx" }) : given);
      };
      const { changing, refused } = await sorted(command, words, config);
      const rest = fieldsIn(command).map(({ name }) => name);
      const apart = rest.filter((name) => !changing.includes(name) && !refused.includes(name));
      expect(apart).toEqual(["resume", "timeLimit", "memoryLimit"]);
    },
  );
});
