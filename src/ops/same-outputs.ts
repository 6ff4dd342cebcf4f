/** @file A changed network has the outputs of its original, proved by inference for batches of two sizes. */
import { UnsupportedError } from "../errors.ts";
import { type Dims, fedInputs, forgetTypes, formatType, type Model, UNKNOWN_DIM, type ValueType } from "../ir/index.ts";
import { inferModel } from "./model.ts";

/** Numbers of samples that a reshape into rows of another length does not keep. */
const BATCHES = [60, 84];

export interface SameOutputs {
  /** Names in the original and in the changed network; those that both have by default. */
  readonly pairs?: readonly (readonly [string, string])[];
  readonly hint?: string;
}

/**
 * Outputs of `after` have the dims of those of `before` that they stand for, whatever the batch.
 *
 * @throws UnsupportedError where they have others, or where theirs cannot be known although those of the original can
 */
export function requireSameOutputs(before: Model, after: Model, { pairs, hint }: SameOutputs = {}): void {
  for (const batch of BATCHES) {
    const wanted = outputsFor(before, batch);
    const found = outputsFor(after, batch);
    const problem = wanted.problem === undefined ? found.problem : undefined;
    const shared = [...wanted.types.keys()]
      .filter((name) => found.types.has(name))
      .map((name) => [name, name] as const);
    for (const [name, other] of pairs ?? shared) {
      const [type, changed] = [wanted.types.get(name), found.types.get(other)];
      if (problem === undefined && isKept(type, changed)) continue;
      throw new UnsupportedError("the changed network would answer with other dims", {
        expected: `${formatType(type)} for a batch of ${batch}`,
        got: problem ?? formatType(changed),
        where: `output ${JSON.stringify(other)}`,
        ...(hint !== undefined && { hint }),
      });
    }
  }
}

/** Whether nothing that is known speaks against these being the same dims; a symbol is not a number. */
export function agreeInDims(a: Dims, b: Dims): boolean {
  if (a.length !== b.length) return false;
  return a.every((dim, axis) => dim === b[axis] || dim === UNKNOWN_DIM || b[axis] === UNKNOWN_DIM);
}

/** What is known of the outputs' types when the batch has this size. */
function outputsFor(model: Model, batch: number) {
  const { graph } = forgetTypes(model);
  const fed = fedInputs(graph);
  const feeds = new Map(
    fed.flatMap(({ name, type }): [string, Dims][] =>
      type?.kind === "tensor" && type.dims ? [[name, withBatch(type.dims, batch)]] : [],
    ),
  );
  const { types, problems } = inferModel({ ...model, graph }, { feeds });
  const [first] = problems;
  return {
    types: new Map(graph.outputs.map((value) => [value.name, types.get(value)])),
    problem: first && `${first.message} (${first.where})`,
  };
}

function withBatch(dims: Dims, batch: number): Dims {
  return dims.map((dim, axis) => (axis === 0 && typeof dim !== "number" ? batch : dim));
}

function isKept(wanted: ValueType | undefined, found: ValueType | undefined): boolean {
  if (wanted?.kind !== "tensor" || !wanted.dims) return true;
  if (found?.kind !== "tensor" || found.dtype !== wanted.dtype || found.dims?.length !== wanted.dims.length)
    return false;
  return wanted.dims.every((dim, axis) => typeof dim !== "number" || dim === found.dims![axis]);
}
