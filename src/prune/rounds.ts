/** @file Pruning in rounds: a share of the way, recovery, and again (Han et al. 2015, arXiv:1506.02626, section 3.4). */
import type { Model } from "../ir/index.ts";
import { measureAgreement } from "../measure/index.ts";
import type { TableSection, TechniqueContext } from "../technique/index.ts";
import type { Algorithm, TrainReport } from "../train/index.ts";

/** The answers of a network against those of the original, on the samples to choose by. */
export interface RoundAnswers {
  /** ‖a − b‖ / ‖a‖ of the worst output. */
  readonly error: number;
  /** The share of samples with the same class, where there are classes. */
  readonly same?: number;
  /** The share of samples with the right class, where there are labels. */
  readonly accuracy?: number;
}

/** What a round took away, and what the answers were before and after its recovery. */
export interface PruneRound<T extends object> {
  readonly round: number;
  /** Absent where the rounds before had taken as much, or rounding left nothing to take. */
  readonly taken?: T;
  readonly pruned: RoundAnswers;
  readonly recovered: RoundAnswers;
}

/** A network of which something went. */
export interface Taken<T extends object> {
  readonly model: Model;
  readonly facts: T;
  /** Of its recovery. */
  readonly algorithms?: readonly Algorithm[];
}

export interface PrunedInRounds<T extends object> {
  readonly model: Model;
  /** Of the last recovery. */
  readonly training?: TrainReport;
  readonly rounds: readonly PruneRound<T>[];
}

/**
 * The model after so many rounds, each of which goes an equal part of the way: `take` is told the part of it that is gone behind the
 * round. The teacher of every recovery is the model that was ready. A finished round is not done again.
 */
export async function inRounds<T extends object>(
  model: Model,
  rounds: number,
  context: TechniqueContext,
  take: (current: Model, part: number, context: TechniqueContext) => Promise<Taken<T> | undefined>,
): Promise<PrunedInRounds<T>> {
  const done: PruneRound<T>[] = [];
  let current = model;
  let training: TrainReport | undefined;
  for (let round = 1; round <= rounds; round++) {
    const part = context.part(`round ${round}`);
    const before = current;
    const made = await part.onceModel("model", () =>
      oneRound(before, part, (own) => take(before, round / rounds, own)),
    );
    const { training: trained, ...facts } = made.facts;
    done.push({ round, ...facts });
    current = made.model;
    training = trained ?? training;
    context.say(sentenceOf(round, rounds, facts));
    await context.emit({ type: "round", round, ...facts });
  }
  return { model: current, ...(training && { training }), rounds: done };
}

interface RoundFacts<T extends object> extends Omit<PruneRound<T>, "round"> {
  readonly training?: TrainReport;
}

async function oneRound<T extends object>(
  current: Model,
  context: TechniqueContext,
  take: (context: TechniqueContext) => Promise<Taken<T> | undefined>,
): Promise<{ readonly model: Model; readonly facts: RoundFacts<T> }> {
  const taken = await take(context);
  if (!taken) {
    const answers = await answersOf(current, context);
    return { model: current, facts: { pruned: answers, recovered: answers } };
  }
  const pruned = await answersOf(taken.model, context);
  const { model, training } = await context.recover(taken.model, [], taken.algorithms);
  const recovered = await answersOf(model, context);
  return { model, facts: { taken: taken.facts, pruned, recovered, ...(training && { training }) } };
}

async function answersOf(
  model: Model,
  { open, session, original, labelled, signal }: TechniqueContext,
): Promise<RoundAnswers> {
  await using pruned = await open(model, session);
  const { relative, top1, accuracy } = await measureAgreement(original, pruned, labelled(), { signal });
  return {
    error: relative,
    ...(top1 !== undefined && { same: top1 }),
    ...(accuracy && { accuracy: accuracy.b }),
  };
}

function sentenceOf<T extends object>(round: number, rounds: number, facts: Omit<PruneRound<T>, "round">): string {
  if (!facts.taken) return `round ${round} of ${rounds}: nothing is left to take`;
  return `round ${round} of ${rounds}: ${told(facts.pruned)}, after recovery ${told(facts.recovered)}`;
}

function told({ error, same, accuracy }: RoundAnswers): string {
  if (accuracy !== undefined) return `accuracy ${percent(accuracy)}`;
  return same === undefined ? `error ${error.toPrecision(2)}` : `${percent(same)} of the answers the same`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** The rounds, with what each left by further columns. */
export function roundTable<T extends object>(
  rounds: readonly PruneRound<T>[],
  head: readonly string[],
  cells: (taken: T) => readonly (string | number)[],
): TableSection {
  const measures = (["accuracy", "same", "error"] as const).filter((name) =>
    rounds.some(({ recovered }) => recovered[name] !== undefined),
  );
  return {
    kind: "table",
    title: "Rounds, with the answers on the samples to choose by",
    head: ["round", ...head, ...measures.flatMap((name) => [`${names[name]} before recovery`, "after"])],
    rows: rounds.map(({ round, taken, pruned, recovered }) => ({
      cells: [
        round,
        ...(taken ? cells(taken) : head.map(() => "–")),
        ...measures.flatMap((name) => [pruned[name] ?? null, recovered[name] ?? null]),
      ],
    })),
  };
}

const names = { accuracy: "accuracy", same: "same answers", error: "relative error" } as const;
