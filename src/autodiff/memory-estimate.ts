/** @file How much memory a graph's values take when its nodes run in their order. */
import { must } from "../checked.ts";
import {
  byteLength,
  type Dims,
  describeNode,
  elementCount,
  type Graph,
  isSparse,
  type Node,
  readsOf,
  type Value,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface MemoryEstimate {
  /** Most bytes that computed values take at one time; inputs and initializers are not among them. */
  readonly peak: number;
  /** The node during which that is so. */
  readonly at: string;
  /** Bytes of inputs and initializers, which are there all the time. */
  readonly held: number;
  /** Values whose length is not known, and which count as nothing. */
  readonly unknown: readonly string[];
}

export interface MemoryOptions {
  /** Lengths of symbolic dims by name. */
  readonly symbols?: ReadonlyMap<string, number>;
}

/** Operators whose output is their first input under other dims; the runtime does not copy it. */
const views: ReadonlySet<string> = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"]);

const memoryOptionsNames: OptionNames<MemoryOptions> = { symbols: true };

/**
 * Each value lives from the node that makes it to the last one that reads it; graph outputs live to the end. What a runtime
 * takes beside that (work space, padding, its own order of nodes) is not in the estimate.
 */
export function memoryEstimate(graph: Graph, options: MemoryOptions = {}): MemoryEstimate {
  const { symbols = new Map() } = checkOptions(options, memoryOptionsNames);
  const unknown: string[] = [];
  const size = (value: Value): number => {
    const bytes = bytesOf(value, symbols);
    if (bytes === undefined) unknown.push(value.name);
    return bytes ?? 0;
  };
  const held = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  const roots = rootsOf(graph);
  const lastUse = lastUses(graph, roots);
  let [live, peak, at] = [0, 0, ""];
  const sizes = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const value of node.outputs) {
      if (!value || roots.get(value) !== value) continue;
      sizes.set(value, size(value));
      live += must(sizes, value);
    }
    if (live > peak) [peak, at] = [live, describeNode(node)];
    for (const value of lastUse.get(i) ?? []) live -= sizes.get(value) ?? 0;
  });
  const heldBytes = [...held].reduce((sum, value) => sum + heldSize(graph, value, size), 0);
  return { peak, at, held: heldBytes, unknown };
}

/** The value whose memory each value uses: itself, or what it is a view of. */
function rootsOf(graph: Graph): Map<Value, Value> {
  const roots = new Map<Value, Value>();
  for (const node of graph.nodes) {
    const [input] = node.inputs;
    for (const value of node.outputs) {
      if (value) roots.set(value, isView(node) && input ? (roots.get(input) ?? input) : value);
    }
  }
  return roots;
}

function isView({ opType, domain }: Node): boolean {
  return domain === "" && views.has(opType);
}

/** By node index, the roots that nothing reads later. */
function lastUses(graph: Graph, roots: ReadonlyMap<Value, Value>): Map<number, Value[]> {
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const value of node.outputs) if (value) last.set(must(roots, value), i);
    for (const value of readsOf(node)) last.set(roots.get(value) ?? value, i);
  });
  for (const value of graph.outputs) last.delete(roots.get(value) ?? value);
  const byNode = new Map<number, Value[]>();
  for (const [value, i] of last) byNode.set(i, [...(byNode.get(i) ?? []), value]);
  return byNode;
}

function heldSize(graph: Graph, value: Value, size: (value: Value) => number): number {
  const data = graph.initializers.get(value);
  if (!data) return size(value);
  return isSparse(data)
    ? 0
    : byteLength(
        data.dtype,
        data.dims.reduce((count, dim) => count * dim, 1),
      );
}

function bytesOf({ type }: Value, symbols: ReadonlyMap<string, number>): number | undefined {
  if (type?.kind !== "tensor" || !type.dims) return undefined;
  const dims: Dims = type.dims.map((dim) => (typeof dim === "string" ? (symbols.get(dim) ?? dim) : dim));
  const count = elementCount(dims);
  return count === undefined ? undefined : byteLength(type.dtype, count);
}
