/** @file Rounds the layers of a static plan, at once or one after another. */
import { UsageError } from "../../errors.ts";
import type { Node, Value } from "../../ir/index.ts";
import { insertQdq, type LayerConstants } from "../insert-qdq.ts";
import { gatherLayers } from "../layer-moments.ts";
import { roundLayer } from "../matrices.ts";
import type { Placement } from "../placement.ts";
import { type Moments, type Rounding, type RoundingName, roundings } from "../rounding/index.ts";
import { labelOf } from "../selection.ts";
import { captureOptions, type StaticOptions, settingsOf, staticDefaults } from "./static-options.ts";
import type { StaticPlan } from "./static-plan.ts";

/** Rounds all layers; those whose rounding looks at the quantized model do so in turn, or all at once. */
export async function roundLayers(
  plan: StaticPlan,
  options: StaticOptions,
): Promise<ReadonlyMap<Node, LayerConstants>> {
  const { source, placement, schemes } = plan;
  const { layers } = placement;
  const constants = new Map<Node, LayerConstants>();
  const round = (some: Iterable<Node>, moments?: ReadonlyMap<Node, readonly Moments[]>): void => {
    for (const node of some) {
      const own = schemes.get(node)!;
      const rounding = roundingOf(own.settings.rounding);
      const correctBias = options.biasCorrection ?? false;
      const choice = { ...own, rounding, moments: moments?.get(node), correctBias };
      constants.set(node, roundLayer(layers.get(node)!, choice));
    }
  };
  round(layers.keys());
  let done = 0;
  for (const stage of stagesOf(placement, options)) {
    const some = new Map(stage.map((node) => [node, layers.get(node)!]));
    const float = (options.sequential ?? staticDefaults.sequential) ? source : undefined;
    const inserted = insertQdq(source, { ...plan, constants });
    const moments = await gatherLayers(inserted, some, float, {
      ...captureOptions(options),
      positionsPerInput: options.positionsPerInput,
      batchCount: plan.batches,
      onBatch: (batch) => options.onEvent?.({ type: "moments", batch, layers: stage.length }),
    });
    round(stage, moments);
    done += stage.length;
    options.onEvent?.({ type: "round", node: labelOf(stage.at(-1)!), done, total: layers.size });
  }
  return constants;
}

/** Layers that look at the quantized model: all at once, or in order, those that read the same value together. */
function stagesOf({ layers }: Placement, options: StaticOptions): Node[][] {
  const settings = settingsOf(options);
  const looking = [...layers.keys()].filter((node) => options.biasCorrection || settings(node).rounding !== "nearest");
  if (!(options.sequential ?? staticDefaults.sequential)) return looking.length === 0 ? [] : [looking];
  const stages = new Map<Value, Node[]>();
  for (const node of looking) {
    const { input } = layers.get(node)!;
    stages.set(input, [...(stages.get(input) ?? []), node]);
  }
  return [...stages.values()];
}

function roundingOf(name: RoundingName): Rounding {
  const rounding = roundings[name];
  if (rounding) return rounding();
  const expected = Object.keys(roundings).join(", ");
  throw new UsageError("there is no such rounding", { expected, got: JSON.stringify(name) });
}
