/** @file Writes the inferred types onto the values between the inputs and the outputs. */
import { editAllGraphs, formatType, type Graph, type Model, type Value, type ValueType } from "../ir/index.ts";
import { inferenceOf, type Note, type Pass, type PassResult } from "../rewrite/index.ts";

const name = "infer-shapes";

/**
 * Exact. A type is written where inference knows more than the value declares; inputs and outputs keep their declared types,
 * except for outputs whose declared rank is not what is computed. What cannot be true in the model is noted, not repaired.
 */
export function inferTypes(): Pass {
  return { name, exactness: "exact", run: annotate };
}

function annotate(model: Model): PassResult {
  const { types, problems } = inferenceOf(model);
  const notes = problems.map(
    ({ node, message }): Note => ({ pass: name, kind: "declined", reason: message, nodes: node ? [node.name] : [] }),
  );
  const misdeclared = new Set(problems.map(({ wrongRank }) => wrongRank));
  const annotated = editAllGraphs(model, (draft) => {
    for (const output of draft.graph.outputs) {
      const type = misdeclared.has(output) ? types.get(output) : undefined;
      if (type) draft.substitute(output, { ...output, type });
    }
    for (const value of innerValues(draft.graph)) {
      const type = types.get(value);
      if (type && !sameType(type, value.type)) draft.substitute(value, { ...value, type });
    }
  });
  return { model: annotated, notes };
}

/** Values that nodes of the graph make for other nodes. */
function* innerValues(graph: Graph): Generator<Value> {
  const outputs = new Set(graph.outputs);
  for (const node of graph.nodes) for (const value of node.outputs) if (value && !outputs.has(value)) yield value;
}

function sameType(a: ValueType, b: ValueType | undefined): boolean {
  return b !== undefined && formatType(a) === formatType(b);
}
