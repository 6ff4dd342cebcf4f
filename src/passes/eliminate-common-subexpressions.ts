/** @file Merges nodes that compute the same from the same inputs, and constants with the same content. */
import { nth } from "../checked.ts";
import {
  type Attribute,
  type Draft,
  dataTypes,
  editAllGraphs,
  type Graph,
  isSparse,
  type Model,
  type Node,
  sizeOf,
  subgraphsOf,
  type Tensor,
  tensorIndex,
  type Value,
} from "../ir/index.ts";
import { isDeterministic, type Note, type SyncPass } from "../rewrite/index.ts";

const name = "eliminate-common-subexpressions";

/** Whether an initializer may become one with another of equal content. */
export type Mergeable = (tensor: Tensor) => boolean;

/** Everything but float tensors of more than one element: those are parameters, and merging them would tie them in training. */
export const constantsOnly: Mergeable = (tensor) =>
  dataTypes[tensor.dtype].kind !== "float" || sizeOf(tensor.dims) <= 1;

/**
 * Exact. Random operators and nodes with subgraphs are never merged; a value that the graph returns keeps its name.
 * @param mergeable which initializers may be merged; by default those that cannot be trained.
 */
export function eliminateCommonSubexpressions(mergeable: Mergeable = constantsOnly): SyncPass {
  return {
    name,
    exactness: "exact",
    run(model) {
      const notes: Note[] = [];
      const merge = (draft: Draft): void => mergeGraph(model, draft, mergeable, notes);
      return { model: editAllGraphs(model, merge), notes };
    },
  };
}

function mergeGraph(model: Model, draft: Draft, mergeable: Mergeable, notes: Note[]): void {
  const { graph } = draft;
  const outputs = new Set(graph.outputs);
  const same = new Map<Value, Value>();
  const canonical = (value: Value): Value => same.get(value) ?? value;
  for (const [value, twin] of equalInitializers(graph, mergeable)) {
    if (outputs.has(value)) continue;
    same.set(value, twin);
    draft.replaceValue(value, twin);
    draft.removeInitializer(value);
    notes.push(note(`has the content of "${twin.name}"`, value.name));
  }
  const identify = identities();
  const seen = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (!isDeterministic(node, model) || subgraphsOf(node).length > 0) continue;
    const key = keyOf(node, canonical, identify);
    const twin = seen.get(key);
    if (!twin) {
      seen.set(key, node);
      continue;
    }
    if (node.outputs.some((output) => output && outputs.has(output))) continue;
    node.outputs.forEach((output, i) => {
      if (!output) return;
      same.set(output, nth(twin.outputs, i));
      draft.replaceValue(output, nth(twin.outputs, i));
    });
    draft.remove(node);
    notes.push(note(`computes what "${twin.name}" computes`, node.name || node.outputs[0]?.name || ""));
  }
}

function note(reason: string, node: string): Note {
  return { pass: name, kind: "applied", reason, nodes: [node] };
}

type Identify = (object: object) => number;

/** Numbers for objects, so that identity can be part of a key. */
function identities(): Identify {
  const known = new Map<object, number>();
  return (object) => {
    const id = known.get(object) ?? known.size;
    known.set(object, id);
    return id;
  };
}

function keyOf(node: Node, canonical: (value: Value) => Value, identify: Identify): string {
  const inputs = node.inputs.map((value) => (value ? identify(canonical(value)) : ""));
  const outputs = node.outputs.map((value) => (value ? 1 : 0));
  const attributes = [...node.attributes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([attribute, value]) => [attribute, attributeKey(value, identify)]);
  return JSON.stringify([node.domain, node.opType, node.overload ?? "", inputs, outputs, attributes]);
}

function attributeKey(attribute: Attribute, identify: Identify): unknown {
  if (attribute.type === "reference") return [attribute.of, attribute.to];
  if (attribute.type === "tensor" && attribute.value.data instanceof Uint8Array) {
    const { dtype, dims, data } = attribute.value;
    return [dtype, dims, data.length <= 64 ? [...data] : identify(attribute.value)];
  }
  const { type, value } = attribute;
  if (type === "float" || type === "floats")
    return [type, ...[value].flat().map((x) => `${Object.is(x, -0) ? "-0" : x}`)];
  if (type === "int" || type === "ints") return [type, ...[value].flat().map(String)];
  if (type === "string") return [type, [...value]];
  if (type === "strings") return [type, value.map((bytes) => [...bytes])];
  return [type, typeof value === "object" && value !== null ? identify(value) : 0];
}

/** Pairs of a later initializer and an earlier one with the same dtype, dims and bytes. */
function* equalInitializers(graph: Graph, mergeable: Mergeable): Generator<[Value, Value]> {
  const inputs = new Set(graph.inputs);
  const firsts = tensorIndex<Value>();
  for (const [value, data] of graph.initializers) {
    if (inputs.has(value) || isSparse(data) || !mergeable(data)) continue;
    const twin = firsts.get(data);
    if (twin) yield [value, twin];
    else firsts.set(data, value);
  }
}
