/** @file Sparse weights as a form of the technique of pruning: settings, plan, work, report. */
import { UsageError } from "../errors.ts";
import { type Model, sparseInitializers, storedWeights } from "../ir/index.ts";
import {
  among,
  beside,
  between,
  type Condition,
  flag,
  memberOf,
  only,
  setting,
  text,
  whole,
} from "../settings/index.ts";
import type { Evidence, FigureCard, Sections, TableSection, TechniqueContext } from "../technique/index.ts";
import type { Algorithm } from "../train/index.ts";
import { type CriterionName, criteria } from "./criteria/index.ts";
import { evidenceFor } from "./evidence-of-run.ts";
import { block, element, vector } from "./granularities/index.ts";
import type { Granularity } from "./granularity.ts";
import type { SparseRanking } from "./least-rows.ts";
import type { Masks } from "./masks.ts";
import { masksOf } from "./masks-of.ts";
import { foreseenCriterion } from "./narrow.ts";
import { reconstructModel } from "./reconstruct.ts";
import { inRounds, type PruneRound, roundTable } from "./rounds.ts";
import {
  reportOf,
  type SparseModel,
  type SparsifyOptions,
  type SparsifySettings,
  type SparsityAmount,
  type SparsityReport,
  sparseLayersOf,
  sparsifyModel,
} from "./sparsify.ts";
import { type CourseName, courses, gradualSparsity, masked } from "./training/index.ts";

/** Layers become narrower: nothing is said of zeros. */
export const narrowing: Condition = {
  label: "without --sparsity and --pattern",
  expected: "neither --sparsity nor --pattern beside it",
  got: ({ sparsity, pattern }) => (sparsity === undefined ? `--pattern ${pattern}` : `--sparsity ${sparsity}`),
  holds: (values) => !isSparsifying(values),
};

/** Weights become zeros. */
const zeroing: Condition = {
  label: "with --sparsity or --pattern",
  expected: "--sparsity or --pattern beside it",
  got: () => "none of them",
  holds: isSparsifying,
};

const forms = {
  element: () => element(),
  vector: (size: number) => vector({ size }),
  block: (size: number) => block({ size }),
};

type FormName = keyof typeof forms;

export const sparseSettings = {
  sparsity: setting(
    "--sparsity <share>",
    "in place of narrower layers: the share of weights that become zeros",
    between(0.001, 0.999).exactOptional(),
  ),
  pattern: setting("--pattern <N:M>", "in its place: N of M neighbours stay, 2:4", text().exactOptional()),
  granularity: only(
    beside("--sparsity"),
    setting("--granularity <name>", "what goes as a whole", memberOf(forms).default("element")),
  ),
  block: only(
    among("--granularity", "vector", "block"),
    setting("--block <n>", "side of a block, length of a vector", whole(1).default(4)),
  ),
  reconstruct: only(
    zeroing,
    setting("--reconstruct", "SparseGPT: what stays makes up for what goes, on the calibration samples", flag()),
  ),
  schedule: only(
    beside("--finetune"),
    setting(
      "--schedule <name>",
      "when weights become zeros: one-shot: before the distillation; iterative, cubic: more and more during it",
      memberOf(courses),
    ),
  ),
};

export interface SparseCommandSettings {
  readonly sparsity?: number | undefined;
  readonly pattern?: string | undefined;
  readonly granularity?: FormName | undefined;
  readonly block?: number | undefined;
  readonly reconstruct?: boolean | undefined;
  readonly schedule?: CourseName | undefined;
  readonly criterion: CriterionName;
  readonly ranking: string;
  readonly exclude?: readonly string[] | undefined;
  readonly rounds?: number | undefined;
}

export interface SparseEvidence extends Evidence {
  readonly zeros: SparsityReport;
  readonly rounds?: readonly PruneRound<SparsityReport>[];
}

export function isSparsifying({
  sparsity,
  pattern,
}: {
  readonly sparsity?: unknown;
  readonly pattern?: unknown;
}): boolean {
  return sparsity !== undefined || pattern !== undefined;
}

/** @throws UsageError for what cannot be together */
export function checkSparse(own: SparseCommandSettings): void {
  const { sparsity, pattern, schedule, reconstruct, criterion, ranking } = own;
  checkRounds(own);
  if (sparsity !== undefined && pattern !== undefined)
    throw new UsageError("one of --sparsity and --pattern says how much becomes zero", { got: "both" });
  if (ranking !== "local" && ranking !== "global")
    throw new UsageError("single weights are ranked per layer or all together", {
      expected: "--ranking local or global",
      got: `--ranking ${ranking}`,
    });
  if (reconstruct && (schedule ?? "one-shot") !== "one-shot")
    throw new UsageError("weights that are reconstructed become zeros before the distillation", {
      expected: "--schedule one-shot",
      got: `--schedule ${schedule}`,
    });
  if (reconstruct && (own.granularity ?? "element") !== "element")
    throw new UsageError("single weights and patterns are reconstructed", { got: `--granularity ${own.granularity}` });
  if (isGradual(own) && (pattern !== undefined || criteria[criterion].needs !== undefined))
    throw new UsageError("sparsity that grows in training is a share, and looks at the weights alone", {
      expected: "--sparsity and a criterion that needs no data",
      got: pattern === undefined ? `--criterion ${criterion}` : `--pattern ${pattern}`,
    });
}

function checkRounds({ rounds = 1, pattern, schedule = "one-shot" }: SparseCommandSettings): void {
  if (rounds === 1) return;
  if (pattern !== undefined)
    throw new UsageError("a pattern has no parts of the way", {
      expected: "--rounds with --sparsity",
      got: `--pattern ${pattern}`,
    });
  if (schedule === "one-shot") return;
  throw new UsageError("sparsity grows in rounds or in training", {
    expected: "--schedule one-shot beside --rounds",
    got: `--schedule ${schedule}`,
  });
}

function isGradual({ schedule }: SparseCommandSettings): boolean {
  return schedule !== undefined && schedule !== "one-shot";
}

export function planSparse(
  model: Model,
  own: SparseCommandSettings,
): { readonly sentence: string; readonly facts: object } {
  const { report } = sparsifyModel(model, { ...optionsOf(own, 0), criterion: foreseenCriterion(own.criterion) });
  return { sentence: sentenceOf(report), facts: factsOf(report) };
}

export async function runSparse(
  model: Model,
  own: SparseCommandSettings,
  context: TechniqueContext,
): Promise<SparseEvidence> {
  const { rounds, ...recovered } = await recoveredSparse(model, own, context);
  const after = reportAfter(model, recovered.model, own);
  return {
    ...recovered,
    model: sparseInitializers(recovered.model),
    zeros: after,
    ...(rounds && { rounds }),
    sentence: sentenceOf(after),
    facts: { ...factsOf(after), ...(rounds && { rounds: rounds.map(roundFacts) }) },
  };
}

function roundFacts({ taken, ...answers }: PruneRound<SparsityReport>) {
  return { ...answers, ...(taken && { zeros: taken.zeros.after }) };
}

type Recovered = Pick<SparseEvidence, "model" | "training" | "rounds">;

async function recoveredSparse(
  model: Model,
  own: SparseCommandSettings,
  context: TechniqueContext,
): Promise<Recovered> {
  const { rounds = 1, sparsity = 0 } = own;
  if (isGradual(own)) return context.recover(model, [], [growing(own, context)]);
  if (rounds === 1) {
    const made = await madeSparse(model, own, context);
    return context.recover(made.model, [], [masked(made.masks)]);
  }
  return await inRounds(model, rounds, context, async (current, part, within) => {
    const before = masksOf(current);
    const made = await madeSparse(current, { ...own, sparsity: sparsity * part }, within, before);
    return { model: made.model, facts: made.report, algorithms: [masked(made.masks)] };
  });
}

/** @param masks zeros that stay zeros */
async function madeSparse(
  model: Model,
  own: SparseCommandSettings,
  context: TechniqueContext,
  masks?: Masks,
): Promise<SparseModel> {
  const { criterion, exclude, reconstruct } = own;
  if (reconstruct) {
    const { open, session, signal, data } = context;
    const batches = () => data.calibration();
    return reconstructModel(model, {
      ...amountOf(own),
      ...{ open, batches, signal, threads: session.threads },
      ...(exclude && { exclude }),
    });
  }
  const evidence = await evidenceFor(model, criteria[criterion], context);
  const seen = { ...(evidence && { evidence }), ...(masks && { masks }) };
  return sparsifyModel(model, { ...optionsOf(own, context.seed), ...seen });
}

/** Three quarters of the distillation are for the way, the rest for the network that is left. */
const WAY = 0.75;

function growing(own: SparseCommandSettings, { recovery, seed }: TechniqueContext): Algorithm {
  const { sparsity = 0, schedule = "cubic", criterion, exclude } = own;
  const { batch = 32, epochs = 1, data } = recovery ?? {};
  const updates = epochs * Math.ceil((data?.size ?? 1) / batch);
  return gradualSparsity({
    to: sparsity,
    end: Math.max(1, Math.floor(WAY * updates)),
    course: schedule,
    granularity: granularityOf(own),
    criterion,
    ranking: rankingOf(own),
    seed,
    ...(exclude && { exclude }),
  });
}

/** The zeros before and after, of those layers that could have had some. */
function reportAfter(before: Model, after: Model, { exclude }: SparseCommandSettings): SparsityReport {
  const found = sparseLayersOf(storedWeights(before), exclude ? { exclude } : {});
  return reportOf(found, masksOf(after));
}

function rankingOf({ ranking }: SparseCommandSettings): SparseRanking {
  return ranking === "global" ? "global" : "local";
}

function amountOf({ sparsity, pattern }: SparseCommandSettings): SparsityAmount {
  return pattern === undefined ? { sparsity: sparsity ?? 0 } : { pattern };
}

function granularityOf({ granularity = "element", block: size = 4 }: SparseCommandSettings): Granularity {
  return forms[granularity](size);
}

function optionsOf(own: SparseCommandSettings, seed: number): SparsifyOptions {
  const { criterion, exclude, pattern } = own;
  const rest: SparsifySettings = { criterion, seed, ...(exclude && { exclude }) };
  if (pattern !== undefined) return { pattern, ...rest };
  return { sparsity: own.sparsity ?? 0, granularity: granularityOf(own), ranking: rankingOf(own), ...rest };
}

function sentenceOf({ layers, elements, zeros }: SparsityReport): string {
  const share = ((100 * zeros.after) / elements).toFixed(1);
  return `${share} % of the weights of ${layers.length} layers are zeros`;
}

function factsOf({ layers, elements, zeros, untouched }: SparsityReport) {
  return { layers, elements, zeros, untouched };
}

export function sparseSections({ zeros: report, rounds }: SparseEvidence): Pick<Sections, "cards" | "parts" | "facts"> {
  const byRound = rounds ? [roundTable(rounds, ["zeros"], ({ zeros }) => [zeros.after])] : [];
  return {
    cards: cardsOf(report),
    parts: [...byRound, tableOf(report)],
    facts: [["stored", "sparse where that is smaller"]],
  };
}

function cardsOf({ elements, zeros }: SparsityReport): FigureCard[] {
  const percent = (count: number) => `${((100 * count) / elements).toFixed(1)} %`;
  return [
    {
      label: "Weights that are zero",
      value: percent(zeros.after),
      tone: "plain",
      change: "of them",
      note: `${percent(zeros.before)} before`,
    },
  ];
}

function tableOf({ layers, untouched }: SparsityReport): TableSection {
  return {
    kind: "table",
    title: "Zeros",
    head: ["layer", "weights", "zeros before", "zeros after"],
    rows: [
      ...layers.map(({ layer, elements, zeros }) => ({
        cells: [layer, elements, zeros.before, zeros.after],
        isChosen: zeros.after > zeros.before,
      })),
      ...untouched.map(({ layer, reason }) => ({ cells: [layer, reason, "", ""], isChosen: false })),
    ],
  };
}
