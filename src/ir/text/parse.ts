/** @file ONNX text syntax → Model, by recursive descent. */

import { FormatError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Attribute, Attributes, Graph, Model, ModelFunction, Node, Value } from "../graph.ts";
import { exactNumber } from "../int64.ts";
import { type Initializer, isSparse, type SparseTensor, type Tensor } from "../tensor.ts";
import { tensorType, type ValueType } from "../types.ts";
import { digestOf } from "./digest.ts";
import { Lexer } from "./lexer.ts";
import { floatValue, integerValue, parseTensorData, type TensorHead, tensorHead } from "./parse-data.ts";
import { isTypeStart, parseType } from "./parse-type.ts";
import { attributeTypeByWord } from "./vocabulary.ts";

export interface ParseOptions {
  /** Tensors for which the text has only a digest. */
  readonly tensors?: readonly Tensor[];
}

const parseOptionsNames: OptionNames<ParseOptions> = { tensors: true };

/**
 * Reads the text of a model, as `printModel` or ONNX's own printer writes it.
 *
 * @throws FormatError with line and column; also for the digest of a tensor that is not among `tensors`
 */
export function parseModel(text: string, options: ParseOptions = {}): Model {
  const { tensors = [] } = checkOptions(options, parseOptionsNames);
  const lexer = new Lexer(text);
  const known = new Map(tensors.map((tensor) => [digestOf(tensor), tensor]));
  const head = parseHead(lexer);
  const graph = parseGraph({ lexer, known }, undefined);
  const functions: ModelFunction[] = [];
  while (lexer.peek.kind !== "end") functions.push(parseFunction({ lexer, known }));
  return { ...modelParts(head), graph, functions, trainingInfo: [] };
}

interface Context {
  readonly lexer: Lexer;
  readonly known: ReadonlyMap<string, Tensor>;
}

/** The block in angle brackets before a model or function. */
interface Head {
  readonly texts: ReadonlyMap<string, string>;
  readonly integers: ReadonlyMap<string, bigint>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
}

const textKeys = new Set(["producer_name", "producer_version", "domain", "doc_string", "overload"]);
const integerKeys = new Set(["ir_version", "model_version"]);

function parseHead(lexer: Lexer): Head {
  const texts = new Map<string, string>();
  const integers = new Map<string, bigint>();
  let opsets = new Map<string, number>();
  let metadata = new Map<string, string>();
  lexer.expect("<");
  lexer.list(">", () => {
    if (!lexer.isName()) throw lexer.wrong("a key");
    const unknown = lexer.wrong([...textKeys, ...integerKeys, "opset_import", "metadata_props"].join(", "));
    const key = lexer.next().text;
    lexer.expect(":");
    if (textKeys.has(key)) texts.set(key, lexer.kind("string").text);
    else if (integerKeys.has(key)) integers.set(key, integerValue(lexer));
    else if (key === "opset_import") opsets = pairs(lexer, () => exactNumber(integerValue(lexer)));
    else if (key === "metadata_props") metadata = pairs(lexer, () => lexer.kind("string").text);
    else throw unknown;
  });
  return { texts, integers, opsets, metadata };
}

function pairs<T>(lexer: Lexer, value: () => T): Map<string, T> {
  lexer.expect("[");
  return new Map(
    lexer.list("]", () => {
      const key = lexer.kind("string").text;
      lexer.expect(":");
      return [key, value()] as const;
    }),
  );
}

function modelParts({ texts, integers, opsets, metadata }: Head): Omit<Model, "graph" | "functions" | "trainingInfo"> {
  const modelVersion = integers.get("model_version");
  return {
    irVersion: exactNumber(integers.get("ir_version") ?? 0n),
    opsets,
    metadata,
    ...given("producerName", texts.get("producer_name")),
    ...given("producerVersion", texts.get("producer_version")),
    ...given("domain", texts.get("domain")),
    ...(modelVersion === undefined ? {} : { modelVersion }),
    ...given("docString", texts.get("doc_string")),
  };
}

function given<K extends string>(key: K, value: string | undefined): { [key in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: string });
}

interface Scope {
  readonly values: Map<string, Value>;
  readonly types: Map<string, ValueType>;
  readonly outer: Scope | undefined;
}

function define(scope: Scope, name: string, fallback?: ValueType): Value {
  const known = scope.values.get(name);
  if (known) return known;
  const type = scope.types.get(name) ?? fallback;
  const value: Value = type ? { name, type } : { name };
  scope.values.set(name, value);
  return value;
}

function resolve(scope: Scope, name: string): Value {
  let current = scope;
  for (;;) {
    const value = current.values.get(name);
    if (value) return value;
    if (!current.outer) return define(current, name);
    current = current.outer;
  }
}

function parseGraph(context: Context, outer: Scope | undefined): Graph {
  const { lexer } = context;
  const name = lexer.name();
  const scope: Scope = { values: new Map(), types: new Map(), outer };
  const data = new Map<string, Initializer>();
  const inputs = parseDeclarations(context, scope, data);
  lexer.expect("=>");
  const outputs = parseDeclarations(context, scope, data);
  parseInfos(context, scope, data);
  const inputValues = inputs.map((input) => define(scope, input));
  const initializers = new Map(
    Array.from(data, ([key, initializer]) => [define(scope, key, initializerType(initializer)), initializer]),
  );
  const nodes = lexer.nested(() => parseNodes(context, scope));
  return { name, inputs: inputValues, outputs: outputs.map((key) => resolve(scope, key)), nodes, initializers };
}

function initializerType(data: Initializer): ValueType {
  return tensorType(isSparse(data) ? data.values.dtype : data.dtype, data.dims);
}

/** `(type name, type name = {data}, …)`; returns the names. */
function parseDeclarations(context: Context, scope: Scope, data: Map<string, Initializer>): string[] {
  context.lexer.expect("(");
  return context.lexer.list(")", () => parseDeclaration(context, scope, data));
}

function parseInfos(context: Context, scope: Scope, data: Map<string, Initializer>): void {
  if (context.lexer.take("<")) context.lexer.list(">", () => parseDeclaration(context, scope, data));
}

function parseDeclaration(context: Context, scope: Scope, data: Map<string, Initializer>): string {
  const { lexer } = context;
  const type = parseType(lexer);
  const name = lexer.name();
  if (lexer.take("=")) data.set(name, parseInitializer(context, type));
  else if (type) scope.types.set(name, type);
  return name;
}

function parseInitializer(context: Context, type: ValueType | undefined): Initializer {
  const { lexer, known } = context;
  if (type?.kind === "sparse-tensor") return parseSparse(context, type);
  return parseTensorData(lexer, tensorHead(lexer, type), known);
}

function parseSparse(context: Context, type: ValueType | undefined): SparseTensor {
  const { lexer } = context;
  const { dims }: TensorHead = tensorHead(lexer, type);
  lexer.expect("{");
  const values = parseTensor(context);
  lexer.expect(",");
  const indices = parseTensor(context);
  lexer.expect("}");
  return { dims, values, indices };
}

/** `float[2] {1, 2}`; a name between the two, as ONNX prints it, is dropped. */
function parseTensor({ lexer, known }: Context): Tensor {
  const head = tensorHead(lexer, parseType(lexer));
  if (lexer.peek.kind === "name" || lexer.peek.kind === "string") lexer.next();
  lexer.take("=");
  return parseTensorData(lexer, head, known);
}

function parseNodes(context: Context, scope: Scope): Node[] {
  const nodes: Node[] = [];
  context.lexer.expect("{");
  while (!context.lexer.take("}")) nodes.push(parseNode(context, scope));
  return nodes;
}

function parseNode(context: Context, scope: Scope): Node {
  const { lexer } = context;
  const label = lexer.take("[") ? lexer.name() : "";
  if (label !== "") lexer.expect("]");
  const first = lexer.name();
  const made = lexer.is(",") || lexer.is("=") ? [first] : undefined;
  while (made && lexer.take(",")) made.push(lexer.name());
  if (made) lexer.expect("=");
  const path = [made ? lexer.name() : first];
  while (lexer.take(".")) path.push(lexer.name());
  const overload = lexer.take(":") ? lexer.name() : undefined;
  const before = parseAttributes(context, scope);
  lexer.expect("(");
  const inputs = lexer.list(")", () => lexer.name());
  const attributes = before ?? parseAttributes(context, scope) ?? new Map();
  const read = (name: string): Value | undefined => (name === "" ? undefined : resolve(scope, name));
  const make = (name: string): Value | undefined => (name === "" ? undefined : define(scope, name));
  return {
    opType: path.at(-1) as string,
    domain: path.slice(0, -1).join("."),
    name: label,
    inputs: inputs.map(read),
    outputs: (made ?? []).map(make),
    attributes,
    ...given("overload", overload),
  };
}

function parseAttributes(context: Context, scope: Scope): Attributes | undefined {
  if (!context.lexer.take("<")) return undefined;
  return new Map(context.lexer.list(">", () => parseAttribute(context, scope)));
}

function parseAttribute(context: Context, scope: Scope): readonly [string, Attribute] {
  const { lexer } = context;
  const name = lexer.name();
  const type = lexer.take(":") ? parseAttributeType(lexer) : undefined;
  lexer.expect("=");
  if (lexer.take("@")) {
    if (!type) throw lexer.wrong("the type of a referenced attribute, name: type = @other");
    return [name, { type: "reference", to: lexer.name(), of: type }];
  }
  return [name, parseAttributeValue(context, scope, type ?? guessedType(lexer))];
}

type PlainType = Exclude<Attribute["type"], "reference">;

function parseAttributeType(lexer: Lexer): PlainType {
  const type = attributeTypeByWord.get(lexer.peek.text);
  if (!type) throw lexer.wrong(`one of ${[...attributeTypeByWord.keys()].join(", ")}`);
  lexer.next();
  return type;
}

/** An untyped literal tells its type; so do the first words of tensors and graphs. An untyped list is read by its first item. */
function guessedType(lexer: Lexer): PlainType {
  const { kind, text } = lexer.peek;
  if (kind === "number") return /^-?[0-9]+$/.test(text) ? "int" : "float";
  if (kind === "string") return "string";
  if (lexer.isName("inf", "nan")) return "float";
  if (lexer.is("[")) return lexer.second(/^-?[0-9]+\s*[,\]]/) ? "ints" : lexer.second(/^"/) ? "strings" : "floats";
  return isTypeStart(lexer) ? "tensor" : "graph";
}

function parseAttributeValue(context: Context, scope: Scope, type: PlainType): Attribute {
  const { lexer } = context;
  const items = <T>(item: () => T): T[] => {
    lexer.expect("[");
    return lexer.list("]", item);
  };
  const bytes = (): Uint8Array => lexer.kind("string").bytes;
  const sparse = (): SparseTensor => parseSparse(context, parseType(lexer));
  const graph = (): Graph => parseGraph(context, scope);
  switch (type) {
    case "float":
      return { type, value: floatValue(lexer) };
    case "int":
      return { type, value: integerValue(lexer) };
    case "string":
      return { type, value: bytes() };
    case "tensor":
      return { type, value: parseTensor(context) };
    case "sparse-tensor":
      return { type, value: sparse() };
    case "graph":
      return { type, value: graph() };
    case "type":
      return { type, value: parseType(lexer) };
    case "floats":
      return { type, value: items(() => floatValue(lexer)) };
    case "ints":
      return { type, value: items(() => integerValue(lexer)) };
    case "strings":
      return { type, value: items(bytes) };
    case "tensors":
      return { type, value: items(() => parseTensor(context)) };
    case "sparse-tensors":
      return { type, value: items(sparse) };
    case "graphs":
      return { type, value: items(graph) };
    case "types":
      return { type, value: items(() => parseType(lexer)) };
  }
}

function parseFunction(context: Context): ModelFunction {
  const { lexer } = context;
  const { texts, opsets, metadata } = parseHead(lexer);
  const name = lexer.name();
  const scope: Scope = { values: new Map(), types: new Map(), outer: undefined };
  const attributes: string[] = [];
  const attributeDefaults = new Map<string, Attribute>();
  if (lexer.take("<")) lexer.list(">", () => parseParameter(context, scope, attributes, attributeDefaults));
  lexer.expect("(");
  const inputs = lexer.list(")", () => lexer.name());
  lexer.expect("=>");
  lexer.expect("(");
  const outputs = lexer.list(")", () => lexer.name());
  const data = new Map<string, Initializer>();
  parseInfos(context, scope, data);
  if (data.size > 0) throw new FormatError("a function cannot have initializers", { where: `function "${name}"` });
  const inputValues = inputs.map((input) => define(scope, input));
  const nodes = parseNodes(context, scope);
  return {
    name,
    domain: texts.get("domain") ?? "",
    ...given("overload", texts.get("overload")),
    inputs: inputValues,
    outputs: outputs.map((output) => resolve(scope, output)),
    nodes,
    attributes,
    attributeDefaults,
    opsets,
    ...given("docString", texts.get("doc_string")),
    ...(metadata.size > 0 ? { metadata } : {}),
  };
}

/** A bare name must be given by the caller; `name: type = value` has a default. */
function parseParameter(context: Context, scope: Scope, attributes: string[], defaults: Map<string, Attribute>): void {
  const { lexer } = context;
  const name = lexer.name();
  if (!lexer.take(":")) {
    attributes.push(name);
    return;
  }
  const type = parseAttributeType(lexer);
  lexer.expect("=");
  defaults.set(name, parseAttributeValue(context, scope, type));
}
