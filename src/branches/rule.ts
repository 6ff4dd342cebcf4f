/** @file Fusion rules: how an operator computes the values of n branches at once. */
import type { DataType, Dims, GraphBuilder, Node, Operators, Tensor, Value } from "../ir/index.ts";
import type { Declined } from "../rewrite/index.ts";
import type { Operand, Stacked } from "./operand.ts";

/** Lays operands side by side and emits nodes of the fused graph. */
export interface Fusion extends Operators<never>, Pick<GraphBuilder, "like"> {
  /** The number of branches. */
  readonly count: number;
  /** Where products of one common input put the branch axis: in front, or before the features, as one wide product does. */
  readonly form: FusionForm;
  ints(list: readonly number[]): Value;
  number(x: number, dtype: DataType): Value;
  /** Dims and element type of a value in one branch. */
  dims(value: Value | undefined): Dims;
  /** Dims of what an operand stands for in one branch. */
  dimsOf(operand: Operand): Dims;
  dtype(value: Value | undefined): DataType;
  /** A constant that all branches share. */
  constant(operand: Operand | undefined): Tensor | undefined;
  /** With the branch axis at `axis`, of length n or, for what all branches share, 1. */
  at(operand: Operand, axis: number): Value;
  /** For broadcasting against values of `rank` dims per branch with the branch axis at `axis`. */
  aligned(operand: Operand, axis: number, rank: number): Value;
  /** With the branch axis at `axis` and of length n. */
  repeated(operand: Operand, axis: number): Value;
  /** With the branches one after another along an axis: [batch, n·C, …] for axis 1. */
  merged(operand: Operand, axis: number): Value;
  /** The reverse of `merged`; `dims` are those of one branch. */
  split(value: Value, dims: Dims, axis: number): Stacked;
  /** Whether the branches of a stacked value lie one after another already. */
  isMerged(operand: Operand | undefined): boolean;
  /** The constants or values of the branches one after another along an axis of theirs. */
  joined(operand: Operand, axis: number): Value;
  /** Σ over the branches. */
  sum(operand: Operand): Value;
  reshape(value: Value, dims: Dims): Value;
  /** Tells later rules of what parts a value was made, so that they may begin from these. */
  note(value: Value, parts: Parts): void;
  partsOf(operand: Operand | undefined): Parts | undefined;
}

/** value = unit · scale + shift along the last axis; `unit` without a scale is broadcast against like the value. */
export interface Parts {
  readonly unit: Operand;
  readonly scale?: Operand;
  readonly shift?: Operand;
}

export type FusionForm = "leading" | "wide";

export type Operands = readonly (Operand | undefined)[];

export interface FusionRule {
  /** The outputs over all branches, one for one. `node` is that of the first branch. */
  fuse(f: Fusion, node: Node, operands: Operands): readonly Operand[] | Declined;
  /** For operators that are linear in inputs: how the sum over the branches is had without the terms. */
  readonly sum?: SumRule;
}

export interface SumRule {
  /**
   * Inputs of which only the sum is needed. `undefined` when the sum of the outputs does not follow from operands.
   * `isCommon` tells which inputs all branches share.
   */
  through(node: Node, isCommon: (input: number) => boolean): readonly number[] | undefined;
  /** Σ of output 0, where `through` gave inputs; these come as their sums. `undefined`: sum the terms instead. */
  emit(f: Fusion, node: Node, operands: Operands): Value | undefined;
}
