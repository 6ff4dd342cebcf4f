/**
 * @file Recurrent weights in 8 bits: a DequantizeLinear, in blocks along the inputs, before the layer. In fewer bits, what each step
 * adds to the state is off by so much that the answers of real networks are lost.
 */
import { type ConstantLookup, floatsOf, makeNode, type Node, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { type RecurrentMatrix, recurrentWeights } from "../weights/recurrent-weights.ts";
import { blocksIn } from "../weights/weight-blocks.ts";
import { BLOCKED_OPSET, type TargetOptions, type WeightTarget } from "./weight-formats.ts";

const BITS = 8;

/** A target for each of the two matrices, or the reason why there is none. */
export function recurrentTargets(
  constant: ConstantLookup,
  node: Node,
  { opset }: Pick<TargetOptions, "opset">,
): readonly WeightTarget[] | { reason: string } {
  const found = recurrentWeights(constant, node);
  if ("reason" in found) return found;
  if (opset < BLOCKED_OPSET) return { reason: "recurrent weights in blocks need opset 21" };
  const inputs = [...node.inputs];
  return found.matrices.map((matrix) => recurrentTarget(node, matrix, inputs));
}

/** `inputs` are those of the node; the targets of one node put theirs in, one after another. */
function recurrentTarget(node: Node, matrix: RecurrentMatrix, inputs: (Value | undefined)[]): WeightTarget {
  const { input, value, tensor, directions, rows, columns } = matrix;
  return {
    node,
    layer: undefined,
    source: tensor,
    reading: "recurrent",
    matrix: {
      rows: directions * rows,
      columns,
      reader() {
        const reals = floatsOf(tensor);
        return (first, count) => reals.subarray(first * columns, (first + count) * columns);
      },
    },
    domain: "",
    layout: (asked) => ({ ...asked, bits: BITS }),
    write(draft, store, blocked) {
      const blockDims = [directions, rows, blocksIn(blocked)];
      const parts = [
        store(value, `${value.name}_quantized`, tensorFromNumbers("uint8", tensor.dims, blocked.integers)),
        store(value, `${value.name}_scale`, tensorFromNumbers("float32", blockDims, blocked.scales)),
        store(value, `${value.name}_zero_point`, tensorFromNumbers("uint8", blockDims, blocked.zeroPoints)),
      ];
      const output = draft.value(`${value.name}_DequantizeLinear_Output`);
      const attributes = { axis: 2, block_size: blocked.layout.size };
      inputs[input] = output;
      draft.insertBefore(node, makeNode("DequantizeLinear", parts, [output], { name: output.name, attributes }));
      draft.replaceNode(node, { ...node, inputs: [...inputs] });
    },
  };
}
