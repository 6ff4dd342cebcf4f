/** @file Pruning as a technique: settings, plan, work, report. */
import * as z from "zod";
import { lastOf } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { between, choice, flag, memberOf, names, setting, summariesOf, wholeOr } from "../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../technique/index.ts";
import { criteria } from "./criteria/index.ts";
import type { PrunedModel, PruneReport, PruneSettings } from "./prunable.ts";
import { type PruneAmount, pruneModel } from "./prune.ts";
import { decidePruning, type MeasuredAmount, type PruneDecision, prunedAs } from "./prune-measured.ts";
import { rankings } from "./rankings/index.ts";
import { roundingText } from "./rounding.ts";
import { cardOf, factsOf, sentenceOf, speedOf, trialFacts, trialTable, widthTable } from "./technique-report.ts";

const share = () => between(0.001, 0.999).exactOptional();

const settings = z.strictObject({
  ratio: setting("--ratio <share>", "share of each width that goes: of channels, heads, hidden units", share()),
  targetMacs: setting(
    "--target-macs <share>",
    "in its place: the share of multiply-accumulates that is left at most",
    share(),
  ),
  targetLatency: setting(
    "--target-latency <share>",
    "in their place: the share of the original's time that is left at most, measured",
    share(),
  ),
  criterion: setting("--criterion <name>", summariesOf(criteria), memberOf(criteria).default("l2")),
  ranking: setting("--ranking <name>", summariesOf(rankings), memberOf(rankings).default("local")),
  round: setting(
    "--round <n>",
    "widths that are narrowed are left with multiples of this; auto: of what kernels like where the model is to run, measured",
    wholeOr("auto", 1).default("auto"),
  ),
  allowSlower: setting("--allow-slower", "the result need not be as fast as the original", flag().exactOptional()),
  most: setting("--most <share>", "largest share that one width may lose", between(0.001, 0.999).default(0.9)),
  factor: setting(
    "--factor <which>",
    "outer: whole heads and groups; inner: the same positions of each",
    choice(["outer", "inner"]).default("outer"),
  ),
  exclude: setting("--exclude <names>", "layers whose widths stay, `head,block1/*`", names().exactOptional()),
});

export type PruneCommandSettings = z.output<typeof settings>;

export interface PruneEvidence extends Evidence {
  readonly report: PruneReport;
  readonly decision: PruneDecision;
}

export const pruneTechnique = defineTechnique({
  name: "prune",
  summary: "Narrower layers: channels, heads and units that matter little go, accuracy won back by distillation",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: true,
  suffix: () => "_pruned",

  check(own) {
    amountOf(own);
  },

  plan(model, own) {
    const { report } = foreseen(model, own);
    return { sentence: `${sentenceOf(report)}${provisos(own)}`, facts: factsOf(report) };
  },

  async run(model, own, context): Promise<PruneEvidence> {
    const decision = await context.once("widths", () => decided(model, own, context));
    const { model: pruned, report } = prunedAs(model, settingsOf(own, context.seed), decision);
    const recovered = await context.recover(pruned);
    const facts = { ...factsOf(report), round: decision.round, trials: decision.trials.map(trialFacts) };
    return { sentence: `${sentenceOf(report)}${speedOf(decision)}`, facts, report, decision, ...recovered };
  },

  sections: ({ sentence, report, decision }, { criterion, ranking }) => ({
    verdict: sentence,
    cards: [cardOf("Multiply-accumulates", report.macs), cardOf("Parameters", report.parameters)],
    parts: [widthTable(report), ...(decision.trials.length > 0 ? [trialTable(decision)] : [])],
    facts: [
      ["rounding", `multiples of ${roundingText(decision.round)}`],
      ["criterion", criterion],
      ["ranking", ranking],
    ],
  }),
});

function amountOf({ ratio, targetMacs, targetLatency }: PruneCommandSettings): MeasuredAmount {
  const given = [ratio, targetMacs, targetLatency].filter((share) => share !== undefined).length;
  if (given === 1 && ratio !== undefined) return { ratio };
  if (given === 1 && targetMacs !== undefined) return { macs: targetMacs };
  if (given === 1 && targetLatency !== undefined) return { latency: targetLatency };
  throw new UsageError("pruning needs to know how much goes", {
    expected: "one of --ratio SHARE, --target-macs SHARE and --target-latency SHARE",
    got: given === 0 ? "none" : `${given} of them`,
  });
}

function settingsOf({ criterion, ranking, most, factor, exclude }: PruneCommandSettings, seed: number): PruneSettings {
  return { criterion, ranking, most, factor, seed, ...(exclude && { exclude }) };
}

/** Multiples that stand for those that are not measured yet. */
const USUAL = [8, 4, 2, 1] as const;

/** Nearly all, until `most` holds. */
const ALL = 0.999;

/** Without measuring: a time is reached by narrowing all at most. @throws what is thrown of the finest rounding */
function foreseen(model: Model, own: PruneCommandSettings): PrunedModel {
  const asked = amountOf(own);
  const amount: PruneAmount = asked.latency === undefined ? asked : { ratio: ALL };
  const roundings = own.round === "auto" ? USUAL : [own.round];
  for (const round of roundings.slice(0, -1)) {
    try {
      return pruneModel(model, { ...amount, ...settingsOf(own, 0), round });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  return pruneModel(model, { ...amount, ...settingsOf(own, 0), round: lastOf(roundings) });
}

function provisos({ targetLatency, round, allowSlower }: PruneCommandSettings): string {
  const least = targetLatency === undefined ? "" : " at most: less until the time is measured to be reached";
  const rounding = round === "auto" ? ", by the usual multiples until those of this machine are measured" : "";
  return `${least}${rounding}${allowSlower ? "" : ", unless it is slower than the original"}`;
}

async function decided(model: Model, own: PruneCommandSettings, context: TechniqueContext): Promise<PruneDecision> {
  const { open, session, seed, signal, data, kernelBlocks: blocks, progress } = context;
  const { feeds } = await data.timed();
  let done = 0;
  return await decidePruning(model, {
    ...amountOf(own),
    ...settingsOf(own, seed),
    ...{ round: own.round, open, session, feeds, blocks, signal, allowSlower: own.allowSlower === true },
    onTrial: ({ narrowed }) => progress({ stage: "time", done: ++done, total: 0, detail: `${narrowed} widths` }),
  });
}
