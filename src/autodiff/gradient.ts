/** @file Reverse-mode differentiation of a graph. The driver knows no operator; `rules/` does. */

import { must } from "../checked.ts";
import { UnsupportedError, UsageError } from "../errors.ts";
import {
  dependents,
  describeNode,
  type Graph,
  graphBuilder,
  type Names,
  type Node,
  names,
  namesIn,
  qualifiedName,
  readsOf,
  TARGET_OPSET,
  type Value,
  withoutDeadNodes,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { changedSince } from "../passes/index.ts";
import { defaultForms } from "./default-forms.ts";
import { expandOperators } from "./expand.ts";
import { checkFits } from "./fits.ts";
import type { Forms } from "./forms.ts";
import { type Backward, type GradientBuilder, gradientBuilder } from "./gradient-builder.ts";
import { atNode, type FindEntry, type GradientEntry, type GradientRule, operandsOf, refuse } from "./rule.ts";
import { entryOf } from "./rules/index.ts";

export interface Differentiated {
  /**
   * The graph with the nodes of the gradient behind its own; inputs and outputs are as before. Forward nodes may have been
   * replaced by equal ones, or by ones with more outputs.
   */
  readonly graph: Graph;
  /** How many of the graph's nodes, from the front, are the forward part. */
  readonly forward: number;
  /** The gradient for each wanted value; absent where the output does not depend on it. */
  readonly gradients: ReadonlyMap<Value, Value>;
}

export interface DifferentiateOptions {
  /** The value to differentiate; a tensor of one element unless `seed` is given. */
  readonly of: Value;
  readonly wrt: readonly Value[];
  /** The cotangent of `of`; ones when absent. */
  readonly seed?: Value;
  /** Values through which no gradient flows. */
  readonly stopAt?: ReadonlySet<Value>;
  readonly opset: number;
  readonly forms?: Forms;
  readonly scope?: Names;
  /** The table of gradients; lithe's own when absent. */
  readonly find?: FindEntry;
}

const differentiateOptionsNames: OptionNames<DifferentiateOptions> = {
  of: true,
  wrt: true,
  seed: true,
  stopAt: true,
  opset: true,
  forms: true,
  scope: true,
  find: true,
};

/**
 * Adds the gradient of one value with respect to others: dof/dwrt, contracted with the seed. Every value that the gradient
 * passes through must be typed (infer-shapes). Values keep their identity, so `of` and `wrt` are found in the result.
 *
 * @throws UnsupportedError naming the node where an operator has no gradient, or has none with these dims.
 */
export function differentiateGraph(graph: Graph, options: DifferentiateOptions): Differentiated {
  checkOptions(options, differentiateOptionsNames);
  const { of, wrt, stopAt = new Set(), opset, scope = names(namesIn(graph)), forms = defaultForms } = options;
  const find = ofVersion(options.find ?? entryOf, opset);
  const reaches = (nodes: readonly Node[]) => dependents(nodes, new Set(wrt), stopAt);
  const isActive = (node: Node, active: ReadonlySet<Value>) => readsOf(node).some((value) => active.has(value));
  const before = reaches(graph.nodes);
  if (!before.has(of)) throw nothingToDo(of, wrt);
  const infer = builderInference(opset);
  const forward = expandOperators(graph, {
    find,
    infer,
    names: scope,
    forms,
    chosen: (node) => isActive(node, before),
  });
  const builder = graphBuilder({ names: scope, infer, prefix: "grad/" });
  const replaced = new Map<Node, Node>();
  const backward = reverse(find, stopAt, (node) => checkFits(node, forward, infer));
  const g = gradientBuilder(builder, { graph: forward, forms, names: scope, replaced, backward });
  const cotangents = new Map<Value, Value>([[of, options.seed ?? ones(g, of)]]);
  g.backward(forward.nodes, cotangents, new Set(wrt));
  const gradients = new Map(wrt.flatMap((value) => (cotangents.has(value) ? [[value, must(cotangents, value)]] : [])));
  const primal = forward.nodes.map((node) => replaced.get(node) ?? node);
  const added = withoutDeadNodes(builder.nodes, builder.initializers, gradients.values());
  const initializers = new Map([...forward.initializers, ...added.initializers]);
  return {
    graph: { ...forward, nodes: [...primal, ...added.nodes], initializers },
    forward: primal.length,
    gradients,
  };
}

/** The rules hold for what operators mean at opset 21; where a node of an older model means something else they refuse. */
function ofVersion(find: FindEntry, opset: number): FindEntry {
  if (opset >= TARGET_OPSET) return find;
  return (node) => {
    const since = node.domain === "" ? changedSince(node, opset) : undefined;
    if (since === undefined) return find(node);
    return refuse(
      `its definition at opset ${opset} changed in opset ${since}; its rule holds for opset ${TARGET_OPSET}`,
    );
  };
}

/** Reverse mode: the nodes last to first, contributions to one value added up. */
function reverse(find: FindEntry, stopAt: ReadonlySet<Value>, check: Flow["check"]): Backward {
  return (g, nodes, cotangents, wrt) => {
    const active = dependents(nodes, wrt, stopAt, (node) => !isStop(find(node)));
    const flow: Flow = { active, cotangents, stopAt, check };
    for (const node of [...nodes].reverse()) backwardNode(g, node, find, flow);
  };
}

/** What a stop makes does not move with its inputs, so nothing behind it needs a cotangent for its sake. */
function isStop(entry: GradientEntry | undefined): boolean {
  return typeof entry === "object" && entry.kind === "stop";
}

interface Flow {
  readonly active: ReadonlySet<Value>;
  readonly cotangents: Map<Value, Value>;
  readonly stopAt: ReadonlySet<Value>;
  /** Throws where a rule could not rely on the node. */
  readonly check: (node: Node) => void;
}

function backwardNode(g: GradientBuilder, node: Node, find: FindEntry, flow: Flow): void {
  const { active, cotangents, stopAt, check } = flow;
  const dy = node.outputs.map((value) => value && cotangents.get(value));
  if (dy.every((value) => value === undefined)) return;
  const operands = operandsOf(node);
  const needs = operands.map((value) => value !== undefined && active.has(value) && !stopAt.has(value));
  if (!needs.includes(true)) return;
  const rule = ruleFor(node, find);
  if (!rule) return;
  check(node);
  const dx = atNode(node, () => rule(g, node, dy, needs));
  operands.forEach((value, i) => {
    const contribution = dx[i];
    if (!value || !contribution || !needs[i]) return;
    const sum = cotangents.get(value);
    cotangents.set(value, sum ? g.add(sum, contribution) : contribution);
  });
}

/** `undefined` where the gradient ends. */
function ruleFor(node: Node, find: FindEntry): GradientRule | undefined {
  const entry = find(node);
  if (entry === undefined) throw unknownOperator(node);
  if (typeof entry === "function") return entry;
  if (entry.kind === "stop") return undefined;
  const reason = entry.kind === "refuse" ? entry.reason : "it was not expanded";
  throw new UnsupportedError(`${qualifiedName(node)} has no gradient: ${reason}`, { where: describeNode(node) });
}

function ones(g: GradientBuilder, of: Value): Value {
  const dims = g.dims(of);
  if (dims.some((dim) => dim !== 1)) {
    throw new UsageError("only a single number can be differentiated without a seed", {
      expected: "a scalar loss",
      got: `[${dims.join(", ")}]`,
      where: `value "${of.name}"`,
    });
  }
  return g.matrix(of, dims as number[], [1]);
}

function nothingToDo(of: Value, wrt: readonly Value[]): UsageError {
  return new UsageError("the output depends on none of the values", {
    got: wrt.map(({ name }) => name).join(", ") || "no value",
    where: `value "${of.name}"`,
  });
}

function unknownOperator(node: Node): UnsupportedError {
  return new UnsupportedError(`no gradient is known for ${qualifiedName(node)}`, {
    where: describeNode(node),
    hint: "Stop the gradient before it, or choose an output that does not depend on it.",
  });
}
