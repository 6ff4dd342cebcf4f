/** @file float16: half the size; faster where the hardware computes in it. */
import { allGraphs, type Model } from "../../ir/index.ts";
import { convertFloat16, type Float16Options } from "../../passes/index.ts";
import { checkNotQuantized } from "../already-quantized.ts";
import { weightedOperators } from "../layer.ts";
import type { LayerReport, Quantized } from "../report.ts";
import { labelOf } from "../selection.ts";

/**
 * Weights and computation in float16, float32 inputs and outputs; operators that need more range or precision stay. The report has the
 * layers and every node that stays for its numbers.
 *
 * @throws UnsupportedError for a model that is quantized already.
 */
export async function quantizeFloat16(model: Model, options: Float16Options = {}): Promise<Quantized<Model>> {
  checkNotQuantized(model);
  const result = await convertFloat16(options).run(model);
  const reasons = new Map((result.notes ?? []).flatMap(({ nodes, reason }) => nodes.map((node) => [node, reason])));
  const layers = [...allGraphs(model.graph)]
    .flatMap(({ nodes }) => nodes)
    .filter((node) => weightedOperators.has(node.opType) || reasons.has(labelOf(node)))
    .map((node): LayerReport => {
      const isBlocked = (options.block?.has(node.opType) ?? false) || (options.keeps?.(node) ?? false);
      const reason = isBlocked ? "blocked" : reasons.get(labelOf(node));
      const base = { node: labelOf(node), opType: node.opType };
      return reason ? { ...base, quantized: false, reason } : { ...base, quantized: true, bits: 16 };
    });
  return { model: result.model, report: { form: "float16", layers } };
}
