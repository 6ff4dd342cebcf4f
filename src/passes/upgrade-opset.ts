/** @file Brings a model to opset 21, from below by rewriting what changed, from above where the definitions are equal. */
import {
  allGraphs,
  type Draft,
  editAllGraphs,
  fedInputs,
  type Graph,
  indexOf,
  int64s,
  type Model,
  mapSubgraphs,
  type Node,
  opsetOf,
  TARGET_IR_VERSION,
  TARGET_OPSET,
  type Value,
  type ValueType,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { typeProblem } from "../ops/index.ts";
import { constantInGraph, type Note, type Pass, type PassResult, typesIn } from "../rewrite/index.ts";
import type { Stage, UpgradeContext } from "./upgrade/change.ts";
import { laterThan21, laterTypeOf, withoutLaterAttributes } from "./upgrade/newer.ts";
import { operatorsOf21 } from "./upgrade/operators.ts";
import { stages } from "./upgrade/stages.ts";

const name = "upgrade-opset";

/**
 * Exact: the same computation in the words of opset 21 (IR version 10). All or nothing: when one node cannot be upgraded, the
 * model keeps its opset and the notes say which and why. Before IR version 4 every initializer had to be listed as an
 * input; those inputs go, since nothing could feed them. Other domains are left alone.
 */
export function upgradeOpset(): Pass {
  return { name, exactness: "exact", run: upgrade };
}

function upgrade(model: Model): PassResult {
  const version = opsetOf(model);
  if (!model.opsets.has("") && !model.opsets.has("ai.onnx")) return { model, notes: [] };
  if (version === TARGET_OPSET) return { model: labelled(model), notes: [] };
  if (model.functions.length > 0) {
    const reason = `it defines functions of its own, which stay at opset ${version}`;
    return { model, notes: [{ pass: name, kind: "declined", reason, nodes: model.functions.map((f) => f.name) }] };
  }
  const { model: changed, notes } = version > TARGET_OPSET ? downgraded(model) : staged(model, version);
  const declines = notes.filter(({ kind }) => kind === "declined");
  if (declines.length > 0) return { model, notes: declines };
  const reason = `from opset ${version} to ${TARGET_OPSET}`;
  return { model: labelled(changed), notes: [...notes, { pass: name, kind: "applied", reason, nodes: [] }] };
}

function labelled(model: Model): Model {
  const current = model.opsets.get("") === TARGET_OPSET && model.irVersion === TARGET_IR_VERSION;
  if (current || (model.opsets.get("") === TARGET_OPSET && model.irVersion > TARGET_IR_VERSION)) return model;
  const opsets = new Map([...model.opsets].filter(([domain]) => domain !== "ai.onnx"));
  opsets.set("", TARGET_OPSET);
  const next: Model = { ...model, opsets, irVersion: TARGET_IR_VERSION };
  return model.irVersion < 4 ? withGraph(next, withoutDefaults(next.graph)) : next;
}

function withoutDefaults(graph: Graph): Graph {
  return { ...graph, inputs: fedInputs(graph) };
}

function staged(model: Model, version: number): { model: Model; notes: readonly Note[] } {
  const notes: Note[] = [];
  const type = typesIn(model);
  let current = model;
  for (const [target, stage] of stages) {
    if (target <= version) continue;
    const byOperator = new Map(Object.entries(stage));
    const edit = (draft: Draft): void => applyStage(current, draft, byOperator, target, type, notes);
    current = editAllGraphs(current, edit);
  }
  for (const node of standardNodes(current)) {
    if (!operatorsOf21.has(node.opType)) notes.push(note("declined", "it is not an operator of opset 21", node));
  }
  const refused = notes.every(({ kind }) => kind === "applied") ? refusedTypes(current, type) : [];
  return { model: current, notes: [...notes, ...refused] };
}

/** Types that a node has and opset 21 does not allow there. */
function refusedTypes(model: Model, type: (value: Value) => ValueType | undefined): Note[] {
  return [...standardNodes(model)].flatMap((node) => {
    const reason = typeProblem(node, TARGET_OPSET, (value) => type(value) ?? value.type);
    return reason === undefined ? [] : [note("declined", reason, node)];
  });
}

function applyStage(
  model: Model,
  draft: Draft,
  stage: ReadonlyMap<string, Stage[string]>,
  target: number,
  type: (value: Value) => ValueType | undefined,
  notes: Note[],
): void {
  const context = contextFor(model, draft, type);
  for (const node of draft.graph.nodes) {
    const change = isStandard(node) ? stage.get(node.opType) : undefined;
    const outcome = change?.(node, context);
    if (!outcome) continue;
    if ("declined" in outcome) {
      notes.push(note("declined", `opset ${target}: ${outcome.declined}`, node));
      continue;
    }
    draft.replaceNode(node, ...outcome);
    notes.push(note("applied", `as in opset ${target}`, node));
  }
}

function contextFor(model: Model, draft: Draft, type: (value: Value) => ValueType | undefined): UpgradeContext {
  const { graph } = draft;
  const typeOf = (value: Value | undefined): ValueType | undefined => value && (type(value) ?? value.type);
  return {
    value: (wanted) => draft.value(wanted),
    ints: (wanted, values) => draft.constant(wanted, int64s(values)),
    constant: (wanted, tensor) => draft.constant(wanted, tensor),
    known: (value) => value && constantInGraph(model, graph, value),
    dims(value) {
      const known = typeOf(value);
      return known && "dims" in known ? known.dims : undefined;
    },
    dtype(value) {
      const known = typeOf(value);
      return known?.kind === "tensor" ? known.dtype : undefined;
    },
    isUsed: (value) => value !== undefined && (indexOf(graph).uses.get(value)?.length ?? 0) > 0,
    readers: (value) => ((value && indexOf(graph).uses.get(value)) ?? []).flatMap(({ node }) => node ?? []),
  };
}

/** Later versions mostly widened dtypes; a node without what came after 21 reads the same there. */
function downgraded(model: Model): { model: Model; notes: readonly Note[] } {
  let notes: Note[] = [];
  for (const node of standardNodes(model)) {
    const reason = laterThan21(node);
    if (reason) notes.push(note("declined", reason, node));
  }
  for (const graph of allGraphs(model.graph)) {
    for (const value of valuesOf(graph)) {
      const dtype = laterTypeOf(value, graph.initializers.get(value));
      const reason = `${dtype} came after opset 21`;
      if (dtype) notes.push({ pass: name, kind: "declined", reason, nodes: [value.name] });
    }
  }
  if (notes.length === 0) notes = refusedTypes(model, typesIn(model));
  const strip = (graph: Graph): Graph => {
    const inner = mapSubgraphs(graph, strip);
    const nodes = inner.nodes.map((node) => (isStandard(node) ? withoutLaterAttributes(node) : node));
    return nodes.some((node, i) => node !== inner.nodes[i]) ? { ...inner, nodes } : inner;
  };
  return { model: notes.length > 0 ? model : withGraph(model, strip(model.graph)), notes };
}

function* standardNodes(model: Model): Generator<Node> {
  for (const graph of allGraphs(model.graph)) for (const node of graph.nodes) if (isStandard(node)) yield node;
}

function isStandard(node: Node): boolean {
  return node.domain === "" || node.domain === "ai.onnx";
}

function note(kind: Note["kind"], reason: string, node: Node): Note {
  const label = node.name || node.outputs.find((value) => value)?.name || "";
  return { pass: name, rule: node.opType, kind, reason, nodes: [label] };
}
