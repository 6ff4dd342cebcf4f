/** @file What every exit would answer to each sample of a data set, and what each exit costs. */
import { must, nth } from "../../checked.ts";
import { DataError } from "../../errors.ts";
import { checkLabels, type Model, numbersOf } from "../../ir/index.ts";
import type { Batch } from "../../measure/index.ts";
import { costOf } from "../../ops/index.ts";
import type { OpenSession, SessionOptions } from "../../runtime/index.ts";
import { bestClasses } from "./best-classes.ts";
import { named, type StageOptions, stagesOf, withScores } from "./staged-model.ts";

/** Exits in order, the whole network last. */
export interface ExitRecords {
  /** `scores[exit][sample]`, without the whole network. */
  readonly scores: readonly (readonly number[])[];
  /** `right[exit][sample]`. */
  readonly right: readonly (readonly boolean[])[];
}

export interface RecordOptions extends StageOptions {
  readonly open: OpenSession;
  readonly session?: SessionOptions;
}

/** Runs the whole network with all exits over labelled batches: validation data, never the test's. */
export async function recordExits(
  model: Model,
  batches: AsyncIterable<Batch> | Iterable<Batch>,
  { open, session: sessionOptions, ...options }: RecordOptions,
): Promise<ExitRecords> {
  const scored = withScores(model, options);
  const heads = [...scored.exits, scored.output];
  const scores: number[][] = scored.scores.map(() => []);
  const right: boolean[][] = heads.map(() => []);
  await using session = await open(scored.model, { step: "measuring exits", ...sessionOptions });
  for await (const { feeds, labels, sources } of batches) {
    if (!labels) throw new DataError("the thresholds of exits are chosen on labelled data", { got: "no labels" });
    const made = await session.run(feeds);
    scored.scores.forEach((name, k) => {
      for (const score of numbersOf(must(made, name))) nth(scores, k).push(score);
    });
    heads.forEach((name, k) => {
      const logits = must(made, name);
      checkLabels(labels, { kind: "classes", count: logits.dims[1] ?? 0 }, (i) => sources?.[i]);
      const answers = bestClasses(logits);
      for (const [i, label] of labels.entries()) nth(right, k).push(answers[i] === label);
    });
  }
  if (nth(right, 0).length === 0)
    throw new DataError("the thresholds of exits are chosen on data", { got: "no samples" });
  return { scores, right };
}

/**
 * Multiply-accumulates of one sample that leaves at each exit, those of the heads on the way included; the whole network last.
 * Measured times can stand in their place.
 */
export function exitCosts(model: Model, options: StageOptions): number[] {
  const scored = withScores(model, options);
  const { graph } = scored.model;
  const costs = new Map(costOf(scored.model).byNode.map(({ node, macs }) => [node, macs ?? 0]));
  const heads = scored.exits.map((name, k) => [named(graph, name), named(graph, nth(scored.scores, k))]);
  let spent = 0;
  return stagesOf(graph, [...heads, [named(graph, scored.output)]]).map((nodes) => {
    for (const node of nodes) spent += costs.get(node) ?? 0;
    return spent;
  });
}
