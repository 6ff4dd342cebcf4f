/** @file Pruning as a technique: settings, plan, work, report. */
import * as z from "zod";
import { lastOf } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { costOf } from "../ops/index.ts";
import {
  among,
  beside,
  between,
  choice,
  flag,
  layerShares,
  memberOf,
  names,
  only,
  requireSamplesFor,
  setting,
  summariesOf,
  whole,
  wholeOr,
} from "../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../technique/index.ts";
import { costChange } from "./cost-change.ts";
import { criteria } from "./criteria/index.ts";
import { checkBlocks, type DroppedBlocks, dropBlocks, droppableBlocks, withoutBlocks } from "./drop-blocks.ts";
import { requireData } from "./evidence-of-run.ts";
import { foreseenCriterion, narrowed, pruneSettingsOf, type RoundCut, withStatistics } from "./narrow.ts";
import type { PrunedModel, PruneReport } from "./prunable.ts";
import { type PruneAmount, pruneModel } from "./prune.ts";
import type { MeasuredAmount, PruneDecision } from "./prune-measured.ts";
import { rankings } from "./rankings/index.ts";
import { roundingText } from "./rounding.ts";
import { type PruneRound, roundTable } from "./rounds.ts";
import { SENSITIVITY, type WidthCurve } from "./sensitivity.ts";
import {
  blockTable,
  cardOf,
  curveChart,
  curveTable,
  factsOf,
  ROUND_HEAD,
  roundCells,
  roundFacts,
  sentenceOf,
  speedOf,
  trialFacts,
  trialTable,
  widthsByRound,
  widthTable,
} from "./technique-report.ts";

const orders = { ...rankings, sensitivity: { summary: SENSITIVITY } } as const;

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
  dropBlocks: setting(
    "--drop-blocks <n>",
    "residual blocks that go as a whole, beside or in place of these: those that the answers miss least (needs data)",
    whole(1).exactOptional(),
  ),
  criterion: setting("--criterion <name>", summariesOf(criteria), memberOf(criteria).default("l2")),
  ranking: setting("--ranking <name>", summariesOf(orders), memberOf(orders).default("local")),
  round: setting(
    "--round <n>",
    "widths that are narrowed are left with multiples of this; auto: of what kernels like where the model is to run, measured",
    wholeOr("auto", 1).default("auto"),
  ),
  allowSlower: setting("--allow-slower", "the result need not be as fast as the original", flag().exactOptional()),
  most: setting("--most <share>", "largest share that one width may lose", between(0.001, 0.999).default(0.9)),
  limit: setting(
    "--limit <list>",
    "the same of single layers, `head=0.2,block1/*=0.5`: the least that is said of a layer holds",
    layerShares().exactOptional(),
  ),
  mostError: only(
    among("--ranking", "sensitivity"),
    setting(
      "--most-error <error>",
      "no width loses more than what brings the answers to this error when it alone loses it",
      between(0, 10),
    ),
  ),
  rounds: only(
    beside("--finetune"),
    setting("--rounds <n>", "equal parts of the way, with the distillation behind each", whole(1).default(1)),
  ),
  factor: setting(
    "--factor <which>",
    "outer: whole heads and groups; inner: the same positions of each",
    choice(["outer", "inner"]).default("outer"),
  ),
  exclude: setting("--exclude <names>", "layers whose widths stay, `head,block1/*`", names().exactOptional()),
  keepStatistics: only(
    beside("--data"),
    setting("--keep-statistics", "running statistics of norms are not measured anew on the data", flag()),
  ),
});

export type PruneCommandSettings = z.output<typeof settings>;

export interface PruneEvidence extends Evidence {
  readonly report: PruneReport;
  /** How widths were narrowed, where they were. */
  readonly decision?: PruneDecision;
  readonly depth?: Omit<DroppedBlocks, "model">;
  readonly curves?: readonly WidthCurve[];
  readonly rounds?: readonly PruneRound<RoundCut>[];
}

export const pruneTechnique = defineTechnique({
  name: "prune",
  summary: "Narrower layers: channels, heads and units that matter little go, accuracy won back by distillation",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: true,
  suffix: () => "_pruned",

  /** What chooses by answers is never made to choose by those on made-up samples. */
  check(own) {
    const { criterion, dropBlocks, ranking, data, rounds = 1 } = own;
    if (amountOf(own) === undefined && rounds > 1)
      throw new UsageError("rounds have no way to go where only blocks go", {
        expected: "--ratio, --target-macs or --target-latency beside --rounds",
        got: `--drop-blocks ${dropBlocks}`,
      });
    requireData(criteria[criterion], data);
    requireSamplesFor(dropBlocks === undefined ? undefined : "--drop-blocks", data);
    requireSamplesFor(ranking === "sensitivity" ? "--ranking sensitivity" : undefined, data);
  },

  plan(model, own) {
    const { dropBlocks } = own;
    if (dropBlocks !== undefined) checkBlocks(model, dropBlocks);
    const blocks =
      dropBlocks === undefined ? "" : `${dropBlocks} of ${droppableBlocks(model).length} residual blocks go`;
    if (amountOf(own) === undefined) return { sentence: blocks, facts: { blocks: dropBlocks } };
    const { report } = foreseen(model, own);
    const widths = `${sentenceOf(report)}${provisos(own)}`;
    return { sentence: blocks ? `${blocks}; ${widths}` : widths, facts: { ...factsOf(report), blocks: dropBlocks } };
  },

  async run(model, own, context): Promise<PruneEvidence> {
    const depth = own.dropBlocks === undefined ? undefined : await withLess(model, own.dropBlocks, context);
    const shorter = depth ? withoutBlocks(model, depth.dropped) : model;
    const amount = amountOf(own);
    const cut = amount && (await narrowed(shorter, model, own, amount, context));
    const { decision, curves, rounds } = cut ?? {};
    const done = cut ?? (await context.recover(await withStatistics(shorter, own, context)));
    const widths = cut?.widths ?? [];
    const report = { widths, ...costChange(costOf(model), costOf(done.model)) };
    return {
      sentence: `${depth ? `${depth.dropped.length} residual blocks gone; ` : ""}${sentenceOf(report)}${decision ? speedOf(decision) : ""}`,
      facts: {
        ...factsOf(report),
        ...(decision && { round: decision.round, trials: decision.trials.map(trialFacts) }),
        ...(depth && { dropped: depth.dropped, blocks: depth.blocks }),
        ...(curves && { curves }),
        ...(rounds && { rounds: rounds.map(roundFacts) }),
      },
      report,
      ...(decision && { decision }),
      ...(depth && { depth }),
      ...(curves && { curves }),
      ...(rounds && { rounds }),
      model: done.model,
      ...(done.training && { training: done.training }),
    };
  },

  sections: ({ sentence, report, decision, depth, curves, rounds }, { criterion, ranking }) => ({
    verdict: sentence,
    cards: [cardOf("Multiply-accumulates", report.macs), cardOf("Parameters", report.parameters)],
    parts: [
      ...(depth ? [blockTable(depth)] : []),
      ...(decision ? [widthTable(report)] : []),
      ...(rounds ? [roundTable(rounds, ROUND_HEAD, roundCells), widthsByRound(rounds)] : []),
      ...(decision && decision.trials.length > 0 ? [trialTable(decision)] : []),
      ...(curves ? [curveChart(curves), curveTable(curves)] : []),
    ],
    facts: [
      ...(decision ? [["rounding", `multiples of ${roundingText(decision.round)}`] as const] : []),
      ["criterion", criterion],
      ["ranking", ranking],
    ],
  }),
});

/** Nothing where only blocks go. */
function amountOf({ ratio, targetMacs, targetLatency, dropBlocks }: PruneCommandSettings): MeasuredAmount | undefined {
  const given = [ratio, targetMacs, targetLatency].filter((share) => share !== undefined).length;
  if (given === 0 && dropBlocks !== undefined) return undefined;
  if (given === 1 && ratio !== undefined) return { ratio };
  if (given === 1 && targetMacs !== undefined) return { macs: targetMacs };
  if (given === 1 && targetLatency !== undefined) return { latency: targetLatency };
  throw new UsageError("pruning needs to know how much goes", {
    expected: "one of --ratio SHARE, --target-macs SHARE and --target-latency SHARE, or --drop-blocks N",
    got: given === 0 ? "none" : `${given} of them`,
  });
}

async function withLess(
  model: Model,
  blocks: number,
  context: TechniqueContext,
): Promise<Omit<DroppedBlocks, "model">> {
  const { open, session, signal, data, progress } = context;
  let done = 0;
  return await context.once("blocks", async () => {
    const { model: _, ...found } = await dropBlocks(model, {
      ...{ blocks, open, session, signal, batches: () => data.calibration() },
      onMeasured: ({ name }) => progress({ stage: "blocks", done: ++done, total: 0, detail: name }),
    });
    return found;
  });
}

/** Multiples that stand for those that are not measured yet. */
const USUAL = [8, 4, 2, 1] as const;

/** Nearly all, until `most` holds. */
const ALL = 0.999;

/** Without measuring: a time is reached by narrowing all at most. @throws what is thrown of the finest rounding */
function foreseen(model: Model, own: PruneCommandSettings): PrunedModel {
  const asked = amountOf(own);
  const amount: PruneAmount = asked && asked.latency === undefined ? asked : { ratio: ALL };
  const roundings = own.round === "auto" ? USUAL : [own.round];
  const settings = pruneSettingsOf({ ...own, criterion: foreseenCriterion(own.criterion) }, 0);
  for (const round of roundings.slice(0, -1)) {
    try {
      return pruneModel(model, { ...amount, ...settings, round });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  return pruneModel(model, { ...amount, ...settings, round: lastOf(roundings) });
}

function provisos({ targetLatency, round, allowSlower, rounds = 1, mostError }: PruneCommandSettings): string {
  const way = rounds === 1 ? "" : `, in ${rounds} rounds`;
  const bound = mostError === undefined ? "" : ", as far as measured curves allow";
  const least = targetLatency === undefined ? "" : " at most: less until the time is measured to be reached";
  const rounding = round === "auto" ? ", by the usual multiples until those of this machine are measured" : "";
  return `${least}${rounding}${way}${bound}${allowSlower ? "" : ", unless it is slower than the original"}`;
}
