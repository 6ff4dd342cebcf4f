/** @file Rounds the layers of a static plan, at once or one after another. */
import { joinedMoments, type Moments } from "../../calibration/index.ts";
import { lastOf, must, nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { labelOf, type Node, type Value } from "../../ir/index.ts";
import { gatherLayers } from "../calibration/layer-moments.ts";
import type { Placement } from "../placement/placement.ts";
import { insertQdq, type LayerConstants } from "../qdq/insert-qdq.ts";
import { blockRoundings, type Rounding, type RoundingName, roundings } from "../rounding/index.ts";
import type { QuantizedTensor } from "../scheme.ts";
import { roundLayer } from "../weights/matrices.ts";
import { captureOptions, type StaticOptions, settingsOf, staticDefaults } from "./static-options.ts";
import type { StaticPlan } from "./static-plan.ts";

/** Rounds all layers; those whose rounding looks at the quantized model do so in turn, or all at once. */
export async function roundLayers(
  plan: StaticPlan,
  options: StaticOptions,
): Promise<ReadonlyMap<Node, LayerConstants>> {
  const { source, placement } = plan;
  const { layers } = placement;
  const constants = new Map<Node, LayerConstants>();
  roundTogether(plan, options, [...layers.keys()], constants);
  const final = new Map<Node, QuantizedTensor>();
  let done = 0;
  for (const stage of stagesOf(placement, options)) {
    const some = new Map(stage.map((node) => [node, must(layers, node)]));
    const float = (options.sequential ?? staticDefaults.sequential) ? source : undefined;
    const inserted = insertQdq(source, { ...plan, constants });
    const moments = await gatherLayers(inserted, some, float, {
      ...captureOptions(options),
      positionsPerInput: options.positionsPerInput,
      batchCount: plan.batches,
      onBatch: (batch) => options.onEvent?.({ type: "moments", batch, layers: stage.length }),
    });
    roundTogether(plan, options, stage, constants, { moments, final });
    done += stage.length;
    options.onEvent?.({ type: "round", node: labelOf(lastOf(stage)), done, total: layers.size });
  }
  return constants;
}

interface Seen {
  readonly moments: ReadonlyMap<Node, readonly Moments[]>;
  /** Weights that an earlier stage has rounded. */
  readonly final: Map<Node, QuantizedTensor>;
}

/** Rounds some layers. Those with equal weights get the same integers: the inputs of all count together, and each has its own bias. */
function roundTogether(
  { placement, schemes, sharing }: StaticPlan,
  options: StaticOptions,
  some: readonly Node[],
  constants: Map<Node, LayerConstants>,
  { moments, final }: Partial<Seen> = {},
): void {
  const own = new Set(some);
  for (const node of some) {
    const group = must(sharing, node);
    const members = group.filter((member) => own.has(member));
    const [first] = group;
    const layer = must(placement.layers, node);
    const scheme = must(schemes, node);
    const rounding = roundingOf(scheme.settings.rounding);
    const choice = { ...scheme, rounding, moments: moments?.get(node), correctBias: options.biasCorrection ?? false };
    if (group.length === 1 || !first) {
      constants.set(node, roundLayer(layer, choice));
      continue;
    }
    const joined = joinedMoments(members.flatMap((member) => (moments?.has(member) ? [must(moments, member)] : [])));
    const known = final?.get(first) ?? (members[0] === node ? undefined : constants.get(nth(members, 0))?.weight);
    const rounded = known ?? roundLayer(layer, { ...choice, moments: joined, correctBias: false }).weight;
    final?.set(first, rounded);
    const correctBias = choice.correctBias || scheme.settings.rounding !== "nearest";
    constants.set(node, roundLayer(layer, { ...choice, correctBias, rounded }));
  }
}

/** Layers that look at the quantized model: all at once, or in order, those that read the same value together. */
function stagesOf({ layers }: Placement, options: StaticOptions): Node[][] {
  const settings = settingsOf(options);
  const looking = [...layers.keys()].filter((node) => options.biasCorrection || settings(node).rounding !== "nearest");
  if (!(options.sequential ?? staticDefaults.sequential)) return looking.length === 0 ? [] : [looking];
  const stages = new Map<Value, Node[]>();
  for (const node of looking) {
    const { input } = must(layers, node);
    stages.set(input, [...(stages.get(input) ?? []), node]);
  }
  return [...stages.values()];
}

function roundingOf(name: RoundingName): Rounding {
  const rounding = roundings[name];
  if (rounding) return rounding();
  const expected = Object.keys(roundings).join(", ");
  const isOfBlocks = Object.hasOwn(blockRoundings, name);
  throw new UsageError(isOfBlocks ? "the scales of static int8 are fixed" : "there is no such rounding", {
    expected,
    got: JSON.stringify(name),
    ...(isOfBlocks && { hint: "It moves the scales of blocks: it is a rounding of the weight-only form." }),
  });
}
