/** @file What an operator's entry in the table says: output types, axis map, cost, exactness. */
import type { Node, Tensor, Value, ValueType } from "../ir/index.ts";

/** What the rules may ask about a node's surroundings. */
export interface InferContext {
  readonly node: Node;
  /** Opset version of the node's domain. */
  readonly version: number;
  /** Type of the i-th input, if known. */
  type(input: number): ValueType | undefined;
  /** Value of the i-th input when it is known before the run: a constant, or integers computed from shapes. */
  constant(input: number): Tensor | undefined;
  /** Symbolic integers of the i-th input (a shape or part of one), when they are known; `""` where one is not. */
  symbols(input: number): readonly (number | string)[] | undefined;
  /** Infers a subgraph with given types for its inputs, returns the types of its outputs. */
  subgraph(attribute: string, inputTypes: readonly (ValueType | undefined)[]): readonly (ValueType | undefined)[];
}

/** One axis of one input or output of a node. Inputs and outputs are counted from 0. */
export interface AxisEnd {
  readonly port: number;
  readonly axis: number;
}

/**
 * Axes that are one and the same axis: shrinking one means shrinking all.
 * `factor`: when the axis is one factor of a merged axis (Reshape, Flatten, grouped Conv), its place: the merged axis is
 * `outer × this × inner`.
 */
export interface AxisLink {
  readonly inputs: readonly AxisEnd[];
  readonly outputs: readonly AxisEnd[];
  /** `reduced`: summed over (the contracted axis of MatMul), so it is on inputs only. */
  readonly kind: "same" | "reduced" | "blocked";
  readonly outer?: number;
  readonly inner?: number;
}

export interface Cost {
  /** Multiply-accumulates (one each); additions of biases and elementwise work count as none. */
  readonly macs: number;
  /** Elementwise and reducing operations, one per output or input element. */
  readonly elementwise: number;
}

/** `exact`: moves or selects; `rounding`: arithmetic in floats; `random`: draws numbers. */
export type Exactness = "exact" | "rounding" | "random";

/** Output types of a node; `undefined` where nothing is known. Throws `ShapeError` when the inputs do not fit. */
export type InferRule = (context: InferContext) => readonly (ValueType | undefined)[];
/** Links between axes; empty for "every axis is its own", `undefined` for "opaque: nothing is known". */
export type AxisRule = (node: Node, version: number, types: TypesOf) => readonly AxisLink[] | undefined;
export type CostRule = (node: Node, types: TypesOf) => Cost | undefined;
/** Integers of an output computed from those of the inputs (`Shape`, `Gather`, `Concat`, … on shapes). */
export type SymbolRule = (context: InferContext) => readonly (number | string)[] | undefined;

/** Types of a node's values after inference. */
export interface TypesOf {
  input(i: number): ValueType | undefined;
  output(i: number): ValueType | undefined;
  constant(i: number): Tensor | undefined;
}

export interface OpSpec {
  /** Versions at which the operator's definition changed, ascending; the first is when it appeared. */
  readonly since: readonly number[];
  readonly infer: InferRule;
  readonly axes: AxisRule;
  readonly cost: CostRule;
  readonly exactness: Exactness;
  readonly symbols?: SymbolRule;
}

/** Types by value, for passes that need them all at once. */
export type TypeMap = ReadonlyMap<Value, ValueType>;
