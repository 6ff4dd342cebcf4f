/** @file Whether a quantized file gives the same answers on the native CPU provider and in WebAssembly. */
import { evaluateWith, providerTolerance } from "../src/accelerate/index.ts";
import { batches, collect, type Dataset, openData, subset } from "../src/data/index.ts";
import { measureAgreement, wilsonInterval } from "../src/measure/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { cleanup } from "../src/passes/index.ts";
import { type QuantizeOptions, quantize } from "../src/quantize/index.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, isAtLeast, percentage } from "./judgement.ts";

interface Outcome {
  readonly model: string;
  readonly form: string;
  readonly samples: number;
  readonly relative: number;
  readonly maxAbs: number;
  readonly cosine: number;
  readonly top1: number | undefined;
}

const subjects = [
  { model: "squeezenet1.1", data: "imagenet-samples", preset: "imagenet" },
  { model: "mcunet-320kb", data: "imagenet-samples", preset: "imagenet" },
  { model: "cifar10-resnet20", data: "cifar10/test-5000.bin", preset: "cifar10" },
] as const;

const forms = ["static", "dynamic", "float16"] as const;

async function run(context: ExperimentContext): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const subject of subjects) {
    for (const form of forms) {
      outcomes.push(await context.once(`${subject.model} ${form}`, () => one(subject, form, context)));
      context.log(JSON.stringify(outcomes.at(-1)));
    }
  }
  return outcomes;
}

async function one(
  { model, data, preset }: (typeof subjects)[number],
  form: (typeof forms)[number],
  { shared }: ExperimentContext,
): Promise<Outcome> {
  const { model: cleaned } = await cleanup({ evaluate: evaluateWith(openSession) }).run(
    await loadModel(`${shared}/models/${model}.onnx`),
  );
  await using port = await openSession(cleaned);
  const all = await openData(`${shared}/data/${data}`, { preprocess: preset, port: port.inputs[0]! });
  const [calibration, evaluation] = [32, 64].map((first, i) =>
    subset(
      all,
      Array.from({ length: 32 + 16 * i }, (_, k) => first + k * 3),
    ),
  );
  const options = { form, open: openSession, calibration: () => feedsOf(calibration!) } as QuantizeOptions;
  const { model: quantized } = await quantize(cleaned, options);
  await using cpu = await openSession(quantized, { ep: "cpu", stock: true });
  await using wasm = await openSession(quantized, { ep: "wasm", stock: true });
  const samples = (await collect(batches(evaluation!))).map(({ feeds }) => ({ feeds }));
  const { n, relative, maxAbs, cosine, top1 } = await measureAgreement(cpu, wasm, samples);
  return { model, form, samples: n, relative, maxAbs, cosine, top1 };
}

async function* feedsOf(dataset: Dataset): AsyncGenerator<Feeds> {
  for await (const { feeds } of batches(dataset)) yield feeds;
}

export const providers: Experiment<readonly Outcome[]> = {
  name: "providers",
  claim: "The same quantized file gives the same answers on `cpu` and `wasm`.",
  source: "lithe",
  workload:
    "Three models in three forms; the outputs of both providers on 48 samples. `accelerate` rejects a form that is outside of the tolerance.",
  seeds: [],
  criterion: `the relative error is at most ${providerTolerance.relative} and ${100 * providerTolerance.top1} % of the top answers are the same.`,
  run,
  judge: (outcomes) => [
    everyOne(
      `the relative error is at most ${providerTolerance.relative}`,
      outcomes,
      ({ relative }) => relative <= providerTolerance.relative,
      ({ model, form, relative }) => `${model}, ${form}: ${relative.toExponential(1)}`,
    ),
    {
      ...everyOne(
        `${100 * providerTolerance.top1} % of the top answers are the same`,
        outcomes,
        hasSameAnswers,
        sameAnswers,
      ),
      why: "all answers to a few samples are the same, and so few cannot show a share this near to all.",
    },
  ],
  page: (outcomes) =>
    markdownTable(
      ["model", "form", "relative error", "largest difference", "cosine", "same answer"],
      outcomes.map(({ model, form, relative, maxAbs, cosine, top1 }) => [
        model,
        form,
        relative.toExponential(1),
        maxAbs.toExponential(1),
        cosine.toFixed(6),
        top1 === undefined ? "–" : `${(100 * top1).toFixed(1)} %`,
      ]),
    ),
};

function hasSameAnswers({ top1, samples }: Outcome): boolean | undefined {
  return top1 === undefined ? undefined : isAtLeast(wilsonInterval(top1 * samples, samples), providerTolerance.top1);
}

function sameAnswers({ model, form, top1, samples }: Outcome): string {
  if (top1 === undefined) return `${model}, ${form}: not recorded`;
  const count = Math.round(top1 * samples);
  return `${model}, ${form}: ${count} of ${samples} (${intervalText(wilsonInterval(count, samples), percentage)})`;
}
