/** @file What of a transformer teaches a smaller one: Jiao et al., "TinyBERT: distilling BERT for natural language understanding" (2019), arXiv:1909.10351. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { attentionScores, type DistillationLoss, hints } from "./losses/index.ts";
import { type TransformerValues, transformerLayers } from "./transformer-layers.ts";

export interface TransformerTargetOptions {
  /** g: for each layer of the student the layer of the teacher that it follows, counted from 1; every (N/M)-th of N when absent. */
  readonly layers?: readonly number[];
  /** Factors of the three losses; 1 each when absent, 0 leaves one out. */
  readonly embedding?: number;
  readonly hidden?: number;
  readonly attention?: number;
}

const transformerTargetOptionsNames: OptionNames<TransformerTargetOptions> = {
  layers: true,
  embedding: true,
  hidden: true,
  attention: true,
};

/**
 * The losses of the layers, each the sum over the pairs: MSE of the scores before the softmax, of the hidden states (H·W) and of the embeddings (E·W), W
 * learned where the widths differ. Embedding follows embedding, layer m follows layer g(m). That of the predictions is `softTargets` at T = 1, whose gradient is
 * that of the soft cross entropy summed over the classes.
 *
 * @throws UnsupportedError for a model without such layers, UsageError for layers that cannot be mapped.
 */
export function transformerTargets(
  student: Model,
  teacher: Model,
  options: TransformerTargetOptions = {},
): readonly DistillationLoss[] {
  const { layers, embedding = 1, hidden = 1, attention = 1 } = checkOptions(options, transformerTargetOptionsNames);
  const [own, other] = [transformerLayers(student), transformerLayers(teacher)];
  const map = layers ?? everyNth(own, other);
  checkMap(map, own, other);
  const pairsOf = (what: "scores" | "hidden") =>
    own.layers.map((layer, i) => ({ student: layer[what], teacher: nth(other.layers, nth(map, i) - 1)[what] }));
  const count = own.layers.length;
  const losses = {
    embeddings: {
      weight: embedding,
      make: () => hints({ pairs: [{ student: own.embedding, teacher: other.embedding }], weight: embedding }),
    },
    hidden: { weight: hidden, make: () => hints({ pairs: pairsOf("hidden"), weight: hidden * count }) },
    attention: {
      weight: attention,
      make: () => attentionScores({ pairs: pairsOf("scores"), weight: attention * count }),
    },
  };
  return Object.entries(losses).flatMap(([name, { weight, make }]) => (weight === 0 ? [] : [{ ...make(), name }]));
}

function everyNth({ layers: own }: TransformerValues, { layers: other }: TransformerValues): readonly number[] {
  const step = other.length / own.length;
  if (Number.isInteger(step)) return own.map((_, i) => (i + 1) * step);
  throw new UsageError("the layers of the teacher are no multiple of the student's", {
    expected: `a layer of the teacher, 1 to ${other.length}, for each of the student's ${own.length}`,
    got: "none named",
    hint: "Name them with layers (--layers).",
  });
}

function checkMap(
  map: readonly number[],
  { layers: own }: TransformerValues,
  { layers: other }: TransformerValues,
): void {
  const isLayer = (layer: number) => Number.isInteger(layer) && layer >= 1 && layer <= other.length;
  if (map.length === own.length && map.every(isLayer)) return;
  throw new UsageError("the layers of teacher and student cannot be mapped", {
    expected: `${own.length} layers of the teacher, 1 to ${other.length}`,
    got: map.join(", ") || "none",
  });
}
