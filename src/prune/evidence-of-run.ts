/** @file The evidence that a criterion needs, from the samples of a technique's run. */
import { UsageError } from "../errors.ts";
import { editModel, type Model, withGraph } from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { requireSamplesFor } from "../settings/index.ts";
import type { TechniqueContext } from "../technique/index.ts";
import { answerScores } from "../train/index.ts";
import type { Criterion } from "./criterion.ts";
import type { WeightEvidence } from "./evidence.ts";
import { gatherEvidence } from "./gather-evidence.ts";

/** @throws UsageError where a criterion looks at samples and none are given */
export function requireData({ name, needs }: Criterion, data: string | undefined): void {
  requireSamplesFor(needs && `--criterion ${name}`, data);
}

/** @throws UsageError where the samples have no labels that gradients could come from */
export async function evidenceFor(
  model: Model,
  { name, needs }: Criterion,
  { open, session, signal, data }: TechniqueContext,
): Promise<WeightEvidence | undefined> {
  if (needs === undefined) return undefined;
  const shared = { kinds: [needs], open, signal, threads: session.threads };
  if (needs === "inputs") return gatherEvidence(model, { ...shared, batches: () => data.calibration() });
  const samples = data.datasets?.calibration;
  if (samples?.labels === undefined)
    throw new UsageError(`--criterion ${name} needs labels`, {
      expected: "--data with the classes of its samples",
      got: "samples without labels",
    });
  const { scores, output } = withScores(model);
  const gradients = { data: samples, loss: "crossEntropy", output, session } as const;
  return gatherEvidence(scores, { ...shared, gradients });
}

/** The model with its scores as an output: what goes into the softmax at its end, where there is one. */
function withScores(model: Model): { readonly scores: Model; readonly output: string } {
  const { graph } = inferShapes(model);
  const scores = answerScores(graph);
  if (graph.outputs.includes(scores)) return { scores: model, output: scores.name };
  return { scores: editModel(withGraph(model, graph), (draft) => draft.setOutputs([scores])), output: scores.name };
}
