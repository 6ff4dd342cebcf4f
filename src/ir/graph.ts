/** @file The nouns Value, Node, Graph and Model. All are immutable; edits make new ones (edit.ts). */
import type { Initializer, Preserved, SparseTensor, Tensor } from "./tensor.ts";
import type { ValueType } from "./types.ts";

/** What flows along an edge. Identity is what counts; the name is for printing and unique within the model's scopes. */
export interface Value {
  readonly name: string;
  readonly type?: ValueType;
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly preserved?: Preserved;
}

/** `reference`: the attribute of the enclosing function whose value this one takes. */
export type Attribute =
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "string"; readonly value: Uint8Array }
  | { readonly type: "tensor"; readonly value: Tensor }
  | { readonly type: "sparse-tensor"; readonly value: SparseTensor }
  | { readonly type: "graph"; readonly value: Graph }
  | { readonly type: "type"; readonly value: ValueType | undefined }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "ints"; readonly value: readonly bigint[] }
  | { readonly type: "strings"; readonly value: readonly Uint8Array[] }
  | { readonly type: "tensors"; readonly value: readonly Tensor[] }
  | { readonly type: "sparse-tensors"; readonly value: readonly SparseTensor[] }
  | { readonly type: "graphs"; readonly value: readonly Graph[] }
  | { readonly type: "types"; readonly value: readonly (ValueType | undefined)[] }
  | { readonly type: "reference"; readonly to: string; readonly of: Exclude<Attribute["type"], "reference"> };

export type Attributes = ReadonlyMap<string, Attribute>;

export interface Node {
  readonly opType: string;
  /** `""` is ai.onnx. */
  readonly domain: string;
  readonly name: string;
  /** An omitted optional input or output is `undefined`. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** Distinguishes functions of one name (IR version 10). */
  readonly overload?: string;
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly preserved?: Preserved;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** In topological order. Nodes of a subgraph may use values of the graphs around it. */
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<Value, Initializer>;
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly preserved?: Preserved;
}

/** A model-local function; its body is a list of nodes over its own values. */
export interface ModelFunction {
  readonly name: string;
  readonly domain: string;
  readonly overload?: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly attributes: readonly string[];
  readonly attributeDefaults: Attributes;
  readonly opsets: ReadonlyMap<string, number>;
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly preserved?: Preserved;
}

export interface TrainingInfo {
  readonly initialization?: Graph;
  readonly algorithm?: Graph;
  readonly initializationBindings: readonly (readonly [string, string])[];
  readonly updateBindings: readonly (readonly [string, string])[];
  readonly preserved?: Preserved;
}

export interface Model {
  readonly irVersion: number;
  /** Opset version by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: Graph;
  readonly functions: readonly ModelFunction[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly trainingInfo: readonly TrainingInfo[];
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: bigint;
  readonly docString?: string;
  readonly preserved?: Preserved;
}

/** The opset that lithe emits (every later one loses kernels in ONNX Runtime) and its IR version. */
export const TARGET_OPSET = 21;
export const TARGET_IR_VERSION = 10;

export function model(graph: Graph, parts: Partial<Omit<Model, "graph">> = {}): Model {
  return {
    irVersion: TARGET_IR_VERSION,
    opsets: new Map([["", TARGET_OPSET]]),
    functions: [],
    metadata: new Map(),
    trainingInfo: [],
    producerName: "lithe",
    ...parts,
    graph,
  };
}

/** The same model over another graph; the same object when the graph is the same. */
export function withGraph(model: Model, graph: Graph): Model {
  return graph === model.graph ? model : { ...model, graph };
}

/** The version of `domain` that the model imports; 1 when it does not say. */
export function opsetOf(model: Model, domain = ""): number {
  return model.opsets.get(domain) ?? (domain === "" ? (model.opsets.get("ai.onnx") ?? 1) : 1);
}

/** The model with an import of the standard domain, which it may lack while it has only nodes of others. */
export function importingStandard(model: Model): Model {
  if (model.opsets.has("") || model.opsets.has("ai.onnx")) return model;
  return { ...model, opsets: new Map([...model.opsets, ["", TARGET_OPSET]]) };
}

/** `domain::OpType`, or the bare type for the standard domain. */
export function qualifiedName(node: Pick<Node, "opType" | "domain">): string {
  return node.domain === "" || node.domain === "ai.onnx" ? node.opType : `${node.domain}::${node.opType}`;
}

/** The reverse of `qualifiedName`. */
export function operatorOf(qualified: string): Pick<Node, "opType" | "domain"> {
  const at = qualified.lastIndexOf("::");
  return at < 0
    ? { opType: qualified, domain: "" }
    : { opType: qualified.slice(at + 2), domain: qualified.slice(0, at) };
}

/** A node for an error message: `node "conv1" (Conv)`. */
export function describeNode(node: Pick<Node, "opType" | "domain" | "name" | "outputs">): string {
  const name = node.name || node.outputs.find((value) => value)?.name || "?";
  return `node ${JSON.stringify(name)} (${qualifiedName(node)})`;
}
