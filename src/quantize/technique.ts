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
import { roundings } from "./rounding/index.ts";

const integer = among("--form", "static");
const rounded = among("--form", "static", "weight-only");
const blocked = among("--form", "weight-only");

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
    setting("--rounding <name>", "how weights are rounded", memberOf(roundings).default("nearest")),
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
  bits: only(blocked, setting("--bits <bits>", "of each weight", choice([2, 4, 8]).default(4))),
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
  convolutions: only(blocked, setting("--convolutions", "convolutions too", flag())),
  exclude: setting("--exclude <names>", "nodes that stay in float, `head,block1/*`", names().exactOptional()),
  include: setting("--include <names>", "only these nodes", names().exactOptional()),
});

export type QuantizeSettings = z.output<typeof settings>;

export interface QuantizeEvidence extends Evidence {
  readonly layers: readonly Omit<LayerReport, "weightScale">[];
  /** What training did, where weights were trained through their rounding. */
  readonly trained?: TrainedQuantization;
}

/** As files are called in the ecosystem. */
const suffixes = {
  static: "_quantized",
  dynamic: "_quantized",
  "weight-only": "_q",
  float16: "_fp16",
  levels: "_levels",
} as const;

export const quantizeTechnique = defineTechnique({
  name: "quantize",
  summary: "Fewer bits: static, dynamic, weight-only, float16 or levels",
  settings,
  ready: "cleaned",
  keeps: "numbers",
  recovers: true,

  suffix: ({ form, bits }) => `${suffixes[form]}${bits ?? ""}`,

  /** Calibration is never made up. */
  check({ form, rounding = "nearest", biasCorrection, data, finetune }) {
    if (finetune !== undefined) checkTrained(form, rounding, biasCorrection === true);
    if (data !== undefined || (form !== "static" && rounding === "nearest")) return;
    const what = form === "static" ? "static quantization" : `${rounding} rounding`;
    throw new UsageError(`${what} needs data to calibrate on`, { expected: "--data PATH" });
  },

  plan: ({ graph }, { form }) => ({
    sentence: `${form} of ${graph.nodes.length} nodes`,
    facts: { form, nodes: graph.nodes.length },
  }),

  async run(ready, own, context): Promise<QuantizeEvidence> {
    const options = await optionsOf(own, context);
    const result = context.recovery ? await quantizeTrained(ready, options, own, context) : undefined;
    const { model, report } = result ?? (await quantize(ready, options));
    const layers = report.layers.map(({ weightScale: _, ...layer }) => layer);
    const count = layers.filter(({ quantized }) => quantized).length;
    const sentence = `${count} of ${layers.length} layers in fewer bits${result ? trainedSentence(result.trained) : ""}`;
    const facts = { form: own.form, layers, ...(result && { trained: result.trained }) };
    const trained = result && { trained: result.trained, ...(result.training && { training: result.training }) };
    return { model, sentence, facts, layers, ...trained };
  },

  sections: ({ sentence, layers, trained }, { form, qat }) => ({
    verdict: `${form}: ${sentence}`,
    parts: [layerTable(layers), ...(trained ? [agreementTable(trained), rangeTable(trained)] : [])],
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
  const common = { open, calibration, threads: session.threads, signal, onEvent, rounding, ...chosen };
  if (form === "static") {
    return {
      form,
      ...common,
      ...(observer && { observer }),
      weightBits: weightBits === "auto" ? await exactBits(context) : weightBits,
      perChannel: own.perTensor !== true,
      equalization: own.equalize === true,
      biasCorrection: own.biasCorrection === true,
    };
  }
  const { bits, blockSize, format, symmetric = false, convolutions = false } = own;
  const layout = { ...(bits && { bits }), ...(blockSize && { blockSize }), ...(format && { format }) };
  return { form, ...common, ...layout, symmetric, convolutions };
}

async function exactBits({ saturates }: Pick<TechniqueContext, "saturates">): Promise<StaticBits> {
  return (await saturates()) ? 7 : 8;
}

function show(event: QuantizeEvent, { progress }: Pick<TechniqueContext, "progress">): void {
  if (event.type === "calibrate") progress({ stage: "calibrate", done: event.batch, total: 0 });
  if (event.type === "moments") progress({ stage: "statistics", done: event.batch, total: 0 });
  if (event.type === "round") progress({ stage: "round", done: event.done, total: event.total, detail: event.node });
}
