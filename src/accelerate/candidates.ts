/** @file The forms that are tried, as a list; each says how it is built. */
import type { Model } from "../ir/index.ts";
import { type QuantizeEvent, quantizeStatic, type StaticOptions } from "../quantize/index.ts";
import type { ExecutionProvider, Feeds, OpenSession } from "../runtime/index.ts";
import type { LayerSensitivity } from "./result.ts";

export interface CandidateContext {
  /** The cleaned model. */
  readonly model: Model;
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly seed: number;
  /** 7 where the products of two 8-bit numbers would saturate. */
  readonly weightBits: 7 | 8;
  readonly open: OpenSession;
  readonly calibration: () => AsyncIterable<Feeds>;
  readonly signal: AbortSignal;
  readonly progress: (stage: string, done: number, total: number, detail: string) => void;
}

/** What distinguishes one static form from another. */
export type StaticRecipe = Pick<
  StaticOptions,
  "observer" | "rounding" | "biasCorrection" | "equalization" | "alignChannels" | "exclude"
>;

export interface Candidate {
  /** Unique; also the key under which an interrupted run keeps it. */
  readonly form: string;
  /** How it was made, when it is static int8: what mixed precision starts from. */
  readonly static?: StaticRecipe;
  build(): Promise<Model>;
}

const recipes: readonly (readonly [string, StaticRecipe])[] = [
  ["static int8, min-max", { observer: "min-max", rounding: "nearest", biasCorrection: true }],
  ["static int8, percentile, second-order", { observer: "percentile", rounding: "second-order" }],
  ["static int8, mse, second-order", { observer: "mse", rounding: "second-order" }],
  ["static int8, equalized, mse, second-order", { observer: "mse", rounding: "second-order", equalization: true }],
  ["static int8, min-max, second-order", { observer: "min-max", rounding: "second-order" }],
  ["static int8, moving average, second-order", { observer: "moving-average", rounding: "second-order" }],
  ["static int8, entropy, second-order", { observer: "entropy", rounding: "second-order" }],
];

/** Forms that need no knowledge of the others' results, the most promising first. */
export function firstCandidates(context: CandidateContext): Candidate[] {
  return recipes.map(([form, recipe]) => staticCandidate(context, form, recipe));
}

/** `best` with the 1, 2, 4, … most sensitive layers kept in float. */
export function mixedCandidates(
  context: CandidateContext,
  { form, static: recipe }: Candidate,
  layers: readonly Omit<LayerSensitivity, "keptFloat">[],
): Candidate[] {
  const ordered = [...layers].sort((a, b) => b.divergence - a.divergence);
  const counts = [1, 2, 4, 8, 16].filter((count) => count < ordered.length);
  return counts.map((count) => {
    const exclude = ordered.slice(0, count).map(({ node }) => node);
    const layersKept = `${count} layer${count === 1 ? "" : "s"} in float`;
    return staticCandidate(context, `${form}, ${layersKept}`, { ...recipe, exclude });
  });
}

function staticCandidate(context: CandidateContext, form: string, recipe: StaticRecipe): Candidate {
  return {
    form,
    static: recipe,
    async build() {
      const { model } = await quantizeStatic(context.model, { ...commonOptions(context, form), ...recipe });
      return model;
    },
  };
}

function commonOptions({ open, calibration, weightBits, threads, signal, progress }: CandidateContext, form: string) {
  return {
    open,
    calibration,
    weightBits,
    threads,
    signal,
    onEvent: (event: QuantizeEvent) => tell(event, form, progress),
  };
}

function tell(event: QuantizeEvent, form: string, progress: CandidateContext["progress"]): void {
  if (event.type === "calibrate") progress(form, event.batch, 0, "calibrating");
  if (event.type === "moments") progress(form, event.batch, 0, `gathering statistics of ${event.layers} layers`);
  if (event.type === "round") progress(form, event.done, event.total, `rounding ${event.node}`);
}
