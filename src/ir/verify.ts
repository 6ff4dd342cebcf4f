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

function* definitions(model: Model): Generator<Omit<Diagnostic, "rule">> {
  yield* graphDefinitions(model.graph, new Set());
  for (const { name, inputs, outputs, nodes } of model.functions) {
    const body: Graph = { name, inputs, outputs, nodes, initializers: new Map() };
    yield* graphDefinitions(body, new Set());
  }
}

function* graphDefinitions(graph: Graph, outer: ReadonlySet<Value>): Generator<Omit<Diagnostic, "rule">> {
  const own = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  const known = (value: Value): boolean => own.has(value) || outer.has(value);
  let scope: Set<Value> | undefined;
  for (const node of graph.nodes) {
    const where = `graph "${graph.name}", ${describeNode(node)}`;
    for (const input of node.inputs) {
      if (input && !known(input)) yield { where, message: `input "${input.name}" is used before it is defined` };
    }
    for (const inner of subgraphsOf(node)) {
      scope = new Set([...outer, ...own]);
      yield* graphDefinitions(inner, scope);
    }
    for (const output of node.outputs) {
      if (!output) continue;
      if (own.has(output)) yield { where, message: `output "${output.name}" is defined twice` };
      own.add(output);
    }
  }
  for (const output of graph.outputs) {
    if (!known(output))
      yield { where: `graph "${graph.name}"`, message: `graph output "${output.name}" is never defined` };
  }
}

function* uniqueNames(model: Model): Generator<Omit<Diagnostic, "rule">> {
  yield* scopeNames(model.graph, new Map());
}

function* scopeNames(graph: Graph, outer: ReadonlyMap<string, Value>): Generator<Omit<Diagnostic, "rule">> {
  const own = new Map<string, Value>();
  const where = `graph "${graph.name}"`;
  const claim = (value: Value): boolean => {
    const holder = own.get(value.name) ?? outer.get(value.name);
    if (holder === undefined) own.set(value.name, value);
    return value.name !== "" && (holder === undefined || holder === value);
  };
  const defined = [...graph.inputs, ...graph.initializers.keys(), ...graph.nodes.flatMap((node) => node.outputs)];
  for (const value of defined) {
    if (value && !claim(value))
      yield { where, message: `the name ${JSON.stringify(value.name)} is empty or stands for two values` };
  }
  const inners = graph.nodes.flatMap(subgraphsOf);
  if (inners.length === 0) return;
  const scope = new Map([...outer, ...own]);
  for (const inner of inners) yield* scopeNames(inner, scope);
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
    if (!imported.has(domain) && !functionImports(model, domain)) missing.set(domain, node);
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
