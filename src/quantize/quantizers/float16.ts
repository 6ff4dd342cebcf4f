/** @file float16: half the size; faster where the hardware computes in it. */
import { weightedOperators } from "../../calibration/index.ts";
import { allGraphs, checkPatterns, labelOf, type Model, type Node } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { convertFloat16, type Float16Options } from "../../passes/index.ts";
import { checkNotQuantized } from "../already-quantized.ts";
import type { LayerReport, Quantized } from "../report.ts";
import { type NodeChoice, nodeChoice } from "../selection.ts";

/** What the pass takes, and nodes that stay in float32 by name. */
export interface Float16FormOptions extends Float16Options, NodeChoice {}

const float16FormOptionsNames: OptionNames<Float16FormOptions> = {
  block: true,
  keeps: true,
  io: true,
  exclude: true,
  include: true,
};

/**
 * Weights and computation in float16, float32 inputs and outputs; operators that need more range or precision stay. The report has the
 * layers and every node that stays for its numbers.
 *
 * @throws UnsupportedError for a model that is quantized already.
 */
export async function quantizeFloat16(model: Model, options: Float16FormOptions = {}): Promise<Quantized<Model>> {
  const { exclude, include, ...given } = checkOptions(options, float16FormOptionsNames);
  checkNotQuantized(model);
  checkPatterns(model.graph, { exclude, include });
  const floatByName = nodeChoice(options);
  const isKept = (node: Node): boolean => floatByName(node) !== undefined || (given.keeps?.(node) ?? false);
  const result = await convertFloat16({ ...given, keeps: isKept }).run(model);
  const reasons = new Map((result.notes ?? []).flatMap(({ nodes, reason }) => nodes.map((node) => [node, reason])));
  const layers = [...allGraphs(model.graph)]
    .flatMap(({ nodes }) => nodes)
    .filter((node) => weightedOperators.has(node.opType) || reasons.has(labelOf(node)))
    .map((node): LayerReport => {
      const isBlocked = (options.block?.has(node.opType) ?? false) || (given.keeps?.(node) ?? false);
      const reason = floatByName(node) ?? (isBlocked ? "blocked" : reasons.get(labelOf(node)));
      const base = { node: labelOf(node), opType: node.opType };
      return reason ? { ...base, quantized: false, reason } : { ...base, quantized: true, bits: 16 };
    });
  return { model: result.model, report: { form: "float16", layers } };
}
