/** @file What the table says of an operator: a rule, an expansion, or why there is none. */
import { LimitError, UnsupportedError } from "../errors.ts";
import { capturesOf, describeNode, type Node, subgraphsOf, type Value } from "../ir/index.ts";
import type { GradientBuilder } from "./gradient-builder.ts";

/** One value per operand or output of the node; `undefined` where there is none or it is zero. */
export type Cotangents = readonly (Value | undefined)[];

/**
 * The vector-Jacobian product of one operator: from the cotangents of a node's outputs (`dy`) to those of its operands, which
 * are `operandsOf(node)`. `needs[i]` says whether the cotangent of operand i will be used at all.
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

/** The operator is replaced, before differentiation, by an equal graph of operators that have rules. */
export interface Expand {
  readonly kind: "expand";
  readonly build: Expansion;
}

/** One value per output of the node; `undefined` for an output that it does not have. */
export type Expansion = (g: GradientBuilder, node: Node) => Cotangents;

export const stop: Stop = { kind: "stop" };

export function refuse(reason: string): Refuse {
  return { kind: "refuse", reason };
}

export function expand(build: Expansion): Expand {
  return { kind: "expand", build };
}

export type GradientEntry = GradientRule | Stop | Refuse | Expand;

/** The entry of a node's operator; `undefined` for an operator that lithe does not know. */
export type FindEntry = (node: Node) => GradientEntry | undefined;

/** What a node's result depends on: its inputs in order, then the values that its subgraphs capture, each once. */
export function operandsOf(node: Node): Cotangents {
  const captured = new Set(subgraphsOf(node).flatMap(capturesOf));
  return captured.size === 0 ? node.inputs : [...node.inputs, ...captured];
}

/** What a rule gives for `node`; a refusal that does not say where gets the node's place. */
export function atNode(node: Node, rule: () => Cotangents): Cotangents {
  try {
    return rule();
  } catch (cause) {
    const isRefusal = cause instanceof UnsupportedError || cause instanceof LimitError;
    if (!isRefusal || cause.where !== undefined) throw cause;
    const Refusal = cause instanceof LimitError ? LimitError : UnsupportedError;
    throw new Refusal(cause.message, { where: describeNode(node), cause });
  }
}
