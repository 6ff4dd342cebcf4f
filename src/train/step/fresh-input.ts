/** @file New inputs of a step graph, and builders that share its names. */
import {
  type DataType,
  type Dims,
  graphBuilder,
  type Names,
  TARGET_OPSET,
  tensorType,
  type Value,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { type ScalarType, type StepBuilder, stepBuilder } from "./step-builder.ts";

export function freshInput(scope: Names, name: string, dtype: DataType, dims: Dims): Value {
  return { name: scope.fresh(name), type: tensorType(dtype, dims) };
}

export function newBuilder(scope: Names, prefix: string, scalars?: ScalarType): StepBuilder {
  return stepBuilder(graphBuilder({ names: scope, infer: builderInference(TARGET_OPSET), prefix }), scalars);
}
