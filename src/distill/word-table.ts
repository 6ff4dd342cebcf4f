/** @file Which words a network holds to be alike. */
import { UsageError } from "../errors.ts";
import { constantOf, fedInputs, intOf, type Model, type Tensor } from "../ir/index.ts";

export interface WordTable {
  /** The input that holds tokens. */
  readonly input: string;
  /** [vocabulary, width]: a row for every token. */
  readonly table: Tensor;
}

/**
 * The largest table whose rows an input chooses: that of the words.
 *
 * @throws UsageError where there is none
 */
export function wordTable({ graph }: Model): WordTable {
  const inputs = new Set(fedInputs(graph));
  const found = graph.nodes.flatMap((node): WordTable[] => {
    const [data, indices] = node.inputs;
    const table = node.opType === "Gather" && intOf(node, "axis", 0) === 0 ? constantOf(graph, data) : undefined;
    const isTable = table?.dims.length === 2 && table.dtype === "float32";
    return isTable && indices && inputs.has(indices) ? [{ input: indices.name, table }] : [];
  });
  const [largest] = found.sort((a, b) => (b.table.dims[0] ?? 0) - (a.table.dims[0] ?? 0));
  if (largest) return largest;
  throw new UsageError("the network has no table of words", {
    expected: "rows of a constant that an input chooses",
    got: "none",
  });
}
