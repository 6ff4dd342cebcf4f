/** @file Few bits after training: observers with planted outliers, roundings of a language model's weights, the time of wide products. */
import { batches, openData, type TextParts, type Tokenizer } from "../src/data/index.ts";
import {
  editModel,
  floatsOf,
  graphBuilder,
  labelOf,
  type Model,
  makeNode,
  model,
  scalar,
  tensor,
  type Value,
} from "../src/ir/index.ts";
import { raceLatency } from "../src/measure/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import {
  awq,
  type BlockRoundingName,
  blockRoundings,
  calibrate,
  type ObserverName,
  observers,
  quantizeWeights,
  rotateResidual,
} from "../src/quantize/index.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { crossEntropy, evaluateModel } from "../src/train/index.ts";
import { shakespeareText, trainCharacterGpt } from "./character-gpt.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";
import { onceModel } from "./once-model.ts";
import { calibration } from "./sparse-language.ts";

const SEEDS = [1, 2, 3] as const;
const observerNames = Object.keys(observers) as ObserverName[];
const roundingNames = Object.keys(blockRoundings) as BlockRoundingName[];
const weightMethods = [...roundingNames, "awq", "awq, clip", "awq, gptq", "hadamard, gptq"] as const;
type WeightMethod = (typeof weightMethods)[number];
const widths = [1024, 2048] as const;

interface ObserverRow {
  readonly bits: number;
  /** Whether one pixel of each calibration picture is far too large. */
  readonly planted: boolean;
  readonly float: number;
  /** Accuracy with rounded activations. */
  readonly accuracy: Readonly<Record<ObserverName, number>>;
}

interface WeightRow {
  readonly seed: number;
  readonly bits: number;
  /** Perplexity per character on the held-out text. */
  readonly float: number;
  readonly perplexity: Readonly<Record<WeightMethod, number>>;
}

interface TimeRow {
  readonly width: number;
  readonly bits: number;
  readonly accuracyLevel: 0 | 4;
  readonly ratio: number;
  readonly spread: readonly [number, number];
}

interface Result {
  readonly observers: readonly ObserverRow[];
  readonly weights: readonly WeightRow[];
  readonly times: readonly TimeRow[];
}

const PICTURES = 1000;
const OUTLIER = 40;

/** Activations before convolutions are rounded to `2^bits` integers over their range, in the graph itself. */
function rounded(
  float: Model,
  ranges: ReadonlyMap<Value, { readonly min: number; readonly max: number }>,
  bits: number,
): Model {
  const top = 2 ** bits - 1;
  return editModel(float, (draft) => {
    for (const node of float.graph.nodes) {
      const [input] = node.inputs;
      const range = input && ranges.get(input);
      if (node.opType !== "Conv" || !input || !range) continue;
      const [low, high] = [Math.min(0, range.min), Math.max(0, range.max)];
      const scale = (high - low) / top || 1;
      const zero = Math.round(-low / scale);
      const number = (name: string, value: number) => draft.constant(`${input.name}_${name}`, scalar("float32", value));
      const steps: [string, (Value | undefined)[]][] = [
        ["Div", [number("scale", scale)]],
        ["Round", []],
        ["Clip", [number("low", -zero), number("high", top - zero)]],
        ["Mul", [number("scale", scale)]],
      ];
      let value: Value = input;
      const nodes = steps.map(([opType, rest]) => {
        const output = draft.value(`${labelOf(node)}_${opType}`);
        const step = makeNode(opType, [value, ...rest], [output], { name: output.name });
        value = output;
        return step;
      });
      draft.replaceNode(node, ...nodes, { ...node, inputs: node.inputs.map((each, i) => (i === 0 ? value : each)) });
    }
  });
}

async function observerRows({ shared, once, log }: ExperimentContext): Promise<ObserverRow[]> {
  const float = await loadModel(`${shared}/models/cifar10-resnet20.onnx`);
  const training = await openData(`${shared}/data/cifar10/train-20000.bin`, { preprocess: "cifar10" });
  const evaluation = await openData(`${shared}/data/cifar10/test-5000.bin`, { preprocess: "cifar10" });
  const [input] = float.graph.inputs;
  const values = float.graph.nodes.flatMap(({ opType, inputs }) => (opType === "Conv" && inputs[0] ? [inputs[0]] : []));
  async function* calibrating(planted: boolean): AsyncGenerator<Feeds> {
    let seen = 0;
    for await (const { feeds } of batches(training, { batch: 32 })) {
      if (seen >= 256) return;
      const [picture] = feeds.values();
      const pixels = floatsOf(picture!).slice();
      const each = pixels.length / 32;
      if (planted) for (let i = 0; i < 32; i++) pixels[i * each + ((seen + i) % each)] = OUTLIER;
      yield new Map([[input!.name, tensor("float32", picture!.dims, pixels)]]);
      seen += 32;
    }
  }
  const accuracyOf = async (tried: Model) => {
    await using session = await openSession(tried);
    let [right, all] = [0, 0];
    for await (const { feeds, labels } of batches(evaluation, { batch: 50 })) {
      if (all >= PICTURES) break;
      const [picture] = feeds.values();
      const [scores] = (await session.run(new Map([[input!.name, picture!]]))).values();
      const numbers = floatsOf(scores!);
      const classes = numbers.length / 50;
      for (let i = 0; i < 50; i++) {
        const own = [...numbers.subarray(i * classes, (i + 1) * classes)];
        if (own.indexOf(Math.max(...own)) === labels![i]) right++;
      }
      all += 50;
    }
    return right / all;
  };
  const rows: ObserverRow[] = [];
  for (const planted of [false, true]) {
    for (const bits of [8, 6, 4]) {
      const found = await once(`observers ${bits} ${planted}`, async (): Promise<ObserverRow> => {
        const accuracy: [ObserverName, number][] = [];
        for (const name of observerNames) {
          const observer = () => observers[name]({ levels: 2 ** bits });
          const options = { open: openSession, batches: () => calibrating(planted), observer };
          const { ranges } = await calibrate(float, [...new Set(values)], options);
          accuracy.push([name, await accuracyOf(rounded(float, ranges, bits))]);
        }
        const own = Object.fromEntries(accuracy) as Record<ObserverName, number>;
        return { bits, planted, float: await accuracyOf(float), accuracy: own };
      });
      log(JSON.stringify(found));
      rows.push(found);
    }
  }
  return rows;
}

async function weightRows(seed: number, parts: TextParts, tokenizer: Tokenizer, context: ExperimentContext) {
  const { once, log } = context;
  const trained = () => trainCharacterGpt(`sparsity-gpt-${seed}`, seed, parts, tokenizer, log);
  const float = await onceModel(once, `gpt ${seed}`, async () => (await trained()).model);
  const perplexity = async (of: Model) => {
    const options = { data: parts.validation!, labels: "labels", loss: crossEntropy({ axis: -1 }), batch: 16 };
    return Math.exp((await evaluateModel(of, options)).loss!);
  };
  const observed = { open: openSession, calibration: () => calibration(float, parts.training, seed) };
  const left = float.graph.nodes.filter(({ opType }) => opType === "Gather").map(labelOf);
  const whole = await once(`float ${seed}`, () => perplexity(float));
  const rows: WeightRow[] = [];
  for (const bits of [4, 3] as const) {
    const found: [WeightMethod, number][] = [];
    for (const method of weightMethods) {
      const key = `${seed} ${bits} ${method}`;
      found.push([
        method,
        await once(key, async () => {
          const [before, after] = method.includes(", ") ? method.split(", ") : [method, method];
          const changed =
            before === "awq" ? (await awq(float, { ...observed, bits, size: 128, exclude: left })).model : float;
          const turned = before === "hadamard" ? rotateResidual(changed).model : changed;
          const rounding = roundingNames.find((name) => name === after) ?? "nearest";
          const exclude = turned.graph.nodes.filter(({ opType }) => opType === "Gather").map(labelOf);
          const layout = { bits, blockSize: 128, accuracyLevel: 0, exclude } as const;
          return await perplexity((await quantizeWeights(turned, { ...layout, rounding, ...observed })).model);
        }),
      ]);
      log(`${key}: ${found.at(-1)![1].toFixed(3)} of ${whole.toFixed(3)}`);
    }
    rows.push({ seed, bits, float: whole, perplexity: Object.fromEntries(found) as Record<WeightMethod, number> });
  }
  return rows;
}

/** One row through one matrix, in float32 and in few bits. */
async function timeRow(width: number, bits: 8 | 4 | 2, accuracyLevel: 0 | 4): Promise<TimeRow> {
  const g = graphBuilder();
  const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));
  const weight = g.constant("w", tensor("float32", [width, width], numbers(width * width)));
  g.output(g.op("MatMul", [g.input("x", "float32", [1, width]), weight], {}, { name: "product" }), "y");
  const float = model(g.build());
  const { model: stored } = await quantizeWeights(float, { bits, blockSize: 32, accuracyLevel });
  const feeds = new Map([["x", tensor("float32", [1, width], numbers(width))]]);
  await using a = await openSession(float, { threads: 1 });
  await using b = await openSession(stored, { threads: 1 });
  const sides = [a, b].map((session) => ({ session, feeds }));
  const [, second] = await raceLatency(sides, { seconds: 8 });
  return { width, bits, accuracyLevel, ratio: second!.ratio, spread: [second!.spread[0], second!.spread[1]] };
}

async function run(context: ExperimentContext): Promise<Result> {
  const { shared, once, log } = context;
  const found = await observerRows(context);
  const times: TimeRow[] = [];
  for (const width of widths) {
    for (const bits of [8, 4, 2] as const) {
      for (const level of [4, 0] as const) {
        times.push(await once(`time ${width} ${bits} ${level}`, () => timeRow(width, bits, level)));
        log(JSON.stringify(times.at(-1)));
      }
    }
  }
  const { tokenizer, parts } = shakespeareText(shared);
  const weights: WeightRow[] = [];
  for (const seed of SEEDS) weights.push(...(await weightRows(seed, parts, tokenizer, context)));
  return { observers: found, weights, times };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const lowBits: Experiment<Result> = {
  name: "low-bits",
  claim:
    "Below eight bits it matters how ranges are found and how weights are rounded; four-bit weights are faster than float32 at batch 1 where the kernel is the right one.",
  source: "Frantar et al. (2210.17323); Lin et al. (2306.00978); Nagel et al. (2004.10568); TensorRT (GTC 2017)",
  workload:
    "Observers: ResNet-20 on CIFAR-10, inputs of convolutions rounded in the graph, ranges from 256 training pictures, with and without one pixel of each at 40, accuracy on 1,000 test pictures. " +
    "Weights: the GPT of `shakespeare`, all its matrices in blocks of 128, computed in float. Times: one row through a square matrix, 1 thread.",
  seeds: SEEDS,
  criterion:
    "With outliers at 4 bits, min-max below the best of percentile, entropy and mse by 2 points; GPTQ and AWQ below the perplexity of nearest at 4 and 3 bits for every seed; 4 bits at level 4 at least twice as fast as float32 for widths of 1024 and more.",
  run,
  judge: ({ observers: ranges, weights, times }) => [
    everyOne(
      "planted outliers at 4 bits break min-max: at least 2 points below the best of percentile, entropy and mse",
      ranges.filter(({ bits, planted }) => bits === 4 && planted),
      ({ accuracy }) => Math.max(accuracy.percentile, accuracy.entropy, accuracy.mse) - accuracy["min-max"] >= 0.02,
      ({ accuracy }) => observerNames.map((name) => `${name} ${percent(accuracy[name])}`).join(", "),
    ),
    everyOne(
      "GPTQ and AWQ have a lower perplexity than nearest, at 4 and 3 bits, for every seed",
      weights,
      ({ perplexity }) => Math.max(perplexity.gptq, perplexity.awq) < perplexity.nearest,
      ({ seed, bits, perplexity: { nearest, gptq, awq: scaled } }) =>
        `seed ${seed}, ${bits} bits: nearest ${nearest.toFixed(3)}, gptq ${gptq.toFixed(3)}, awq ${scaled.toFixed(3)}`,
    ),
    everyOne(
      "4 bits at level 4 are at least twice as fast as float32 at batch 1",
      times.filter(({ bits, accuracyLevel }) => bits === 4 && accuracyLevel === 4),
      ({ spread: [low, high] }) => (low >= 2 ? true : high < 2 ? false : undefined),
      ({ width, ratio }) => `width ${width}: ${ratio.toFixed(2)}×`,
    ),
  ],
  page: ({ observers: ranges, weights, times }) =>
    [
      markdownTable(
        ["bits", "outliers", "float", ...observerNames],
        ranges.map(({ bits, planted, float, accuracy }) => [
          ...[bits, planted ? "planted" : "none", percent(float)],
          ...observerNames.map((name) => percent(accuracy[name])),
        ]),
      ),
      "Perplexity per character:",
      markdownTable(
        ["seed", "bits", "float", ...weightMethods],
        weights.map(({ seed, bits, float, perplexity }) => [
          ...[seed, bits, float.toFixed(3)],
          ...weightMethods.map((method) => perplexity[method].toFixed(3)),
        ]),
      ),
      "Float32 / few bits, one row through a square matrix:",
      markdownTable(
        ["width", "bits", "accuracy level", "ratio"],
        times.map(({ width, bits, accuracyLevel, ratio, spread }) => [
          ...[width, bits, accuracyLevel],
          `${ratio.toFixed(2)} [${spread.map((end) => end.toFixed(2)).join(", ")}]`,
        ]),
      ),
    ].join("\n\n"),
};
