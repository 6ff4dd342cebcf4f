/** @file The main job: clean, try forms, measure each, choose under the bound, verify on unseen samples. */
import { LitheError, RuntimeError, UnsupportedError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { decodeModel, encodeModel } from "../onnx/index.ts";
import { cleanup, convertFloat32 } from "../passes/index.ts";
import { type FormTable, modelAdvice } from "../quantize/index.ts";
import {
  checkCancelled,
  cpuSaturates,
  type ExecutionProvider,
  openSession,
  type Run,
  type SessionOptions,
  startRun,
} from "../runtime/index.ts";
import {
  type Candidate,
  type CandidateContext,
  carefulCandidates,
  float32Candidate,
  laterCandidates,
  type MeasuredLayer,
  mixedCandidates,
  quickCandidates,
} from "./candidates.ts";
import { decide, type Figures, type Goal, paretoFront, percent, ranked } from "./choose.ts";
import { evaluateWith } from "./evaluate.ts";
import type { AccelerateEvent } from "./events.ts";
import { type Contender, dropOf, figuresOf, measure, measureModel, measureName } from "./measure.ts";
import { agreementElsewhere, agreesElsewhere } from "./providers.ts";
import type {
  Accelerated,
  CandidateResult,
  LayerSensitivity,
  MeasuredComparison,
  ProviderResult,
  StageResult,
} from "./result.ts";
import { type Batches, divideSamples, type Samples } from "./samples.ts";
import { layerSensitivity } from "./sensitivity.ts";

export interface AccelerateOptions {
  readonly calibration: Batches;
  /** Divided into a part to choose on and a part to verify on. */
  readonly evaluation: Batches;
  readonly ep: ExecutionProvider;
  readonly threads: number;
  /** The largest loss: of accuracy where labels are given, else of agreement. */
  readonly maxDrop: number;
  readonly goal: Goal;
  readonly budgetSeconds: number;
  readonly seed: number;
  /** Bits of int8 weights; `auto`: 7 where 8 would saturate on this machine. */
  readonly weightBits?: "auto" | 7 | 8;
  /** Providers on which the result must give the same answers. */
  readonly otherProviders: readonly ExecutionProvider[];
  /** Bytes of the original's file. */
  readonly originalBytes: number;
  /** What the forms are worth on `ep`, measured earlier; forms that lose there are passed over. */
  readonly formTable?: FormTable;
  /** Finished candidates of an interrupted run. */
  readonly store?: CandidateStore;
  readonly signal?: AbortSignal;
}

/** Where finished candidates are kept, so that an interrupted run can go on. */
export interface CandidateStore {
  load(form: string): Promise<{ readonly comparison: MeasuredComparison; readonly bytes: Uint8Array } | undefined>;
  keep(form: string, comparison: MeasuredComparison, bytes: Uint8Array): Promise<void>;
}

/** Rounds of latency while choosing and for the final figure. */
const ROUNDS = { choosing: 30, verifying: 80 };

/** The share of the budget after which no further candidate is begun, so that verifying fits in. */
const LAST_START = 0.8;

/**
 * Finds the best form of `model` under the bound. The result is never slower than the original: when nothing beats it, the result
 * is the cleaned original, and `candidates` says what each form came to.
 */
export function accelerate(model: Model, options: AccelerateOptions): Run<AccelerateEvent, Accelerated> {
  return startRun<AccelerateEvent, Accelerated>(
    async ({ emit, signal }) => {
      const job = new Job(model, options, emit, signal);
      return job.run();
    },
    options.signal ? { signal: options.signal } : {},
  );
}

interface Tried {
  readonly candidate: Candidate;
  readonly comparison: MeasuredComparison;
  readonly figures: Figures;
  readonly bytes: Uint8Array;
}

/** One acceleration, from its first stage to its last. */
class Job {
  readonly #model: Model;
  readonly #options: AccelerateOptions;
  readonly #emit: (event: AccelerateEvent) => void;
  readonly #signal: AbortSignal;
  readonly #began = performance.now();
  readonly #tried: Tried[] = [];
  readonly #results = new Map<string, CandidateResult>();
  readonly #impossible = new Set<string>();
  readonly #stages: StageResult[] = [];
  readonly #warnings: { code: string; message: string }[] = [];
  readonly #session: SessionOptions;

  constructor(model: Model, options: AccelerateOptions, emit: (event: AccelerateEvent) => void, signal: AbortSignal) {
    this.#model = model;
    this.#options = options;
    this.#emit = emit;
    this.#signal = signal;
    this.#session = { ep: options.ep, threads: options.threads, stock: true };
  }

  async run(): Promise<Accelerated> {
    const samples = await this.#stage("samples", () =>
      divideSamples(this.#options.calibration, this.#options.evaluation),
    );
    if (!samples.isDivided) {
      this.#warn(
        "W_FEW_SAMPLES",
        "too few evaluation samples to choose on some and verify on others: the final figures are those chosen by",
      );
    }
    await using session = await openSession(this.#model, this.#session);
    const original: Contender = { session, bytes: this.#options.originalBytes };
    const cleaned = await this.#stage("cleanup", () => this.#clean(original, samples));
    const { model: wide } = await convertFloat32().run(cleaned);
    const context = await this.#candidateContext(this.#options.ep === "webgpu" ? cleaned : wide, samples);
    if (context.model !== cleaned) await this.#try(float32Candidate(wide), original, samples);
    for (const candidate of quickCandidates(context)) await this.#try(candidate, original, samples);
    const layers = await this.#sensitivity(context);
    for (const candidate of carefulCandidates(context)) await this.#try(candidate, original, samples);
    await this.#mix(context, layers, original, samples);
    for (const candidate of laterCandidates(context)) await this.#try(candidate, original, samples);
    return await this.#choose(cleaned, original, samples, this.#marked(layers));
  }

  /** The cleaned model, or the original where cleaning changes its answers. */
  async #clean(original: Contender, samples: Samples): Promise<Model> {
    const { model, notes = [] } = await cleanup({ evaluate: evaluateWith(openSession) }).run(this.#model);
    const applied = notes.filter(({ kind }) => kind === "applied");
    this.#emit({
      type: "stage",
      name: "cleanup",
      detail: `${this.#model.graph.nodes.length} → ${model.graph.nodes.length} nodes`,
    });
    const candidate: Candidate = { form: "cleaned", family: "cleaned", build: async () => model };
    await this.#try(candidate, original, samples);
    const tried = this.#tried.find(({ candidate: { form } }) => form === "cleaned");
    if (tried && dropOf(tried.comparison) <= Math.min(1e-3, this.#options.maxDrop)) return model;
    this.#warn(
      "W_CLEANUP",
      `the cleaned model is not used: ${this.#results.get("cleaned")?.reason ?? "it was not measured"} (${applied.length} rewrites)`,
    );
    return this.#model;
  }

  async #candidateContext(model: Model, samples: Samples): Promise<CandidateContext> {
    return {
      model,
      weightBits: await this.#weightBits(),
      ep: this.#options.ep,
      seed: this.#options.seed,
      threads: this.#options.threads,
      open: openSession,
      calibration: async function* () {
        for await (const { feeds } of samples.calibration()) yield feeds;
      },
      signal: this.#signal,
      progress: (stage, done, total, detail) => this.#emit({ type: "progress", stage, done, total, detail }),
    };
  }

  async #weightBits(): Promise<7 | 8> {
    const { weightBits = "auto", ep } = this.#options;
    if (weightBits !== "auto") return weightBits;
    if (ep === "cpu" && (await cpuSaturates())) return 7;
    this.#warn(
      "W_SATURATION",
      "weights have 8 bits, which is exact here; on x86 processors without VNNI sums saturate: choose 7 bits for files that go there",
    );
    return 8;
  }

  async #try(candidate: Candidate, original: Contender, samples: Samples): Promise<void> {
    checkCancelled(this.#signal);
    const { form, family } = candidate;
    if (this.#impossible.has(family)) return;
    const lost = this.#losing(candidate);
    if (lost !== undefined) return this.#refuse(form, lost);
    if (this.#spent() > LAST_START)
      return this.#refuse(form, `not tried: ${percent(LAST_START)} of the time budget was spent`);
    this.#emit({ type: "stage", name: form, detail: "building" });
    const began = performance.now();
    try {
      const tried = (await this.#resumed(candidate)) ?? (await this.#measured(candidate, original, samples));
      this.#tried.push(tried);
      const { accepted, reason } = decide(tried.figures, this.#options.maxDrop, this.#options.goal);
      this.#settle({ form, accepted, reason, onFront: false, comparison: tried.comparison });
    } catch (error) {
      checkCancelled(this.#signal);
      if (!(error instanceof LitheError)) throw error;
      if (error instanceof UnsupportedError) this.#impossible.add(family);
      this.#refuse(error instanceof UnsupportedError ? family : form, error.message);
    }
    this.#stages.push({
      name: form,
      milliseconds: performance.now() - began,
      notes: [this.#results.get(form)?.reason ?? ""],
    });
  }

  /** Why a form is not worth an attempt on this machine, by the measured table. */
  #losing({ quantizer }: Candidate): string | undefined {
    const { formTable, goal } = this.#options;
    if (!formTable || !quantizer || goal === "size") return undefined;
    const { verdict, reason } = modelAdvice(this.#model, formTable, quantizer);
    return verdict === "loses"
      ? `passed over: slower than float32 on this machine by the form table (${reason})`
      : undefined;
  }

  async #resumed(candidate: Candidate): Promise<Tried | undefined> {
    const kept = await this.#options.store?.load(candidate.form);
    return kept && { candidate, ...kept, figures: figuresOf(candidate.form, kept.comparison) };
  }

  async #measured(candidate: Candidate, original: Contender, samples: Samples): Promise<Tried> {
    const model = await candidate.build();
    const bytes = encodeModel(model);
    this.#emit({ type: "stage", name: candidate.form, detail: "measuring" });
    const comparison = await measureModel(
      openSession,
      original,
      { model, bytes: bytes.byteLength },
      this.#session,
      samples,
      this.#measuring("choosing"),
    );
    await this.#options.store?.keep(candidate.form, comparison, bytes);
    return { candidate, comparison, bytes, figures: figuresOf(candidate.form, comparison) };
  }

  #measuring(phase: keyof typeof ROUNDS) {
    const { threads, seed, budgetSeconds } = this.#options;
    return { threads, seed, signal: this.#signal, rounds: ROUNDS[phase], seconds: Math.max(1, budgetSeconds / 40) };
  }

  /** Measured where static int8 is possible and there is time. */
  async #sensitivity(context: CandidateContext): Promise<MeasuredLayer[]> {
    if (!this.#bestStatic() || this.#spent() > LAST_START / 2) return [];
    return this.#stage("sensitivity", () => layerSensitivity(context));
  }

  /** While no static form holds the bound: the best one with more and more of its sensitive layers in float. */
  async #mix(context: CandidateContext, layers: readonly MeasuredLayer[], original: Contender, samples: Samples) {
    const best = this.#bestStatic();
    if (!best) return;
    for (const candidate of mixedCandidates(context, best.candidate, layers)) {
      if (this.#bestStatic()!.figures.drop <= this.#options.maxDrop) return;
      await this.#try(candidate, original, samples);
    }
  }

  #marked(layers: readonly MeasuredLayer[]): LayerSensitivity[] {
    const kept = this.#keptFloat();
    return layers.map((layer) => ({ ...layer, keptFloat: kept.has(layer.node) }));
  }

  /** The static form that loses least, when a smaller loss could still help. */
  #bestStatic(): Tried | undefined {
    const statics = this.#tried.filter(({ candidate }) => candidate.static !== undefined);
    return statics.sort((a, b) => a.figures.drop - b.figures.drop)[0];
  }

  #keptFloat(): ReadonlySet<string> {
    const best = ranked(this.#figures(), this.#options.maxDrop, this.#options.goal)[0];
    const tried = this.#tried.find(({ figures }) => figures === best);
    return new Set(tried?.candidate.static?.exclude ?? []);
  }

  #figures(): Figures[] {
    return this.#tried.filter(({ candidate }) => candidate.form !== "cleaned").map(({ figures }) => figures);
  }

  /** The best candidate that also holds on samples that did not choose it, and on the other providers. */
  async #choose(
    cleaned: Model,
    original: Contender,
    samples: Samples,
    sensitivity: readonly LayerSensitivity[],
  ): Promise<Accelerated> {
    const { maxDrop, goal } = this.#options;
    let providers: readonly ProviderResult[] = [];
    for (const figures of ranked(this.#figures(), maxDrop, goal)) {
      const tried = this.#tried.find((entry) => entry.figures === figures)!;
      const { form } = tried.candidate;
      const model = decodeModel(tried.bytes);
      const comparison = await this.#stage(`verify ${form}`, () => this.#verify(tried, model, original, samples));
      const decision = decide(figuresOf(form, comparison), maxDrop, goal);
      if (!decision.accepted) {
        this.#refuse(form, `on the samples kept for verification: ${decision.reason}`, tried.comparison);
        continue;
      }
      providers = await this.#stage("providers", () => agreementElsewhere(openSession, model, samples, this.#options));
      const differing = providers.find((provider) => !agreesElsewhere(provider));
      if (differing) {
        this.#refuse(form, `answers differ on ${differing.ep}: ${differing.reason}`, tried.comparison);
        continue;
      }
      return this.#result({
        model,
        bytes: tried.bytes,
        form,
        faster: true,
        comparison,
        providers,
        sensitivity,
        samples: { selection: tried.comparison.n, verification: comparison.n },
      });
    }
    return this.#fallback(cleaned, original, samples, { providers, sensitivity });
  }

  /** The cleaned original, or the original itself where cleaning made it slower. */
  async #fallback(
    cleaned: Model,
    original: Contender,
    samples: Samples,
    findings: Pick<Accelerated, "providers" | "sensitivity">,
  ): Promise<Accelerated> {
    for (const model of cleaned === this.#model ? [cleaned] : [cleaned, this.#model]) {
      const bytes = encodeModel(model);
      const form = model === this.#model ? "original" : "cleaned";
      const comparison = await this.#stage(`verify the ${form} model`, () =>
        this.#verify({ bytes }, model, original, samples),
      );
      if (form === "cleaned" && comparison.latency.spread[1] < 1) continue;
      const counts = { selection: comparison.n, verification: comparison.n };
      return this.#result({ ...findings, model, bytes, form, faster: false, comparison, samples: counts });
    }
    throw new RuntimeError("neither the cleaned model nor the original could be verified");
  }

  async #verify(
    { bytes }: Pick<Tried, "bytes">,
    model: Model,
    original: Contender,
    samples: Samples,
  ): Promise<MeasuredComparison> {
    await using session = await openSession(model, this.#session);
    return await measure(
      original,
      { session, bytes: bytes.byteLength },
      samples,
      samples.verification,
      this.#measuring("verifying"),
    );
  }

  #result(parts: Omit<Accelerated, "candidates" | "measure" | "stages" | "warnings">): Accelerated {
    const front = new Set(paretoFront(this.#figures()).map(({ form }) => form));
    const candidates = [...this.#results.values()].map((result) => ({ ...result, onFront: front.has(result.form) }));
    return {
      ...parts,
      candidates,
      measure: measureName(parts.comparison),
      stages: this.#stages,
      warnings: this.#warnings,
    };
  }

  async #stage<T>(name: string, work: () => Promise<T>): Promise<T> {
    checkCancelled(this.#signal);
    this.#emit({ type: "stage", name, detail: "" });
    const began = performance.now();
    const result = await work();
    this.#stages.push({ name, milliseconds: performance.now() - began, notes: [] });
    return result;
  }

  #settle(result: CandidateResult): void {
    this.#results.set(result.form, result);
    this.#emit({ type: "candidate", candidate: result });
  }

  #refuse(form: string, reason: string, comparison?: MeasuredComparison): void {
    this.#settle({ form, accepted: false, reason, onFront: false, ...(comparison && { comparison }) });
  }

  #warn(code: string, message: string): void {
    this.#warnings.push({ code, message });
    this.#emit({ type: "warning", code, message });
  }

  #spent(): number {
    return (performance.now() - this.#began) / 1000 / this.#options.budgetSeconds;
  }
}
