/** @file Removes nodes, optional outputs and initializers that nothing reads. */
import { nth } from "../checked.ts";
import {
  type Graph,
  type Model,
  mapSubgraphs,
  type Node,
  qualifiedName,
  readsOf,
  subgraphsOf,
  type Value,
  withGraph,
} from "../ir/index.ts";
import type { Note, Pass } from "../rewrite/index.ts";

const name = "eliminate-dead-nodes";

/** Outputs that may be omitted, by operator. Omitting one can choose a faster kernel (MaxPool without Indices). */
const optionalOutputs = {
  Dropout: [1],
  GRU: [0, 1],
  LSTM: [0, 1, 2],
  LayerNormalization: [1, 2],
  MaxPool: [1],
  RNN: [0, 1],
} as const satisfies Record<string, readonly number[]>;

const optional = new Map<string, readonly number[]>(Object.entries(optionalOutputs));

/** Exact. Graph inputs stay, whether they are read or not, and so do the defaults of those that can be overridden. */
export function eliminateDeadNodes(): Pass {
  return {
    name,
    exactness: "exact",
    run(model) {
      const notes: Note[] = [];
      const graph = sweep(model, model.graph, notes);
      return { model: withGraph(model, graph), notes };
    },
  };
}

/** One pass from the outputs backwards: a node lives when one of its outputs is read by a living one. */
function sweep(model: Model, graph: Graph, notes: Note[]): Graph {
  const living = new Set<Value>(graph.outputs);
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => output && living.has(output))) {
      notes.push(note("nothing reads its outputs", node.name || node.outputs.find((value) => value)?.name || ""));
      continue;
    }
    const alive = withoutUnusedOutputs(swept(model, node, notes), living);
    for (const value of readsOf(alive)) living.add(value);
    kept.push(alive);
  }
  kept.reverse();
  const initializers = livingInitializers(graph, living, notes);
  const same = kept.length === graph.nodes.length && kept.every((node, i) => node === graph.nodes[i]);
  if (same && initializers === graph.initializers) return graph;
  return { ...graph, nodes: kept, initializers };
}

function swept(model: Model, node: Node, notes: Note[]): Node {
  if (subgraphsOf(node).length === 0) return node;
  const holder: Graph = { ...model.graph, nodes: [node] };
  return nth(mapSubgraphs(holder, (inner) => sweep(model, inner, notes)).nodes, 0);
}

function withoutUnusedOutputs(node: Node, living: ReadonlySet<Value>): Node {
  const omissible = optional.get(qualifiedName(node));
  if (!omissible) return node;
  const unread = (i: number): boolean => {
    const output = node.outputs[i];
    return output !== undefined && omissible.includes(i) && !living.has(output);
  };
  if (!node.outputs.some((_, i) => unread(i))) return node;
  const outputs = node.outputs.map((output, i) => (unread(i) ? undefined : output));
  while (outputs.length > 0 && outputs.at(-1) === undefined) outputs.pop();
  return { ...node, outputs };
}

function livingInitializers(graph: Graph, living: ReadonlySet<Value>, notes: Note[]): Graph["initializers"] {
  const inputs = new Set(graph.inputs);
  const dead = [...graph.initializers.keys()].filter((value) => !living.has(value) && !inputs.has(value));
  if (dead.length === 0) return graph.initializers;
  const initializers = new Map(graph.initializers);
  for (const value of dead) {
    initializers.delete(value);
    notes.push(note("nothing reads the initializer", value.name));
  }
  return initializers;
}

function note(reason: string, node: string): Note {
  return { pass: name, kind: "applied", reason, nodes: [node] };
}
