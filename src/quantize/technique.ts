/** @file Quantization as a technique: settings, plan, work, report. */
import * as z from "zod";
import { UsageError } from "../errors.ts";
import {
  among,
  beside,
  between,
  type Condition,
  choice,
  flag,
  memberOf,
  names,
  only,
  setting,
} from "../settings/index.ts";
import { defineTechnique, type Evidence, type TableSection, type TechniqueContext } from "../technique/index.ts";
import { observers } from "./calibration/observers/index.ts";
import {
  agreementTable,
  checkTrained,
  quantizeTrained,
  rangeTable,
  type TrainedQuantization,
  trainedSentence,
} from "./qat/trained-quantization.ts";
import { quantize } from "./quantize.ts";
import { type QuantizeOptions, quantizers } from "./quantizers/index.ts";
import type { StaticBits } from "./quantizers/static-options.ts";
import { ranges } from "./ranges/index.ts";
import type { LayerReport, QuantizeEvent } from "./report.ts";
import { blockRoundings, keepsScales, looksAtInputs } from "./rounding/index.ts";
import { transformed } from "./transformed.ts";
import { type TransformNote, transforms } from "./transforms/index.ts";
import { checkVariant, variantOf } from "./variants.ts";

const integer = among("--form", "static");
const rounded = among("--form", "static", "weight-only");
const blocked = among("--form", "weight-only");
const inFewerBits = among("--form", "static", "dynamic", "weight-only");

/** Weights are trained through their rounding. */
const learned: Condition = {
  label: "static, with --finetune",
  expected: "--form static and --finetune beside it",
  got: ({ form, finetune }) => (finetune === undefined ? "no --finetune" : `--form ${form}`),
  holds: ({ form, finetune }) => form === "static" && finetune !== undefined,
};

const settings = z.strictObject({
  form: setting("--form <form>", "what is stored and computed in fewer bits", memberOf(quantizers)),
  observer: only(integer, setting("--observer <name>", "how ranges are found", memberOf(observers).default("min-max"))),
  rounding: only(
    rounded,
    setting("--rounding <name>", "how weights are rounded", memberOf(blockRoundings).default("nearest")),
  ),
  weightBits: only(
    integer,
    setting(
      "--weight-bits <bits>",
      "7 avoids saturation; 4 is half the size and wants training",
      choice(["auto", 4, 7, 8]).default("auto"),
    ),
  ),
  qat: only(
    learned,
    setting(
      "--qat <range>",
      "quantization-aware training: how ranges move (lsq: learned step sizes; min-max: moving averages; pact: learned clips)",
      memberOf(ranges).default("lsq"),
    ),
  ),
  perTensor: only(integer, setting("--per-tensor", "one scale per weight tensor", flag())),
  equalize: only(integer, setting("--equalize", "cross-layer equalization", flag())),
  biasCorrection: only(integer, setting("--bias-correction", "move output means to where they were", flag())),
  learningRate: only(
    beside("--finetune"),
    setting("--learning-rate <x>", "highest learning rate", between(0, 1e6).default(1e-4)),
  ),
  transform: only(
    inFewerBits,
    setting("--transform <name>", "what is changed before, in exact arithmetic", memberOf(transforms).exactOptional()),
  ),
  alpha: only(
    among("--transform", "smoothquant"),
    setting("--alpha <share>", "how much of the activations' range moves into weights", between(0, 1).default(0.5)),
  ),
  bits: only(blocked, setting("--bits <bits>", "of each weight", choice([2, 3, 4, 8]).default(4))),
  blockSize: only(
    blocked,
    setting("--block-size <n>", "inputs that share a scale", choice([16, 32, 64, 128, 256]).default(32)),
  ),
  symmetric: only(blocked, setting("--symmetric", "no zero points", flag())),
  format: only(
    blocked,
    setting(
      "--format <name>",
      "how weights are stored",
      choice(["matmul-nbits", "dequantize"]).default("matmul-nbits"),
    ),
  ),
  accuracyLevel: only(
    blocked,
    setting(
      "--accuracy-level <level>",
      "4 computes on activations rounded to int8, 0 in float",
      choice([0, 4]).default(4),
    ),
  ),
  outliers: only(
    blocked,
    setting(
      "--outliers <share>",
      "of the inputs of each matrix whose weights stay in float",
      between(0, 0.5).default(0),
    ),
  ),
  rest: only(
    blocked,
    setting("--rest <type>", "what everything else is computed in", choice(["float32", "float16"]).default("float32")),
  ),
  convolutions: only(blocked, setting("--convolutions", "convolutions too", flag())),
  exclude: setting("--exclude <names>", "nodes that stay in float, `head,block1/*`", names().exactOptional()),
  include: setting("--include <names>", "only these nodes", names().exactOptional()),
});

export type QuantizeSettings = z.output<typeof settings>;

export interface QuantizeEvidence extends Evidence {
  readonly layers: readonly Omit<LayerReport, "weightScale">[];
  /** What training did, where weights were trained through their rounding. */
  readonly trained?: TrainedQuantization;
  /** What was changed before. */
  readonly changes: readonly TransformNote[];
}

export const quantizeTechnique = defineTechnique({
  name: "quantize",
  summary: "Fewer bits: static, dynamic, weight-only, float16 or levels",
  settings,
  ready: "cleaned",
  keeps: "numbers",
  recovers: true,

  suffix: (own) => `_${variantOf(own)}`,

  /** Calibration is never made up, and a file is what its name says. */
  check({ out, data, ...own }) {
    checkTogether(own);
    if (out !== undefined) checkVariant(out, own);
    const { form, rounding = "nearest", transform, biasCorrection, finetune } = own;
    if (finetune !== undefined) checkTrained(form, rounding, biasCorrection === true);
    const what =
      form === "static"
        ? "static quantization"
        : looksAtInputs(rounding)
          ? `${rounding} rounding`
          : transform !== undefined && transform !== "hadamard"
            ? `the transform ${transform}`
            : undefined;
    if (data === undefined && what !== undefined) {
      throw new UsageError(`${what} needs data to calibrate on`, { expected: "--data PATH" });
    }
  },

  plan: ({ graph }, { form }) => ({
    sentence: `${form} of ${graph.nodes.length} nodes`,
    facts: { form, nodes: graph.nodes.length },
  }),

  async run(ready, own, context): Promise<QuantizeEvidence> {
    const before = await transformed(ready, own, context);
    const options = await optionsOf({ ...own, ...before.choice }, context);
    const result = context.recovery ? await quantizeTrained(before.model, options, own, context) : undefined;
    const { model, report } = result ?? (await quantize(before.model, options));
    const layers = report.layers.map(({ weightScale: _, ...layer }) => layer);
    const count = layers.filter(({ quantized }) => quantized).length;
    const sentence = `${count} of ${layers.length} layers in fewer bits${result ? trainedSentence(result.trained) : ""}`;
    const changes = before.notes;
    const done = { ...(changes.length > 0 && { changes }), ...(result && { trained: result.trained }) };
    const trained = result && { trained: result.trained, ...(result.training && { training: result.training }) };
    return { model, sentence, facts: { form: own.form, layers, ...done }, layers, changes, ...trained };
  },

  sections: ({ sentence, layers, changes, trained }, { form, qat }) => ({
    verdict: `${form}: ${sentence}`,
    parts: [
      layerTable(layers),
      ...(changes.length > 0 ? [changeTable(changes)] : []),
      ...(trained ? [agreementTable(trained), rangeTable(trained)] : []),
    ],
    facts: [["form", form], ...(trained && qat ? [["ranges", qat] as const] : [])],
  }),
});

function layerTable(layers: QuantizeEvidence["layers"]): TableSection {
  return {
    kind: "table",
    title: "Layers",
    head: ["node", "operator", "now", "bits", "granularity", "note"],
    rows: layers.map(({ node, opType, quantized, bits, granularity, reason }) => ({
      cells: [node, opType, quantized ? "quantized" : "float", bits ?? null, granularity ?? null, reason ?? null],
      isChosen: quantized,
    })),
  };
}

function changeTable(changes: readonly TransformNote[]): TableSection {
  return {
    kind: "table",
    title: "Changed before",
    head: ["node", "what"],
    rows: changes.map(({ node, done, what }) => ({ cells: [node, what], isChosen: done })),
  };
}

/** @throws UsageError for settings of which one makes the other idle */
function checkTogether({ form, rounding, transform, format, accuracyLevel, rest }: QuantizeSettings): void {
  if (form === "static" && rounding && !keepsScales(rounding)) {
    throw new UsageError(`${rounding} moves the scales of blocks, and those of static int8 are fixed`, {
      expected: "--form weight-only, or another rounding",
      got: `--form static --rounding ${rounding}`,
    });
  }
  if (transform === "awq" && form !== "weight-only") {
    throw new UsageError("awq looks for scales of weights in blocks", {
      expected: "--form weight-only, or --transform smoothquant",
      got: `--form ${form}`,
    });
  }
  if (format === "dequantize" && accuracyLevel === 0) {
    throw new UsageError("an accuracy level is one of MatMulNBits", {
      expected: "--format matmul-nbits",
      got: "--accuracy-level 0 --format dequantize",
    });
  }
  if (format === "dequantize" && rest === "float16") {
    throw new UsageError("a Cast behind DequantizeLinear would keep the runtime from fusing it", {
      expected: "--format matmul-nbits",
      got: "--rest float16 --format dequantize",
    });
  }
}

/** What the quantizer of the form is told. */
export async function optionsOf(
  own: QuantizeSettings,
  context: Pick<TechniqueContext, "open" | "session" | "signal" | "data" | "saturates" | "progress">,
): Promise<QuantizeOptions> {
  const { form, rounding = "nearest", exclude, include, observer, weightBits = "auto" } = own;
  const { open, session, signal, data } = context;
  const chosen = { ...(exclude && { exclude }), ...(include && { include }) };
  if (form === "dynamic" || form === "float16" || form === "levels") return { form, ...chosen };
  const onEvent = (event: QuantizeEvent): void => show(event, context);
  const calibration = () => data.calibration();
  const common = { open, calibration, threads: session.threads, signal, onEvent, ...chosen };
  if (form === "static") {
    return {
      form,
      ...common,
      rounding: keepsScales(rounding) ? rounding : "nearest",
      ...(observer && { observer }),
      weightBits: weightBits === "auto" ? await exactBits(context) : weightBits,
      perChannel: own.perTensor !== true,
      equalization: own.equalize === true,
      biasCorrection: own.biasCorrection === true,
    };
  }
  const { bits, blockSize, format, symmetric = false, convolutions = false, accuracyLevel, rest } = own;
  const layout = { ...(bits && { bits }), ...(blockSize && { blockSize }), ...(format && { format }) };
  const computed = { ...(accuracyLevel !== undefined && { accuracyLevel }), ...(rest && { rest }) };
  return { form, ...common, rounding, ...layout, ...computed, symmetric, convolutions };
}

async function exactBits({ saturates }: Pick<TechniqueContext, "saturates">): Promise<StaticBits> {
  return (await saturates()) ? 7 : 8;
}

function show(event: QuantizeEvent, { progress }: Pick<TechniqueContext, "progress">): void {
  if (event.type === "calibrate") progress({ stage: "calibrate", done: event.batch, total: 0 });
  if (event.type === "moments") progress({ stage: "statistics", done: event.batch, total: 0 });
  if (event.type === "round") progress({ stage: "round", done: event.done, total: event.total, detail: event.node });
}
