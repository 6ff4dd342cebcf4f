/** @file Dynamic int8: weights are stored as integers, activations are quantized on the fly from each tensor's own range. */
import {
  isLstm,
  isRecurrent,
  isStacked,
  isWeighted,
  type Layer,
  layerAmong,
  overriddenIn,
  ROWS,
  weightsIn,
} from "../../calibration/index.ts";
import { lastOf, nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  type ConstantLookup,
  checkPatterns,
  type Draft,
  floatsOf,
  labelOf,
  type Model,
  makeNode,
  maxOf,
  minOf,
  type Node,
  type NodeParts,
  opsetOf,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkNotQuantized } from "../already-quantized.ts";
import { editWithStore, type Store } from "../qdq/constant-store.ts";
import { withoutUnread } from "../qdq/unread.ts";
import type { LayerReport, Quantized } from "../report.ts";
import { type Granularity, groupParameters, limitsOf, type Parameters, quantizeValue, type Scheme } from "../scheme.ts";
import { type NodeChoice, nodeChoice } from "../selection.ts";
import { type RecurrentWeights, recurrentWeights } from "../weights/recurrent-weights.ts";
import { replaceLookup, type TableLookup, tableLookup } from "../weights/tables.ts";
import { replaceLstm, withLstmDomain } from "./dynamic-lstm.ts";

export interface DynamicOptions extends NodeChoice {
  /** 7 for processors on which sums of two 8-bit products saturate; convolutions always have 8, as unsigned weights do not. */
  readonly weightBits?: 8 | 7;
}

const SMALLEST_OPSET = 11;

const dynamicOptionsNames: OptionNames<DynamicOptions> = { weightBits: true, exclude: true, include: true };

/**
 * Conv becomes ConvInteger with uint8 weights (int8 ones have no fast kernel), MatMul and Gemm become MatMulInteger with int8 weights, each
 * behind one DynamicQuantizeLinear for every input; scales are per output channel, of stacked matrices each its own. Layers in branches and
 * loops are quantized where they stand, so that what is skipped quantizes nothing. LSTM becomes DynamicQuantizeLSTM, rows of embeddings
 * are int8 until they are looked up. Needs no data.
 *
 * @throws UnsupportedError below opset 11 and for a model that is quantized already.
 */
export function quantizeDynamic(model: Model, options: DynamicOptions = {}): Quantized<Model> {
  checkOptions(options, dynamicOptionsNames);
  checkNotQuantized(model);
  if (opsetOf(model) < SMALLEST_OPSET) {
    throw new UnsupportedError("DynamicQuantizeLinear needs a newer opset", {
      expected: `opset ${SMALLEST_OPSET} or later`,
      got: `${opsetOf(model)}`,
    });
  }
  const { weightBits = 8, exclude, include } = options;
  checkPatterns(model.graph, { exclude, include });
  const floatByName = nodeChoice(options);
  const layers: LayerReport[] = [];
  const constants = weightsIn(model.graph);
  const overridden = overriddenIn(model);
  const integers = integerForms(weightBits);
  const result = editWithStore(model, (draft, store) => {
    const replaceLayer = layerWriter(draft, store, integers);
    const replace = (found: Layer | RecurrentWeights | TableLookup): LayerReport => {
      if ("table" in found) return replaceLookup(draft, store, found, weightBits);
      return "matrices" in found ? replaceLstm(draft, store, found, weightBits) : replaceLayer(found);
    };
    for (const node of draft.graph.nodes) {
      const found = dynamicTarget(constants, node);
      if (!found) continue;
      const reason = floatByName(node) ?? overridden(node);
      const target = reason === undefined ? found : { reason };
      if (!("reason" in target)) layers.push(replace(target));
      else layers.push({ node: labelOf(node), opType: node.opType, quantized: false, reason: target.reason });
    }
  });
  return { model: withoutUnread(withLstmDomain(result, layers)), report: { form: "dynamic", layers } };
}

/** What a node has to quantize, or the reason why it stays; `undefined` for nodes of which nobody expects it. */
function dynamicTarget(constant: ConstantLookup, node: Node) {
  if (isLstm(node)) return recurrentWeights(constant, node);
  if (isRecurrent(node)) {
    return { reason: `ONNX Runtime has no ${node.opType} on integers; the weight-only form takes its weights` };
  }
  return isWeighted(node) ? layerAmong(constant, node) : tableLookup(constant, node);
}

interface QuantizedInput {
  readonly data: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

function layerWriter(draft: Draft, store: Store, integerForm: (layer: Layer) => IntegerWeights) {
  const inputs = new Map<Value, QuantizedInput>();

  const quantizedInput = (value: Value, before: Node): QuantizedInput => {
    const known = inputs.get(value);
    if (known) return known;
    const made = {
      data: draft.value(`${value.name}_quantized`),
      scale: draft.value(`${value.name}_scale`),
      zeroPoint: draft.value(`${value.name}_zero_point`),
    };
    const outputs = [made.data, made.scale, made.zeroPoint];
    const name = `${value.name}_QuantizeLinear`;
    draft.insertBefore(before, makeNode("DynamicQuantizeLinear", [value], outputs, { name }));
    inputs.set(value, made);
    return made;
  };

  return (layer: Layer): LayerReport => {
    const { node, weight } = layer;
    const input = quantizedInput(layer.input, node);
    const isConv = node.opType === "Conv";
    const integers = integerForm(layer);
    const name = labelOf(node);
    const constant = (suffix: string, tensor: Tensor): Value => store(weight, `${weight.name}_${suffix}`, tensor);
    const channelDims = scaleDims(layer);
    const scales = constant("scale", tensorFromNumbers("float32", channelDims, integers.scales));
    // Its own: the runtime fails where int8 constants have a zero point in common.
    const zero = draft.constant(`${weight.name}_zero_point`, scalar(integers.data.dtype, integers.zeroPoint));
    const nodes: Node[] = [];
    const step = (
      opType: "ConvInteger" | "MatMulInteger" | "Cast" | "Mul",
      from: Value[],
      suffix: string,
      attributes: NonNullable<NodeParts["attributes"]> = {},
    ): Value => {
      const output = draft.value(`${name}_${suffix}`);
      nodes.push(makeNode(opType, from, [output], { name: `${name}_${suffix}`, attributes }));
      return output;
    };
    const operands = [input.data, constant("quantized", integers.data), input.zeroPoint, zero];
    const product = isConv
      ? step("ConvInteger", operands, "quant", node.attributes)
      : step("MatMulInteger", operands, "quant");
    const real = step("Cast", [product], "cast", { to: 1 });
    const scale = step("Mul", [input.scale, scales], "scales_mul");
    const bias = layer.biasTensor && constant("bias", reshaped(layer.biasTensor, channelDims));
    const scaled = bias ? step("Mul", [real, scale], "scaled") : undefined;
    const last = scaled && bias ? (["Add", [scaled, bias]] as const) : (["Mul", [real, scale]] as const);
    nodes.push(makeNode(last[0], [...last[1]], node.outputs, { name: node.name }));
    draft.replaceNode(node, ...nodes);
    const { bits } = integers;
    const found = { min: minOf(integers.scales), max: maxOf(integers.scales) };
    return { node: name, opType: node.opType, quantized: true, bits, granularity: "channel", weightScale: found };
  };
}

/** Dims under which a number per output channel is broadcast over the product. */
function scaleDims({ node, rows, weightTensor: { dims } }: Layer): number[] {
  if (node.opType === "Conv") return [1, rows, ...Array<number>(dims.length - 2).fill(1)];
  if (dims.length === 2) return [rows];
  return [...dims.slice(0, -2), 1, lastOf(dims)];
}

interface IntegerWeights {
  readonly bits: 8 | 7;
  readonly data: Tensor;
  readonly scales: Float64Array;
  readonly zeroPoint: number;
}

/** `integerWeights`, computed once for layers that read the same tensor in the same way. */
function integerForms(weightBits: 8 | 7): (layer: Layer) => IntegerWeights {
  const known = new Map<Tensor, Map<string, IntegerWeights>>();
  return (layer) => {
    const { node, weightTensor, channelAxis } = layer;
    const forms = known.get(weightTensor) ?? new Map<string, IntegerWeights>();
    known.set(weightTensor, forms);
    const isConv = node.opType === "Conv";
    const key = `${isConv} ${channelAxis}`;
    const made = forms.get(key) ?? integerWeights(layer, isConv ? 8 : weightBits);
    forms.set(key, made);
    return made;
  };
}

/** Convolutions: uint8 around 128, in place. Products: int8, as a matrix `inputs × outputs`, stacked ones in place. */
function integerWeights(layer: Layer, bits: 8 | 7): IntegerWeights {
  const { node, rows, columns, weightTensor } = layer;
  const scheme: Scheme = { dtype: "int8", symmetric: true, granularity: rowwise(layer), reducedRange: bits === 7 };
  const reals = floatsOf(weightTensor);
  const parameters: readonly Parameters[] = groupParameters(reals, weightTensor.dims, scheme);
  const limits = limitsOf(scheme);
  const isConv = node.opType === "Conv";
  const isInPlace = isConv || isStacked(layer);
  const zeroPoint = isConv ? 128 : 0;
  const values = isConv ? new Uint8Array(reals.length) : new Int8Array(reals.length);
  for (let first = 0; first < rows; first += ROWS) {
    const end = Math.min(rows, first + ROWS);
    for (let column = 0; column < columns; column++) {
      for (let row = first; row < end; row++) {
        const from = layer.position(row, column);
        const to = isInPlace ? from : column * rows + row;
        values[to] = quantizeValue(reals[from]!, nth(parameters, row), limits) + zeroPoint;
      }
    }
  }
  const dims = isInPlace ? weightTensor.dims : [columns, rows];
  const data = tensor(isConv ? "uint8" : "int8", dims, values);
  return { bits, data, scales: new Float64Array(parameters.map(({ scale }) => scale)), zeroPoint };
}

/** One scale for each row of the layer, in their order. */
function rowwise(layer: Layer): Granularity {
  if (!isStacked(layer)) return { kind: "channel", axis: layer.channelAxis };
  return { kind: "block", axis: layer.channelAxis - 1, size: layer.columns };
}

function reshaped(tensor: Tensor, dims: readonly number[]): Tensor {
  return { ...tensor, dims };
}
