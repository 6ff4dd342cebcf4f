/** @file Early exit as a technique: settings, plan, work, report. */
import { join } from "node:path";
import * as z from "zod";
import { lastOf, nth } from "../../checked.ts";
import { random } from "../../data/index.ts";
import { distill, recoveryFrom, softTargets } from "../../distill/index.ts";
import { BoundError, UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { between, memberOf, requireSamplesFor, setting, whole } from "../../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../../technique/index.ts";
import { keepOutputs } from "../lowering/keep-outputs.ts";
import { addExits, type ExitModel, exitTerms } from "./add-exits.ts";
import { labelledOrAnswered } from "./answered.ts";
import { type ChosenThresholds, chooseThresholds } from "./choose-thresholds.ts";
import { confidences } from "./confidences/index.ts";
import { type ExitRecords, exitCosts, recordExits } from "./exit-records.ts";
import { EXIT_OUTPUT, exportEarlyExit } from "./export-early-exit.ts";
import type { Neck } from "./necks.ts";
import { balancedPlaces } from "./places.ts";
import { classifierOf, type ScoresModel, withoutSoftmax, withSoftmaxOf } from "./scores-model.ts";
import { countTaken } from "./taken.ts";
import { type ExitRow, exitBars, exitTable, meanCostOf, tradeOff, tradeOffs } from "./technique-report.ts";
import { trainHeads } from "./train-heads.ts";

const settings = z.strictObject({
  exits: setting("--exits <n>", "exits, at equal parts of the work", whole(1).default(2)),
  epochs: setting(
    "--epochs <n>",
    "epochs in which the classifiers of the exits learn, the network as it is",
    whole(1).default(4),
  ),
  confidence: setting("--confidence <name>", "how sure an exit is", memberOf(confidences).default("max-probability")),
  drop: setting(
    "--drop <share>",
    "accuracy that leaving early may lose on the samples that choose the thresholds",
    between(0, 1).default(0.01),
  ),
  targetCost: setting(
    "--target-cost <share>",
    "in its place: the share of the multiply-accumulates that a sample may take in the mean",
    between(0.001, 1).exactOptional(),
  ),
});

type ExitSettings = z.output<typeof settings>;

export interface ExitEvidence extends Evidence {
  readonly exits: readonly ExitRow[];
  /** On the samples that chose the thresholds. */
  readonly chosen: ChosenThresholds;
  /** Cost and accuracy of other thresholds on those samples. */
  readonly curve: readonly (readonly [cost: number, accuracy: number])[];
  /** The model with a further output that tells which exit was taken. */
  readonly telling: Model;
  /** Share of the samples that verify which left at each exit, the whole network last. */
  readonly taken?: readonly number[];
}

export const exitsTechnique = defineTechnique({
  name: "exits",
  summary: "Exits for a classifier: easy inputs leave early, through classifiers that learn from the whole network",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: true,
  refusesSlower: true,
  suffix: () => "_exits",
  check: ({ data }) => requireSamplesFor("lithe exits", data),

  plan(model, { exits }) {
    const { typed } = classifierOf(model);
    const places = balancedPlaces(typed, exits).map(placeOf);
    const depths = places.map(({ depth }) => `${(100 * depth).toFixed(0)} %`).join(", ");
    return { sentence: `exits: ${places.length}, behind ${depths} of the work`, facts: { exits: places } };
  },

  async run(model, own, context): Promise<ExitEvidence> {
    const scores = await withoutSoftmax(model);
    const places = balancedPlaces(scores.model, own.exits);
    const at = places.map(({ value }) => value.name);
    const added = addExits(scores.model, random(context.seed), { at });
    const heads = await learnedHeads(added, scores, own, context);
    const { model: trained, training } = await learnedTogether({ ...added, model: heads }, scores, context);
    const found = { ...added, model: trained, confidence: own.confidence };
    const records = await recordExits(trained, labelledOrAnswered(context), { ...found, ...opening(context) });
    const costs = relative(exitCosts(trained, found));
    const chosen = chosenBy(records, costs, own);
    const telling = withSoftmaxOf(await exportEarlyExit(trained, { ...found, thresholds: chosen.thresholds }), model);
    const rows = rowsOf(places, chosen, costs, records);
    return {
      model: await keepOutputs(telling, telling.graph.outputs.slice(0, 1)),
      telling,
      sentence: `${places.length} exits: on the samples that chose the thresholds ${(100 * chosen.cost).toFixed(0)} % of the work`,
      facts: { exits: rows, chosen },
      exits: rows,
      chosen,
      curve: tradeOffs(records, costs),
      ...(training && { training }),
    };
  },

  async observe(evidence, open, batches) {
    await using session = await open(evidence.telling);
    const taken = await countTaken(session, EXIT_OUTPUT, evidence.exits.length, batches);
    return { ...evidence, taken, facts: { ...evidence.facts, taken } };
  },

  sections: (evidence, { confidence, drop }) => ({
    verdict: evidence.sentence,
    cards: [meanCostOf(evidence)],
    parts: [exitBars(evidence), exitTable(evidence), tradeOff(evidence)],
    facts: [
      ["confidence", confidence],
      ["accuracy that thresholds may lose", String(drop)],
    ],
  }),
});

function placeOf({ value, depth }: Neck) {
  return { at: value.name, depth };
}

function opening({ open, session }: TechniqueContext) {
  return { open, session };
}

/** The network with heads that have learned from it. */
async function learnedHeads(
  added: ExitModel,
  { scores }: ScoresModel,
  { epochs }: ExitSettings,
  context: TechniqueContext,
): Promise<Model> {
  const { checkpoints, data, session, seed, signal, follow } = context;
  const training = data.datasets?.training;
  if (!training || training.size === 0) {
    throw new UsageError("there are no samples left for exits to learn from", {
      hint: "Keep fewer for choosing and verifying, with --calibration-samples and --eval-samples.",
    });
  }
  const made = await context.onceModel("heads", async () => {
    const { model } = await follow(
      trainHeads(added, {
        ...{ data: training, output: scores, epochs, seed, session, signal, resume: checkpoints.resume },
        ...(data.batch !== undefined && { batch: data.batch }),
        checkpoint: { folder: join(checkpoints.folder, "heads") },
      }),
    );
    return { model, facts: {} };
  });
  return made.model;
}

/** Network and exits after a distillation of both from the original, where one is asked for. */
async function learnedTogether(
  added: ExitModel,
  { model: teacher, scores }: ScoresModel,
  { recovery, data, follow, signal }: TechniqueContext,
) {
  if (!recovery) return { model: added.model, training: undefined };
  const isLabelled = recovery.data.labels !== undefined;
  const held = data.datasets && { evaluate: { data: data.datasets.calibration } };
  const { losses, ...options } = recoveryFrom(teacher, added.at, { ...recovery, ...held });
  const pairs = added.exits.map((exit) => ({ teacher: scores, student: exit }));
  const { temperature = 2 } = recovery;
  const { model, report } = await follow(
    distill(added.model, {
      ...options,
      losses: [...losses, ...pairs.map((pair) => softTargets({ pairs: [pair], temperature }))],
      ...(isLabelled && { terms: exitTerms(added, "crossEntropy") }),
      signal,
    }),
  );
  return { model, training: report };
}

/** Of the whole network without exits. */
function relative(costs: readonly number[]): number[] {
  return costs.map((cost) => cost / lastOf(costs));
}

/** @throws BoundError where no sample may leave early */
function chosenBy(
  records: ExitRecords,
  costs: readonly number[],
  { drop, targetCost }: ExitSettings,
): ChosenThresholds {
  const right = lastOf(records.right);
  const accuracy = right.filter(Boolean).length / right.length;
  const bound = targetCost === undefined ? { accuracy: accuracy - drop } : { cost: targetCost };
  const chosen = chooseThresholds(records, { costs, bound });
  if (chosen.thresholds.some(Number.isFinite)) return chosen;
  throw new BoundError("no exit is right often enough to leave by", {
    expected:
      targetCost === undefined
        ? `an accuracy of ${accuracy - drop} with samples leaving`
        : `a mean cost of ${targetCost}`,
    got: records.right.map((own) => own.filter(Boolean).length / own.length).join(", "),
    hint: "More --epochs, --finetune, a larger --drop, or fewer and later exits may help.",
  });
}

function rowsOf(
  places: readonly Neck[],
  { thresholds, shares }: ChosenThresholds,
  costs: readonly number[],
  { right }: ExitRecords,
): ExitRow[] {
  return places.map((place, k) => ({
    ...placeOf(place),
    cost: nth(costs, k),
    threshold: nth(thresholds, k),
    accuracy: nth(right, k).filter(Boolean).length / nth(right, k).length,
    share: nth(shares, k),
  }));
}
