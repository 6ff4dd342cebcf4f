/** @file Branches: isomorphic subgraphs over common inputs whose outputs are summed, found by structure alone. */
import { nth } from "../checked.ts";
import {
  constantOf,
  dataTypes,
  type Graph,
  indexOf,
  type Node,
  producerOf,
  soleConsumer,
  type Value,
} from "../ir/index.ts";
import { type Isomorphism, isomorphism, type TypeOf } from "../rewrite/index.ts";
import { type Classes, classesOf } from "./classes.ts";

/**
 * Isomorphic subgraphs over common inputs whose outputs are summed. `inputs`, `parts`, `nodes` and `constants` are as in
 * `Isomorphism`; a learned scale of a branch is one of its nodes. No other node reads what lies within a branch.
 */
export interface BranchGroup extends Isomorphism {
  /** What each branch gives. */
  readonly outputs: readonly Value[];
  readonly combine: Combination;
}

/** output = factor · (Σ outputs + Σ addends), with broadcasting. */
export interface Combination {
  /** The tree of Add and Sum, or the one Mean, in topological order; the last one makes `output`. */
  readonly nodes: readonly Node[];
  /** What is added beside the branches: the x of x + Σ f_j(x). */
  readonly addends: readonly Value[];
  readonly output: Value;
  /** 1, and 1/n for a Mean. */
  readonly factor: number;
}

/**
 * The branches of a graph, outermost ones, in the order of their sums; groups share no node. Each branch holds a
 * parameter of rank 2 or more. No names count, so branches of imported models are found too.
 * @param typeOf types of values; by default those that the values carry, see `inferShapes`.
 */
export function branchGroupsOf(graph: Graph, typeOf: TypeOf = ({ type }) => type): readonly BranchGroup[] {
  const classes = classesOf(graph, typeOf);
  const found = graph.nodes.flatMap((node) => groupAt(graph, node, classes, typeOf) ?? []);
  const taken = new Set<Node>();
  const apart = new Set<BranchGroup>();
  for (const group of found.toSorted((a, b) => sizeOf(b) - sizeOf(a))) {
    const nodes = [...group.nodes.flat(), ...group.combine.nodes];
    if (nodes.some((node) => taken.has(node))) continue;
    for (const node of nodes) taken.add(node);
    apart.add(group);
  }
  return found.filter((group) => apart.has(group));
}

function sizeOf({ nodes }: BranchGroup): number {
  return nodes.length * (nodes[0]?.length ?? 0);
}

/** The group whose sum ends at a node. Among the candidates, more branches go first, then deeper ones. */
function groupAt(graph: Graph, root: Node, classes: Classes, typeOf: TypeOf): BranchGroup | undefined {
  if (!isSum(root) || isWithinSum(graph, root)) return undefined;
  const tree = treeAt(graph, root);
  for (const outputs of candidates(graph, tree.terms, classes)) {
    const found = isomorphism(graph, outputs, typeOf);
    const combine = found && hasWeights(graph, found) ? combination(graph, tree, outputs) : undefined;
    if (found && combine && isClosed(graph, found, outputs, combine)) return { ...found, outputs, combine };
  }
  return undefined;
}

const sums: ReadonlySet<string> = new Set(["Add", "Sum"]);

function isSum(node: Node): boolean {
  return node.domain === "" && (sums.has(node.opType) || node.opType === "Mean");
}

/** Whether the only reader of a sum is another sum, which then is the one to look at. */
function isWithinSum(graph: Graph, node: Node): boolean {
  const reader = node.outputs[0] && soleConsumer(graph, node.outputs[0]);
  return reader !== undefined && reader.domain === "" && sums.has(reader.opType) && sums.has(node.opType);
}

/** A sum below another one that nothing else reads. */
function innerSum(graph: Graph, root: Node, value: Value): Node | undefined {
  const node = producerOf(graph, value);
  const isInner = node && node.domain === "" && sums.has(node.opType) && sums.has(root.opType);
  return isInner && soleConsumer(graph, value) ? node : undefined;
}

/** A tree of additions: its nodes, and every value that enters one of them, sums of others included. */
interface Tree {
  readonly root: Node;
  readonly nodes: ReadonlySet<Node>;
  readonly terms: ReadonlySet<Value>;
}

function treeAt(graph: Graph, root: Node): Tree {
  const nodes = new Set<Node>([root]);
  const terms = new Set<Value>();
  for (const node of nodes) {
    for (const value of node.inputs) {
      if (!value) continue;
      terms.add(value);
      const inner = innerSum(graph, root, value);
      if (inner) nodes.add(inner);
    }
  }
  return { root, nodes, terms };
}

/** Sets of terms of one class, in the order in which they are computed. */
function candidates(graph: Graph, terms: ReadonlySet<Value>, { classOf, depthOf }: Classes): Value[][] {
  const sets = new Map<number, Value[]>();
  const computed = graph.nodes.flatMap(({ outputs }) => outputs.filter((value) => value && terms.has(value)));
  for (const value of computed as Value[]) {
    const set = sets.get(classOf(value));
    if (set) set.push(value);
    else sets.set(classOf(value), [value]);
  }
  return [...sets.values()]
    .filter((set) => set.length > 1)
    .toSorted((a, b) => b.length - a.length || depthOf(nth(b, 0)) - depthOf(nth(a, 0)));
}

/** The part of the tree above the outputs of the branches; everything else that enters it is an addend. */
function combination(graph: Graph, tree: Tree, outputs: readonly Value[]): Combination | undefined {
  const { root } = tree;
  const { uses } = indexOf(graph);
  const above = new Set<Node>();
  for (const value of outputs) {
    let node = uses.get(value)?.find((use) => use.node && tree.nodes.has(use.node))?.node;
    while (node && !above.has(node)) {
      above.add(node);
      node = node === root ? undefined : soleConsumer(graph, nth(node.outputs, 0));
    }
  }
  const made = new Set<Value | undefined>([...outputs, ...[...above].flatMap((node) => node.outputs)]);
  const nodes = graph.nodes.filter((node) => above.has(node));
  const addends = nodes.flatMap(({ inputs }) => inputs.filter((value) => value !== undefined && !made.has(value)));
  const output = root.outputs[0];
  const isMean = root.opType === "Mean";
  if (!output || (isMean && addends.length > 0)) return undefined;
  return { nodes, addends: addends as Value[], output, factor: isMean ? 1 / outputs.length : 1 };
}

/** Whether each set holds a parameter of rank 2 or more. */
export function hasWeights(graph: Graph, { constants }: Isomorphism): boolean {
  return (constants[0] ?? []).some((value) => {
    const tensor = constantOf(graph, value);
    return tensor !== undefined && tensor.dims.length >= 2 && dataTypes[tensor.dtype].kind === "float";
  });
}

/** What lies within a branch is read there and nowhere else, and what it gives is summed besides. */
function isClosed(graph: Graph, { nodes }: Isomorphism, outputs: readonly Value[], combine: Combination): boolean {
  const { uses } = indexOf(graph);
  const summing = new Set(combine.nodes);
  return nodes.every((branch, b) => {
    const own = new Set(branch);
    const isRead = (value: Value): boolean =>
      (uses.get(value) ?? []).every(
        ({ node }) => node && (own.has(node) || (value === outputs[b] && summing.has(node))),
      );
    return branch.every((node) => node.outputs.every((value) => !value || isRead(value)));
  });
}
