/** @file A GPT-2 in small: Radford et al., "Language models are unsupervised multitask learners" (2019); the head is the embedding. */
import type { Model, Value } from "../ir/index.ts";
import {
  chain,
  dropout,
  embedding,
  type Layer,
  type Layers,
  layerNorm,
  learnedPositions,
  network,
  normal,
  type RandomSource,
  transformerBlock,
  zeros,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface GptOptions {
  readonly vocabulary: number;
  /** Tokens per sequence; all sequences have this length. */
  readonly context?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  readonly dropout?: number;
}

/** int64 ids [batch, context] → logits [batch, context, vocabulary] of each next token. */
export function gpt(source: RandomSource, options: GptOptions): Model {
  const { depth = 4 } = options;
  return gptAround(source, options, (n, tokens) => chain(n, tokens, gptBlock(options), depth));
}

export const gptOptionsNames: OptionNames<GptOptions> = {
  vocabulary: true,
  context: true,
  width: true,
  depth: true,
  heads: true,
  dropout: true,
};

/** The block of a GPT of these options; another layer may stand in the place of its MLP. */
export function gptBlock(options: GptOptions, feedForward?: Layer): Layer {
  const { width = 256, heads = 4, dropout: ratio } = checkOptions(options, gptOptionsNames);
  return (n, x) =>
    transformerBlock(n, x, {
      heads,
      hidden: 4 * width,
      causal: true,
      weight: normal(0.02),
      biasInitial: zeros,
      ...(ratio !== undefined && { dropout: ratio }),
      ...(feedForward && { feedForward }),
    });
}

/** What stands between the embedding and the head; it may look at the ids too. */
export type GptBody = (n: Layers, tokens: Value, ids: Value) => Value;

/** Embeddings, positions, the given body over the tokens, a norm and the embedding again as the head. */
export function gptAround(source: RandomSource, options: GptOptions, body: GptBody): Model {
  checkOptions(options, gptOptionsNames);
  const { vocabulary, context = 128, width = 256, dropout: ratio } = options;
  return network(source, (n) => {
    const ids = n.input("ids", "int64", ["batch", context]);
    const { value, table } = embedding(n.scope("tokens"), ids, { vocabulary, width, weight: normal(0.02) });
    const y = body(n, dropout(n, learnedPositions(n, value), ratio), ids);
    const head = n.transpose(table, [1, 0]);
    n.output(n.matmul(layerNorm(n.scope("norm"), y), head), "logits");
  });
}
