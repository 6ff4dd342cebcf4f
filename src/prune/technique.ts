/** @file Pruning as a technique: settings, plan, work, report. */
import * as z from "zod";
import { UsageError } from "../errors.ts";
import { between, choice, memberOf, names, setting, summariesOf, whole } from "../settings/index.ts";
import { defineTechnique, type Evidence, type FigureCard } from "../technique/index.ts";
import { criteria } from "./criteria/index.ts";
import { type PruneAmount, type PruneOptions, type PruneReport, pruneModel } from "./prune.ts";
import { rankings } from "./rankings/index.ts";

const share = () => between(0.001, 0.999).exactOptional();

const settings = z.strictObject({
  ratio: setting("--ratio <share>", "share of each width that goes: of channels, heads, hidden units", share()),
  targetMacs: setting(
    "--target-macs <share>",
    "in its place: the share of multiply-accumulates that is left at most",
    share(),
  ),
  criterion: setting("--criterion <name>", summariesOf(criteria), memberOf(criteria).default("l2")),
  ranking: setting("--ranking <name>", summariesOf(rankings), memberOf(rankings).default("local")),
  round: setting("--round <n>", "widths that are narrowed are left with multiples of this", whole(1).default(8)),
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
    const { report } = pruneModel(model, optionsOf(own, 0));
    return { sentence: sentenceOf(report), facts: factsOf(report) };
  },

  async run(model, own, context): Promise<PruneEvidence> {
    const { model: pruned, report } = pruneModel(model, optionsOf(own, context.seed));
    const recovered = await context.recover(pruned);
    return { sentence: sentenceOf(report), facts: factsOf(report), report, ...recovered };
  },

  sections: ({ sentence, report }, { criterion, ranking }) => ({
    verdict: sentence,
    cards: [cardOf("Multiply-accumulates", report.macs), cardOf("Parameters", report.parameters)],
    parts: [
      {
        kind: "table",
        title: "Widths",
        head: ["layers", "before", "after", "held"],
        rows: report.widths.map(({ layers, before, after, held }) => ({
          cells: [layers.join(", "), before, after, held.join("; ")],
          isChosen: after < before,
        })),
      },
    ],
    facts: [
      ["criterion", criterion],
      ["ranking", ranking],
    ],
  }),
});

function amountOf({ ratio, targetMacs }: PruneCommandSettings): PruneAmount {
  if (ratio !== undefined && targetMacs === undefined) return { ratio };
  if (targetMacs !== undefined && ratio === undefined) return { macs: targetMacs };
  throw new UsageError("pruning needs to know how much goes", {
    expected: "one of --ratio SHARE and --target-macs SHARE",
    got: ratio === undefined ? "none" : "both",
  });
}

function optionsOf(own: PruneCommandSettings, seed: number): PruneOptions {
  const { criterion, ranking, round, most, factor, exclude } = own;
  return { ...amountOf(own), criterion, ranking, round, most, factor, seed, ...(exclude && { exclude }) };
}

export function sentenceOf({ widths, macs, parameters }: PruneReport): string {
  const narrowed = widths.filter(({ before, after }) => after < before).length;
  return `${narrowed} of ${widths.length} widths narrowed: ${times(macs)} fewer multiply-accumulates, ${times(parameters)} fewer parameters`;
}

function factsOf({ widths, macs, parameters }: PruneReport) {
  return { widths, macs, parameters };
}

function times({ before, after }: { readonly before: number; readonly after: number }): string {
  return `${(before / after).toFixed(2)}×`;
}

export function cardOf(label: string, change: { readonly before: number; readonly after: number }): FigureCard {
  const { before, after } = change;
  const tone = after < before ? "better" : "plain";
  return {
    label,
    value: times(change),
    tone,
    change: "fewer",
    note: `${before.toLocaleString("en")} → ${after.toLocaleString("en")}`,
  };
}
