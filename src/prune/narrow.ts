/** @file Widths of a technique's run made narrower: by what is decided once, or in rounds with a recovery behind each. */
import { certain, lastOf, nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { costOf } from "../ops/index.ts";
import type { TechniqueContext } from "../technique/index.ts";
import { recalibrated, type TrainReport } from "../train/index.ts";
import { type CriterionName, criteria } from "./criteria/index.ts";
import type { WeightEvidence } from "./evidence.ts";
import { evidenceFor } from "./evidence-of-run.ts";
import { type PrunedWidth, type PruneLimit, type PruneReport, type PruneSettings, prunable } from "./prunable.ts";
import { decidePruning, type MeasuredAmount, type PruneDecision, prunedAs } from "./prune-measured.ts";
import type { RankingName } from "./rankings/index.ts";
import type { Rounding } from "./rounding.ts";
import { inRounds, type PruneRound } from "./rounds.ts";
import { bySensitivity, measurePruneSensitivity, type WidthCurve } from "./sensitivity.ts";

/** What a command says of narrower layers. */
export interface NarrowSettings {
  readonly criterion: CriterionName;
  readonly ranking: RankingName | "sensitivity";
  readonly round: Rounding | "auto";
  readonly most: number;
  readonly limit?: readonly PruneLimit[] | undefined;
  readonly mostError?: number | undefined;
  readonly factor: "outer" | "inner";
  readonly exclude?: readonly string[] | undefined;
  readonly allowSlower?: boolean | undefined;
  readonly keepStatistics?: boolean | undefined;
  readonly rounds?: number | undefined;
}

/** One cut, plain data. */
interface Cut {
  readonly widths: PruneReport["widths"];
  readonly decision: PruneDecision;
  readonly curves?: readonly WidthCurve[];
}

/** A cut of a round, with what the network has then. */
export interface RoundCut extends Cut {
  readonly macs: number;
  readonly parameters: number;
}

export interface Narrowed extends Cut {
  readonly model: Model;
  readonly training?: TrainReport;
  readonly rounds?: readonly PruneRound<RoundCut>[];
}

export function pruneSettingsOf(
  own: NarrowSettings,
  seed: number,
  { curves, evidence }: { readonly curves?: readonly WidthCurve[]; readonly evidence?: WeightEvidence } = {},
): PruneSettings {
  const { criterion, ranking, most, limit, mostError, factor, exclude } = own;
  const bound = mostError === undefined ? {} : { mostError };
  const order = ranking === "sensitivity" ? (curves ? bySensitivity(curves, bound) : "global") : ranking;
  return {
    ...{ criterion, ranking: order, most, factor, seed },
    ...(limit && { limits: limit }),
    ...(exclude && { exclude }),
    ...(evidence && { evidence }),
  };
}

/**
 * @param original what is timed against
 * @throws UsageError for an amount that takes nothing or cannot be reached; BoundError for a result that is slower
 */
export async function narrowed(
  model: Model,
  original: Model,
  own: NarrowSettings,
  amount: MeasuredAmount,
  context: TechniqueContext,
): Promise<Narrowed> {
  if (own.rounds !== undefined && own.rounds > 1) return narrowedInRounds(model, original, own, amount, context);
  const cut = await cutOnce(model, original, own, amount, context);
  const told = await withStatistics(cut.model, own, context);
  return { ...cut, ...(await context.recover(told)) };
}

async function cutOnce(
  model: Model,
  original: Model,
  own: NarrowSettings,
  amount: MeasuredAmount,
  context: TechniqueContext,
): Promise<Cut & { readonly model: Model }> {
  const evidence = await evidenceFor(model, criteria[own.criterion], context);
  const curves = own.ranking === "sensitivity" ? await curvesOf(model, own, evidence, context) : undefined;
  const settings = pruneSettingsOf(own, context.seed, { ...(curves && { curves }), ...(evidence && { evidence }) });
  const decision = await context.once("widths", () =>
    decided(model, original, own, { ...settings, ...amount }, context),
  );
  const { model: narrow, report } = prunedAs(model, settings, decision);
  return { model: narrow, widths: report.widths, decision, ...(curves && { curves }) };
}

/** Equal parts of the way; only the last network has to be as fast as the original. */
async function narrowedInRounds(
  model: Model,
  original: Model,
  own: NarrowSettings,
  amount: MeasuredAmount,
  context: TechniqueContext,
): Promise<Narrowed> {
  const start = sizeOf(model, own);
  const rounds = certain(own.rounds);
  const result = await inRounds<RoundCut>(model, rounds, context, async (current, part, within) => {
    const asked = amountAt(amount, part, start, sizeOf(current, own));
    const isLast = part === 1;
    const step = isLast ? own : { ...own, allowSlower: true };
    const cut = asked && (await unlessNothing(() => cutOnce(current, original, step, asked, within)));
    if (!cut) return undefined;
    const { model: narrow, ...facts } = cut;
    const { macs, params } = costOf(narrow);
    return { model: await withStatistics(narrow, own, within), facts: { ...facts, macs, parameters: params } };
  });
  const cuts = result.rounds.flatMap(({ taken }) => (taken ? [taken] : []));
  if (cuts.length === 0) return { ...(await cutOnce(model, original, own, amount, context)), rounds: result.rounds };
  const { decision, curves } = lastOf(cuts);
  return { ...result, widths: joined(cuts), decision, ...(curves && { curves }) };
}

/** Nothing goes where rounding leaves nothing to take. */
async function unlessNothing<T>(cut: () => Promise<T>): Promise<T | undefined> {
  try {
    return await cut();
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

interface Size {
  /** Classes of the widths that can be narrowed. */
  readonly classes: number;
  readonly macs: number;
}

function sizeOf(model: Model, own: NarrowSettings): Size {
  const criterion = foreseenCriterion(own.criterion);
  const { open, cost } = prunable(model, pruneSettingsOf({ ...own, criterion }, 0));
  return { classes: open.reduce((sum, { ascending }) => sum + ascending.length, 0), macs: cost.macs };
}

/** Room for what floating-point numbers lose. */
const SLACK = 1e-9;

/** What is asked of the network at hand, so that a part of the way is gone behind it; `undefined` where that is so already. */
export function amountAt(amount: MeasuredAmount, part: number, start: Size, current: Size): MeasuredAmount | undefined {
  if (amount.latency !== undefined) return { latency: 1 - (1 - amount.latency) * part };
  if (amount.macs !== undefined) {
    const macs = ((1 - (1 - amount.macs) * part) * start.macs) / current.macs;
    return macs < 1 ? { macs } : undefined;
  }
  const ratio = 1 - ((1 - amount.ratio * part) * start.classes) / current.classes + SLACK;
  return ratio > 2 * SLACK ? { ratio } : undefined;
}

/** Widths before the first and after the last cut. */
function joined(cuts: readonly Cut[]): PrunedWidth[] {
  const first = new Map(nth(cuts, 0).widths.map((width) => [width.layers.join(), width]));
  return lastOf(cuts).widths.map((width) => ({
    ...width,
    before: first.get(width.layers.join())?.before ?? width.before,
  }));
}

/** What stands for a criterion until samples have been looked at. */
export function foreseenCriterion(criterion: CriterionName): CriterionName {
  return criteria[criterion].needs === undefined ? criterion : "l2";
}

async function curvesOf(
  model: Model,
  own: NarrowSettings,
  evidence: WeightEvidence | undefined,
  context: TechniqueContext,
): Promise<readonly WidthCurve[]> {
  const { open, session, seed, signal, data, progress } = context;
  const { ranking: _, ...settings } = pruneSettingsOf(own, seed, evidence && { evidence });
  return await context.once("curves", () =>
    measurePruneSensitivity(model, {
      ...{ ...settings, open, session, signal, batches: () => data.calibration() },
      onCurve: ({ layers }, done, total) => progress({ stage: "sensitivity", done, total, detail: layers[0] ?? "" }),
    }),
  );
}

/** Samples per batch, and batches, that statistics are measured on. */
const STATISTICS = { batch: 64, batches: 16 } as const;

/** On the samples to train on where there are as many as to choose by, else on those. */
export async function withStatistics(
  model: Model,
  { keepStatistics }: Pick<NarrowSettings, "keepStatistics">,
  { data: { datasets, batch }, open, session, seed, signal, say }: TechniqueContext,
): Promise<Model> {
  if (!datasets || keepStatistics) return model;
  const { training, calibration } = datasets;
  const data = training.size > calibration.size ? training : calibration;
  const told = await recalibrated(model, {
    ...{ data, open, session: { threads: session.threads }, seed, signal },
    ...STATISTICS,
    ...(batch !== undefined && { batch }),
  });
  if (told !== model) say(`running statistics of norms measured anew on ${data.size} samples at most`);
  return told;
}

async function decided(
  model: Model,
  original: Model,
  own: NarrowSettings,
  settings: PruneSettings & MeasuredAmount,
  context: TechniqueContext,
): Promise<PruneDecision> {
  const { open, session, signal, data, kernelBlocks: blocks, progress } = context;
  const { feeds } = await data.timed();
  let done = 0;
  return await decidePruning(model, {
    ...settings,
    ...{ original, round: own.round, open, session, feeds, blocks, signal, allowSlower: own.allowSlower === true },
    onTrial: ({ narrowed }) => progress({ stage: "time", done: ++done, total: 0, detail: `${narrowed} widths` }),
  });
}
