/** @file The two matrices of a recurrent layer: W `[directions, gates × hidden, inputs]` and R `[directions, gates × hidden, hidden]`. */
import { type ConstantLookup, intOf, type Node, type Tensor, type Value } from "../../ir/index.ts";

/** W and R of a node, with the input at which each stands. */
export interface RecurrentWeights {
  readonly node: Node;
  readonly matrices: readonly RecurrentMatrix[];
}

export interface RecurrentMatrix {
  readonly input: number;
  readonly value: Value;
  readonly tensor: Tensor;
  readonly directions: number;
  /** Gates × hidden. */
  readonly rows: number;
  readonly columns: number;
}

/** The weights of a recurrent layer, or the reason why they stay in floats. */
export function recurrentWeights(constant: ConstantLookup, node: Node): RecurrentWeights | { reason: string } {
  if (intOf(node, "layout", 0) !== 0) return { reason: "its batch comes first, for which the runtime has no kernel" };
  const matrices: RecurrentMatrix[] = [];
  for (const input of [1, 2]) {
    const value = node.inputs[input];
    const tensor = constant(value);
    if (!value || tensor?.dtype !== "float32") return { reason: "its weights are no float32 constants" };
    const [directions = 0, rows = 0, columns = 0] = tensor.dims;
    if (tensor.dims.length !== 3 || directions * rows * columns === 0)
      return { reason: "its weights have no elements" };
    matrices.push({ input, value, tensor, directions, rows, columns });
  }
  return { node, matrices };
}
