/** @file Experts answer row by row, all with rows of the same dims: proved on two numbers of rows before a mixture is built of them. */
import { ShapeError } from "../../errors.ts";
import { type Dims, type GraphBuilder, graphBuilder, TARGET_OPSET, type Value } from "../../ir/index.ts";
import { dimsOf, type Layers, layersInto } from "../../nn/index.ts";
import { builderInference } from "../../ops/index.ts";
import { noWeights } from "../lowering/no-weights.ts";
import type { Expert } from "./expert.ts";

/** Numbers of rows that a reshape into rows of another length does not keep. */
const ROWS = [60, 84];

/**
 * What follows the first dim of every expert's answer to such rows.
 *
 * @throws ShapeError where an expert does not give a row for every row, or other dims than the first one
 */
export function answersTo(rows: Value, experts: readonly (readonly [string, Expert, number])[]): Dims {
  let wanted: Dims | undefined;
  for (const [where, expert, index] of experts) {
    for (const count of ROWS) {
      const found = answerDims(rows, expert, index, count);
      const [answered, ...rest] = found ?? [];
      wanted ??= rest;
      if (found && answered === count && rest.join() === wanted.join()) continue;
      throw new ShapeError("experts answer with a row for every row, all of the same dims", {
        expected: `[${[count, ...wanted].join(", ")}] to ${count} rows`,
        got: found ? `[${found.join(", ")}]` : "dims that are not known",
        where,
      });
    }
  }
  return wanted ?? [];
}

function answerDims(rows: Value, expert: Expert, index: number, count: number): Dims | undefined {
  const [, ...rest] = dimsOf(rows);
  const g = graphBuilder({ infer: builderInference(TARGET_OPSET) });
  const sent = g.input("rows", "float32", [count, ...rest]);
  const { type } = expert(withoutNumbers(layersInto(g, noWeights), g), sent, index);
  return type?.kind === "tensor" ? type.dims : undefined;
}

/** The builder with inputs in the place of parameters, which take no room. */
function withoutNumbers(n: Layers, g: GraphBuilder): Layers {
  return {
    ...n,
    parameter: (name, dims) => g.input(`${n.path}${name}`, "float32", dims),
    scope: (name) => withoutNumbers(n.scope(name), g),
  };
}
