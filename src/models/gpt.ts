/** @file A GPT-2 in small: Radford et al., "Language models are unsupervised multitask learners" (2019); the head is the embedding. */
import type { Model } from "../ir/index.ts";
import {
  attention,
  dropout,
  embedding,
  layerNorm,
  learnedPositions,
  mlpBlock,
  network,
  normal,
  type RandomSource,
  residual,
  zeros,
} from "../nn/index.ts";

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
  const { vocabulary, context = 128, width = 256, depth = 4, heads = 4, dropout: ratio } = options;
  const settings = { weight: normal(0.02), biasInitial: zeros, ...(ratio !== undefined && { dropout: ratio }) };
  return network(source, (n) => {
    const ids = n.input("ids", "int64", ["batch", context]);
    const { value, table } = embedding(n.scope("tokens"), ids, { vocabulary, width, weight: normal(0.02) });
    let y = dropout(n, learnedPositions(n, value), ratio);
    for (let i = 0; i < depth; i++) {
      const block = n.scope(`block${i}`);
      y = residual(block, y, (inner) =>
        attention(block.scope("attention"), layerNorm(block.scope("norm1"), inner), {
          heads,
          causal: true,
          ...settings,
        }),
      );
      y = residual(block, y, (inner) =>
        mlpBlock(block.scope("mlp"), layerNorm(block.scope("norm2"), inner), { hidden: 4 * width, ...settings }),
      );
    }
    const head = n.op("Transpose", [table], { perm: [1, 0] });
    n.output(n.op("MatMul", [layerNorm(n.scope("norm"), y), head]), "logits");
  });
}
