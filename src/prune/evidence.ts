/** @file What data says of weights, in the layout of each. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import type { Criterion, EvidenceKind, WeightRows } from "./criterion.ts";

/** Numbers for each element of a weight. */
export type Seen = Pick<WeightRows, "gradients" | "squaredGradients" | "inputNorms" | "inputShares">;

/** By the names of initializers. */
export interface WeightEvidence {
  readonly kinds: readonly EvidenceKind[];
  readonly weights: ReadonlyMap<string, Seen>;
}

/** @throws UsageError for a criterion that needs evidence where none of its kind is given. */
export function checkEvidence({ name, needs }: Criterion, evidence: WeightEvidence | undefined): void {
  if (needs === undefined || evidence?.kinds.includes(needs)) return;
  throw new UsageError(`the criterion ${name} needs data`, {
    expected: `evidence of ${needs}`,
    got: evidence ? `evidence of ${evidence.kinds.join(", ")}` : "none",
    hint: "Gather it from samples first: await gatherEvidence(model, …).",
  });
}

/** What is known of a weight, each array laid out anew. */
export function seenOf(
  evidence: WeightEvidence | undefined,
  { name }: Value,
  layOut: (values: Float32Array) => Float32Array,
): Seen {
  const seen = evidence?.weights.get(name) ?? {};
  return Object.fromEntries(Object.entries(seen).map(([key, values]) => [key, layOut(values)]));
}
