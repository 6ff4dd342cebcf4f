/** @file Rules: local rewrites. Each looks at one node and builds what stands in its place, or says why it does not apply. */
import type { Dims, GraphBuilder, Model, Node, Tensor, Value, ValueType } from "../ir/index.ts";

/** What a rule may ask about the surroundings of a node, as they are at this moment of the rewriting. */
export interface RuleContext {
  readonly model: Model;
  /** Collects the nodes and constants that take the place of the root. They are dropped when the rule declines. */
  readonly g: GraphBuilder;
  /** Opset version of a domain. */
  version(domain?: string): number;
  producer(value: Value | undefined): Node | undefined;
  /** The tensor behind a value that no run can change; values of enclosing graphs included. */
  constant(value: Value | undefined): Tensor | undefined;
  /** Inferred or declared type. */
  type(value: Value | undefined): ValueType | undefined;
  /** Dims of a tensor; `undefined` when not even the rank is known. */
  dims(value: Value | undefined): Dims | undefined;
  /** The only node that reads `value`, once, while the graph does not return it. */
  soleConsumer(value: Value): Node | undefined;
  /** Whether any node, subgraph or graph output reads `value`. */
  isUsed(value: Value): boolean;
  /** Whether the graph returns `value`. */
  isOutput(value: Value): boolean;
}

/** The root's outputs, one for one, each by the value that equals it; `undefined` for outputs that nothing reads. */
export interface Replacement {
  readonly outputs: readonly (Value | undefined)[];
  readonly reason: string;
}

/** A near miss worth telling: the rule met its operator, and this kept it from applying. */
export interface Declined {
  readonly declined: string;
}

export interface Rule {
  readonly name: string;
  /** Operators whose nodes can be the root, as `qualifiedName` prints them; every node when absent. */
  readonly roots?: readonly string[];
  /** `undefined`: nothing to say about this node. Only the root is replaced; nodes that nobody reads then go by themselves. */
  apply(node: Node, context: RuleContext): Replacement | Declined | undefined;
}

export function replaceBy(reason: string, ...outputs: readonly (Value | undefined)[]): Replacement {
  return { outputs, reason };
}

export function declined(reason: string): Declined {
  return { declined: reason };
}
