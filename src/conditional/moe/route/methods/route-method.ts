/** @file What a way from a dense block to a mixture is. */
import type { Value } from "../../../../ir/index.ts";
import type { Layers } from "../../../../nn/index.ts";
import type { FeedForward } from "../feed-forward.ts";

export interface RouteSettings {
  readonly experts: number;
  /** k, the experts per token. */
  readonly topK: number;
  readonly balance: number;
  readonly zWeight: number;
  readonly seed: number;
}

/** Outputs of the hidden units over some tokens: [units, tokens] by rows. */
export type Activity = Float64Array;

export interface RouteMethod {
  readonly name: string;
  /** One clause for help texts. */
  readonly summary: string;
  /** The share of the block's multiply-accumulates that a token costs afterwards, the router left out. */
  work(settings: RouteSettings): number;
  /** @throws UsageError where the block cannot be routed in this way. */
  check(block: FeedForward, settings: RouteSettings): void;
  /** The mixture in the place of the block, over its input. */
  build(n: Layers, block: FeedForward, settings: RouteSettings, activity?: Activity): Value;
}
