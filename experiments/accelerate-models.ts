/** @file The main job on every real model: whatever it is, the command comes to a sensible end. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";

interface Outcome {
  readonly model: string;
  readonly data: string;
  readonly exitCode: number;
  readonly error?: string;
  readonly form?: string;
  readonly faster?: boolean;
  readonly latency?: number;
  readonly spread?: readonly [number, number];
  readonly size?: number;
  readonly top1?: number;
  readonly cosine?: number;
  readonly accuracy?: readonly [number, number];
  readonly samples?: number;
  /** How many forms were measured, and why the others were not. */
  readonly measured: number;
  readonly refused: readonly string[];
  readonly seconds: number;
}

interface Subject {
  readonly model: string;
  /** In words. */
  readonly about: string;
  data(context: ExperimentContext, folder: string): Promise<readonly string[]> | readonly string[];
}

const pictures = (preset: string) => (context: ExperimentContext) => [
  "--data",
  `${context.shared}/data/imagenet-samples`,
  "--preset",
  preset,
];
const cifar = (preset: string) => (context: ExperimentContext) => [
  "--data",
  `${context.shared}/data/cifar10/test-5000.bin`,
  "--preset",
  preset,
];
const digits = (preset: string) => (context: ExperimentContext) => [
  "--data",
  `${context.shared}/data/mnist/t10k-images-idx3-ubyte.gz`,
  "--preset",
  preset,
];

const few = ["--eval-samples", "24", "--calibration-samples", "8"];

const subjects: readonly Subject[] = [
  { model: "squeezenet1.1", about: "convolutional, ImageNet", data: pictures("imagenet") },
  {
    model: "mcunet-320kb",
    about: "inverted residuals, ImageNet",
    data: (context) => [...pictures("imagenet")(context), "--budget", "240s"],
  },
  { model: "cifar10-resnet20", about: "residual, BatchNormalization", data: cifar("cifar10") },
  { model: "cifar10-resnet56", about: "residual, BatchNormalization", data: cifar("cifar10") },
  { model: "cifar10-resnet8-nhwc", about: "residual, channels last", data: cifar("raw") },
  { model: "mnist-8", about: "opset 8", data: digits("raw") },
  { model: "mnist-cnn", about: "opset 9", data: digits("mnist") },
  { model: "squeezenet1.0-fp16", about: "float16, opset 7", data: pictures("caffe") },
  { model: "shufflenet-v2-int8", about: "quantized already (QLinearConv)", data: pictures("imagenet") },
  { model: "mobilenetv2-qdq-int8", about: "quantized already (QDQ)", data: pictures("imagenet") },
  { model: "yolox-nano", about: "detector", data: (context) => [...pictures("raw")(context), ...few] },
  { model: "super-resolution", about: "image to image", data: (context) => [...pictures("unit")(context), ...few] },
  {
    model: "style-candy",
    about: "image to image, legacy operators",
    data: (context) => [...pictures("raw")(context), ...few],
  },
  { model: "silero-vad", about: "recurrent, branches", data: speechChunks },
  { model: "bert-toy", about: "transformer, random weights", data: () => ["--data", "random"] },
];

/** The recording as chunks of 512 samples at 16 kHz with a zero state. */
async function speechChunks(context: ExperimentContext, folder: string): Promise<readonly string[]> {
  const wav = await readFile(`${context.shared}/models/silero-vad-test.wav`);
  const header = wav.indexOf("data") + 8;
  const samples = new Int16Array(
    wav.buffer.slice(wav.byteOffset + header, wav.byteOffset + wav.byteLength - ((wav.byteLength - header) % 2)),
  );
  const state = Array.from({ length: 2 }, () => [new Array<number>(128).fill(0)]);
  const lines: string[] = [];
  for (let at = 0; at + 512 <= samples.length && lines.length < 300; at += 2048) {
    const chunk = Array.from(samples.subarray(at, at + 512), (value) => value / 32768);
    lines.push(JSON.stringify({ inputs: { input: [chunk], state, sr: 16000 } }));
  }
  const path = join(folder, "speech.jsonl");
  await writeFile(path, `${lines.join("\n")}\n`);
  return ["--data", path];
}

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

async function run(context: ExperimentContext): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const subject of subjects) {
    const outcome = await context.once(subject.model, () => accelerateOne(subject, context));
    context.log(`${outcome.model}: ${outcome.error ?? `${outcome.form} ${outcome.latency?.toFixed(2)}`}`);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function accelerateOne(subject: Subject, context: ExperimentContext): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "lithe-experiment-"));
  try {
    const data = await subject.data(context, folder);
    const model = `${context.shared}/models/${subject.model}.onnx`;
    const options = ["--budget", "90s", "--goal", "latency", ...data];
    const args = ["accelerate", model, ...options, "-o", join(folder, "out"), "--json"];
    const began = performance.now();
    const { code, stdout } = await lithe(args);
    const seconds = Math.round((performance.now() - began) / 1000);
    return { model: subject.model, data: subject.about, exitCode: code, seconds, ...facts(JSON.parse(stdout)) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function lithe(args: readonly string[]): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { maxBuffer: 2 ** 27 }, (error, stdout) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout });
    });
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the JSON of the command, documented in docs/accelerate.md
function facts(json: any): Omit<Outcome, "model" | "data" | "exitCode" | "seconds"> {
  if (json.error) return { error: json.error.message, measured: 0, refused: [] };
  const { chosen, candidates, faster } = json;
  return {
    form: chosen.form,
    faster,
    latency: chosen.latency.ratio,
    spread: chosen.latency.spread,
    size: chosen.size.ratio,
    cosine: chosen.agreement.cosine,
    samples: chosen.agreement.n,
    ...(chosen.agreement.top1 !== undefined && { top1: chosen.agreement.top1 }),
    ...(chosen.accuracy && { accuracy: [chosen.accuracy.a, chosen.accuracy.b] }),
    measured: candidates.filter((candidate: { latency?: unknown }) => candidate.latency).length,
    refused: candidates
      .filter((candidate: { latency?: unknown }) => !candidate.latency)
      .map(({ form, reason }: { form: string; reason: string }) => `${form}: ${reason}`),
  };
}

export const accelerateModels: Experiment<readonly Outcome[]> = {
  name: "accelerate-models",
  claim:
    "`lithe accelerate` comes to a sensible end on every real model: a form that is faster within the bound, or the original with the reasons.",
  source: "lithe",
  workload:
    "15 models of others (convolutional, residual, recurrent with branches, detector, image to image, legacy opsets, quantized already), goal latency, at most 1 % lost, 90 s each (240 s for MCUNet), CPU, 1 thread, batch 1.",
  seeds: [1],
  criterion: "every run exits with 0, and no result is slower than its original.",
  run,
  page(outcomes) {
    const percent = (part: number | undefined): string => (part === undefined ? "–" : `${(100 * part).toFixed(1)} %`);
    const rows = outcomes.map(
      ({ model, data, form, latency, spread, size, top1, cosine, accuracy, samples, error, measured }) => [
        model,
        data,
        error ? `error: ${error}` : (form ?? ""),
        latency && spread ? `${latency.toFixed(2)}× (${spread.map((end) => end.toFixed(2)).join("–")})` : "–",
        size ? `${size.toFixed(2)}×` : "–",
        accuracy
          ? accuracy.map((part) => percent(part)).join(" → ")
          : top1 === undefined
            ? `cosine ${cosine?.toFixed(4)}`
            : `agreement ${percent(top1)}`,
        samples ?? "–",
        measured,
      ],
    );
    return markdownTable(["model", "kind", "result", "faster", "smaller", "quality", "n", "forms measured"], rows);
  },
};
