/** @file Replaces operators by equal graphs of operators that have gradient rules, inside subgraphs too. */
import { nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import {
  describeNode,
  editGraph,
  type Graph,
  graphBuilder,
  type InferTypes,
  makeNode,
  mapSubgraphs,
  type Names,
  type Node,
  qualifiedName,
  subgraphsOf,
  type Value,
} from "../ir/index.ts";
import { checkFits } from "./fits.ts";
import type { Forms } from "./forms.ts";
import { gradientBuilder } from "./gradient-builder.ts";
import { atNode, type Cotangents, type Expand, type FindEntry } from "./rule.ts";

export interface ExpandOptions {
  readonly find: FindEntry;
  readonly infer: InferTypes;
  readonly names: Names;
  readonly forms: Forms;
  /** The nodes that may be expanded; everything inside a chosen node's subgraphs may. */
  readonly chosen: (node: Node) => boolean;
}

/** The same object when nothing was expanded. Values that exist keep their identity. */
export function expandOperators(graph: Graph, options: ExpandOptions): Graph {
  const everywhere = { ...options, chosen: () => true };
  const isConcerned = (node: Node): boolean => isExpanded(node, options) || subgraphsOf(node).length > 0;
  if (!graph.nodes.some((node) => options.chosen(node) && isConcerned(node))) return graph;
  const state = expansionState(graph, options);
  for (const node of graph.nodes) {
    if (!options.chosen(node)) state.nodes.push(node);
    else state.expandNode(withSubgraphs(graph, node, (inner) => expandOperators(inner, everywhere)));
  }
  const initializers = new Map([...graph.initializers, ...state.initializers]);
  return editGraph({ ...graph, nodes: state.nodes, initializers }, (draft) => {
    for (const [made, value] of state.renamed) draft.substitute(made, value);
  });
}

function isExpanded(node: Node, { find }: ExpandOptions): boolean {
  return expansionOf(node, find) !== undefined;
}

function expansionOf(node: Node, find: FindEntry): Expand | undefined {
  const entry = find(node);
  return entry && typeof entry !== "function" && entry.kind === "expand" ? entry : undefined;
}

function withSubgraphs(graph: Graph, node: Node, change: (inner: Graph) => Graph): Node {
  return subgraphsOf(node).length === 0 ? node : nth(mapSubgraphs({ ...graph, nodes: [node] }, change).nodes, 0);
}

/** The nodes so far; an expansion's own nodes are expanded in their turn. */
function expansionState(graph: Graph, options: ExpandOptions) {
  const { find, infer, names, forms } = options;
  const raw = graphBuilder({ names, infer, prefix: "expanded/" });
  const backward = () => {};
  const g = gradientBuilder(raw, { graph, forms, names, replaced: new Map(), backward });
  const nodes: Node[] = [];
  /** Values that expansions made, and the node output each stands for. */
  const renamed = new Map<Value, Value>();
  let taken = 0;

  function expandNode(node: Node): void {
    const expansion = expansionOf(node, find);
    if (!expansion) return void nodes.push(node);
    checkFits(node, graph, infer);
    const results = atNode(node, () => expansion.build(g, node));
    const made = raw.nodes.slice(taken);
    taken = raw.nodes.length;
    for (const inner of made) expandNode(inner);
    for (const item of bind(node, results, made)) nodes.push(item);
  }

  /** Outputs become the expansion's results; one that exists already, or twice, is copied. */
  function bind(node: Node, results: Cotangents, made: readonly Node[]): Node[] {
    const fresh = new Set(made.flatMap(({ outputs }) => outputs));
    return node.outputs.flatMap((output, i) => {
      const result = results[i];
      if (!output) return [];
      if (!result) throw missing(node, output);
      if (!fresh.has(result) || renamed.has(result)) return [makeNode("Identity", [result], [output])];
      renamed.set(result, output);
      return [];
    });
  }

  return { nodes, renamed, initializers: raw.initializers, expandNode };
}

function missing(node: Node, output: Value): UnsupportedError {
  return new UnsupportedError(`${qualifiedName(node)} has no gradient when its output "${output.name}" is used`, {
    where: describeNode(node),
  });
}
