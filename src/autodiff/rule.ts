/** @file What a gradient rule is. */
import type { Node, Value } from "../ir/index.ts";
import type { GradientBuilder } from "./gradient-builder.ts";

/** One value per input or output of the node; `undefined` where there is none or it is zero. */
export type Cotangents = readonly (Value | undefined)[];

/**
 * The vector-Jacobian product of one operator: from the cotangents of a node's outputs (`dy`) to those of its inputs.
 * `needs[i]` says whether the cotangent of input i will be used at all.
 */
export type GradientRule = (g: GradientBuilder, node: Node, dy: Cotangents, needs: readonly boolean[]) => Cotangents;

/** The derivative is zero wherever it exists (`Floor`, `Equal`, `Shape`): gradients end here, as they should. */
export interface Stop {
  readonly kind: "stop";
}

/** No gradient can be given, and pretending that it is zero would be wrong. */
export interface Refuse {
  readonly kind: "refuse";
  readonly reason: string;
}

export const stop: Stop = { kind: "stop" };

export function refuse(reason: string): Refuse {
  return { kind: "refuse", reason };
}

export type GradientEntry = GradientRule | Stop | Refuse;
