/** @file Post-training int8 on pretrained models, at the operating points that were chosen on calibration data. */
import { evaluateWith } from "../src/accelerate/index.ts";
import { batches, type Dataset, openData, type PreprocessSpec, presets, subset } from "../src/data/index.ts";
import type { Model, Node } from "../src/ir/index.ts";
import { compareSessions } from "../src/measure/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { encodeModel } from "../src/onnx/index.ts";
import { cleanup } from "../src/passes/index.ts";
import { type FastestPlacement, fastestPlacement, quantizeStatic, type StaticOptions } from "../src/quantize/index.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { judgeVersus, versusNote, versusTable } from "./ptq-versus.ts";

type Recipe = Pick<StaticOptions, "observer" | "rounding" | "weightBits">;

interface Subject {
  readonly model: string;
  /** Beside the model's name where it stands for one of several set-ups. */
  readonly variant?: string;
  readonly batch: number;
  readonly recipe: Recipe;
  /** Which nodes stay in floats, in words, and by name. */
  readonly floats: string;
  exclude(cleaned: Model, first: Feeds): Promise<readonly string[]> | readonly string[];
  data(shared: string): Promise<{ calibration: Dataset; evaluation: Dataset }>;
}

interface Outcome {
  readonly model: string;
  readonly weightBits: 7 | 8;
  readonly recipe: string;
  readonly floats: string;
  readonly excluded: number;
  readonly seconds: number;
  readonly samples: number;
  readonly agreement: number;
  readonly accuracy: readonly [number, number];
  readonly latency: number;
  readonly spread: readonly [number, number];
  readonly milliseconds: readonly [number, number];
  readonly size: number;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const ROUNDS = 200;
const CALIBRATION_RECORDS = 256;

/** MCUNet was trained on pixels in [−1, 1]. */
const mobile: PreprocessSpec = {
  ...presets.imagenet,
  resize: { shorter: 201 },
  crop: { width: 176, height: 176 },
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

const pictures = (preprocess: PreprocessSpec) => async (shared: string) => {
  const all = await openData(`${shared}/data/imagenet-samples`, { preprocess });
  const positions = Array.from({ length: all.size }, (_, i) => i);
  const isCalibration = (i: number): boolean => i % 5 === 0;
  return {
    calibration: subset(all, positions.filter(isCalibration)),
    evaluation: subset(
      all,
      positions.filter((i) => !isCalibration(i)),
    ),
  };
};

const cifar = async (shared: string) => {
  const train = await openData(`${shared}/data/cifar10/train-20000.bin`, { preprocess: "cifar10" });
  const first = Array.from({ length: CALIBRATION_RECORDS }, (_, i) => i);
  const evaluation = await openData(`${shared}/data/cifar10/test-5000.bin`, { preprocess: "cifar10" });
  return { calibration: subset(train, first), evaluation };
};

const stem = (model: Model): readonly string[] => {
  const [input] = model.graph.inputs;
  return model.graph.nodes.filter((node) => node.opType === "Conv" && node.inputs[0] === input).map(nameOf);
};

const fastest = async (model: Model, first: Feeds): Promise<readonly string[]> => {
  const once = async function* (): AsyncGenerator<Feeds> {
    yield first;
  };
  const found: FastestPlacement = await fastestPlacement(model, { open: openSession, calibration: once });
  return found.exclude;
};

const subjects: readonly Subject[] = [
  {
    model: "squeezenet1.1",
    batch: 4,
    recipe: { observer: "mse", rounding: "second-order" },
    floats: "none",
    exclude: () => [],
    data: pictures(presets.imagenet),
  },
  {
    model: "mcunet-320kb",
    batch: 4,
    recipe: { observer: "mse", rounding: "second-order" },
    floats: "where integers are slower",
    exclude: fastest,
    data: pictures(mobile),
  },
  {
    model: "mcunet-320kb",
    variant: "ImageNet constants",
    batch: 4,
    recipe: { observer: "mse", rounding: "second-order" },
    floats: "where integers are slower",
    exclude: fastest,
    data: pictures({ ...mobile, mean: presets.imagenet.mean!, std: presets.imagenet.std! }),
  },
  {
    model: "cifar10-resnet20",
    batch: 32,
    recipe: { observer: "moving-average", rounding: "second-order" },
    floats: "the first convolution",
    exclude: stem,
    data: cifar,
  },
  {
    model: "cifar10-resnet56",
    batch: 32,
    recipe: { observer: "percentile", rounding: "second-order" },
    floats: "the first convolution",
    exclude: stem,
    data: cifar,
  },
];

function nameOf(node: Node): string {
  return node.name || (node.outputs[0]?.name ?? "");
}

async function* feedsOf(dataset: Dataset, batch: number, input: string): AsyncGenerator<Feeds> {
  for await (const { feeds } of batches(dataset, { batch })) yield renamed(feeds, input);
}

/** Image data calls its one input by a name of its own. */
function renamed(feeds: Feeds, input: string): Feeds {
  return new Map([...feeds.values()].slice(0, 1).map((tensor) => [input, tensor]));
}

async function run(context: ExperimentContext): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const subject of subjects) {
    for (const weightBits of [8, 7] as const) {
      const outcome = await context.once(`${labelOf(subject)} ${weightBits}`, () => one(subject, weightBits, context));
      context.log(JSON.stringify(outcome));
      outcomes.push(outcome);
    }
  }
  return outcomes;
}

function labelOf({ model, variant }: Subject): string {
  return variant === undefined ? model : `${model} (${variant})`;
}

async function one(subject: Subject, weightBits: 7 | 8, { shared, keep }: ExperimentContext): Promise<Outcome> {
  const original = await loadModel(`${shared}/models/${subject.model}.onnx`);
  const { model: cleaned } = await cleanup({ evaluate: evaluateWith(openSession) }).run(original);
  const { calibration, evaluation } = await subject.data(shared);
  const input = original.graph.inputs[0]!.name;
  const first = await firstOf(feedsOf(calibration, 1, input));
  const exclude = await subject.exclude(cleaned, first);
  const began = performance.now();
  const { model } = await quantizeStatic(cleaned, {
    ...subject.recipe,
    weightBits,
    exclude,
    open: openSession,
    calibration: () => feedsOf(calibration, subject.batch, input),
  });
  const seconds = (performance.now() - began) / 1000;
  await keep(`${labelOf(subject)}.lithe-w${weightBits}.onnx`, encodeModel(model));
  const comparison = await compared(original, model, evaluation, first, input);
  return {
    model: labelOf(subject),
    weightBits,
    recipe: `${subject.recipe.observer}, ${subject.recipe.rounding}`,
    floats: subject.floats,
    excluded: exclude.length,
    seconds,
    samples: evaluation.size,
    ...comparison,
  };
}

async function firstOf(feeds: AsyncIterable<Feeds>): Promise<Feeds> {
  for await (const one of feeds) return one;
  throw new Error("no calibration data");
}

async function compared(original: Model, model: Model, evaluation: Dataset, first: Feeds, input: string) {
  const options = { threads: 1, stock: true } as const;
  await using a = await openSession(original, options);
  await using b = await openSession(model, options);
  const labelled = async function* () {
    for await (const { feeds, labels } of batches(evaluation, { batch: 50 })) {
      yield { feeds: renamed(feeds, input), ...(labels && { labels }) };
    }
  };
  const { size, latency, agreement, accuracy } = await compareSessions(
    { session: a, bytes: encodeModel(original).byteLength },
    { session: b, bytes: encodeModel(model).byteLength },
    { threads: options.threads, batch: 1, feeds: first, batches: labelled(), rounds: ROUNDS },
  );
  return {
    agreement: agreement.top1 ?? Number.NaN,
    accuracy: [accuracy?.a ?? Number.NaN, accuracy?.b ?? Number.NaN] as const,
    latency: latency.ratio,
    spread: latency.spread,
    milliseconds: [latency.a.p50, latency.b.p50] as const,
    size: size.ratio,
  };
}

export const ptq: Experiment<readonly Outcome[]> = {
  name: "ptq",
  claim:
    "Post-training int8 agrees with the float model more often than ONNX Runtime's own quantizer does, at no less speed.",
  source: "ONNX Runtime 1.30 quantize_static, per channel, its best of four calibrations (bench/peers/ort_quantize.py)",
  workload:
    "Calibration on every fifth of 500 ImageNet samples or on the first 256 CIFAR-10 training records, evaluation on the others or on 5,000 test records; " +
    "CPU, 1 thread, batch 1. Recipes were chosen by the divergence on a held-out part of the calibration data.",
  seeds: [],
  criterion:
    "agreement and size above the peer's best for the same width of weights, latency ratio not below the peer's.",
  run,
  judge: judgeVersus,
  page: (outcomes) => [versusNote(), versusTable(), "lithe alone:", ownTable(outcomes), notes].join("\n\n"),
};

const notes =
  "Published for the peer on a processor without VNNI (AVX2): agreement 91.4 / 75.4 / 98.5 / 99.0 % with 7-bit weights at 1.5 / 0.57 / 1.2 / 1.2× for the four models in this order; " +
  "such a processor was not at hand, the 7-bit rows are what lithe makes for it. MCUNet's authors trained on pixels in [−1, 1]; with the ImageNet constants, which are often " +
  "given for it, the float model itself loses 20 points. The samples may be training pictures: read accuracy as float against int8 only.";

function ownTable(outcomes: readonly Outcome[]): string {
  const headings = [
    "model",
    "weights",
    "recipe",
    "in floats",
    "agreement",
    "accuracy",
    "fp32 / int8",
    "size",
    "seconds to make",
  ];
  const rows = outcomes.map((outcome) => [
    outcome.model,
    `${outcome.weightBits} bit`,
    outcome.recipe,
    outcome.floats,
    percent(outcome.agreement),
    outcome.accuracy.map(percent).join(" → "),
    `${outcome.latency.toFixed(2)} [${outcome.spread.map((ratio) => ratio.toFixed(2)).join(", ")}]`,
    outcome.size.toFixed(2),
    outcome.seconds.toFixed(0),
  ]);
  return markdownTable(headings, rows);
}
