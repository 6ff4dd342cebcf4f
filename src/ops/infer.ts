/** @file The inference driver: walks the nodes once in order and asks each operator's entry. It knows no operator. */
import { InvalidModelError, LimitError, type LitheError, ShapeError, UnsupportedError } from "../errors.ts";
import {
  type Dim,
  type Dims,
  describeNode,
  type Graph,
  graphOf,
  type Initializer,
  isSparse,
  type Model,
  type Node,
  opsetOf,
  type Tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
  type ValueType,
} from "../ir/index.ts";
import { asTensor } from "./dims.ts";
import { type Callable, callableOf, type FunctionTable, functionTable } from "./functions.ts";
import { typeProblem } from "./operator-types.ts";
import { type Bindings, bindingsOf, settleType } from "./settle.ts";
import { type InferContext, type NodeFacts, type OpSpec, SYMBOL_LIMIT, type TypedNode } from "./spec.ts";
import { numbersIn } from "./tensors.ts";

export interface InferOptions {
  /** Dims of graph inputs by name, in the place of the declared ones; they bind the symbolic dims that they meet. */
  readonly feeds?: ReadonlyMap<string, Dims> | undefined;
  /** Lengths of symbolic dims by name. */
  readonly symbols?: ReadonlyMap<string, number> | undefined;
  /** Equal names are a hint only, since the runtime takes unequal lengths for them: every axis of every input is a dim of its own. */
  readonly apart?: boolean | undefined;
  /** Output types of a node that no entry describes; without it, the types that the model declares. */
  readonly opaque?: ((node: Node) => readonly (ValueType | undefined)[] | undefined) | undefined;
}

/** Something in the model that cannot be: dims that do not fit, or a declared type that the inferred one contradicts. */
export interface InferenceProblem {
  readonly node?: Node;
  readonly where: string;
  readonly message: string;
  /** The value whose declared rank is wrong, where that is all. */
  readonly wrongRank?: Value;
}

export interface Inference {
  /** Types of the values of the main graph and its subgraphs; a value of which nothing is known is absent. */
  readonly types: ReadonlyMap<Value, ValueType>;
  /** The symbolic dims of the graph's inputs with the length that they were bound to, if any. */
  readonly symbols: ReadonlyMap<string, number | undefined>;
  readonly problems: readonly InferenceProblem[];
  /** Nodes that no entry describes and no function of the model defines. */
  readonly opaque: readonly Node[];
  /** Whether a node of the main graph or of a subgraph can run; not in a branch whose condition is known to be false. */
  reached(node: Node): boolean;
  /** What is known about a node of the main graph or of a subgraph. */
  facts(node: Node): TypedNode;
}

/** The entry of a node's operator; supplied by the table, which stands above the driver. */
export type FindSpec = (node: Node) => OpSpec | undefined;

interface Scope {
  readonly types: Map<Value, ValueType>;
  readonly symbols: Map<Value, readonly Dim[]>;
  readonly constants: Map<Value, Tensor>;
  readonly opsets: ReadonlyMap<string, number>;
}

interface Run {
  readonly find: FindSpec;
  readonly functions: FunctionTable;
  readonly bindings: Bindings;
  readonly options: InferOptions;
  readonly problems: InferenceProblem[];
  readonly opaque: Set<Node>;
  readonly reached: Set<Node>;
  /** Node visits left; loops and functions repeat nodes, a hostile model could repeat them without end. */
  budget: number;
  /** Function calls that are open. */
  depth: number;
}

/** How deep functions may call each other. */
const DEPTH = 64;

/** Types of every value of the model. */
export function inferWith(find: FindSpec, model: Model, options: InferOptions = {}): Inference {
  const bindings = bindingsOf(model, options);
  const functions = functionTable(model);
  const run = newRun({ find, functions, bindings, options });
  run.budget = 100_000 + 20 * model.graph.nodes.length;
  const scope = newScope(model.opsets);
  for (const input of model.graph.inputs) setType(scope, input, bindings.inputType(input));
  inferNodes(run, scope, model.graph);
  const { problems, opaque } = run;
  return {
    types: scope.types,
    symbols: bindings.symbols,
    problems: unique(problems),
    opaque: [...opaque],
    reached: (node) => run.reached.has(node),
    facts: (node) => typedNode(scope, node),
  };
}

function newRun(parts: Pick<Run, "find" | "functions" | "bindings" | "options">): Run {
  return { ...parts, problems: [], opaque: new Set(), reached: new Set(), budget: Number.POSITIVE_INFINITY, depth: 0 };
}

/** Inference node by node, for graphs that are still being built. */
export interface NodeInference {
  /** Takes over what is known about a value; the first type stays. */
  know(value: Value, type: ValueType | undefined, constant: Tensor | undefined): void;
  /** Follows the elements of a node's small integer outputs, whose types are known by now. */
  follow(node: Node): void;
  /** Types of the node's outputs. Throws `ShapeError`. */
  types(node: Node): readonly (ValueType | undefined)[];
}

export function nodeInference(find: FindSpec, opsets: ReadonlyMap<string, number>): NodeInference {
  const scope = newScope(opsets);
  const bindings: Bindings = { symbols: new Map(), inputType: ({ type }) => type, declared: ({ type }) => type };
  const functions: FunctionTable = { find: () => undefined };
  const run = newRun({ find, functions, bindings, options: {} });
  return {
    know(value, type, constant) {
      if (!scope.types.has(value)) setType(scope, value, type);
      if (constant) scope.constants.set(value, constant);
    },
    follow(node) {
      const facts = typedNode(scope, node);
      const spec = find(node);
      node.outputs.forEach((value, i) => {
        if (!value) return;
        setType(scope, value, value.type);
        setSymbols(scope, value, symbolsOf(spec, facts, i));
      });
    },
    types: (node) => outputTypes(run, scope, node),
  };
}

function newScope(opsets: ReadonlyMap<string, number>): Scope {
  return { types: new Map(), symbols: new Map(), constants: new Map(), opsets };
}

function inferNodes(run: Run, scope: Scope, graph: Pick<Graph, "nodes" | "outputs" | "initializers">): void {
  for (const [value, data] of graph.initializers) setInitializer(scope, value, data);
  for (const node of graph.nodes) inferNode(run, scope, node);
  for (const output of graph.outputs) {
    if (!scope.types.has(output)) setType(scope, output, run.bindings.declared(output));
  }
}

function setInitializer(scope: Scope, value: Value, data: Initializer): void {
  if (isSparse(data)) {
    scope.types.set(value, { kind: "sparse-tensor", dtype: data.values.dtype, dims: data.dims });
    return;
  }
  scope.types.set(value, tensorType(data.dtype, data.dims));
  scope.constants.set(value, data);
}

function inferNode(run: Run, scope: Scope, node: Node): void {
  if (run.budget-- <= 0) throw new LimitError("type inference repeats too many nodes", { where: describeNode(node) });
  run.reached.add(node);
  const inferred = attempt(run, node, () => outputTypes(run, scope, node)) ?? [];
  const spec = run.functions.find(node) ? undefined : run.find(node);
  const facts = contextOf(run, scope, node);
  node.outputs.forEach((value, i) => {
    if (!value) return;
    const { type, contradiction, wrongRank } = settleType(inferred[i], run.bindings.declared(value));
    if (contradiction) {
      const found = problem(node, `output "${value.name}": ${contradiction}`);
      run.problems.push(wrongRank ? { ...found, wrongRank: value } : found);
    }
    setType(scope, value, type);
    setSymbols(scope, value, symbolsOf(spec, facts, i));
  });
  const refused = spec && typeProblem(node, facts.version, (value) => scope.types.get(value));
  if (refused) run.problems.push(problem(node, refused));
}

function outputTypes(run: Run, scope: Scope, node: Node): readonly (ValueType | undefined)[] {
  const callable = callableOf(run.functions, node);
  if (callable) return calledTypes(run, scope, node, callable);
  const spec = run.find(node);
  if (spec) return spec.infer(contextOf(run, scope, node)).map(withPossibleDims);
  run.opaque.add(node);
  return run.options.opaque?.(node) ?? [];
}

/** No arithmetic on lengths, symbols and attributes of a hostile model gets past here as a length, inside sequences neither. */
function withPossibleDims(type: ValueType | undefined): ValueType | undefined {
  if (type?.kind === "sequence" || type?.kind === "optional") withPossibleDims(type.element);
  const wrong = asTensor(type)?.dims?.find(
    (dim) => typeof dim === "number" && !(Number.isSafeInteger(dim) && dim >= 0),
  );
  if (wrong === undefined) return type;
  throw new ShapeError("a dim is not a length", { expected: "a whole number from 0 up", got: `${wrong}` });
}

function calledTypes(run: Run, scope: Scope, node: Node, callable: Callable): readonly (ValueType | undefined)[] {
  if (run.depth >= DEPTH) throw new LimitError("functions call each other too deeply", { where: describeNode(node) });
  const inner = newScope(callable.opsets);
  callable.inputs.forEach((input, i) => {
    bindValue(scope, inner, node.inputs[i], input);
  });
  run.depth++;
  inferNodes(run, inner, { nodes: callable.nodes, outputs: callable.outputs, initializers: new Map() });
  run.depth--;
  return callable.outputs.map((output) => inner.types.get(output));
}

function bindValue(from: Scope, to: Scope, source: Value | undefined, target: Value): void {
  if (!source) return;
  setType(to, target, from.types.get(source));
  setSymbols(to, target, from.symbols.get(source));
  const constant = from.constants.get(source);
  if (constant) to.constants.set(target, constant);
}

function attempt<T>(run: Run, node: Node, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!isMisfit(error)) throw error;
    run.problems.push(problem(node, error.message));
    return undefined;
  }
}

/** Elements of an output; a node that does not fit its inputs has none, and its problem is known already. */
function symbolsOf(spec: OpSpec | undefined, facts: NodeFacts, output: number): readonly Dim[] | undefined {
  try {
    return spec?.symbols?.(facts, output);
  } catch (error) {
    if (isMisfit(error)) return undefined;
    throw error;
  }
}

/** Whether an error says that a node's inputs or attributes do not fit. */
export function isMisfit(error: unknown): error is LitheError {
  return [ShapeError, InvalidModelError, UnsupportedError].some((kind) => error instanceof kind);
}

function problem(node: Node, message: string): InferenceProblem {
  return { node, where: describeNode(node), message };
}

/** A loop's body may be visited several times; what it says is said once. */
function unique(problems: readonly InferenceProblem[]): InferenceProblem[] {
  return [...new Map(problems.map((item) => [`${item.where}: ${item.message}`, item])).values()];
}

function setType(scope: Scope, value: Value, type: ValueType | undefined): void {
  if (type) scope.types.set(value, type);
  else scope.types.delete(value);
}

function setSymbols(scope: Scope, value: Value, symbols: readonly Dim[] | undefined): void {
  const dims = asTensor(scope.types.get(value))?.dims;
  const fits = symbols && symbols.length <= SYMBOL_LIMIT && dims && dims.length <= 2;
  if (fits && symbols.some((item) => item !== "")) scope.symbols.set(value, symbols);
  else scope.symbols.delete(value);
  scope.constants.delete(value);
}

function contextOf(run: Run, scope: Scope, node: Node): InferContext {
  return {
    ...typedNode(scope, node),
    subgraph(attribute, inputTypes) {
      const graph = graphOf(node, attribute);
      if (!graph) return [];
      graph.inputs.forEach((input, i) => {
        setType(scope, input, inputTypes[i] ?? run.bindings.declared(input));
        setSymbols(scope, input, undefined);
      });
      inferNodes(run, scope, graph);
      return graph.outputs.map((output) => scope.types.get(output));
    },
  };
}

function typedNode(scope: Scope, node: Node): TypedNode {
  return {
    node,
    version: versionOf(scope.opsets, node.domain),
    input: (i) => typeOf(scope, node.inputs[i]),
    output: (i) => typeOf(scope, node.outputs[i]),
    constant: (i) => constantIn(scope, node.inputs[i]),
    symbols: (i) => (rankOf(scope, node.inputs[i]) > 1 ? undefined : symbolsIn(scope, node.inputs[i])),
    elements: (i) => symbolsIn(scope, node.inputs[i]),
  };
}

function versionOf(opsets: ReadonlyMap<string, number>, domain: string): number {
  return opsetOf({ opsets } as Model, domain === "ai.onnx" ? "" : domain);
}

function typeOf(scope: Scope, value: Value | undefined): ValueType | undefined {
  return value && scope.types.get(value);
}

function constantIn(scope: Scope, value: Value | undefined): Tensor | undefined {
  if (!value) return undefined;
  const known = scope.constants.get(value);
  if (known) return known;
  const type = asTensor(scope.types.get(value));
  const symbols = scope.symbols.get(value);
  if (!type || !symbols?.every((item) => typeof item === "number")) return undefined;
  if (symbols.some((item) => Math.abs(Number(item)) >= 2 ** 53)) return undefined;
  const dims = type.dims?.every((dim) => typeof dim === "number") ? (type.dims as readonly number[]) : [symbols.length];
  return tensorFromNumbers(type.dtype, dims, symbols as readonly number[]);
}

function rankOf(scope: Scope, value: Value | undefined): number {
  return asTensor(typeOf(scope, value))?.dims?.length ?? 0;
}

function symbolsIn(scope: Scope, value: Value | undefined): readonly Dim[] | undefined {
  if (!value) return undefined;
  const known = scope.symbols.get(value);
  if (known) return known;
  const tensor = scope.constants.get(value);
  const symbols = tensor && numbersIn(tensor);
  if (symbols) scope.symbols.set(value, symbols);
  return symbols;
}
