/** @file Static int8: activations and weights are integers, ranges come from calibration. */
import { isLstm, isWeighted, weightsIn } from "../../calibration/index.ts";
import { must } from "../../checked.ts";
import { allGraphs, checkPatterns, labelOf, type Model, maxOf, minOf, type Node } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { editWithStore } from "../qdq/constant-store.ts";
import { insertQdq, type LayerConstants } from "../qdq/insert-qdq.ts";
import { withoutUnread } from "../qdq/unread.ts";
import type { LayerReport, Quantized, QuantizeReport } from "../report.ts";
import { recurrentWeights } from "../weights/recurrent-weights.ts";
import { replaceLookup, tableLookup } from "../weights/tables.ts";
import { replaceLstm, withLstmDomain } from "./dynamic-lstm.ts";
import { placementOptions, type StaticOptions, settingsOf, staticOptionsNames } from "./static-options.ts";
import { type StaticPlan, staticPlan } from "./static-plan.ts";
import { roundLayers } from "./static-rounding.ts";

const UNSEEN = "it stands in a branch or a loop, where calibration sees no values; the dynamic form reaches it";

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
  const { exclude, include, overrides = [] } = options;
  checkPatterns(model.graph, { exclude, include, overrides: overrides.flatMap(({ nodes }) => nodes) });
  const plan = await staticPlan(model, options);
  return writtenPlan(plan, await roundLayers(plan, options), options);
}

/** The integer file of a plan, once the constants of its layers are known. */
export function writtenPlan(
  plan: StaticPlan,
  constants: ReadonlyMap<Node, LayerConstants>,
  options: StaticOptions,
): Quantized<Model> {
  const inserted = insertQdq(plan.source, { ...plan, constants }).model;
  const { model: written, rest } = withDynamicParts(inserted, options);
  return { model: written, report: reportOf(plan, rest) };
}

/** The model with embeddings and LSTM in the dynamic form, as they have no kernel with known ranges. */
function withDynamicParts(model: Model, options: StaticOptions): { model: Model; rest: readonly LayerReport[] } {
  const constant = weightsIn(model.graph);
  const { float } = placementOptions(options, model);
  const settings = settingsOf(options);
  const rest: LayerReport[] = [];
  const edited = editWithStore(model, (draft, store) => {
    for (const node of draft.graph.nodes.filter((each) => float(each) === undefined)) {
      const weightBits = settings(node).weightBits === 7 ? 7 : 8;
      const table = tableLookup(constant, node);
      if (table) rest.push(replaceLookup(draft, store, table, weightBits));
      const recurrent = isLstm(node) ? recurrentWeights(constant, node) : undefined;
      if (recurrent && !("reason" in recurrent)) rest.push(replaceLstm(draft, store, recurrent, weightBits));
    }
  });
  if (rest.length === 0) return { model, rest };
  return { model: withoutUnread(withLstmDomain(edited, rest)), rest };
}

function reportOf(
  { source, placement, schemes, parameters, ranges, batches }: StaticPlan,
  rest: readonly LayerReport[],
): QuantizeReport {
  const layers: LayerReport[] = [...rest];
  const done = new Set(rest.map(({ node }) => node));
  for (const [node] of placement.layers) {
    const own = must(schemes, node);
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
    if (done.has(labelOf(node))) continue;
    layers.push({ node: labelOf(node), opType: node.opType, quantized: false, reason });
  }
  for (const { nodes } of [...allGraphs(source.graph)].slice(1)) {
    for (const node of nodes.filter((each) => isWeighted(each) && !done.has(labelOf(each)))) {
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
