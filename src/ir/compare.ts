/** @file Equality of types and of whole models: structure and names, and which uses share a value. */
import { checkOptions, type OptionNames } from "../options.ts";
import type { Attribute, Attributes, Graph, Model, ModelFunction, Node, TrainingInfo, Value } from "./graph.ts";
import type { Initializer, Tensor } from "./tensor.ts";
import { formatType, type ValueType } from "./types.ts";

/** Whether two types say the same, names of symbolic dims included. */
export function sameValueType(a: ValueType | undefined, b: ValueType | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  if (a.kind === "map") return b.kind === "map" && a.key === b.key && sameValueType(a.value, b.value);
  if (a.kind === "sequence" || a.kind === "optional") return a.kind === b.kind && sameValueType(a.element, b.element);
  if (a.kind !== b.kind || a.dtype !== b.dtype) return false;
  if (a.dims === undefined || b.dims === undefined) return a.dims === b.dims;
  const other = b.dims;
  return a.dims.length === other.length && a.dims.every((dim, i) => dim === other[i]);
}

/** Whether two attribute lists say the same, contents of tensors and subgraphs included. */
export function sameAttributes(a: Attributes, b: Attributes): boolean {
  return a === b || attributes({ forward: new Map(), backward: new Map(), preserved: false }, a, b, "") === undefined;
}

/** Whether two tensors have the same dtype, dims and content. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  const isAlike = a.dtype === b.dtype && a.dims.join() === b.dims.join();
  return (
    isAlike && plain({ forward: new Map(), backward: new Map(), preserved: false }, a.data, b.data, "") === undefined
  );
}

export interface CompareOptions {
  /** Whether `preserved`, what only the codec reads, must be equal too; true by default. */
  readonly preserved?: boolean;
}

const compareOptionsNames: OptionNames<CompareOptions> = { preserved: true };

/**
 * The first difference between two models, in words; `undefined` when they are equal. Two models are equal when one can
 * stand for the other: the same parts in the same order under the same names, and values shared alike. The order of
 * entries in maps does not count.
 */
export function equalModels(a: Model, b: Model, options: CompareOptions = {}): string | undefined {
  const { preserved = true } = checkOptions(options, compareOptionsNames);
  const context: Context = { forward: new Map(), backward: new Map(), preserved };
  return (
    graphs(context, a.graph, b.graph, `graph "${a.graph.name}"`) ??
    lists(a.functions, b.functions, "functions", (x, y, where) => functions(context, x, y, where)) ??
    lists(a.trainingInfo, b.trainingInfo, "trainingInfo", (x, y, where) => training(context, x, y, where)) ??
    fields(context, a, b, "model", new Set(["graph", "functions", "trainingInfo"]))
  );
}

interface Context {
  /** Values of `a` with those of `b` that stand in their places, and the reverse. */
  readonly forward: Map<Value, Value>;
  readonly backward: Map<Value, Value>;
  readonly preserved: boolean;
}

const graphParts = new Set(["inputs", "outputs", "nodes", "initializers"]);
const nodeParts = new Set(["inputs", "outputs", "attributes"]);
const functionParts = new Set(["inputs", "outputs", "nodes", "attributeDefaults"]);
const trainingParts = new Set(["initialization", "algorithm"]);

function graphs(context: Context, a: Graph, b: Graph, where: string): string | undefined {
  if (a === b && context.forward.size === 0) return undefined;
  return (
    bodies(context, a, b, where) ??
    initializers(context, a.initializers, b.initializers, where) ??
    fields(context, a, b, where, graphParts)
  );
}

function bodies(
  context: Context,
  a: Pick<Graph, "inputs" | "outputs" | "nodes">,
  b: Pick<Graph, "inputs" | "outputs" | "nodes">,
  where: string,
): string | undefined {
  const value = (x: Value, y: Value, at: string): string | undefined => values(context, x, y, at);
  return (
    lists(a.inputs, b.inputs, `${where}, inputs`, value) ??
    lists(a.nodes, b.nodes, `${where}, nodes`, (x, y, at) => nodes(context, x, y, at)) ??
    lists(a.outputs, b.outputs, `${where}, outputs`, value)
  );
}

function functions(context: Context, a: ModelFunction, b: ModelFunction, where: string): string | undefined {
  return (
    bodies(context, a, b, where) ??
    attributes(context, a.attributeDefaults, b.attributeDefaults, where) ??
    fields(context, a, b, where, functionParts)
  );
}

function training(context: Context, a: TrainingInfo, b: TrainingInfo, where: string): string | undefined {
  for (const part of ["initialization", "algorithm"] as const) {
    const [x, y] = [a[part], b[part]];
    const found =
      x && y ? graphs(context, x, y, `${where}, ${part}`) : x !== y ? `${where}: ${part} is missing` : undefined;
    if (found) return found;
  }
  return fields(context, a, b, where, trainingParts);
}

function nodes(context: Context, a: Node, b: Node, around: string): string | undefined {
  const where = `${around} "${a.name}" (${a.opType})`;
  const value = (x: Value | undefined, y: Value | undefined, at: string): string | undefined => {
    if (x && y) return values(context, x, y, at);
    return x === y ? undefined : `${at}: ${x ? `"${x.name}"` : "omitted"} and ${y ? `"${y.name}"` : "omitted"}`;
  };
  return (
    fields(context, a, b, where, nodeParts) ??
    lists(a.inputs, b.inputs, `${where}, inputs`, value) ??
    lists(a.outputs, b.outputs, `${where}, outputs`, value) ??
    attributes(context, a.attributes, b.attributes, where)
  );
}

function values(context: Context, a: Value, b: Value, where: string): string | undefined {
  const partner = context.forward.get(a);
  if (partner === b) return undefined;
  if (partner || context.backward.has(b)) return `${where}: "${a.name}" and "${b.name}" are shared differently`;
  context.forward.set(a, b);
  context.backward.set(b, a);
  if (!sameValueType(a.type, b.type)) {
    return `${where}: type of "${a.name}": ${formatType(a.type)} and ${formatType(b.type)}`;
  }
  return fields(context, a, b, where, new Set(["type"]));
}

function initializers(
  context: Context,
  a: ReadonlyMap<Value, Initializer>,
  b: ReadonlyMap<Value, Initializer>,
  around: string,
): string | undefined {
  if (a.size !== b.size) return `${around}: ${a.size} and ${b.size} initializers`;
  const others = new Map(Array.from(b, ([value, data]) => [value.name, { value, data }]));
  for (const [value, data] of a) {
    const where = `${around}, initializer "${value.name}"`;
    const other = others.get(value.name);
    if (!other) return `${where}: is missing`;
    const found = values(context, value, other.value, where) ?? plain(context, data, other.data, where);
    if (found) return found;
  }
  return undefined;
}

function attributes(context: Context, a: Attributes, b: Attributes, around: string): string | undefined {
  if (a.size !== b.size) return `${around}: ${a.size} and ${b.size} attributes`;
  for (const [name, attribute] of a) {
    const where = `${around}, attribute "${name}"`;
    const other = b.get(name);
    const found = other ? attributePair(context, attribute, other, where) : `${where}: is missing`;
    if (found) return found;
  }
  return undefined;
}

function attributePair(context: Context, a: Attribute, b: Attribute, where: string): string | undefined {
  if (a.type === "graph" && b.type === "graph") return graphs(context, a.value, b.value, where);
  if (a.type === "graphs" && b.type === "graphs") {
    return lists(a.value, b.value, where, (x, y, at) => graphs(context, x, y, at));
  }
  return plain(context, a, b, where);
}

function lists<T>(
  a: readonly T[],
  b: readonly T[],
  where: string,
  compare: (x: T, y: T, where: string) => string | undefined,
): string | undefined {
  if (a.length !== b.length) return `${where}: ${a.length} and ${b.length}`;
  for (let i = 0; i < a.length; i++) {
    const found = compare(a[i] as T, b[i] as T, `${where}[${i}]`);
    if (found) return found;
  }
  return undefined;
}

/** All fields but those in `except`; a field that is `undefined` is absent. */
function fields(
  context: Context,
  a: object,
  b: object,
  where: string,
  except: ReadonlySet<string>,
): string | undefined {
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (except.has(key) || (key === "preserved" && !context.preserved)) continue;
    const found = plain(context, read(a, key), read(b, key), `${where}, ${key}`);
    if (found) return found;
  }
  return undefined;
}

function read(object: object, key: string): unknown {
  return Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;
}

const noFields: ReadonlySet<string> = new Set();

/** Data without identity: numbers, text, bytes, lists, maps and records. */
function plain(context: Context, a: unknown, b: unknown, where: string): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return unequal(a, b, where);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return bytes(a, b, where);
  if (Array.isArray(a) && Array.isArray(b)) return lists(a, b, where, (x, y, at) => plain(context, x, y, at));
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return `${where}: ${a.size} and ${b.size} entries`;
    for (const [key, value] of a) {
      const found = plain(context, value, b.get(key), `${where}, ${JSON.stringify(key)}`);
      if (found) return found;
    }
    return undefined;
  }
  if (Array.isArray(a) !== Array.isArray(b) || a instanceof Uint8Array !== b instanceof Uint8Array) {
    return `${where}: different kinds`;
  }
  return fields(context, a, b, where, noFields);
}

function bytes(a: Uint8Array, b: Uint8Array, where: string): string | undefined {
  if (a.length !== b.length) return `${where}: ${a.length} and ${b.length} bytes`;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return `${where}: byte ${i} is ${a[i]} and ${b[i]}`;
  return undefined;
}

function unequal(a: unknown, b: unknown, where: string): string {
  return `${where}: ${shown(a)} and ${shown(b)}`;
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
