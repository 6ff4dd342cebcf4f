/** @file `lithe quantize MODEL --form FORM`: fewer bits, verified against the original. */
import type { Command } from "commander";
import { evaluateWith } from "../accelerate/index.ts";
import { collect } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { loadModel, saveModel } from "../onnx/files.ts";
import { encodeModel } from "../onnx/index.ts";
import { cleanup } from "../passes/index.ts";
import {
  modelAdvice,
  observers,
  type QuantizeEvent,
  type QuantizeOptions,
  quantize,
  quantizers,
  roundings,
} from "../quantize/index.ts";
import { compareSessions, cpuSaturates, type ExecutionProvider, openSession } from "../runtime/index.ts";
import { brokenBounds, showComparison } from "./bounds.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { knownFormTable } from "./form-cache.ts";
import { fingerprint, type LoadedData, loadData } from "./load.ts";
import {
  between,
  choice,
  type DataOptions,
  declareData,
  declareRuntime,
  names,
  type RuntimeOptions,
} from "./options.ts";

interface QuantizeFlags extends RuntimeOptions, DataOptions {
  readonly form: QuantizeOptions["form"];
  readonly observer: keyof typeof observers;
  readonly rounding: keyof typeof roundings;
  readonly weightBits: "auto" | "7" | "8";
  readonly perTensor?: boolean;
  readonly equalize?: boolean;
  readonly biasCorrection?: boolean;
  readonly bits: "2" | "4" | "8";
  readonly blockSize: "16" | "32" | "64" | "128" | "256";
  readonly symmetric?: boolean;
  readonly format: "matmul-nbits" | "dequantize";
  readonly convolutions?: boolean;
  readonly exclude?: readonly string[];
  readonly include?: readonly string[];
  readonly maxDrop?: number;
  readonly minAgreement?: number;
  readonly out?: string;
  readonly dryRun?: boolean;
}

const suffixes = { static: "_quantized", dynamic: "_quantized", "weight-only": "_q", float16: "_fp16" } as const;

function declare(command: Command): void {
  declareData(declareRuntime(command.argument("<model>", "an .onnx file")))
    .addOption(
      choice(
        "--form <form>",
        "what is stored and computed in fewer bits",
        Object.keys(quantizers),
      ).makeOptionMandatory(),
    )
    .addOption(choice("--observer <name>", "static: how ranges are found", Object.keys(observers), "min-max"))
    .addOption(
      choice("--rounding <name>", "static, weight-only: how weights are rounded", Object.keys(roundings), "nearest"),
    )
    .addOption(choice("--weight-bits <bits>", "static: 7 avoids saturation", ["auto", "7", "8"], "auto"))
    .option("--per-tensor", "static: one scale per weight tensor")
    .option("--equalize", "static: cross-layer equalization")
    .option("--bias-correction", "static: move output means to where they were")
    .addOption(choice("--bits <bits>", "weight-only", ["2", "4", "8"], "4"))
    .addOption(
      choice("--block-size <n>", "weight-only: inputs that share a scale", ["16", "32", "64", "128", "256"], "32"),
    )
    .option("--symmetric", "weight-only: no zero points")
    .addOption(
      choice("--format <name>", "weight-only: how weights are stored", ["matmul-nbits", "dequantize"], "matmul-nbits"),
    )
    .option("--convolutions", "weight-only: convolutions too")
    .option("--exclude <names>", "nodes that stay in float, `head,block1/*`", names)
    .option("--include <names>", "only these nodes", names)
    .option("--max-drop <share>", "accuracy that may be lost (needs labels)", between(0, 1))
    .option("--min-agreement <share>", "share of answers (or cosine) that must agree", between(0, 1))
    .option("-o, --out <file>", "the file to write")
    .option("--dry-run", "check everything and say what would be done");
}

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const flags = given as unknown as QuantizeFlags;
  const needsData = flags.form === "static" || flags.rounding !== "nearest";
  if (needsData && flags.data === undefined) {
    throw new UsageError(
      `${flags.form === "static" ? "static quantization" : `${flags.rounding} rounding`} needs data to calibrate on`,
      { expected: "--data PATH" },
    );
  }
  const original = await loadModel(path!);
  const data = await loadData(original, { ...flags, data: flags.data ?? "random" });
  const out =
    flags.out ??
    `${path!.replace(/\.onnx$/, "")}${suffixes[flags.form]}${flags.form === "weight-only" ? flags.bits : ""}.onnx`;
  const { model: cleaned } = await cleanup({ evaluate: evaluateWith(openSession) }).run(original);
  const options = await quantizeOptions(flags, data, console);
  const warning = await losingForm(cleaned, flags);
  if (warning) console.say(warning);
  if (flags.dryRun)
    return { result: { dryRun: true, form: flags.form, out, nodes: cleaned.graph.nodes.length, data: data.source } };

  const { model, report } = await quantize(cleaned, options);
  const comparison = await verified(path!, original, model, data, flags, console);
  const broken = brokenBounds(comparison, flags);
  const layers = report.layers.map(({ weightScale: _, ...layer }) => layer);
  if (broken.length === 0) await saveModel(out, model);
  if (!console.json) {
    console.say(`${layers.filter(({ quantized }) => quantized).length} of ${layers.length} layers in fewer bits`);
    showComparison(comparison, data.source, broken, console);
    console.say(broken.length === 0 ? `model: ${out}` : "nothing was written");
  }
  return {
    result: { ...comparison, form: flags.form, ...(broken.length === 0 && { file: out }), layers, broken, warning },
    ok: broken.length === 0,
  };
}

/** What the form table, if one was measured, says against the form. */
async function losingForm(model: Model, { form, ep, threads }: QuantizeFlags): Promise<string | undefined> {
  const table = await knownFormTable(ep, threads);
  const found = table && modelAdvice(model, table, form);
  if (found?.verdict !== "loses") return undefined;
  return `W_FORM_LOSES: ${form} is slower than float32 on ${ep} by the form table (${found.reason})`;
}

async function quantizeOptions(
  flags: QuantizeFlags,
  data: LoadedData,
  { signal, progress }: Console,
): Promise<QuantizeOptions> {
  const { form, rounding, observer, threads } = flags;
  const onEvent = (event: QuantizeEvent): void => show(event, progress);
  const calibration = async function* () {
    for await (const { feeds } of data.calibration()) yield feeds;
  };
  const choice = { ...(flags.exclude && { exclude: flags.exclude }), ...(flags.include && { include: flags.include }) };
  const common = { open: openSession, calibration, threads, signal, onEvent, rounding, ...choice };
  if (form === "dynamic") return { form, ...choice };
  if (form === "float16") return { form };
  if (form === "static") {
    const weightBits = flags.weightBits === "auto" ? await defaultBits(flags.ep) : (Number(flags.weightBits) as 7 | 8);
    return {
      form,
      ...common,
      observer,
      weightBits,
      perChannel: !flags.perTensor,
      equalization: flags.equalize === true,
      biasCorrection: flags.biasCorrection === true,
    };
  }
  const { symmetric = false, format, convolutions = false } = flags;
  const layout = {
    bits: Number(flags.bits) as 2 | 4 | 8,
    blockSize: Number(flags.blockSize) as 16 | 32 | 64 | 128 | 256,
  };
  return { form, ...common, ...layout, symmetric, format, convolutions };
}

async function defaultBits(ep: ExecutionProvider): Promise<7 | 8> {
  return ep === "cpu" && (await cpuSaturates()) ? 7 : 8;
}

function show(event: QuantizeEvent, progress: Console["progress"]): void {
  if (event.type === "calibrate") progress({ stage: "calibrate", done: event.batch, total: 0 });
  if (event.type === "moments") progress({ stage: "statistics", done: event.batch, total: 0 });
  if (event.type === "round") progress({ stage: "round", done: event.done, total: event.total, detail: event.node });
}

async function verified(
  path: string,
  original: Model,
  model: Model,
  data: LoadedData,
  { ep, threads, seed }: QuantizeFlags,
  { signal }: Console,
) {
  const batches = await collect(data.evaluation());
  const [first] = batches;
  await using a = await openSession(original, { ep, threads, stock: true });
  await using b = await openSession(model, { ep, threads, stock: true });
  return await compareSessions(
    { session: a, bytes: (await fingerprint(path)).bytes },
    { session: b, bytes: encodeModel(model).byteLength },
    { threads, batch: first!.count, feeds: first!.feeds, batches, seed, signal },
  );
}

export const command: CommandModule = { declare, run };
