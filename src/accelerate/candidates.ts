/** @file The forms that are tried, as a list; each says how it is built. */
import { UnsupportedError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import {
  awq,
  type FastestPlacement,
  fastestPlacement,
  type QuantizeEvent,
  type QuantizeOptions,
  quantize,
  type StaticOptions,
  type StoredForm,
  type WeightOnlyOptions,
} from "../quantize/index.ts";
import type { ExecutionProvider, Feeds, OpenSession } from "../runtime/index.ts";
import { chainName, type Network } from "./chain.ts";
import type { LayerSensitivity } from "./result.ts";

export interface CandidateContext {
  /** The cleaned model, or a changed network, cleaned. */
  readonly model: Model;
  /** What was changed in it; the original where absent. */
  readonly network?: Network;
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
export type StaticRecipe = Partial<
  Pick<StaticOptions, "observer" | "rounding" | "biasCorrection" | "equalization" | "sequential" | "exclude">
>;

export interface Candidate {
  /** Candidates of one family fail for the same reason when the model does not allow them, so one attempt is enough. */
  readonly family: string;
  /** Which quantizer makes it, if one does; the form table speaks of these. */
  readonly quantizer?: QuantizeOptions["form"];
  /** How its weights are stored, where they alone are: the table has a row for each way. */
  readonly stored?: StoredForm;
  /** The changed network that it is a form of; the original's where absent. */
  readonly network?: Network;
  /** Unique; also the key under which an interrupted run keeps it. A form of a changed network names the whole chain. */
  readonly form: string;
  /** Whether it should do no more than round, which it is then held to. */
  readonly rounds?: boolean;
  /** How it was made, when it is static int8: what mixed precision starts from. */
  readonly static?: StaticRecipe | undefined;
  build(): Promise<Model>;
}

/** Cheap recipes first: they show what a form is worth before time goes into the careful ones. */
const quick: readonly (readonly [string, StaticRecipe])[] = [
  ["static int8, min-max", { observer: "min-max" }],
  ["static int8, percentile, bias-corrected", { observer: "percentile", biasCorrection: true, sequential: false }],
];

const careful: readonly (readonly [string, StaticRecipe])[] = [
  ["static int8, mse, second-order", { observer: "mse", rounding: "second-order" }],
  ["static int8, percentile, second-order", { observer: "percentile", rounding: "second-order" }],
];

const later: readonly (readonly [string, StaticRecipe])[] = [
  ["static int8, equalized, mse, second-order", { observer: "mse", rounding: "second-order", equalization: true }],
  ["static int8, min-max, second-order", { observer: "min-max", rounding: "second-order" }],
  ["static int8, moving average, second-order", { observer: "moving-average", rounding: "second-order" }],
  ["static int8, entropy, second-order", { observer: "entropy", rounding: "second-order" }],
];

/** Weights in four bits, chosen with data. */
const carefulWeights: readonly (readonly [string, Pick<WeightOnlyOptions, "rounding">, isAwq: boolean])[] = [
  ["weight-only 4-bit, gptq", { rounding: "gptq" }, false],
  ["weight-only 4-bit, awq", {}, true],
];

const partlyInteger: readonly (readonly [string, StaticRecipe])[] = [
  ["static int8 where it pays, mse, second-order", { observer: "mse", rounding: "second-order" }],
  ["static int8 where it pays, percentile, second-order", { observer: "percentile", rounding: "second-order" }],
];

/** Forms that need no calibration. */
const others: readonly (readonly [string, QuantizeOptions])[] = [
  ["dynamic int8", { form: "dynamic" }],
  ["float16", { form: "float16" }],
  ["weight-only 8-bit", { form: "weight-only", bits: 8 }],
  ["weight-only 4-bit", { form: "weight-only", bits: 4 }],
];

/** Forms that are built in seconds, those first that need no calibration. */
export function quickCandidates(context: CandidateContext): Candidate[] {
  const statics = quick.map(([form, recipe]) => staticCandidate(context, form, recipe));
  const free = others.map(
    ([form, options]): Candidate => ({
      form,
      family: form,
      quantizer: options.form,
      ...(options.form === "weight-only" && options.bits && { stored: { bits: options.bits } }),
      build: () => quantized(context, options),
    }),
  );
  return [...free, ...statics].map((candidate) => ofNetwork(context, candidate));
}

/** A form of a changed network names its steps before it. */
function ofNetwork({ network }: CandidateContext, candidate: Candidate): Candidate {
  if (!network) return candidate;
  const named = (form: string): string => chainName([...network.steps, form]);
  return {
    ...candidate,
    form: named(candidate.form),
    family: named(candidate.family),
    network,
    // What is built may say only then how.
    get static() {
      return candidate.static;
    },
  };
}

/** The form of a candidate without the steps before it. */
function formOf({ form, network }: Candidate): string {
  return network ? form.slice(chainName([...network.steps, ""]).length) : form;
}

/**
 * Static forms with careful rounding, and those that are int8 only where that pays. Where int8 everywhere was measured no faster
 * than float, careful rounding would not make it so, and only the latter are left.
 */
export function carefulCandidates(context: CandidateContext, paysEverywhere: boolean): Candidate[] {
  const { open, calibration, threads, signal, weightBits } = context;
  const settings = { open, calibration, threads, signal, weightBits };
  const placement = once(() => fastestPlacement(context.model, settings));
  const partly = partlyInteger.map(([form, recipe]) => fastestCandidate(context, form, recipe, placement));
  const everywhere = careful.map(([form, recipe]) => staticCandidate(context, form, recipe));
  const found = paysEverywhere ? [...partly.slice(0, 1), ...everywhere] : partly;
  return found.map((candidate) => ofNetwork(context, candidate));
}

/** Static forms that are tried when there is time left. */
export function laterCandidates(context: CandidateContext): Candidate[] {
  const statics = later.map(([form, recipe]) => staticCandidate(context, form, recipe));
  const weights = carefulWeights.map(([form, recipe, isAwq]) => weightsCandidate(context, form, recipe, isAwq));
  return [...weights, ...statics].map((candidate) => ofNetwork(context, candidate));
}

function weightsCandidate(
  context: CandidateContext,
  form: string,
  recipe: Pick<WeightOnlyOptions, "rounding">,
  isAwq: boolean,
): Candidate {
  const { open, calibration, threads, signal, progress } = context;
  const observed = { open, calibration, threads, signal };
  const onEvent = (event: QuantizeEvent): void => tell(event, form, progress);
  return {
    form,
    family: form,
    quantizer: "weight-only",
    stored: { bits: 4 },
    async build() {
      const model = isAwq ? (await awq(context.model, observed)).model : context.model;
      return await quantized({ ...context, model }, { form: "weight-only", bits: 4, ...observed, onEvent, ...recipe });
    },
  };
}

/** Static int8 where it pays and float where it does not, by the measured time of every node in both. */
function fastestCandidate(
  context: CandidateContext,
  form: string,
  recipe: StaticRecipe,
  placement: () => Promise<FastestPlacement>,
): Candidate {
  let built: StaticRecipe | undefined;
  return {
    form,
    family: "static int8 where it pays",
    quantizer: "static",
    get static() {
      return built;
    },
    async build() {
      const { exclude } = await placement();
      if (exclude.length === 0)
        throw new UnsupportedError("int8 pays in every node, so there is nothing to keep in float");
      built = { ...recipe, exclude };
      return await staticCandidate(context, form, built).build();
    },
  };
}

/** The same result for every call. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

/** The original without what it does not need. */
export function cleanedCandidate(model: Model): Candidate {
  return { form: "cleaned", family: "cleaned", rounds: true, build: async () => model };
}

/** A float16 model in the float32 that the processor computes in anyway; the other forms start from it. */
export function float32Candidate(model: Model): Candidate {
  return { form: "float32", family: "float32", rounds: true, build: async () => model };
}

export type MeasuredLayer = Omit<LayerSensitivity, "keptFloat">;

/** `best` with the 1, 2, 4, … most sensitive layers kept in float. */
export function mixedCandidates(
  context: CandidateContext,
  best: Candidate,
  layers: readonly MeasuredLayer[],
): Candidate[] {
  const { static: recipe } = best;
  const float = recipe?.exclude ?? [];
  const ordered = layers.filter(({ node }) => !float.includes(node)).sort((a, b) => b.divergence - a.divergence);
  const counts = [1, 2, 4, 8, 16].filter((count) => count < ordered.length);
  return counts.map((count) => {
    const exclude = [...float, ...ordered.slice(0, count).map(({ node }) => node)];
    const layersKept = `${count} ${float.length > 0 ? "more " : ""}layer${count === 1 ? "" : "s"} in float`;
    return ofNetwork(context, staticCandidate(context, `${formOf(best)}, ${layersKept}`, { ...recipe, exclude }));
  });
}

function staticCandidate(context: CandidateContext, form: string, recipe: StaticRecipe): Candidate {
  const { open, calibration, weightBits, threads, signal, progress } = context;
  const onEvent = (event: QuantizeEvent): void => tell(event, form, progress);
  const common = { form: "static", open, calibration, weightBits, threads, signal, onEvent } as const;
  return {
    form,
    family: "static int8",
    quantizer: "static",
    static: recipe,
    build: () => quantized(context, { ...common, ...recipe }),
  };
}

/** A model in which nothing could be quantized is no candidate. */
async function quantized({ model: original }: CandidateContext, options: QuantizeOptions): Promise<Model> {
  const { model, report } = await quantize(original, options);
  if (report.layers.some((layer) => layer.quantized)) return model;
  const reasons = new Set(report.layers.map(({ reason }) => reason));
  throw new UnsupportedError(`no layer of the model can take the form ${options.form}`, {
    expected: "layers with constant weights",
    got: report.layers.length === 0 ? "none" : `${report.layers.length} that stay: ${[...reasons].join("; ")}`,
  });
}

function tell(event: QuantizeEvent, form: string, progress: CandidateContext["progress"]): void {
  if (event.type === "calibrate") progress(form, event.batch, 0, "calibrating");
  if (event.type === "moments") progress(form, event.batch, 0, `gathering statistics of ${event.layers} layers`);
  if (event.type === "round") progress(form, event.done, event.total, `rounding ${event.node}`);
}
