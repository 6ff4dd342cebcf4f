/** @file Names that stand for one thing each, whatever an edit has added. */
import type { Graph, Node, Value } from "./graph.ts";
import { type Names, names, namesIn } from "./names.ts";

/** What an edit has made, with other names for the nodes and values whose name something else has. */
export interface Uniquely {
  readonly nodes: readonly Node[];
  /** Values that got another name. */
  readonly renamed: ReadonlyMap<Value, Value>;
}

/**
 * Nodes and values of `before` keep their names; of what is new, each that would bear a taken name gets a fresh one. Outputs of the graph are
 * its contract and keep theirs.
 */
export function uniquely(before: Graph, after: Graph, scope?: Names): Uniquely {
  let all: Set<string> | undefined;
  const own = names();
  /** The scope does not know the names of nodes that were made by hand. */
  const another = (name: string): string => {
    all ??= new Set([...namesIn(before), ...namesIn(after)]);
    let next = name;
    while (next === "" || all.has(next)) next = (scope ?? own).fresh(name);
    all.add(next);
    return next;
  };
  const nodes = uniqueNodes(new Set(before.nodes), after.nodes, another);
  return { nodes, renamed: uniqueValues(before, after, another) };
}

function uniqueNodes(
  known: ReadonlySet<Node>,
  nodes: readonly Node[],
  another: (name: string) => string,
): readonly Node[] {
  const taken = new Set(nodes.filter((node) => known.has(node)).map(({ name }) => name));
  let changed = false;
  const next = nodes.map((node) => {
    if (node.name === "" || known.has(node)) return node;
    if (!taken.has(node.name)) {
      taken.add(node.name);
      return node;
    }
    changed = true;
    const name = another(node.name);
    taken.add(name);
    return { ...node, name };
  });
  return changed ? next : nodes;
}

function uniqueValues(before: Graph, after: Graph, another: (name: string) => string): Map<Value, Value> {
  const known = new Set(definedIn(before));
  const holders = new Map<string, Value>();
  const first = [...after.inputs, ...after.outputs, ...[...definedIn(after)].filter((value) => known.has(value))];
  for (const value of first) if (!holders.has(value.name)) holders.set(value.name, value);
  const renamed = new Map<Value, Value>();
  for (const value of definedIn(after)) {
    const holder = holders.get(value.name);
    if (holder === undefined) holders.set(value.name, value);
    else if (holder !== value && !known.has(value)) renamed.set(value, { ...value, name: another(value.name) });
  }
  return renamed;
}

function* definedIn({ inputs, initializers, nodes }: Graph): Generator<Value> {
  yield* inputs;
  yield* initializers.keys();
  for (const { outputs } of nodes) for (const output of outputs) if (output) yield output;
}
