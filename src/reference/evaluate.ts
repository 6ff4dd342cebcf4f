/** @file The evaluator: values of a graph in order, one kernel per operator. It knows no operator. */
import { DataError, InvalidModelError, LimitError, LitheError, RuntimeError, UnsupportedError } from "../errors.ts";
import {
  type Attribute,
  type Attributes,
  describeNode,
  type Graph,
  isSparse,
  type Model,
  type ModelFunction,
  type Node,
  qualifiedName,
  type SparseTensor,
  type Tensor,
  type Value,
  valuesOf,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type Dense, fromTensor, type Held, isDense, isFloat, type Precision, settled, toTensor } from "./dense.ts";
import { kernels } from "./kernels.ts";
import { sparseToDense } from "./sparse.ts";

export interface EvaluateOptions {
  /** Names of values of the main graph to return, inner ones included; the graph's outputs when absent. */
  readonly fetches?: readonly string[];
  /** `float64` (default): floats are never rounded and come back as float64. `declared`: rounded to their dtype. */
  readonly precision?: Precision;
  /** Node evaluations after which the evaluation ends with `LimitError`; ten million when absent. */
  readonly maxNodes?: number;
}

interface Run {
  readonly precision: Precision;
  readonly functions: ReadonlyMap<string, ModelFunction>;
  left: number;
}

/** Where names are looked up: the values of a graph, then those of the graphs around it. */
interface Scope {
  /** `undefined` for an optional input of a function that its call omits. */
  readonly values: Map<Value, Held | undefined>;
  readonly outer: Scope | undefined;
}

/** What holds for every node of a body, subgraphs included. */
interface Frame {
  readonly opsets: ReadonlyMap<string, number>;
  /** Attributes of the enclosing function's call. */
  readonly attributes: Attributes | undefined;
}

/**
 * Computes a model's outputs, slowly and obviously. Integers are exact.
 *
 * A feed may also name an initializer, whose value it then replaces. A float feed may have any float dtype.
 * @throws UnsupportedError for an operator without a kernel, naming it and where it stands.
 */
export function evaluate(
  model: Model,
  feeds: ReadonlyMap<string, Tensor>,
  options: EvaluateOptions = {},
): Map<string, Tensor> {
  const held = new Map([...feeds].map(([name, fed]) => [name, fromTensor(fed)]));
  const results = new Map<string, Tensor>();
  for (const [name, result] of evaluateValues(model, held, options)) {
    if (!isDense(result)) throw new UnsupportedError(`the output "${name}" is not a tensor`);
    results.set(name, toTensor(result, options.precision ?? "float64"));
  }
  return results;
}

const evaluateOptionsNames: OptionNames<EvaluateOptions> = { fetches: true, precision: true, maxNodes: true };

/** Like `evaluate`, for values of every kind: sequences and optionals as well as arrays. */
export function evaluateValues(
  model: Model,
  feeds: ReadonlyMap<string, Held>,
  options: EvaluateOptions = {},
): Map<string, Held> {
  const { fetches, precision = "float64", maxNodes = 10_000_000 } = checkOptions(options, evaluateOptionsNames);
  const functions = new Map(model.functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]));
  const run: Run = { precision, functions, left: maxNodes };
  const scope: Scope = { values: new Map(), outer: undefined };
  bindFeeds(model.graph, feeds, scope, precision);
  runBody(run, { opsets: model.opsets, attributes: undefined }, scope, model.graph);
  const wanted = fetches ? namedValues(model.graph, fetches) : model.graph.outputs;
  return new Map(wanted.map((value) => [value.name, defined(scope, value)]));
}

function bindFeeds(graph: Graph, feeds: ReadonlyMap<string, Held>, scope: Scope, precision: Precision): void {
  const bindable = new Map([...graph.initializers.keys(), ...graph.inputs].map((value) => [value.name, value]));
  for (const [name, held] of feeds) {
    const value = bindable.get(name);
    if (!value) throw new DataError(`the model has no input "${name}"`, { expected: [...bindable.keys()].join(", ") });
    scope.values.set(value, isDense(held) ? declared(held, value, precision) : held);
  }
  for (const value of graph.inputs) {
    if (scope.values.has(value) || graph.initializers.has(value) || value.type?.kind === "optional") continue;
    throw new DataError(`the input "${value.name}" is missing in the feeds`);
  }
}

/** The feed under the float dtype that the model declares for it. */
function declared(x: Dense, { type }: Value, precision: Precision): Dense {
  if (type?.kind !== "tensor" || type.dtype === x.dtype || !isFloat(type.dtype) || !isFloat(x.dtype)) return x;
  return settled({ ...x, dtype: type.dtype }, precision);
}

function namedValues(graph: Graph, names: readonly string[]): Value[] {
  const byName = new Map([...valuesOf(graph)].map((value) => [value.name, value]));
  return names.map((name) => {
    const value = byName.get(name);
    if (!value) throw new DataError(`the model has no value "${name}"`);
    return value;
  });
}

function runBody(run: Run, frame: Frame, scope: Scope, { name, nodes, initializers }: Graph): void {
  for (const [value, data] of initializers) {
    if (!scope.values.has(value)) scope.values.set(value, isSparse(data) ? sparse(data) : fromTensor(data));
  }
  for (const node of nodes) {
    if (run.left-- <= 0) throw new LimitError("the evaluation takes too many steps", { where: `graph "${name}"` });
    runNode(run, frame, scope, node, `graph "${name}", ${describeNode(node)}`);
  }
}

function sparse({ dims, values, indices }: SparseTensor): Dense {
  return sparseToDense(dims, fromTensor(values), fromTensor(indices));
}

function runNode(run: Run, frame: Frame, scope: Scope, raw: Node, where: string): void {
  const node = frame.attributes ? withReferences(raw, frame.attributes) : raw;
  const inputs = node.inputs.map((value) => value && lookUp(scope, value, where));
  const body = run.functions.get(functionKey(node.domain, node.opType, node.overload));
  const outputs = body ? callFunction(run, node, body, inputs) : callKernel(run, frame, scope, node, inputs, where);
  node.outputs.forEach((value, i) => {
    const result = outputs[i];
    if (!value) return;
    if (!result) throw new UnsupportedError(`output ${i} is not evaluated`, { where });
    if (isDense(result)) checkLengths(result.dims, where);
    scope.values.set(value, isDense(result) ? settled(result, run.precision) : result);
  });
}

/** A kernel that reads lengths from a value of the wrong type gives what is no tensor. */
function checkLengths(dims: readonly number[], where: string): void {
  const wrong = dims.find((dim) => !(Number.isSafeInteger(dim) && dim >= 0));
  if (wrong === undefined) return;
  throw new RuntimeError("a result has a dim that is no length", { expected: "whole numbers", got: `${wrong}`, where });
}

function callKernel(
  run: Run,
  frame: Frame,
  scope: Scope,
  node: Node,
  inputs: readonly (Held | undefined)[],
  where: string,
): readonly (Held | undefined)[] {
  const kernel = kernels.get(qualifiedName(node));
  if (!kernel) throw new UnsupportedError(`the reference has no operator ${qualifiedName(node)}`, { where });
  const version = frame.opsets.get(node.domain) ?? (node.domain === "" ? frame.opsets.get("ai.onnx") : undefined) ?? 1;
  const subgraph = (graph: Graph, given: readonly Held[]): Held[] => {
    const inner: Scope = { values: new Map(), outer: scope };
    graph.inputs.forEach((value, i) => {
      const held = given[i];
      if (held) inner.values.set(value, held);
    });
    runBody(run, frame, inner, graph);
    return graph.outputs.map((value) => defined(inner, value));
  };
  const result = located(where, () =>
    kernel({ node, version, where, precision: run.precision, inputs, run: subgraph }),
  );
  return "length" in result ? result : [result];
}

function callFunction(
  run: Run,
  node: Node,
  body: ModelFunction,
  inputs: readonly (Held | undefined)[],
): readonly (Held | undefined)[] {
  const { name, inputs: formal, outputs, nodes, opsets } = body;
  const scope: Scope = { values: new Map(), outer: undefined };
  formal.forEach((value, i) => {
    scope.values.set(value, inputs[i]);
  });
  const attributes = new Map([...body.attributeDefaults, ...node.attributes]);
  runBody(run, { opsets, attributes }, scope, { name, inputs: formal, outputs, nodes, initializers: new Map() });
  return outputs.map((value) => lookUp(scope, value, name));
}

/** The node with each reference to an attribute of the function replaced by what the call gives, or left out. */
function withReferences(node: Node, given: Attributes): Node {
  if (![...node.attributes.values()].some((attribute) => attribute.type === "reference")) return node;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const actual = attribute.type === "reference" ? given.get(attribute.to) : attribute;
    if (actual) attributes.set(name, actual);
  }
  return { ...node, attributes };
}

function lookUp(scope: Scope, value: Value, where: string): Held | undefined {
  for (let at: Scope | undefined = scope; at; at = at.outer) {
    const held = at.values.get(value);
    if (held || at.values.has(value)) return held;
  }
  throw new InvalidModelError(`the value "${value.name}" is used before it is defined`, { where });
}

function defined(scope: Scope, value: Value): Held {
  const held = lookUp(scope, value, "outputs");
  if (held) return held;
  throw new InvalidModelError(`the output "${value.name}" is an omitted input`);
}

/** Errors without a place get one. */
function located<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LitheError && error.where !== undefined) throw error;
    throw new RuntimeError(error instanceof Error ? error.message : String(error), { where, cause: error });
  }
}

function functionKey(domain: string, name: string, overload: string | undefined): string {
  return JSON.stringify([domain, name, overload ?? ""]);
}
