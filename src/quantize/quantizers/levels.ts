/** @file Weights of few levels, as trained binary and ternary networks have them, in one or two bits each and bit for bit. */
import { isLayer, isStacked, type Layer, layerAmong, weightedOperators, weightsIn } from "../../calibration/index.ts";
import { UnsupportedError } from "../../errors.ts";
import { checkPatterns, editModel, labelOf, type Model, type Node, opsetOf, type Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkNotQuantized } from "../already-quantized.ts";
import { withoutUnread } from "../qdq/unread.ts";
import type { LayerReport, Quantized } from "../report.ts";
import { type NodeChoice, nodeChoice } from "../selection.ts";
import { type Levels, levelsOf, unpackedWeight } from "../weights/packed-levels.ts";

/** Nodes by name. */
export type LevelsOptions = NodeChoice;

const levelsOptionsNames: OptionNames<LevelsOptions> = { exclude: true, include: true };

/** From here on the runtime has operators on bits. */
const BITS_OPSET = 18;

/**
 * Stores the weights of Conv, MatMul and Gemm whose outputs have two levels, or two and zero, in one or two bits each. The runtime unpacks
 * them when it loads the model, so that the network computes what it did, as fast.
 *
 * @throws UnsupportedError for a model that is quantized already and below the opset that has operators on bits, UsageError for a pattern without a node.
 */
export function quantizeLevels(model: Model, options: LevelsOptions = {}): Quantized<Model> {
  const { exclude, include } = checkOptions(options, levelsOptionsNames);
  checkNotQuantized(model);
  if (opsetOf(model) < BITS_OPSET) {
    throw new UnsupportedError("packed weights need operators on bits", {
      expected: `opset ${BITS_OPSET} or later`,
      got: `${opsetOf(model)}`,
      hint: "Upgrade the model first.",
    });
  }
  checkPatterns(model.graph, { exclude, include });
  const floatByName = nodeChoice(options);
  const layers: LayerReport[] = [];
  const packed = editModel(model, (draft) => {
    const constant = weightsIn(draft.graph);
    const made = new Map<string, Value>();
    for (const node of draft.graph.nodes) {
      if (node.domain !== "" || !weightedOperators.has(node.opType)) continue;
      const base = { node: labelOf(node), opType: node.opType };
      const reason = floatByName(node);
      const found = reason === undefined ? packable(layerAmong(constant, node)) : { reason };
      if ("reason" in found) {
        layers.push({ ...base, quantized: false, reason: found.reason });
        continue;
      }
      const { layer, levels } = found;
      const key = `${layer.channelAxis} ${layer.weight.name}`;
      const weight = made.get(key) ?? unpackedWeight(draft, layer, levels);
      made.set(key, weight);
      draft.replaceNode(node, withWeight(node, weight));
      layers.push({ ...base, quantized: true, bits: levels.bits, granularity: "channel" });
    }
  });
  return { model: withoutUnread(packed), report: { form: "levels", layers } };
}

type Found = { readonly layer: Layer; readonly levels: Levels } | { readonly reason: string };

function packable(layer: ReturnType<typeof layerAmong>): Found {
  if (!isLayer(layer)) return layer;
  if (isStacked(layer)) return { reason: "its matrices are stacked" };
  const levels = levelsOf(layer);
  return levels ? { layer, levels } : { reason: "its outputs have more levels than two and zero" };
}

function withWeight(node: Node, weight: Value): Node {
  return { ...node, inputs: node.inputs.map((value, i) => (i === 1 ? weight : value)) };
}
