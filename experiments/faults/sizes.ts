/** @file Faults of sizes: large tensors, many channels, wide tables, expressions that try without end. Each takes seconds, the large tensor up to a minute. */
import { copyFile, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openData, openTokenizer } from "../../src/data/index.ts";
import { LimitError } from "../../src/errors.ts";
import { graphBuilder, model, tensor } from "../../src/ir/index.ts";
import { saveModel } from "../../src/onnx/files.ts";
import { median } from "../../src/runtime/index.ts";
import { type Ended, runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";

const sizes = "Sizes";

/** Does something in a folder that goes afterwards. */
function inFolder(work: (folder: string, cases: string) => Promise<Answer>): Fault["try"] {
  return async ({ shared }) => {
    const folder = await mkdtemp(join(tmpdir(), "lithe-fault-"));
    try {
      return await work(folder, join(shared, "cases"));
    } finally {
      await rm(folder, { recursive: true });
    }
  };
}

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
  return inFolder(async (folder, cases) => {
    const path = await largeTensor(folder, cases);
    return smaller(
      await runCommand(["quantize", path, ...words, "-o", join(folder, "out.onnx"), "--json"], 300),
      factor,
    );
  });
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
    try: inFolder(async (folder) => {
      const g = graphBuilder();
      const weight = g.constant("w", tensor("float32", [8, 300_000], new Float32Array(2_400_000).fill(0.5)));
      g.output(g.op("MatMul", [g.input("x", "float32", [1, 8]), weight]), "y");
      const path = join(folder, "wide.onnx");
      await saveModel(path, model(g.build()));
      const words = [
        "quantize",
        path,
        "--form",
        "dynamic",
        "--data",
        "random",
        "-o",
        join(folder, "out.onnx"),
        "--json",
      ];
      return smaller(await runCommand(words), 2);
    }),
  },
  {
    kind: sizes,
    name: "a table of 100,000 columns",
    right: "twice as many columns take twice as long or so",
    before: "the columns were compared with each other: 10 s and more, four times as long for twice as many",
    try: inFolder(async (folder) => {
      const [small, large] = [join(folder, "small.csv"), join(folder, "large.csv")];
      await writeTable(small, 50_000);
      await writeTable(large, 100_000);
      const times: [number[], number[]] = [[], []];
      for (let round = 0; round < 5; round++) {
        times[0].push(await secondsToOpen(small));
        times[1].push(await secondsToOpen(large));
      }
      const [once = 0, twice = 0] = times.map(median);
      const ratio = twice / once;
      return {
        got: ratio < LINEAR ? `at most ${LINEAR} times as long` : `${ratio.toFixed(1)} times as long`,
        ok: ratio < LINEAR,
      };
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
