/** @file Model → ONNX text syntax, the one that `onnx.parser` reads. */
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Attribute, Attributes, Graph, Model, ModelFunction, Node, Value } from "../graph.ts";
import {
  type ExternalReference,
  type Initializer,
  isSparse,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  typedArray,
} from "../tensor.ts";
import { type DataType, type Dims, dataTypes, UNKNOWN_DIM, type ValueType } from "../types.ts";
import { digestOf } from "./digest.ts";
import { attributeWords, decimal, quoted, quotedName, wordOf } from "./vocabulary.ts";

export interface PrintOptions {
  /** Tensors of more elements are printed as a digest; 64 by default. */
  readonly largest?: number;
}

const printOptionsNames: OptionNames<PrintOptions> = { largest: true };

/**
 * The text of a model. It says everything but doc strings and metadata below the model and its functions, and what only
 * the codec knows (`preserved`). `parseModel` reads it back, large tensors given.
 */
export function printModel(model: Model, options: PrintOptions = {}): string {
  const { largest = 64 } = checkOptions(options, printOptionsNames);
  const head = [
    `ir_version: ${model.irVersion}`,
    `opset_import: ${opsets(model.opsets)}`,
    ...text("producer_name", model.producerName),
    ...text("producer_version", model.producerVersion),
    ...text("domain", model.domain),
    ...(model.modelVersion === undefined ? [] : [`model_version: ${model.modelVersion}`]),
    ...text("doc_string", model.docString),
    ...metadata(model.metadata),
  ];
  const parts = [`${block(head)}\n${graphText(model.graph, { largest, indent: "" })}`];
  for (const f of model.functions) parts.push(functionText(f, largest));
  return `${parts.join("\n")}\n`;
}

interface Context {
  readonly largest: number;
  readonly indent: string;
}

function block(lines: readonly string[]): string {
  return `<\n${lines.map((line) => `   ${line}`).join(",\n")}\n>`;
}

function text(key: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${key}: ${literal(value)}`];
}

function literal(value: string): string {
  return quoted(new TextEncoder().encode(value));
}

function opsets(imports: ReadonlyMap<string, number>): string {
  return `[${Array.from(imports, ([domain, version]) => `${literal(domain)} : ${version}`).join(", ")}]`;
}

function metadata(entries: ReadonlyMap<string, string> | undefined): string[] {
  if (!entries || entries.size === 0) return [];
  return [
    `metadata_props: [${Array.from(entries, ([key, value]) => `${literal(key)}: ${literal(value)}`).join(", ")}]`,
  ];
}

function functionText(f: ModelFunction, largest: number): string {
  const head = [
    `domain: ${literal(f.domain)}`,
    ...text("overload", f.overload),
    `opset_import: ${opsets(f.opsets)}`,
    ...text("doc_string", f.docString),
    ...metadata(f.metadata),
  ];
  const context = { largest, indent: "" };
  const parameters = [
    ...f.attributes.map(quotedName),
    ...Array.from(f.attributeDefaults, (e) => attributeText(e, context)),
  ];
  const signature = `(${f.inputs.map(nameText).join(", ")}) => (${f.outputs.map(nameText).join(", ")})`;
  const typed = [...f.inputs, ...f.outputs, ...madeBy(f.nodes, new Set([...f.inputs, ...f.outputs]))];
  const infos = declarations(
    [...new Set(typed)].filter(({ type }) => type),
    new Map(),
    context,
  );
  const list = parameters.length > 0 ? ` <${parameters.join(", ")}>` : "";
  return `${block(head)}\n${quotedName(f.name)}${list} ${signature}${infos}\n${body(f.nodes, context)}`;
}

function graphText(graph: Graph, context: Context): string {
  const signature = new Set([...graph.inputs, ...graph.outputs]);
  const named = (values: readonly Value[]): string => values.map(declaration).join(", ");
  const inner = madeBy(graph.nodes, signature).filter(({ type }) => type);
  const infos = declarations(inner, graph.initializers, context);
  return `${quotedName(graph.name)} (${named(graph.inputs)}) => (${named(graph.outputs)})${infos}\n${body(graph.nodes, context)}`;
}

/** What the nodes make, without the values in `except`. */
function madeBy(nodes: readonly Node[], except: ReadonlySet<Value>): Value[] {
  return nodes.flatMap(
    ({ outputs }) => outputs.filter((value) => value !== undefined && !except.has(value)) as Value[],
  );
}

function declaration(value: Value): string {
  return `${typeText(value.type)} ${nameText(value)}`;
}

function declarations(
  typed: readonly Value[],
  initializers: ReadonlyMap<Value, Initializer>,
  context: Context,
): string {
  const lines = Array.from(
    initializers,
    ([value, data]) => `${initializerType(data)} ${nameText(value)} = ${dataText(data, context)}`,
  );
  const all = [...lines, ...typed.map(declaration)];
  if (all.length === 0) return "";
  const inner = `${context.indent}   `;
  return `\n${inner}<${all.join(`,\n${inner} `)}>`;
}

function initializerType(data: Initializer): string {
  if (!isSparse(data)) return tensorHead(data);
  return `sparse_tensor(${wordOf(data.values.dtype)}[${data.dims.join(",")}])`;
}

function body(nodes: readonly Node[], context: Context): string {
  const inner = { ...context, indent: `${context.indent}   ` };
  const lines = nodes.map((node) => `${inner.indent}${nodeText(node, inner)}\n`);
  return `${context.indent}{\n${lines.join("")}${context.indent}}`;
}

function nodeText(node: Node, context: Context): string {
  const label = node.name === "" ? "" : `[${quotedName(node.name)}] `;
  const outputs = node.outputs.map(nameText).join(", ");
  const overload = node.overload === undefined ? "" : `:${quotedName(node.overload)}`;
  const domain = node.domain === "" ? "" : `${node.domain.split(".").map(quotedName).join(".")}.`;
  const inputs = node.inputs.map(nameText).join(", ");
  const attributes = attributesText(node.attributes, context);
  const assigned = outputs === "" ? "" : `${outputs} = `;
  return `${label}${assigned}${domain}${quotedName(node.opType)}${overload}${attributes} (${inputs})`;
}

function nameText(value: Value | undefined): string {
  return value === undefined ? '""' : quotedName(value.name);
}

function attributesText(attributes: Attributes, context: Context): string {
  if (attributes.size === 0) return "";
  return ` <${Array.from(attributes, (entry) => attributeText(entry, context)).join(", ")}>`;
}

function attributeText([name, attribute]: readonly [string, Attribute], context: Context): string {
  const type = attribute.type === "reference" ? attribute.of : attribute.type;
  return `${quotedName(name)}: ${attributeWords[type]} = ${attributeValue(attribute, context)}`;
}

function attributeValue(attribute: Attribute, context: Context): string {
  const list = <T>(items: readonly T[], print: (item: T) => string): string => `[${items.map(print).join(", ")}]`;
  const tensor = (t: Tensor): string => `${tensorHead(t)} ${dataText(t, context)}`;
  switch (attribute.type) {
    case "reference":
      return `@${quotedName(attribute.to)}`;
    case "float":
      return floatText(attribute.value);
    case "int":
      return `${attribute.value}`;
    case "string":
      return quoted(attribute.value);
    case "tensor":
      return tensor(attribute.value);
    case "sparse-tensor":
      return `${initializerType(attribute.value)} ${dataText(attribute.value, context)}`;
    case "graph":
      return graphText(attribute.value, context);
    case "type":
      return typeText(attribute.value);
    case "floats":
      return list(attribute.value, floatText);
    case "ints":
      return list(attribute.value, String);
    case "strings":
      return list(attribute.value, quoted);
    case "tensors":
      return list(attribute.value, tensor);
    case "sparse-tensors":
      return list(attribute.value, (sparse) => `${initializerType(sparse)} ${dataText(sparse, context)}`);
    case "graphs":
      return list(attribute.value, (graph) => graphText(graph, context));
    case "types":
      return list(attribute.value, typeText);
  }
}

/** Floats of attributes are float32, as in the file. */
function floatText(value: number): string {
  const single = Math.fround(value);
  return decimal(single, (candidate) => Math.fround(candidate) === single);
}

/** `unknown` stands where nothing is known, which ONNX's own text cannot say. */
export function typeText(type: ValueType | undefined): string {
  if (!type) return "unknown";
  if (type.kind === "sequence") return `seq(${typeText(type.element)})`;
  if (type.kind === "optional") return `optional(${typeText(type.element)})`;
  if (type.kind === "map") return `map(${wordOf(type.key)}, ${typeText(type.value)})`;
  const tensor = `${wordOf(type.dtype)}${dimsText(type.dims)}`;
  return type.kind === "tensor" ? tensor : `sparse_tensor(${tensor})`;
}

/** A bare word is a scalar, empty brackets an unknown rank. */
function dimsText(dims: Dims | undefined): string {
  if (!dims) return "[]";
  return dims.length === 0 ? "" : `[${dims.map(dimText).join(",")}]`;
}

function dimText(dim: number | string): string {
  if (typeof dim === "number") return `${dim}`;
  return dim === UNKNOWN_DIM ? "?" : quotedName(dim);
}

function tensorHead({ dtype, dims }: Tensor): string {
  return `${wordOf(dtype)}${dimsText(dims)}`;
}

function dataText(data: Initializer, context: Context): string {
  if (isSparse(data)) {
    const part = (t: Tensor): string => `${tensorHead(t)} ${dataText(t, context)}`;
    return `{${part(data.values)}, ${part(data.indices)}}`;
  }
  if ("location" in data.data) return referenceText(data.data);
  if (sizeOf(data.dims) > context.largest) return `{... "${digestOf(data)}"}`;
  const elements = elementTexts(data);
  return elements ? `{${elements.join(", ")}}` : `{... "${digestOf(data)}"}`;
}

function referenceText({ location, offset, length, checksum }: ExternalReference): string {
  const entries: [string, string][] = [
    ["location", location],
    ["offset", `${offset}`],
  ];
  if (length !== undefined) entries.push(["length", `${length}`]);
  if (checksum !== undefined) entries.push(["checksum", checksum]);
  return `[${entries.map(([key, value]) => `${literal(key)}: ${literal(value)}`).join(", ")}]`;
}

/** Absent when numbers would lose bits, as in the payload of a NaN. */
function elementTexts(t: Tensor): string[] | undefined {
  if (Array.isArray(t.data)) return (t.data as readonly Uint8Array[]).map(quoted);
  if (t.dtype === "int64" || t.dtype === "uint64") return Array.from(typedArray(t) as BigInt64Array, String);
  const real = asReal(t);
  const numbers = numbersOf(real);
  const again = tensorFromNumbers(real.dtype, real.dims, numbers).data as Uint8Array;
  if (!(t.data as Uint8Array).every((byte, i) => byte === again[i])) return undefined;
  return Array.from(numbers, (value) => numberText(real.dtype, value));
}

function numberText(dtype: DataType, value: number): string {
  if (dataTypes[dtype].kind !== "float") return `${value}`;
  return dtype === "float64" ? decimal(value, (candidate) => candidate === value) : floatText(value);
}

/** Complex numbers as pairs of real ones. */
export function asReal(t: Tensor): Tensor {
  if (dataTypes[t.dtype].kind !== "complex") return t;
  return { ...t, dtype: t.dtype === "complex64" ? "float32" : "float64", dims: [...t.dims, 2] };
}
