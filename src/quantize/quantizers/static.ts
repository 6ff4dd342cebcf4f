/** @file Static int8: activations and weights are integers, ranges come from calibration. */
import { allGraphs, type Model, maxOf, minOf } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { insertQdq } from "../insert-qdq.ts";
import { isWeighted } from "../layer.ts";
import type { LayerReport, Quantized, QuantizeReport } from "../report.ts";
import { labelOf } from "../selection.ts";
import type { StaticOptions } from "./static-options.ts";
import { type StaticPlan, staticPlan } from "./static-plan.ts";
import { roundLayers } from "./static-rounding.ts";

const UNSEEN = "it stands in a branch or a loop, where calibration sees no values; the dynamic form reaches it";

const staticOptionsNames: OptionNames<StaticOptions> = {
  open: true,
  calibration: true,
  activation: true,
  exclude: true,
  include: true,
  overrides: true,
  biasCorrection: true,
  equalization: true,
  shareConcat: true,
  floatTail: true,
  alignChannels: true,
  sequential: true,
  positionsPerInput: true,
  threads: true,
  signal: true,
  onEvent: true,
  weightBits: true,
  perChannel: true,
  rounding: true,
  observer: true,
};

/**
 * Quantizes what ONNX Runtime computes on integers to 8 bits, as QuantizeLinear/DequantizeLinear pairs around the operators.
 *
 * The function is approximate. BatchNormalization should be fused before. The result has the same inputs and outputs. Layers in branches
 * and loops stay in floats, since calibration cannot see their values; the report says so.
 *
 * @throws UnsupportedError below opset 13 and for a model that is quantized already, DataError without batches.
 */
export async function quantizeStatic(model: Model, options: StaticOptions): Promise<Quantized<Model>> {
  checkOptions(options, staticOptionsNames);
  const plan = await staticPlan(model, options);
  const constants = await roundLayers(plan, options);
  return { model: insertQdq(plan.source, { ...plan, constants }).model, report: reportOf(plan) };
}

function reportOf({ source, placement, schemes, parameters, ranges, batches }: StaticPlan): QuantizeReport {
  const layers: LayerReport[] = [];
  for (const [node] of placement.layers) {
    const own = schemes.get(node)!;
    const scales = own.parameters.map(({ scale }) => scale);
    const outputScale = node.outputs[0] && parameters.get(node.outputs[0])?.scale;
    layers.push({
      node: labelOf(node),
      opType: node.opType,
      quantized: true,
      bits: own.settings.weightBits,
      granularity: own.scheme.granularity.kind,
      rounding: own.settings.rounding,
      weightScale: { min: minOf(scales), max: maxOf(scales) },
      ...(outputScale === undefined ? {} : { outputScale }),
    });
  }
  for (const [node] of placement.others) layers.push({ node: labelOf(node), opType: node.opType, quantized: true });
  for (const [node, reason] of placement.skipped) {
    layers.push({ node: labelOf(node), opType: node.opType, quantized: false, reason });
  }
  for (const { nodes } of [...allGraphs(source.graph)].slice(1)) {
    for (const node of nodes.filter(isWeighted)) {
      layers.push({ node: labelOf(node), opType: node.opType, quantized: false, reason: UNSEEN });
    }
  }
  return {
    form: "static",
    layers,
    calibrationBatches: batches,
    ranges: new Map([...ranges].map(([value, range]) => [value.name, range])),
  };
}
