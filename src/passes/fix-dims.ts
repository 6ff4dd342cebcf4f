/** @file Symbolic dims become numbers. */
import { UsageError } from "../errors.ts";
import { type Dim, editAllGraphs, type Graph, type Model, type Value, type ValueType } from "../ir/index.ts";
import type { Pass } from "../rewrite/index.ts";

/**
 * Exact for inputs of the given lengths: every symbolic dim in `lengths` becomes its number, on inputs, outputs and all values
 * between. The runtime's Node package ignores dims given as an option, so they must be written into the model.
 * @throws UsageError for a name that no input of the model has, or a length that is not a positive integer.
 */
export function fixDims(lengths: ReadonlyMap<string, number>): Pass {
  return { name: "fix-dims", exactness: "exact", run: (model) => ({ model: withLengths(model, lengths) }) };
}

function withLengths(model: Model, lengths: ReadonlyMap<string, number>): Model {
  const known = new Set(model.graph.inputs.flatMap(symbolsIn));
  for (const [name, length] of lengths) {
    if (!Number.isSafeInteger(length) || length < 1)
      throw new UsageError(`dim "${name}" needs a length`, { expected: "a positive integer", got: String(length) });
    if (!known.has(name))
      throw new UsageError(`no input has the dim "${name}"`, { expected: [...known].join(", ") || "no symbolic dims" });
  }
  const renew = (value: Value): Value => {
    const type = value.type && withDims(value.type, (dim) => lengths.get(String(dim)) ?? dim);
    return type === undefined || type === value.type ? value : { ...value, type };
  };
  return editAllGraphs(model, (draft) => {
    for (const value of ownValues(draft.graph)) {
      const next = renew(value);
      if (next !== value) draft.substitute(value, next);
    }
  });
}

function symbolsIn({ type }: Value): string[] {
  if (!type || !("dims" in type)) return [];
  return (type.dims ?? []).filter((dim): dim is string => typeof dim === "string" && dim !== "");
}

/** Values that the graph defines; those of the graphs around it are theirs to change. */
function ownValues(graph: Graph): Set<Value> {
  const made = graph.nodes.flatMap((node) => node.outputs.filter((value): value is Value => value !== undefined));
  return new Set([...graph.inputs, ...made]);
}

function withDims(type: ValueType, change: (dim: Dim) => Dim): ValueType {
  if (type.kind === "map") return type;
  if (type.kind === "sequence" || type.kind === "optional") {
    const element = type.element && withDims(type.element, change);
    return element === type.element ? type : { kind: type.kind, element };
  }
  const dims = type.dims?.map(change);
  return !dims || dims.every((dim, i) => dim === type.dims?.[i]) ? type : { ...type, dims };
}
