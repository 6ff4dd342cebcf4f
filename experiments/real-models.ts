/** @file The real models that commands are tried on, each with data of its kind. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExperimentContext } from "./experiment.ts";

export interface RealModel {
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

export const realModels: readonly RealModel[] = [
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
