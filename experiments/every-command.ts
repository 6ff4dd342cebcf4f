/** @file Every command on every real model, by this code and by an earlier build, whose `dist/cli/main.js` LITHE_BEFORE names. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { runCommand } from "./faults/command.ts";
import { everyOne, type Judgement } from "./judgement.ts";
import { type RealModel, realModels } from "./real-models.ts";

interface Cell {
  readonly model: string;
  readonly command: string;
  readonly before?: Answer;
  readonly after: Answer;
}

interface Answer {
  /** `done`, or the name and message of the error. */
  readonly end: string;
  readonly form?: string;
  /** Bytes of what was given over bytes of what was written. */
  readonly size?: number;
  readonly relative?: number;
  readonly latency?: number;
}

const SECONDS = 300;
const FEW = 64;
const learning: ReadonlySet<string> = new Set(["train", "finetune"]);
const few = ["--eval-samples", "24", "--calibration-samples", "16"];

/** Words by command; `{out}` is a folder of its own, `{data}` the words of the data. */
const commands: Readonly<Record<string, readonly string[]>> = {
  inspect: ["inspect", "{model}"],
  bench: ["bench", "{model}", "--rounds", "5", "{data}"],
  compare: ["compare", "{model}", "{model}", "--rounds", "3", "{data}"],
  "quantize static": ["quantize", "{model}", "--form", "static", "{data}", "-o", "{out}/q.onnx"],
  "quantize dynamic": ["quantize", "{model}", "--form", "dynamic", "{data}", "-o", "{out}/q.onnx"],
  "quantize weight-only, 4 bits": ["quantize", "{model}", "--form", "weight-only", "{data}", "-o", "{out}/q.onnx"],
  "quantize weight-only, 8 bits, convolutions": [
    ...["quantize", "{model}", "--form", "weight-only", "--bits", "8", "--format", "dequantize", "--convolutions"],
    ...["{data}", "-o", "{out}/q.onnx"],
  ],
  "quantize float16": ["quantize", "{model}", "--form", "float16", "{data}", "-o", "{out}/q.onnx"],
  parallelize: ["parallelize", "{model}", "--branches", "2", "{data}", "-o", "{out}/p.onnx"],
  route: ["route", "{model}", "--experts", "2", "{data}", "-o", "{out}/r.onnx"],
  train: ["train", "--model", "{model}", "--epochs", "1", "--batch", "8", "{data}", "-o", "{out}/t"],
  finetune: ["finetune", "{model}", "--epochs", "1", "--batch", "8", "{data}", "-o", "{out}/f"],
  accelerate: ["accelerate", "{model}", "--budget", "20s", "--goal", "latency", "{data}", "-o", "{out}/a"],
};

const now = new URL("../dist/cli/main.js", import.meta.url).pathname;

async function run(context: ExperimentContext): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const before = process.env.LITHE_BEFORE;
  for (const subject of realModels) {
    for (const [command, words] of Object.entries(commands)) {
      const cell = await context.once(`${subject.model}/${command}`, async () => ({
        model: subject.model,
        command,
        ...(before && { before: await answerOf(before, subject, words, context) }),
        after: await answerOf(now, subject, words, context),
      }));
      context.log(`${cell.model}, ${command}: ${cell.before?.end ?? "–"} → ${cell.after.end}`);
      cells.push(cell);
    }
  }
  return cells;
}

async function answerOf(
  entry: string,
  subject: RealModel,
  words: readonly string[],
  context: ExperimentContext,
): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), "lithe-experiment-"));
  try {
    const model = `${context.shared}/models/${subject.model}.onnx`;
    const data = without(await subject.data(context, folder), ["--budget", "--eval-samples", "--calibration-samples"]);
    const given = learning.has(words[0]!) ? await fewSamples(data, folder) : [...data, ...few];
    const placed = words.flatMap((word) =>
      word === "{data}" ? given : [word.replace("{model}", model).replace("{out}", folder)],
    );
    const { code, signal, stdout } = await runCommand([...placed, "--json"], SECONDS, entry);
    const facts = factsOf(stdout);
    if (code === 0) return { end: "done", ...facts };
    return { ...facts, end: facts.end ?? (signal ? `ended by ${signal}` : `exit ${code}`) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The words without some options and their values. */
function without(words: readonly string[], options: readonly string[]): readonly string[] {
  return words.filter((word, i) => !options.includes(word) && !options.includes(words[i - 1] ?? ""));
}

/** The first of labelled pictures; other data stays as it is. */
async function fewSamples(words: readonly string[], folder: string): Promise<readonly string[]> {
  const path = words[words.indexOf("--data") + 1]!;
  const rest = words.filter((word) => word !== "--data" && word !== path);
  if (path.endsWith("test-5000.bin")) {
    const bytes = await readFile(path);
    await writeFile(join(folder, "few.bin"), bytes.subarray(0, FEW * 3073));
    return ["--data", join(folder, "few.bin"), ...rest];
  }
  if (path.endsWith("idx3-ubyte.gz")) {
    const images = gunzipSync(await readFile(path));
    const labels = gunzipSync(await readFile(path.replace("images-idx3", "labels-idx1")));
    for (const bytes of [images, labels]) bytes.writeUInt32BE(FEW, 4);
    await writeFile(join(folder, "few-images-idx3-ubyte"), images.subarray(0, 16 + FEW * 784));
    await writeFile(join(folder, "few-labels-idx1-ubyte"), labels.subarray(0, 8 + FEW));
    return ["--data", join(folder, "few-images-idx3-ubyte"), ...rest];
  }
  if (path.endsWith("imagenet-samples")) {
    const index: readonly { readonly file: string }[] = JSON.parse(await readFile(join(path, "index.json"), "utf8"));
    const few = index.slice(0, FEW);
    await mkdir(join(folder, "few"));
    for (const { file } of few) await copyFile(join(path, file), join(folder, "few", file));
    await writeFile(join(folder, "few", "index.json"), JSON.stringify(few));
    return ["--data", join(folder, "few"), ...rest];
  }
  return words;
}

function factsOf(text: string): Partial<Answer> {
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of many commands
  const json: any = text.startsWith("{") ? JSON.parse(text) : {};
  if (json.error) return { end: `${json.error.name}: ${json.error.message}` };
  const { size, agreement, latency, form } = json.chosen ?? json;
  return {
    ...(typeof form === "string" && { form }),
    ...(size?.ratio && { size: size.ratio }),
    ...(agreement && { relative: agreement.relative }),
    ...(json.chosen && { latency: latency.ratio }),
  };
}

function worse({ command, before, after }: Cell): boolean {
  return before !== undefined && Object.values(worsenings).some((isSo) => isSo(before, after, command));
}

/** What must not happen, from the answer before to that after. */
const worsenings: Readonly<Record<string, (before: Answer, after: Answer, command: string) => boolean>> = {
  "no command that ended well ends with an error now": (before, after) => before.end === "done" && after.end !== "done",
  "no result is more than 3 % larger": (before, after) => (after.size ?? 1) < 0.97 * (before.size ?? 0),
  "no error is more than 1.2 times as large": (before, after, command) => {
    const isComparable = command === "accelerate" ? after.form === before.form : (before.size ?? 1) >= 1;
    return isComparable && (after.relative ?? 0) > 1.2 * (before.relative ?? Infinity) + 1e-6;
  },
};

function judgeCells(cells: readonly Cell[]): readonly Judgement[] {
  return Object.entries(worsenings).map(([what, isSo]) =>
    everyOne(
      what,
      cells,
      ({ before, after, command }) => before && !isSo(before, after, command),
      ({ model, command, before, after }) => `${model}, ${command}: ${told(before)} → ${told(after)}`,
    ),
  );
}

function told(answer: Answer | undefined): string {
  if (!answer) return "–";
  if (answer.end !== "done") return answer.end.replaceAll("|", "\\|").replaceAll("\n", " ").slice(0, 120);
  const parts = [
    answer.form,
    answer.latency && `${answer.latency.toFixed(2)}× faster`,
    answer.size && `${answer.size.toFixed(2)}× smaller`,
    answer.relative !== undefined && `error ${answer.relative.toExponential(1)}`,
  ];
  return parts.filter(Boolean).join(", ") || "done";
}

export const everyCommand: Experiment<readonly Cell[]> = {
  name: "every-command",
  claim: "Every command ends on every real model as well as before, or better.",
  source: "lithe",
  workload: `${Object.keys(commands).length} commands on 15 models of others, by commit 617d8e0 (before) and by this code, few samples each; timed are only the forms that accelerate chooses, within 20 s.`,
  seeds: [1],
  criterion:
    "no command that ended well ends with an error now, no result is more than 3 % larger or has an error more than 1.2 times as large. Said after a first look: errors are not compared where the file had grown before, as nothing in it was quantized, and where accelerate chooses another form within its bound.",
  run,
  judge: judgeCells,
  page(cells) {
    const changed = cells.filter(({ before, after }) => told(before) !== told(after));
    const done = cells.filter(({ after }) => after.end === "done").length;
    const rows = changed.map((cell) => [
      cell.model,
      cell.command,
      told(cell.before),
      told(cell.after),
      worse(cell) ? "✗" : "",
    ]);
    const summary = `${cells.length} commands, ${done} end well, ${cells.filter(worse).length} worse than before. Those that answer otherwise than before:`;
    return `${summary}\n\n${markdownTable(["model", "command", "before", "after", "worse"], rows)}`;
  },
};
