/** @file What data says of weights: gradients of a loss by them, and what they are multiplied with. */
import { type Batches, capture, gatherInputs, type InputFacts, type Layer } from "../calibration/index.ts";
import { UsageError } from "../errors.ts";
import { type Model, storedWeights } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { upgradeOpset } from "../passes/index.ts";
import type { OpenSession } from "../runtime/index.ts";
import { type GradientOptions, weightGradients } from "../train/index.ts";
import type { EvidenceKind } from "./criterion.ts";
import type { Seen, WeightEvidence } from "./evidence.ts";
import { sparseLayers } from "./sparse-layers.ts";

export interface EvidenceOptions {
  /** What to find out: `criteria[name].needs` says it. */
  readonly kinds: readonly EvidenceKind[];
  readonly open: OpenSession;
  /** For inputs: batches of samples, which need no labels. */
  readonly batches?: Batches;
  /** For gradients: samples, and the loss. */
  readonly gradients?: Omit<GradientOptions, "of" | "open" | "signal">;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

const evidenceOptionsNames: OptionNames<EvidenceOptions> = {
  kinds: true,
  open: true,
  batches: true,
  gradients: true,
  threads: true,
  signal: true,
};

/**
 * What `pruneModel` and `sparsifyModel` take as `evidence`, of all convolutions and products with weights.
 *
 * @throws UsageError for kinds whose samples are not given; as `fit` does for a loss that does not fit.
 */
export async function gatherEvidence(model: Model, options: EvidenceOptions): Promise<WeightEvidence> {
  const { kinds, batches, gradients } = checkOptions(options, evidenceOptionsNames);
  if (kinds.includes("inputs") && !batches) throw missing("inputs", "batches");
  if (kinds.includes("gradients") && !gradients) throw missing("gradients", "gradients: { data, loss }");
  const stored = storedWeights(model);
  const { layers } = sparseLayers(stored);
  const weights = new Map(layers.map(({ weight }): [string, Seen] => [weight.name, {}]));
  const put = (name: string, seen: Seen) => void weights.set(name, { ...weights.get(name), ...seen });
  if (kinds.includes("inputs"))
    for (const [layer, facts] of await inputsOf(stored, layers, options))
      put(layer.weight.name, inputsSeen(layer, facts));
  if (kinds.includes("gradients"))
    for (const [name, seen] of await gradientsOf(stored, [...weights.keys()], options)) put(name, seen);
  return { kinds, weights };
}

function missing(kind: string, expected: string): UsageError {
  return new UsageError(`evidence of ${kind} needs samples`, { expected, got: "none" });
}

/** Positions that are read of each batch. */
const POSITIONS = 4096;

async function inputsOf(
  model: Model,
  layers: readonly Layer[],
  { open, batches, threads, signal }: EvidenceOptions,
): Promise<ReadonlyMap<Layer, InputFacts>> {
  const gatherers = new Map(layers.map((layer) => [layer, gatherInputs(layer, POSITIONS)]));
  const outside = new Set(model.graph.nodes);
  const read = layers.filter(({ node }) => outside.has(node));
  const inputs = [...new Set(read.map(({ input }) => input))];
  await capture(model, inputs, { open, batches: batches!, threads, signal }, (values) => {
    for (const [layer, gatherer] of gatherers) {
      const input = outside.has(layer.node) ? values.get(layer.input) : undefined;
      if (input) gatherer.add(input);
    }
  });
  return new Map(
    [...gatherers].flatMap(([layer, gatherer]): [Layer, InputFacts][] => {
      const facts = gatherer.facts();
      return facts ? [[layer, facts]] : [];
    }),
  );
}

/** Facts about columns, at every element of the weight. */
function inputsSeen({ rows, columns, groups, weightTensor, position }: Layer, { squares, shares }: InputFacts): Seen {
  const size = weightTensor.dims.reduce((a, b) => a * b, 1);
  const [inputNorms, inputShares] = [new Float32Array(size), new Float32Array(size)];
  for (let row = 0; row < rows; row++) {
    const group = Math.floor(row / (rows / groups));
    for (let column = 0; column < columns; column++) {
      const at = position(row, column);
      inputNorms[at] = Math.sqrt(squares[group * columns + column] ?? 0);
      inputShares[at] = shares[group * columns + column] ?? 0;
    }
  }
  return { inputNorms, inputShares };
}

async function gradientsOf(
  model: Model,
  names: readonly string[],
  { open, gradients, signal }: EvidenceOptions,
): Promise<ReadonlyMap<string, Seen>> {
  const { model: upgraded } = await upgradeOpset().run(model);
  const found = await weightGradients(upgraded, { ...gradients!, of: names, open, ...(signal && { signal }) });
  return new Map(
    [...found].map(([name, { mean, meanSquare }]) => [name, { gradients: mean, squaredGradients: meanSquare }]),
  );
}
