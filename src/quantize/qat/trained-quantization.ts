/** @file Static quantization with training, as a part of the technique: the work, and what a report says of it. */
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { measureAgreement } from "../../measure/index.ts";
import type { TableSection, TechniqueContext } from "../../technique/index.ts";
import type { TrainReport } from "../../train/index.ts";
import type { QuantizeOptions } from "../quantizers/index.ts";
import type { RangeName } from "../ranges/index.ts";
import type { Quantized, QuantizeReport } from "../report.ts";
import type { Range } from "../scheme.ts";
import { fakeQuantize } from "./fake-quantize.ts";
import { quantizationAware } from "./quantization-aware.ts";

/** The same quantization before training and after it, on the samples to choose by. */
export interface TrainedQuantization {
  readonly before: Agreeing;
  readonly after: Agreeing;
  /** Whether the trained one is handed out: not where it answers worse than without training. */
  readonly isKept: boolean;
  /** Of the quantized activations. */
  readonly ranges: readonly { readonly value: string; readonly before: Range; readonly after: Range }[];
}

interface Agreeing {
  /** The share of samples with the same class as in the original, where it answers with classes. */
  readonly top1?: number;
  /** ‖a − b‖ / ‖a‖ of the worst output. */
  readonly relative: number;
}

/** @throws UsageError for what cannot be together with training */
export function checkTrained(form: string, rounding: string, biasCorrection: boolean): void {
  if (form !== "static") {
    throw new UsageError("training through the rounding has the static form alone", {
      expected: "--form static beside --finetune",
      got: `--form ${form}`,
    });
  }
  if (rounding === "nearest" && !biasCorrection) return;
  throw new UsageError("training takes the place of what makes up for rounding afterwards", {
    expected: "neither --rounding nor --bias-correction beside --finetune",
    got: biasCorrection ? "--bias-correction" : `--rounding ${rounding}`,
  });
}

/** Trains the fake form by the answers of the original, and converts it. */
export async function quantizeTrained(
  ready: Model,
  options: QuantizeOptions,
  { qat = "lsq" }: { readonly qat?: RangeName | undefined },
  context: TechniqueContext,
): Promise<Quantized<Model> & { readonly trained: TrainedQuantization; readonly training?: TrainReport }> {
  if (options.form !== "static") throw new UsageError("only the static form is trained", { got: options.form });
  const { form: _, rounding: __, biasCorrection: ___, ...plain } = options;
  const fake = await fakeQuantize(ready, plain);
  const first = fake.convert(fake.model);
  const before = await agreeing(first.model, context);
  const { model: learned, training } = await context.recover(fake.model, [], [quantizationAware({ range: qat })]);
  const last = fake.convert(learned);
  const after = await agreeing(last.model, context);
  const isKept = !isWorse(after, before);
  const ranges = rangesOf(first.report, last.report);
  return { ...(isKept ? last : first), trained: { before, after, isKept, ranges }, ...(training && { training }) };
}

function isWorse(after: Agreeing, before: Agreeing): boolean {
  if (after.top1 !== undefined && before.top1 !== undefined) return after.top1 < before.top1;
  return !(after.relative <= before.relative);
}

async function agreeing(model: Model, context: TechniqueContext): Promise<Agreeing> {
  const { open, original, session, signal, data } = context;
  await using quantized = await open(model, { ...session, step: "quantized" });
  const batches = feedsOf(data.calibration());
  const { top1, relative } = await measureAgreement(original, quantized, batches, { signal });
  return { relative, ...(top1 !== undefined && { top1 }) };
}

async function* feedsOf(calibration: ReturnType<TechniqueContext["data"]["calibration"]>) {
  for await (const feeds of calibration) yield { feeds };
}

function rangesOf(before: QuantizeReport, after: QuantizeReport): TrainedQuantization["ranges"] {
  return [...(before.ranges ?? [])].flatMap(([value, range]) => {
    const next = after.ranges?.get(value);
    return next ? [{ value, before: range, after: next }] : [];
  });
}

/** What stands behind the number of layers. */
export function trainedSentence({ before, after, isKept }: TrainedQuantization): string {
  const [was, is] = [before, after].map(inWords);
  return `, trained: ${was} before, ${is} after${isKept ? "" : "; the untrained one is kept"}`;
}

function inWords({ top1, relative }: Agreeing): string {
  return top1 === undefined ? `relative error ${relative.toPrecision(3)}` : `${(100 * top1).toFixed(2)} % same answers`;
}

export function agreementTable({ before, after, isKept }: TrainedQuantization): TableSection {
  const row = (name: string, { top1, relative }: Agreeing, isChosen: boolean) => ({
    isChosen,
    cells: [name, top1 === undefined ? null : `${(100 * top1).toFixed(2)} %`, relative.toPrecision(3)],
  });
  return {
    kind: "table",
    title: "Against the original, on the calibration samples",
    head: ["quantized", "same answer", "relative error"],
    rows: [row("without training", before, !isKept), row("trained through its rounding", after, isKept)],
  };
}

export function rangeTable({ ranges }: TrainedQuantization): TableSection {
  const written = ({ min, max }: Range) => `${min.toPrecision(4)} … ${max.toPrecision(4)}`;
  return {
    kind: "table",
    title: "Ranges of activations",
    head: ["value", "calibrated", "trained"],
    rows: ranges.map(({ value, before, after }) => ({ cells: [value, written(before), written(after)] })),
  };
}
