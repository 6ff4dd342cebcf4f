/** @file The pre-norm transformer block: Xiong et al., "On layer normalization in the transformer architecture" (2020), arXiv:2002.04745. */
import type { Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { attention } from "./attention.ts";
import type { Layer } from "./branches.ts";
import type { Initialiser } from "./initialisers.ts";
import { mlpBlock } from "./linear.ts";
import type { Layers } from "./network.ts";
import { layerNorm } from "./norms.ts";
import { stochasticDepth } from "./residual.ts";

export interface TransformerBlockOptions {
  readonly heads: number;
  /** Width of the hidden layer of the MLP. */
  readonly hidden: number;
  /** What stands in the place of the MLP. */
  readonly feedForward?: Layer;
  /** Whether a position sees only itself and those before it. */
  readonly causal?: boolean;
  readonly dropout?: number;
  /** The share of samples for which training leaves out the attention, and the MLP. */
  readonly dropPath?: number;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
}

const transformerBlockOptionsNames: OptionNames<TransformerBlockOptions> = {
  heads: true,
  hidden: true,
  feedForward: true,
  causal: true,
  dropout: true,
  dropPath: true,
  weight: true,
  biasInitial: true,
};

/** y = x + attention(norm(x)), then y + mlp(norm(y)), over [batch, time, width]. */
export function transformerBlock(n: Layers, x: Value, options: TransformerBlockOptions): Value {
  const {
    heads,
    hidden,
    feedForward,
    causal = false,
    dropPath = 0,
    ...settings
  } = checkOptions(options, transformerBlockOptionsNames);
  const mlp: Layer = feedForward ?? ((inner, y) => mlpBlock(inner, y, { hidden, ...settings }));
  const mixed = stochasticDepth(n, x, dropPath, (inner) =>
    attention(n.scope("attention"), layerNorm(n.scope("norm1"), inner), { heads, causal, ...settings }),
  );
  return stochasticDepth(n, mixed, dropPath, (inner) => mlp(n.scope("mlp"), layerNorm(n.scope("norm2"), inner)));
}
