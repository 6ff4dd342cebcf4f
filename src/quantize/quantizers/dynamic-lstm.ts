/** @file LSTM with integer weights: com.microsoft.DynamicQuantizeLSTM, which quantizes inputs and states as it goes. */
import { nth } from "../../checked.ts";
import {
  type Draft,
  exactBigint,
  floatsOf,
  labelOf,
  type Model,
  makeNode,
  type Tensor,
  tensor,
  type Value,
} from "../../ir/index.ts";
import type { Store } from "../qdq/constant-store.ts";
import type { LayerReport } from "../report.ts";
import { groupParameters, limitsOf, quantizeValue, type Scheme } from "../scheme.ts";
import type { RecurrentMatrix, RecurrentWeights } from "../weights/recurrent-weights.ts";

/**
 * Puts the node in integers in the place of an LSTM. Weights are int8, a scale for each row of each direction, and turned to
 * `[directions, inputs, gates × hidden]`, as the kernel multiplies with them.
 */
export function replaceLstm(
  draft: Draft,
  store: Store,
  { node, matrices }: RecurrentWeights,
  bits: 8 | 7,
): LayerReport {
  const [w, r] = [nth(matrices, 0), nth(matrices, 1)].map((matrix) => integers(draft, store, matrix, bits)) as [
    StoredMatrix,
    StoredMatrix,
  ];
  const attributes = new Map(node.attributes).set("hidden_size", {
    type: "int",
    value: exactBigint(nth(matrices, 1).columns),
  });
  attributes.delete("layout");
  const given = Array.from({ length: 8 }, (_, i) => node.inputs[i]);
  const inputs = [given[0], w.data, r.data, ...given.slice(3), w.scale, w.zeroPoint, r.scale, r.zeroPoint];
  const name = labelOf(node);
  const parts = { domain: "com.microsoft", name, attributes };
  draft.replaceNode(node, makeNode("DynamicQuantizeLSTM", inputs, node.outputs, parts));
  return { node: name, opType: node.opType, quantized: true, bits, granularity: "channel" };
}

interface StoredMatrix {
  readonly data: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

function integers(draft: Draft, store: Store, matrix: RecurrentMatrix, bits: 8 | 7): StoredMatrix {
  const { value, directions, rows } = matrix;
  const { data, scales } = turned(matrix, bits);
  return {
    data: store(value, `${value.name}_quantized`, data),
    scale: store(value, `${value.name}_scale`, tensor("float32", [directions, rows], scales)),
    // Its own: the runtime fails where int8 constants have a zero point in common.
    zeroPoint: draft.constant(
      `${value.name}_zero_point`,
      tensor("int8", [directions, rows], new Int8Array(directions * rows)),
    ),
  };
}

function turned(
  { tensor: source, directions, rows, columns }: RecurrentMatrix,
  bits: 8 | 7,
): { data: Tensor; scales: Float32Array } {
  const reals = floatsOf(source);
  const granularity = { kind: "channel", axis: 0 } as const;
  const scheme: Scheme = { dtype: "int8", symmetric: true, granularity, reducedRange: bits === 7 };
  const parameters = groupParameters(reals, [directions * rows, columns], scheme);
  const limits = limitsOf(scheme);
  const values = new Int8Array(reals.length);
  for (let row = 0; row < directions * rows; row++) {
    const first = Math.floor(row / rows) * rows * columns + (row % rows);
    for (let column = 0; column < columns; column++) {
      values[first + column * rows] = quantizeValue(reals[row * columns + column]!, nth(parameters, row), limits);
    }
  }
  const scales = new Float32Array(parameters.length).map((_, i) => nth(parameters, i).scale);
  return { data: tensor("int8", [directions, columns, rows], values), scales };
}

/** The model with the domain of the operator among its opsets, where a report has an LSTM in integers. */
export function withLstmDomain(model: Model, layers: readonly LayerReport[]): Model {
  if (!layers.some(({ opType, quantized }) => quantized && opType === "LSTM")) return model;
  return { ...model, opsets: new Map([...model.opsets, ["com.microsoft", 1]]) };
}
