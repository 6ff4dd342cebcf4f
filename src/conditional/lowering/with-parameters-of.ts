/** @file A network with what another one has learned. */
import { UsageError } from "../../errors.ts";
import { dataTypes, type Initializer, isSparse, type Model, withGraph } from "../../ir/index.ts";

/**
 * The model with the numbers of `trained` in its float initializers of rank 1 and more, found by name: a mixture has the same
 * parameters under every dispatch.
 *
 * @throws UsageError where one is not in `trained` or has other dims there.
 */
export function withParametersOf(model: Model, trained: Model): Model {
  const learned = new Map([...trained.graph.initializers].map(([{ name }, data]) => [name, data]));
  const initializers = [...model.graph.initializers].map(([value, data]) => {
    if (!isParameter(data)) return [value, data] as const;
    return [value, required(learned.get(value.name), data, value.name)] as const;
  });
  return withGraph(model, { ...model.graph, initializers: new Map(initializers) });
}

/** Scalars are constants of formulas. */
function isParameter(data: Initializer): boolean {
  return !isSparse(data) && dataTypes[data.dtype].kind === "float" && data.dims.length > 0;
}

function required(found: Initializer | undefined, wanted: Initializer, name: string): Initializer {
  if (found && !isSparse(found) && found.dims.join() === wanted.dims.join()) return found;
  throw new UsageError("the trained model lacks a parameter", {
    expected: `${JSON.stringify(name)} [${wanted.dims.join(", ")}]`,
    got: found ? `[${found.dims.join(", ")}]` : "none of this name",
  });
}
