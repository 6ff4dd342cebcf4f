/** @file What early exit and cascades share: thresholds under a bound, one model that stops, and what is told of it. */
import { nth } from "../../checked.ts";
import { BoundError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import type { Batch } from "../../measure/index.ts";
import { costOf } from "../../ops/index.ts";
import type { Session } from "../../runtime/index.ts";
import { between, memberOf, setting } from "../../settings/index.ts";
import type { Evidence, TechniqueContext } from "../../technique/index.ts";
import { keepOutputs } from "../lowering/keep-outputs.ts";
import type { ExitModel } from "./add-exits.ts";
import { labelledOrAnswered } from "./answered.ts";
import { type ChosenThresholds, chooseThresholds } from "./choose-thresholds.ts";
import { type ConfidenceName, confidences } from "./confidences/index.ts";
import { type ExitRecords, exitCosts, recordExits } from "./exit-records.ts";
import { EXIT_OUTPUT, exportEarlyExit } from "./export-early-exit.ts";
import { withSoftmaxOf } from "./scores-model.ts";
import { countTaken } from "./taken.ts";
import { type ExitRow, rightOf, tradeOffs } from "./technique-report.ts";

export const leavingSettings = {
  confidence: setting("--confidence <name>", "how sure an exit is", memberOf(confidences).default("max-probability")),
  drop: setting(
    "--drop <share>",
    "accuracy that leaving early may lose on the samples that choose the thresholds",
    between(0, 1).default(0.01),
  ),
  targetCost: setting(
    "--target-cost <share>",
    "in its place: the share of the original's multiply-accumulates that a sample may take in the mean",
    between(0.001, 10).exactOptional(),
  ),
};

export interface Leaving {
  readonly confidence: ConfidenceName;
  readonly drop: number;
  readonly targetCost?: number;
}

export interface ExitEvidence extends Evidence {
  /** The model with a further output that tells which exit was taken. */
  readonly telling: Model;
  readonly exits: readonly ExitRow[];
  /** Of a sample that does not leave, over those of the original. */
  readonly whole: number;
  /** On the samples that chose the thresholds. */
  readonly chosen: ChosenThresholds;
  /** Cost and accuracy of other thresholds on those samples. */
  readonly curve: readonly (readonly [cost: number, accuracy: number])[];
  /** Share of the samples that verify which left at each exit, the whole network last. */
  readonly taken?: readonly number[];
}

export interface Place {
  readonly at: string;
  /** Share of the original's multiply-accumulates before it. */
  readonly depth: number;
}

/**
 * Thresholds for exits that have learned, and the model that leaves by them.
 *
 * @param original what answers where no exit is taken; its softmax, if any, stands behind all
 * @throws BoundError where no sample may leave early
 */
export async function leavingEarly(
  original: Model,
  exits: ExitModel,
  places: readonly Place[],
  own: Leaving,
  context: TechniqueContext,
): Promise<ExitEvidence> {
  const { open, session } = context;
  const found = { exits: exits.exits, confidence: own.confidence };
  const records = await recordExits(exits.model, labelledOrAnswered(context), { ...found, open, session });
  const spent = exitCosts(exits.model, found);
  const costs = spent.map((cost) => cost / (costOf(original).macs || nth(spent, spent.length - 1)));
  const chosen = chosenBy(records, costs, own);
  const stopping = await exportEarlyExit(exits.model, { ...found, thresholds: chosen.thresholds });
  const telling = withSoftmaxOf(stopping, original);
  const rows = rowsOf(places, chosen, costs, records);
  return {
    model: await keepOutputs(telling, telling.graph.outputs.slice(0, 1)),
    telling,
    sentence: `${rows.map(({ at }) => at).join(", ")}: on the samples that chose the thresholds ${(100 * chosen.cost).toFixed(0)} % of the work`,
    facts: { exits: rows, chosen },
    exits: rows,
    whole: nth(costs, costs.length - 1),
    chosen,
    curve: tradeOffs(records, costs),
  };
}

/** Where samples that verify leave. */
export async function observeLeaving(
  evidence: ExitEvidence,
  open: (model: Model) => Promise<Session>,
  batches: AsyncIterable<Batch>,
): Promise<ExitEvidence> {
  await using session = await open(evidence.telling);
  const taken = await countTaken(session, EXIT_OUTPUT, evidence.exits.length, batches);
  return { ...evidence, taken, facts: { ...evidence.facts, taken } };
}

/** @throws BoundError where no sample may leave early */
function chosenBy(records: ExitRecords, costs: readonly number[], { drop, targetCost }: Leaving): ChosenThresholds {
  const shares = records.right.map(rightOf);
  const least = nth(shares, shares.length - 1) - drop;
  const bound = targetCost === undefined ? { accuracy: least } : { cost: targetCost };
  const chosen = chooseThresholds(records, { costs, bound });
  if (chosen.thresholds.some(Number.isFinite)) return chosen;
  throw new BoundError("no exit is right often enough to leave by", {
    expected:
      targetCost === undefined ? `an accuracy of ${least} with samples leaving` : `a mean cost of ${targetCost}`,
    got: `accuracies of ${shares.map((share) => share.toFixed(3)).join(", ")}, the whole network last`,
    hint: "Exits that learn for longer, fewer and later ones, or a larger --drop may help.",
  });
}

function rowsOf(
  places: readonly Place[],
  { thresholds, shares }: ChosenThresholds,
  costs: readonly number[],
  { right }: ExitRecords,
): ExitRow[] {
  return places.map((place, k) => ({
    ...place,
    cost: nth(costs, k),
    threshold: nth(thresholds, k),
    accuracy: rightOf(nth(right, k)),
    share: nth(shares, k),
  }));
}
