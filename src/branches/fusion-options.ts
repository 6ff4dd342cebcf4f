/** @file What the emission of a fused group is told. */
import type { GraphBuilder, Tensor, Value, ValueType } from "../ir/index.ts";
import type { FusionForm } from "./rule.ts";
import type { StackedParameter } from "./stacking.ts";

export interface FusionOptions {
  readonly count: number;
  readonly form: FusionForm;
  readonly g: GraphBuilder;
  typeOf(value: Value): ValueType | undefined;
  constantOf(value: Value | undefined): Tensor | undefined;
  /** Whether the values are initializers that nothing but their branch reads, so that one can stand for all. */
  isParameter(values: readonly Value[]): boolean;
  /** The value of which these are the equal parts, in order, along `axis`. */
  wholeOf(values: readonly Value[]): { readonly value: Value; readonly axis: number } | undefined;
  /** Receives what was stacked. */
  readonly record: StackedParameter[];
}
