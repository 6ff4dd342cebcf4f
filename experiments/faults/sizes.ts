/** @file Faults of sizes: large tensors, many channels, wide tables, expressions that try without end. Each takes seconds, the large tensor up to a minute. */
import { copyFile, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openData, openTokenizer } from "../../src/data/index.ts";
import { LimitError } from "../../src/errors.ts";
import { type GraphBuilder, graphBuilder, type Model, model, sizeOf, tensor, type Value } from "../../src/ir/index.ts";
import { median } from "../../src/measure/index.ts";
import { saveModel } from "../../src/onnx/files.ts";
import { cleanup } from "../../src/passes/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type Ended, runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { triedInFolder } from "./in-folder.ts";

const sizes = "Sizes";

/** The case with its data, 545 MB without a block on disk. */
async function largeTensor(folder: string, cases: string): Promise<string> {
  const path = join(folder, "large-tensor.onnx");
  await copyFile(join(cases, "large-tensor.onnx"), path);
  const data = await open(join(folder, "e.bin"), "w");
  await data.truncate(151_936 * 896 * 4);
  await data.close();
  return path;
}

/** A file was written that is smaller by at least this factor. */
function smaller({ code, signal, stdout, stderr }: Ended, factor: number): Answer {
  if (code !== 0) return { got: `${signal ?? code}: ${stderr.trim().split("\n").at(-1)}`.slice(0, 160), ok: false };
  const { size } = JSON.parse(stdout) as { readonly size: { readonly ratio: number } };
  return { got: `${size.ratio.toFixed(2)}× smaller`, ok: size.ratio >= factor };
}

function quantized(words: readonly string[], factor: number): Fault["try"] {
  return triedInFolder(async (folder, cases) => {
    const path = await largeTensor(folder, cases);
    return smaller(
      await runCommand(["quantize", path, ...words, "-o", join(folder, "out.onnx"), "--json"], 300),
      factor,
    );
  });
}

function filled(g: GraphBuilder, dims: readonly number[]): Value {
  return g.constant("w", tensor("float32", dims, new Float32Array(sizeOf(dims)).fill(0.5)));
}

/** A model of one layer in a form that takes data. */
function quantizedWide(layer: (g: GraphBuilder) => Value, form: string): Fault["try"] {
  return triedInFolder(async (folder) => {
    const g = graphBuilder();
    g.output(layer(g), "y");
    const [path, out] = [join(folder, "wide.onnx"), join(folder, "out.onnx")];
    await saveModel(path, model(g.build()));
    return smaller(await runCommand(["quantize", path, "--form", form, "--data", "random", "-o", out, "--json"]), 1.8);
  });
}

/** A vector in parts of one element. */
function parts(count: number): Model {
  const g = graphBuilder();
  const split = g.ops("Split", [g.input("x", "float32", [count])], count, { num_outputs: count });
  for (const [i, part] of split.entries()) g.output(g.op("Identity", [part]), `y${i}`);
  return model(g.build());
}

async function secondsToClean(of: Model): Promise<number> {
  const began = performance.now();
  await cleanup({ evaluate: async (constant, feeds) => evaluate(constant, feeds) }).run(of);
  return (performance.now() - began) / 1000;
}

/** Two rows of as many columns. */
async function writeTable(path: string, columns: number): Promise<void> {
  const names = Array.from({ length: columns }, (_, i) => `c${i}`);
  const row = names.map((_, i) => `${i}`).join(",");
  await writeFile(path, `${names.join(",")}\n${row}\n${row}\n`);
}

async function secondsToOpen(path: string): Promise<number> {
  const began = performance.now();
  await openData(path);
  return (performance.now() - began) / 1000;
}

/** Twice the work in less than this many times the seconds is not quadratic, which would be four times. */
const LINEAR = 3.2;

/** How much longer the second takes than the first, which is half as large. */
async function growth<T>(sizes: readonly [T, T], seconds: (of: T) => Promise<number>): Promise<Answer> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    times[0].push(await seconds(sizes[0]));
    times[1].push(await seconds(sizes[1]));
  }
  const [once = 0, twice = 0] = times.map(median);
  const ratio = twice / once;
  const got = ratio < LINEAR ? `at most ${LINEAR} times as long` : `${ratio.toFixed(1)} times as long`;
  return { got, ok: ratio < LINEAR };
}

export const sizeFaults: readonly Fault[] = [
  {
    kind: sizes,
    name: "large-tensor.onnx: float16",
    right: "half the size",
    before: "SIGABRT after 33 s and 4.3 GB: invalid array length Allocation failed",
    try: quantized(["--form", "float16"], 1.9),
  },
  {
    kind: sizes,
    name: "large-tensor.onnx: weight-only in 4 bits",
    right: "an eighth of the size, with scales and zero points a sixth",
    before: "SIGABRT after 42 s and 5.0 GB: invalid array length Allocation failed",
    try: quantized(["--form", "weight-only", "--bits", "4"], 5),
  },
  {
    kind: sizes,
    name: "a layer with 300,000 output channels: dynamic",
    right: "a file of a quarter of the size or so",
    before: "RangeError: Maximum call stack size exceeded",
    try: quantizedWide((g) => g.op("MatMul", [g.input("x", "float32", [1, 8]), filled(g, [8, 300_000])]), "dynamic"),
  },
  {
    kind: sizes,
    name: "a product with 130,000 output channels: static",
    right: "a file of half the size or so",
    before: "RangeError: Maximum call stack size exceeded",
    try: quantizedWide((g) => g.op("MatMul", [g.input("x", "float32", [1, 8]), filled(g, [8, 130_000])]), "static"),
  },
  {
    kind: sizes,
    name: "a convolution with 130,000 output channels: dynamic",
    right: "a file of half the size or so",
    before: "RangeError: Maximum call stack size exceeded",
    try: quantizedWide(
      (g) => g.op("Conv", [g.input("x", "float32", [1, 8, 2, 2]), filled(g, [130_000, 8, 1, 1])]),
      "dynamic",
    ),
  },
  {
    kind: sizes,
    name: "a node with 25,000 outputs, each read by an Identity: cleanup",
    right: "twice as many outputs take twice as long or so",
    before: "every Identity that went made the list of outputs anew: 10.7 s, eight times as long for twice as many",
    try: () => growth([parts(12_500), parts(25_000)], secondsToClean),
  },
  {
    kind: sizes,
    name: "a table of 100,000 columns",
    right: "twice as many columns take twice as long or so",
    before: "the columns were compared with each other: 10 s and more, four times as long for twice as many",
    try: triedInFolder(async (folder) => {
      const [small, large] = [join(folder, "small.csv"), join(folder, "large.csv")];
      await writeTable(small, 50_000);
      await writeTable(large, 100_000);
      return growth([small, large], secondsToOpen);
    }),
  },
  {
    kind: sizes,
    name: "tokenizer-backtracking.json: 26 times a and a b",
    right: "a LimitError when the bound of time has passed",
    before: "over a minute, and nothing could end it",
    async try({ shared }) {
      const tokenizer = await openTokenizer(join(shared, "cases", "tokenizer-backtracking.json"), { seconds: 2 });
      try {
        const { length } = tokenizer.encode(`${"a".repeat(26)}b`);
        return { got: `${length} tokens`, ok: false };
      } catch (error) {
        return { got: `${error}`.slice(0, 160), ok: error instanceof LimitError };
      }
    },
  },
];
