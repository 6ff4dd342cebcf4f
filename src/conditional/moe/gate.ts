/** @file What a gate is: from tokens to routing, with the losses that keep it in balance. */
import type { Value } from "../../ir/index.ts";
import type { Layers } from "../../nn/index.ts";
import type { Routing } from "./routing.ts";

/** A loss that a gate asks for: `weight · value` is added to the task's loss. */
export interface AuxiliaryLoss {
  readonly name: string;
  readonly weight: number;
  /** A scalar. */
  readonly value: Value;
}

/** A tensor of the gate that is moved outside of gradients: its next value after the batch. */
export interface Moved {
  /** An initializer made by `statistic`. */
  readonly value: Value;
  readonly next: Value;
}

export interface Gated {
  readonly routing: Routing;
  readonly losses: readonly AuxiliaryLoss[];
  /** float32 [tokens, experts], the share of each token that the gate would like each expert to have; for measures of balance. */
  readonly affinity?: Value;
  readonly moved?: readonly Moved[];
}

/** What a gate may look at beside the tokens. */
export interface GateInputs {
  /** float32 [tokens, width]. */
  readonly tokens: Value;
  /** float32 [samples, …, width], whose vectors are the tokens, for gates that mix the tokens of a sample; without it they are of one sample. */
  readonly samples?: Value;
  /** int64 [tokens]: ids of tokens or of tasks, where the network has them. */
  readonly ids?: Value;
}

/** G(x): scores to routing. Its own parameters are made under the scope that it is given. */
export interface Gate {
  readonly name: string;
  /** Whether training changes what it decides. */
  readonly learnable: boolean;
  /** Whether tokens go to some experts only; a gate that is not hard weighs the answers of all. */
  readonly hard: boolean;
  build(n: Layers, inputs: GateInputs, experts: number): Gated;
}
