/** @file What an operator's entry in the table says: output types, axis map, cost, exactness. */
import type { Dim, Node, Tensor, ValueType } from "../ir/index.ts";

/** What is known about a node before it runs. */
export interface NodeFacts {
  readonly node: Node;
  /** Opset version of the node's domain. */
  readonly version: number;
  /** Type of the i-th input, if known. */
  input(i: number): ValueType | undefined;
  /** Value of the i-th input when it is known before the run: a constant, or integers computed from shapes. */
  constant(i: number): Tensor | undefined;
  /**
   * Elements of the i-th input when it is a scalar or a vector of at most `SYMBOL_LIMIT` numbers and something is known
   * of them: a number, the name of a symbolic dim, or `""` for an element of which nothing is known.
   */
  symbols(i: number): readonly Dim[] | undefined;
  /** Like `symbols`, for matrices too, row by row. */
  elements(i: number): readonly Dim[] | undefined;
}

/** What the shape rules may ask about a node's surroundings. */
export interface InferContext extends NodeFacts {
  /** Infers a subgraph with given types for its inputs, returns the types of its outputs. */
  subgraph(attribute: string, inputTypes: readonly (ValueType | undefined)[]): readonly (ValueType | undefined)[];
}

/** A node with the types of its outputs, after inference. */
export interface TypedNode extends NodeFacts {
  output(i: number): ValueType | undefined;
}

/** Most elements of a tensor whose elements are followed through the graph. */
export const SYMBOL_LIMIT = 1024;

/**
 * One axis of one input or output of a node; ports are counted from 0, axes are never negative.
 * `outer`, `inner`: the linked axis is one factor of this one, `outer × linked × inner` (both 1 when absent).
 * `offset`: the linked axis is the part of this one that starts there (Concat, Split).
 * `places`: the linked axis lies at these positions of this one, in this order (Gather by constant indices).
 * `length`: of the linked axis, where no end is a whole axis that tells it.
 */
export interface AxisEnd {
  readonly port: number;
  readonly axis: number;
  readonly outer?: number;
  readonly inner?: number;
  readonly offset?: number;
  readonly places?: readonly number[];
  readonly length?: number;
}

/**
 * Axes that are one and the same axis: shrinking one means shrinking all at the same places.
 * - `same`: the operator treats every position alike, so that cutting before is cutting after. A link without inputs is what the operator
 *   puts in itself (Pad), one without outputs what it leaves out (Slice).
 * - `reduced`: summed over; on inputs only. Cutting gives a partial sum, the same where what is cut was zero.
 * - `mixed`: the axis goes through, yet a result depends on all of its positions (Softmax, LayerNormalization), or it ends here in
 *   another way than by a sum (ReduceMean, ReduceMax).
 *
 * Attributes and inputs that state a length (the target of a Reshape, the sizes of a Split, `group` of a Conv) have to
 * follow a cut, see `restated`. An axis in no link cannot be cut by itself: its length follows from others in a way that is not a cut.
 */
export interface AxisLink {
  readonly inputs: readonly AxisEnd[];
  readonly outputs: readonly AxisEnd[];
  readonly kind: "same" | "reduced" | "mixed";
}

export interface Cost {
  /** Multiply-accumulates (one each); additions of biases and elementwise work count as none. */
  readonly macs: number;
  /** Elementwise and reducing operations, one per output or input element. */
  readonly elementwise: number;
}

/** `exact`: moves, selects or compares; `rounding`: arithmetic in floats; `random`: draws numbers. */
export type Exactness = "exact" | "rounding" | "random";

/** Output types of a node; `undefined` where nothing is known. Throws `ShapeError` when the inputs do not fit. */
export type InferRule = (context: InferContext) => readonly (ValueType | undefined)[];
/** Links between axes; `undefined` for "nothing is known", because ranks are unknown or the operator is opaque. */
export type AxisRule = (node: TypedNode) => readonly AxisLink[] | undefined;
/** Work of one run; `undefined` when a dim that it depends on is not a number. */
export type CostRule = (node: TypedNode) => Cost | undefined;
/** Elements of the given output, row by row, computed from those of the inputs (`Shape`, `Gather`, `Concat`, … on shapes). */
export type SymbolRule = (node: NodeFacts, output: number) => readonly Dim[] | undefined;

/** What the constants at a node's inputs are, for counting parameters. Floats are weights unless listed here. */
export interface Weights {
  /** Inputs that hold quantized weights, which count although they are integers. */
  readonly quantized?: readonly number[];
  /** Inputs whose constants are none: scales, zero points, bounds, sizes. */
  readonly settings?: readonly number[];
  /** Inputs that hold running statistics. */
  readonly statistics?: readonly number[];
  /** Inputs that hold one number everywhere before a network is trained: scales 1, shifts 0. */
  readonly initial?: Readonly<Record<number, number>>;
  /** Number of weights at an input that packs several into one element; `undefined` when it does not. */
  readonly packed?: (node: Node, input: number) => number | undefined;
}

export interface OpSpec {
  /** Versions at which the operator's definition changed, ascending; the first is when it appeared. */
  readonly since: readonly number[];
  readonly infer: InferRule;
  readonly axes: AxisRule;
  readonly cost: CostRule;
  readonly exactness: Exactness;
  readonly symbols?: SymbolRule;
  readonly weights?: Weights;
}
