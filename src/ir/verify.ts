/** @file The invariants of a model, as a table; each finds its own violations. */
import { InvalidModelError } from "../errors.ts";
import { describeNode, type Graph, type Model, type Node, type Value } from "./graph.ts";
import { type Initializer, isSparse, type Tensor } from "./tensor.ts";
import { allGraphs, allNodes, subgraphsOf } from "./traverse.ts";
import { byteLength } from "./types.ts";

export interface Diagnostic {
  /** The invariant that is broken. */
  readonly rule: string;
  readonly where: string;
  readonly message: string;
}

type Invariant = (model: Model) => Iterable<Omit<Diagnostic, "rule">>;

const invariants = {
  "values are defined once and before use": definitions,
  "names are unique in their scope": uniqueNames,
  "nodes have names of their own": uniqueNodeNames,
  "initializers fill their dims": initializerSizes,
  "domains of nodes are imported": importedDomains,
  "attributes match their kind": referencesOnlyInFunctions,
} satisfies Record<string, Invariant>;

/** Everything that is wrong with the model; empty when it is valid. */
export function verify(model: Model): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [rule, invariant] of Object.entries(invariants)) {
    for (const diagnostic of invariant(model)) found.push({ rule, ...diagnostic });
  }
  return found;
}

/** Throws `InvalidModelError` with the first violation and the number of the others. */
export function assertValid(model: Model): void {
  const [first, ...others] = verify(model);
  if (!first) return;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  throw new InvalidModelError(`${first.message}${more}`, { expected: first.rule, where: first.where });
}

/** What one graph defines, inside what the graphs around it define. */
interface Scope {
  readonly own: Set<Value>;
  readonly names: Map<string, Value>;
  readonly outer: Scope | undefined;
}

function scopeIn(outer: Scope | undefined): Scope {
  return { own: new Set(), names: new Map(), outer };
}

function isKnown(scope: Scope, value: Value): boolean {
  for (let current: Scope | undefined = scope; current; current = current.outer) {
    if (current.own.has(value)) return true;
  }
  return false;
}

function holderOf(scope: Scope, name: string): Value | undefined {
  for (let current: Scope | undefined = scope; current; current = current.outer) {
    const value = current.names.get(name);
    if (value) return value;
  }
  return undefined;
}

/** The main graph and, as graphs, the bodies of functions. */
function* rootGraphs(model: Model): Generator<Graph> {
  yield model.graph;
  for (const { name, inputs, outputs, nodes } of model.functions) {
    yield { name, inputs, outputs, nodes, initializers: new Map() };
  }
}

function* definitions(model: Model): Generator<Omit<Diagnostic, "rule">> {
  for (const graph of rootGraphs(model)) yield* graphDefinitions(graph, undefined);
}

function* graphDefinitions(graph: Graph, outer: Scope | undefined): Generator<Omit<Diagnostic, "rule">> {
  const scope = scopeIn(outer);
  const { own } = scope;
  const here = (node: Node): string => `graph "${graph.name}", ${describeNode(node)}`;
  for (const input of graph.inputs) {
    if (own.has(input)) yield { where: `graph "${graph.name}"`, message: `input "${input.name}" is listed twice` };
    own.add(input);
  }
  for (const value of graph.initializers.keys()) own.add(value);
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input && !isKnown(scope, input)) {
        yield { where: here(node), message: `input "${input.name}" is used before it is defined` };
      }
    }
    for (const inner of subgraphsOf(node)) yield* graphDefinitions(inner, scope);
    for (const output of node.outputs) {
      if (!output) continue;
      if (own.has(output)) yield { where: here(node), message: `output "${output.name}" is defined twice` };
      own.add(output);
    }
  }
  for (const output of graph.outputs) {
    if (!isKnown(scope, output))
      yield { where: `graph "${graph.name}"`, message: `graph output "${output.name}" is never defined` };
  }
}

function* uniqueNames(model: Model): Generator<Omit<Diagnostic, "rule">> {
  for (const graph of rootGraphs(model)) yield* scopeNames(graph, undefined);
}

function* scopeNames(graph: Graph, outer: Scope | undefined): Generator<Omit<Diagnostic, "rule">> {
  const scope = scopeIn(outer);
  const isTaken = (value: Value): boolean => {
    const holder = holderOf(scope, value.name);
    if (holder === undefined) scope.names.set(value.name, value);
    return value.name === "" || (holder !== undefined && holder !== value);
  };
  for (const value of definedIn(graph)) {
    if (!isTaken(value)) continue;
    const message = `the name ${JSON.stringify(value.name)} is empty or stands for two values`;
    yield { where: `graph "${graph.name}"`, message };
  }
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) yield* scopeNames(inner, scope);
}

/** The runtime refuses two nodes of one name in a graph; nodes without a name are free. */
function* uniqueNodeNames(model: Model): Generator<Omit<Diagnostic, "rule">> {
  for (const graph of allGraphs(model.graph)) {
    const taken = new Set<string>();
    for (const node of graph.nodes) {
      if (node.name !== "" && taken.has(node.name)) {
        const message = `the name ${JSON.stringify(node.name)} stands for two nodes`;
        yield { where: `graph "${graph.name}", ${describeNode(node)}`, message };
      }
      taken.add(node.name);
    }
  }
}

function* definedIn({ inputs, initializers, nodes }: Graph): Generator<Value> {
  yield* inputs;
  yield* initializers.keys();
  for (const { outputs } of nodes) for (const output of outputs) if (output) yield output;
}

function* initializerSizes(model: Model): Generator<Omit<Diagnostic, "rule">> {
  for (const graph of allGraphs(model.graph)) {
    for (const [value, data] of graph.initializers) {
      const message = sizeProblem(data);
      if (message) yield { where: `graph "${graph.name}", initializer "${value.name}"`, message };
    }
  }
}

function sizeProblem(data: Initializer): string | undefined {
  if (data.dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0))
    return `dims [${data.dims.join(", ")}] are not lengths`;
  if (isSparse(data)) return sizeProblem(data.values) ?? sizeProblem(data.indices);
  const stored = storedLength(data);
  const expected = data.dtype === "string" ? elements(data) : byteLength(data.dtype, elements(data));
  return stored === undefined || stored === expected
    ? undefined
    : `has ${stored} bytes or strings where its dims need ${expected}`;
}

function storedLength({ data }: Tensor): number | undefined {
  if (data instanceof Uint8Array) return data.byteLength;
  return "location" in data ? data.length : data.length;
}

function elements({ dims }: Tensor): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

function* importedDomains(model: Model): Generator<Omit<Diagnostic, "rule">> {
  const imported = new Set([...model.opsets.keys()].map((domain) => (domain === "ai.onnx" ? "" : domain)));
  const missing = new Map<string, Node>();
  for (const node of allNodes(model)) {
    const domain = node.domain === "ai.onnx" ? "" : node.domain;
    if (imported.has(domain) || missing.has(domain) || functionImports(model, domain)) continue;
    missing.set(domain, node);
  }
  for (const [domain, node] of missing) {
    yield { where: describeNode(node), message: `domain "${domain}" has no opset import` };
  }
}

function functionImports(model: Model, domain: string): boolean {
  return model.functions.some((f) => f.opsets.has(domain));
}

function* referencesOnlyInFunctions(model: Model): Generator<Omit<Diagnostic, "rule">> {
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      for (const [name, { type }] of node.attributes) {
        if (type === "reference")
          yield {
            where: describeNode(node),
            message: `attribute "${name}" refers to a function's attribute outside of a function`,
          };
      }
    }
  }
}
