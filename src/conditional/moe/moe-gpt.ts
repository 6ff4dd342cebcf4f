import type { Model } from "../../ir/index.ts";
import { type GptOptions, gptAround, gptBlock, gptOptionsNames } from "../../models/index.ts";
import { chain, type Layer, normal, type RandomSource, zeros } from "../../nn/index.ts";
import { checkCount, checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import type { Dispatch, DispatchName } from "./dispatch/index.ts";
import { mlpExpert } from "./expert.ts";
import type { Gate } from "./gate.ts";
import { switchGate } from "./gates/index.ts";
import { moeLayer } from "./moe-layer.ts";

export interface MoeGptOptions extends GptOptions {
  readonly experts: number;
  /** `switchGate()` by default. Gates that decide by ids see those of the tokens. */
  readonly gate?: Gate;
  /** Hidden units of an expert; those of the dense block, 4 · width, by default. */
  readonly hidden?: number;
  /** 1: a mixture in every block; 2 (default): in every second block, the second one first. */
  readonly every?: number;
  readonly dispatch?: Dispatch | DispatchName;
}

const moeGptOptionsNames: OptionNames<MoeGptOptions> = {
  ...gptOptionsNames,
  experts: true,
  gate: true,
  hidden: true,
  every: true,
  dispatch: true,
};

/**
 * int64 ids [batch, context] → logits [batch, context, vocabulary], as `gpt`. Train it with `moeTraining`; what only training reads is
 * removed by `withoutSideOutputs`.
 */
export function moeGpt(source: RandomSource, options: MoeGptOptions): Model {
  checkOptions(options, moeGptOptionsNames);
  const { experts, gate = switchGate(), width = 256, depth = 4, every = 2, dispatch } = options;
  const { hidden = 4 * width } = options;
  checkCount("every", every, { most: depth });
  const body = pickOptions<GptOptions>(options, gptOptionsNames);
  const expert = mlpExpert({ hidden, weight: normal(0.02), biasInitial: zeros });
  return gptAround(source, body, (n, tokens, ids) => {
    const mixture: Layer = (inner, x) =>
      moeLayer(inner, x, { gate, expert, experts, ids, ...(dispatch && { dispatch }) });
    const block = (inner: typeof n, x: typeof tokens, i: number) =>
      gptBlock(body, (i + 1) % every === 0 ? mixture : undefined)(inner, x);
    return chain(n, tokens, block, depth);
  });
}
