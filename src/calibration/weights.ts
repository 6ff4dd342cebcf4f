/** @file What quantizers take for weights: constants, and what only moves or converts constants. */
import {
  allGraphs,
  bytesOfTensor,
  type ConstantLookup,
  constantsIn,
  dataTypes,
  type Graph,
  intOf,
  intsOf,
  type Model,
  type Node,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";

const lookups = new WeakMap<Graph, ConstantLookup>();

/**
 * Constants of a graph and of those within, also behind Identity, Cast to float32, Transpose and changes of shape; the same tensor for
 * the same value.
 */
export function weightsIn(graph: Graph): ConstantLookup {
  const known = lookups.get(graph);
  if (known) return known;
  const constant = constantsIn(graph);
  const makers = makersIn(graph);
  const made = new Map<Value, Tensor | undefined>();
  const lookUp: ConstantLookup = (value) => {
    if (!value) return undefined;
    const direct = constant(value);
    if (direct || made.has(value)) return direct ?? made.get(value);
    const maker = makers.get(value);
    const view = maker && views.get(maker.opType);
    const source = view && lookUp(maker.inputs[0]);
    const result = source && view(maker, source, lookUp);
    made.set(value, result);
    return result;
  };
  lookups.set(graph, lookUp);
  return lookUp;
}

/** Why a node is left alone: a caller may put something else in the place of one of its constants. */
export function overriddenIn({ graph, irVersion }: Model): (node: Node) => string | undefined {
  // Before IR version 4 every initializer had to be listed among the inputs, and none could be overridden.
  const open = new Set(irVersion < 4 ? [] : graph.inputs.filter((input) => graph.initializers.has(input)));
  return ({ inputs }) => {
    const found = inputs.find((value) => value && open.has(value));
    return found && `a caller can override ${JSON.stringify(found.name)}`;
  };
}

function makersIn(graph: Graph): ReadonlyMap<Value, Node> {
  const makers = new Map<Value, Node>();
  for (const { nodes } of allGraphs(graph)) {
    for (const node of nodes) {
      const [output] = node.outputs;
      if (output && (node.domain === "" || node.domain === "ai.onnx")) makers.set(output, node);
    }
  }
  return makers;
}

type ViewRule = (node: Node, source: Tensor, constant: ConstantLookup) => Tensor | undefined;

const views: ReadonlyMap<string, ViewRule> = new Map<string, ViewRule>([
  ["Identity", (_node, source) => source],
  ["Cast", cast],
  ["Transpose", transpose],
  ["Reshape", (node, source, constant) => reshape(node, source, constant)],
  ["Flatten", flatten],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
]);

function cast(node: Node, source: Tensor): Tensor | undefined {
  if (intOf(node, "to", 0) !== dataTypes.float32.code || dataTypes[source.dtype].kind !== "float") return undefined;
  return tensorFromNumbers("float32", source.dims, numbersOf(source));
}

function withDims(source: Tensor, dims: readonly number[]): Tensor | undefined {
  return sizeOf(dims) === sizeOf(source.dims) ? { dtype: source.dtype, data: source.data, dims } : undefined;
}

function reshape(node: Node, source: Tensor, constant: ConstantLookup): Tensor | undefined {
  const asked = numbersIn(constant(node.inputs[1])) ?? intsOf(node, "shape");
  if (!asked) return undefined;
  const dims = asked.map((dim, i) => (dim === 0 && intOf(node, "allowzero", 0) === 0 ? (source.dims[i] ?? 0) : dim));
  const rest = dims.filter((dim) => dim >= 0).reduce((a, b) => a * b, 1);
  return withDims(
    source,
    dims.map((dim) => (dim === -1 ? sizeOf(source.dims) / rest : dim)),
  );
}

function flatten(node: Node, source: Tensor): Tensor | undefined {
  const given = intOf(node, "axis", 1);
  const axis = given < 0 ? given + source.dims.length : given;
  return withDims(source, [sizeOf(source.dims.slice(0, axis)), sizeOf(source.dims.slice(axis))]);
}

function squeeze(node: Node, source: Tensor, constant: ConstantLookup): Tensor | undefined {
  const given = node.inputs[1] ? numbersIn(constant(node.inputs[1])) : intsOf(node, "axes");
  if (!given && node.inputs[1]) return undefined;
  const rank = source.dims.length;
  const axes = given && new Set(given.map((axis) => (axis < 0 ? axis + rank : axis)));
  return withDims(
    source,
    source.dims.filter((dim, i) => (axes ? !axes.has(i) : dim !== 1)),
  );
}

function unsqueeze(node: Node, source: Tensor, constant: ConstantLookup): Tensor | undefined {
  const given = numbersIn(constant(node.inputs[1])) ?? intsOf(node, "axes");
  if (!given) return undefined;
  const rank = source.dims.length + given.length;
  const axes = new Set(given.map((axis) => (axis < 0 ? axis + rank : axis)));
  const kept = source.dims.values();
  const dims = Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : (kept.next().value ?? 1)));
  return withDims(source, dims);
}

function numbersIn(tensor: Tensor | undefined): readonly number[] | undefined {
  return tensor && [...numbersOf(tensor)];
}

function transpose(node: Node, source: Tensor): Tensor | undefined {
  const { dtype, dims } = source;
  const width = dataTypes[dtype].bits / 8;
  if (!Number.isInteger(width) || !(source.data instanceof Uint8Array)) return undefined;
  const perm = intsOf(node, "perm") ?? dims.map((_, i) => dims.length - 1 - i);
  const strides = dims.map((_, i) => sizeOf(dims.slice(i + 1)));
  const outer = perm.map((axis) => ({ length: dims[axis] ?? 1, stride: strides[axis] ?? 0 }));
  const from = bytesOfTensor(source);
  const to = new Uint8Array(from.length);
  let written = 0;
  const copy = (axis: number, start: number): void => {
    const level = outer[axis];
    if (!level) {
      for (let i = 0; i < width; i++) to[written++] = from[start * width + i]!;
      return;
    }
    for (let i = 0; i < level.length; i++) copy(axis + 1, start + i * level.stride);
  };
  copy(0, 0);
  return { dtype, dims: outer.map(({ length }) => length), data: to };
}
