/** @file Computes what does not depend on the inputs: nodes over constants, and integers that follow from the shapes. */
import { must, nth } from "../checked.ts";
import { LimitError, LitheError } from "../errors.ts";
import {
  byteLength,
  constantOf,
  type Draft,
  dataTypes,
  editGraph,
  elementCount,
  type Graph,
  indexOf,
  literalOf,
  type Model,
  makeNode,
  mapSubgraphs,
  type Names,
  type Node,
  namesOf,
  sizeOf,
  subgraphsOf,
  type Tensor,
  usesOf,
  type Value,
  withGraph,
} from "../ir/index.ts";
import type { Inference } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  constantInGraph,
  type Evaluate,
  inferenceApart,
  isDeterministic,
  type Note,
  type Pass,
} from "../rewrite/index.ts";
import { shareResults } from "./share-results.ts";

const name = "fold-constants";

/** Operators whose place in the graph is their meaning: the runtime fuses around them, and folding them undoes a quantization. */
const kept: ReadonlySet<string> = new Set(["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"]);

export interface FoldOptions {
  /** Computes the constant part. It must return the dtypes that the graph declares. */
  readonly evaluate: Evaluate;
  /** A result larger than this is not stored unless it is no larger than the constants that it was made of; 1 MiB when absent. */
  readonly maxBytes?: number;
}

const foldOptionsNames: OptionNames<FoldOptions> = { evaluate: true, maxBytes: true };

/**
 * Rounding: a constant is what the evaluator makes of it, and the runtime may take another kernel for a constant weight. Random operators, subgraphs and quantization nodes are never folded; what the evaluator
 * refuses stays and is noted; so does the transposition of a weight that something else reads as it is. `Constant` nodes become initializers.
 */
export function foldConstants(options: FoldOptions): Pass {
  const { evaluate, maxBytes = 2 ** 20 } = checkOptions(options, foldOptionsNames);
  return {
    name,
    exactness: "rounding",
    async run(model) {
      const run: Run = {
        model,
        evaluate,
        maxBytes,
        inference: inferenceApart(model),
        names: namesOf(model),
        results: new Set(),
        notes: [],
      };
      const graph = await foldGraph(run, model.graph, []);
      return { model: withGraph(model, shareResults(graph, run.results, run.names)), notes: run.notes };
    },
  };
}

interface Run {
  readonly model: Model;
  readonly evaluate: Evaluate;
  readonly maxBytes: number;
  readonly inference: Inference;
  readonly names: Names;
  /** Initializers that were computed. */
  readonly results: Set<Value>;
  readonly notes: Note[];
}

/** Subgraphs first: their constants may come from the graphs around them. */
async function foldGraph(run: Run, graph: Graph, outer: readonly Graph[]): Promise<Graph> {
  const inner = new Map<Graph, Graph>();
  for (const held of graph.nodes.flatMap(subgraphsOf)) inner.set(held, await foldGraph(run, held, [graph, ...outer]));
  const current = mapSubgraphs(graph, (held) => inner.get(held) ?? held);
  const plan = planOf(run, current, graph, outer);
  const results = await evaluateAll(run, plan, plan.frontier);
  return editGraph(current, (draft) => replaceFolded(run, draft, plan, results), run.names);
}

interface Plan {
  /** Constants by value: initializers, `Constant` nodes, and integers known from shapes. */
  readonly constants: ReadonlyMap<Value, Tensor>;
  /** `Constant` nodes that become initializers. */
  readonly literals: readonly Node[];
  /** Values that a node computes from dynamic inputs, but whose elements follow from the shapes. */
  readonly fromShapes: readonly Value[];
  readonly foldable: readonly Node[];
  /** Results of foldable nodes that something else reads. */
  readonly frontier: readonly Value[];
}

/** @param original the graph before its subgraphs were changed, whose nodes the inference knows. */
function planOf(run: Run, graph: Graph, original: Graph, outer: readonly Graph[]): Plan {
  const constants = new Map<Value, Tensor>();
  /** By result: the constants that it is made of. */
  const computed = new Map<Value, ReadonlySet<Value>>();
  const literals: Node[] = [];
  const fromShapes: Value[] = [];
  const foldable: Node[] = [];
  const lookUp = (value: Value): void => {
    if (constants.has(value) || computed.has(value)) return;
    for (const scope of [graph, ...outer]) {
      const found = constantInGraph(run.model, scope, value);
      if (found) constants.set(value, found);
      if (found) return;
    }
  };
  graph.nodes.forEach((node, position) => {
    const literal = literalOf(node);
    const [output] = node.outputs;
    if (literal && output) {
      constants.set(output, literal);
      if (!graph.outputs.includes(output)) literals.push(node);
      return;
    }
    const facts = run.inference.facts(nth(original.nodes, position));
    node.inputs.forEach((value, i) => {
      if (!value) return;
      lookUp(value);
      if (constants.has(value) || computed.has(value) || isOverridable(graph, outer, value)) return;
      const known = facts.constant(i);
      if (!known || known.dtype === "string") return;
      constants.set(value, known);
      fromShapes.push(value);
    });
    if (!isFoldable(run, graph, node, { constants, computed })) return;
    foldable.push(node);
    const sources = sourcesOf(node, computed);
    for (const value of node.outputs) if (value) computed.set(value, sources);
  });
  return { constants, literals, fromShapes, foldable, frontier: frontierOf(graph, foldable) };
}

function isOverridable(graph: Graph, outer: readonly Graph[], value: Value): boolean {
  return [graph, ...outer].some((scope) => scope.initializers.has(value));
}

interface Known {
  readonly constants: ReadonlyMap<Value, Tensor>;
  readonly computed: ReadonlyMap<Value, ReadonlySet<Value>>;
}

function isFoldable(run: Run, graph: Graph, node: Node, { constants, computed }: Known): boolean {
  if (node.opType === "Constant" || kept.has(node.opType) || subgraphsOf(node).length > 0) return false;
  if (!isDeterministic(node, run.model) || copiesWeight(graph, node)) return false;
  if (!node.inputs.every((value) => !value || constants.has(value) || computed.has(value))) return false;
  if (node.opType === "Identity" && node.outputs.some((value) => value && graph.outputs.includes(value))) return false;
  const made = node.outputs.reduce((sum, value) => sum + (value ? inferredBytes(run, value) : 0), 0);
  const bytesOf = (values: Iterable<Value | undefined>): number =>
    [...values].reduce((sum, value) => sum + bytesIn(run, value, constants), 0);
  const read = Math.max(bytesOf(node.inputs), bytesOf(sourcesOf(node, computed)));
  return made <= Math.max(run.maxBytes, read);
}

/** What the constant inputs of a node are made of, each constant once. */
function sourcesOf({ inputs }: Node, computed: Known["computed"]): ReadonlySet<Value> {
  return new Set(inputs.flatMap((value) => (value ? [...(computed.get(value) ?? [value])] : [])));
}

/** Operators that lay out a weight anew without making it smaller. */
const layouts: ReadonlySet<string> = new Set(["Cast", "Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"]);

/** Elements from which on a constant is a weight that should not be stored twice. */
const SMALLEST_WEIGHT = 1024;

/** Whether the result would be stored beside its source, as that is read elsewhere, too: an embedding that is also the last matrix. */
function copiesWeight(graph: Graph, { opType, inputs: [source] }: Node): boolean {
  const data = source && layouts.has(opType) ? constantOf(graph, source) : undefined;
  if (!source || !data || dataTypes[data.dtype].kind !== "float" || sizeOf(data.dims) < SMALLEST_WEIGHT) return false;
  return usesOf(graph, source).length > 1;
}

function bytesIn(run: Run, value: Value | undefined, constants: ReadonlyMap<Value, Tensor>): number {
  const constant = value && constants.get(value);
  if (constant) return byteLength(constant.dtype, sizeOf(constant.dims));
  return value ? inferredBytes(run, value) : 0;
}

function inferredBytes(run: Run, value: Value): number {
  const type = run.inference.types.get(value);
  if (type?.kind !== "tensor" || !type.dims) return 0;
  return byteLength(type.dtype, elementCount(type.dims) ?? 0);
}

function frontierOf(graph: Graph, foldable: readonly Node[]): Value[] {
  const inside = new Set(foldable);
  const outputs = new Set(graph.outputs);
  const { uses } = indexOf(graph);
  const escapes = (value: Value): boolean =>
    outputs.has(value) || (uses.get(value) ?? []).some(({ node }) => !node || !inside.has(node));
  return foldable.flatMap((node) => node.outputs.filter((value): value is Value => !!value && escapes(value)));
}

/** The values that the evaluator can compute. Those that it refuses are found by halving, unless that has cost a time limit, and noted. */
async function evaluateAll(run: Run, plan: Plan, values: readonly Value[]): Promise<Map<Value, Tensor>> {
  if (values.length === 0) return new Map();
  try {
    const results = await run.evaluate(constantModel(run, plan, values), new Map());
    return new Map(values.flatMap((value) => accepted(run, value, results.get(value.name))));
  } catch (error) {
    if (!(error instanceof LitheError)) throw error;
    if (values.length === 1 || error instanceof LimitError) {
      for (const { name } of values)
        run.notes.push(note("declined", `the evaluator refused it: ${error.message}`, name));
      return new Map();
    }
    const middle = values.length >> 1;
    const first = await evaluateAll(run, plan, values.slice(0, middle));
    const second = await evaluateAll(run, plan, values.slice(middle));
    return new Map([...first, ...second]);
  }
}

function accepted(run: Run, value: Value, result: Tensor | undefined): [Value, Tensor][] {
  const type = run.inference.types.get(value);
  if (!result) return [];
  if (type?.kind === "tensor" && type.dtype !== result.dtype) {
    run.notes.push(note("declined", `the evaluator returned ${result.dtype} for ${type.dtype}`, value.name));
    return [];
  }
  if (result.dtype !== "string" && byteLength(result.dtype, sizeOf(result.dims)) > run.maxBytes && !type) return [];
  return [[value, result]];
}

/** A model without inputs that computes `values`. */
function constantModel({ model, inference }: Run, { constants, foldable }: Plan, values: readonly Value[]): Model {
  const needed = new Set<Value>(values);
  const nodes = foldable.toReversed().filter((node) => {
    if (!node.outputs.some((value) => value && needed.has(value))) return false;
    for (const value of node.inputs) if (value) needed.add(value);
    return true;
  });
  nodes.reverse();
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const initializers = new Map([...constants].filter(([value]) => needed.has(value) && !made.has(value)));
  const typed = new Map(values.map((value) => [value, { ...value, ...typeFor(inference, value) }]));
  const place = (value: Value | undefined): Value | undefined => value && (typed.get(value) ?? value);
  const placed = nodes.map((node) => ({ ...node, inputs: node.inputs.map(place), outputs: node.outputs.map(place) }));
  return withGraph(model, { name: "constants", inputs: [], outputs: [...typed.values()], nodes: placed, initializers });
}

function typeFor(inference: Inference, value: Value): Pick<Value, "type"> {
  const type = inference.types.get(value);
  return type ? { type } : {};
}

function replaceFolded(run: Run, draft: Draft, plan: Plan, results: ReadonlyMap<Value, Tensor>): void {
  for (const node of plan.literals) {
    draft.remove(node);
    draft.setInitializer(nth(node.outputs, 0), must(plan.constants, nth(node.outputs, 0)));
    run.notes.push(note("applied", "a Constant node becomes an initializer", node.name || nth(node.outputs, 0).name));
  }
  const { uses } = indexOf(draft.graph);
  const outputs = new Set(draft.graph.outputs);
  const removed = new Set<Node>();
  for (const node of plan.foldable.toReversed()) {
    const goes = node.outputs.every(
      (value) =>
        !value ||
        results.has(value) ||
        (!outputs.has(value) && (uses.get(value) ?? []).every((use) => use.node && removed.has(use.node))),
    );
    if (!goes) continue;
    removed.add(node);
    draft.remove(node);
    for (const value of node.outputs)
      if (value && results.has(value)) store(run, draft, value, must(results, value), outputs);
    run.notes.push(note("applied", "it depends on constants only", node.name || node.outputs[0]?.name || ""));
  }
  for (const value of plan.fromShapes) {
    if (!(uses.get(value) ?? []).some(({ node, input }) => node && input >= 0 && !removed.has(node))) continue;
    draft.replaceValue(value, draft.constant(`${value.name}_known`, must(plan.constants, value)));
    run.notes.push(note("applied", "its elements follow from the shapes", value.name));
  }
}

/** A graph output is made by a node, so that its name stays an output and not a parameter. */
function store(run: Run, draft: Draft, value: Value, result: Tensor, outputs: ReadonlySet<Value>): void {
  if (!outputs.has(value)) {
    draft.setInitializer(value, result);
    run.results.add(value);
    return;
  }
  const constant = draft.constant(`${value.name}_constant`, result);
  draft.prepend(makeNode("Identity", [constant], [value], { name: value.name }));
}

function note(kind: Note["kind"], reason: string, node: string): Note {
  return { pass: name, kind, reason, nodes: [node] };
}
