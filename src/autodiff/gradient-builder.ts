/** @file The vocabulary of gradient rules: a graph builder that knows the dims of what it makes and shares equal nodes. */
import { nth } from "../checked.ts";
import {
  constantOf,
  type DataType,
  type Dims,
  type Formulas,
  formulas,
  type Graph,
  type GraphBuilder,
  isSparse,
  type Names,
  type Node,
  type Operators,
  scalar,
  type Tensor,
  type TensorType,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { type Emitter, emitter } from "./emit.ts";
import type { Forms } from "./forms.ts";
import { intsIn, type Shaping, shaping } from "./shapes.ts";
import { dimsOf, dtypeOf, knownDims, typeOf } from "./typed.ts";

/** What rules say beside the words of formulas. */
export interface Arithmetic {
  /** `x · factor`. */
  scale(x: Value, factor: number): Value;
  /** A constant matrix of the dtype of `like`. */
  matrix(like: Value, dims: readonly number[], values: ArrayLike<number>): Value;
  /** 1, 0 or −1 by the sign of x; the `Sign` operator is slow on the CPU and absent on WebGPU. */
  sign(x: Value): Value;
}

/** What a rule may ask for beyond new nodes. */
export interface Surroundings {
  readonly forms: Forms;
  /** The builder underneath, for subgraphs. */
  readonly raw: GraphBuilder;
  /** The constant behind a value, when it is one. */
  constant(value: Value | undefined): Tensor | undefined;
  /** The optional output `i` of a forward node, which is made to give it if it does not yet. */
  output(node: Node, i: number, type: TensorType): Value;
  /** Puts `next` in the place of a forward node; it must have the same outputs, and may have more. */
  replace(node: Node, next: Node): void;
  /** The forward node as it is by now. */
  current(node: Node): Node;
  /** A new value of the same type, under a name of its own. */
  fresh(like: Value): Value;
  /** A builder for a subgraph of an emitted node, over the values of `body` and those around it. */
  inside(body: Graph): GradientBuilder;
  /**
   * Emits the gradient of the nodes of a subgraph. `cotangents` holds those of its outputs and receives those of every
   * value that lies between them and `wrt`.
   */
  backward(nodes: readonly Node[], cotangents: Map<Value, Value>, wrt: ReadonlySet<Value>): void;
}

export interface GradientBuilder extends Operators, Omit<Formulas, keyof Shaping>, Arithmetic, Shaping, Surroundings {
  type(value: Value): TensorType;
  dims(value: Value): Dims;
  rank(value: Value): number;
  dtype(value: Value): DataType;
}

/** Reverse mode over a list of nodes, supplied by the driver. */
export type Backward = (
  g: GradientBuilder,
  nodes: readonly Node[],
  cotangents: Map<Value, Value>,
  wrt: ReadonlySet<Value>,
) => void;

export interface GradientBuilderOptions {
  readonly graph: Graph;
  readonly forms: Forms;
  readonly backward: Backward;
  readonly names: Names;
  /** Forward nodes that were replaced. */
  readonly replaced: Map<Node, Node>;
}

export function gradientBuilder(raw: GraphBuilder, options: GradientBuilderOptions): GradientBuilder {
  return builderOver(raw, options, (value) => constantOf(options.graph, value));
}

type Constants = (value: Value | undefined) => Tensor | undefined;

function builderOver(raw: GraphBuilder, options: GradientBuilderOptions, known: Constants): GradientBuilder {
  const { forms, backward, names, replaced } = options;
  const emit = emitter(raw);
  const words = wordsOver(emit);
  const current = (node: Node): Node => replaced.get(node) ?? node;
  const constant: Constants = (value) => known(value) ?? denseIn(raw.initializers, value);
  const builder: GradientBuilder = {
    op: emit.op,
    ops: emit.ops,
    ...words,
    ...arithmetic(raw, emit, words),
    ...shaping(emit, forms),
    raw,
    forms,
    constant,
    type: typeOf,
    dims: dimsOf,
    rank: (value) => dimsOf(value).length,
    dtype: dtypeOf,
    current,
    replace: (node, next) => void replaced.set(node, next),
    output(node, i, type) {
      const outputs = [...current(node).outputs];
      const fresh = outputs[i] ?? { name: names.fresh(`${node.outputs[0]?.name ?? "node"}:${i}`), type };
      outputs[i] = fresh;
      replaced.set(node, { ...current(node), outputs: Array.from(outputs) });
      return fresh;
    },
    fresh: ({ name, type }) => (type ? { name: names.fresh(name), type } : { name: names.fresh(name) }),
    inside: (body) => builderOver(raw.subgraph(), options, (value) => constantOf(body, value) ?? constant(value)),
    backward: (nodes, cotangents, wrt) => backward(builder, nodes, cotangents, wrt),
  };
  return builder;
}

function denseIn(initializers: GraphBuilder["initializers"], value: Value | undefined): Tensor | undefined {
  const data = value && initializers.get(value);
  return data && !isSparse(data) ? data : undefined;
}

/** Constants of more elements are not compared. */
const SHARED = 4096;

/** Formulas over shared nodes. */
function wordsOver(emit: Emitter): Formulas {
  return formulas({
    op(opType, inputs, ...settings) {
      const [a, b] = inputs;
      const isThin = a && b && broadcasting.has(opType);
      return emit.op(opType, isThin ? thin(emit, a, b) : inputs, ...settings);
    },
    dtypeOf,
    number: (x, dtype) => emit.constant("number", `${dtype} ${x}`, () => scalar(dtype, x)),
    ints: (list) => intsIn(emit, list),
  });
}

function arithmetic(raw: GraphBuilder, emit: Emitter, g: Formulas): Arithmetic {
  return {
    scale: (x, factor) => (factor === 1 ? x : emit.op("Mul", [x, g.number(factor, x)])),
    matrix(like, dims, values) {
      if (values.length > SHARED) return raw.constant("matrix", tensorFromNumbers(dtypeOf(like), dims, values));
      const key = `${dtypeOf(like)} matrix ${dims}: ${Array.from(values)}`;
      return emit.constant("matrix", key, () => tensorFromNumbers(dtypeOf(like), dims, values));
    },
    sign: (x) => g.sub(g.mask(g.greater(x, 0), x), g.mask(g.less(x, 0), x)),
  };
}

const broadcasting: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);

/** Operators broadcast by themselves: an operand that was only expanded to the dims of the other goes in unexpanded. */
function thin(emit: Emitter, a: Value, b: Value): [Value, Value] {
  const unexpanded = (x: Value, other: Value): Value => {
    const made = emit.made(x);
    if (made?.opType !== "Expand" || emit.made(other)?.opType === "Expand") return x;
    const [from, to] = [knownDims(x), other.type?.kind === "tensor" ? other.type.dims : undefined];
    return from && to && from.length === to.length && from.every((dim, i) => dim !== "" && dim === to[i])
      ? nth(made.inputs, 0)
      : x;
  };
  return [unexpanded(a, b), unexpanded(b, a)];
}
