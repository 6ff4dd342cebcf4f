/** @file Moments of layers of a placement, from the quantized model and, side by side, the float one. */
import {
  bytesIn,
  type CaptureOptions,
  chunksOf,
  gatherMoments,
  type Layer,
  type MomentGatherer,
  type Moments,
  noBatches,
  openGram,
  openProbe,
  type Probe,
} from "../../calibration/index.ts";
import { must } from "../../checked.ts";
import type { Model, Node, Tensor, Value } from "../../ir/index.ts";
import type { Inserted } from "../qdq/insert-qdq.ts";

export interface LayerMomentOptions extends CaptureOptions {
  /** Positions to read for each input of a layer, over all batches; default 32. */
  readonly positionsPerInput?: number | undefined;
  /** Number of batches, over which the positions are spread. */
  readonly batchCount: number;
  readonly onBatch?: ((done: number) => void) | undefined;
}

const POSITIONS_PER_INPUT = 32;
const FEWEST_POSITIONS = 2048;

/**
 * Moments by layer; layers whose inputs cannot be read as patches are left out. With `float` they include how far the inputs have
 * drifted from those of the float model: for layers all of whose predecessors are final, since a correction of drift that is
 * corrected upstream as well is one too many.
 */
export async function gatherLayers(
  quantized: Pick<Inserted, "model" | "layerInputs">,
  layers: ReadonlyMap<Node, Layer>,
  float: Model | undefined,
  options: LayerMomentOptions,
): Promise<ReadonlyMap<Node, readonly Moments[]>> {
  await using product = await openGram(options.open, options.threads);
  const gatherers = new Map<Node, MomentGatherer>();
  for (const [node, layer] of layers) {
    gatherers.set(node, gatherMoments(layer, product, positionsOf(layer, options)));
  }
  const inputs = [...layers].map(([node, layer]) => ({ node, x: layer.input, q: must(quantized.layerInputs, node) }));
  await using integers = await openProbe(quantized.model, distinct(inputs.map(({ q }) => q)), options);
  await using floats = float && (await openProbe(float, distinct(inputs.map(({ x }) => x)), options));
  const sizes = new Map<(typeof inputs)[number], number>();
  let batches = 0;
  for await (const feeds of options.batches()) {
    const read = (probe: Probe, values: readonly Value[]): Promise<Map<Value, Tensor>> =>
      probe.read(feeds, distinct(values));
    for (const chunk of chunksOf(inputs, sizes, options.memory)) {
      const q = await read(
        integers,
        chunk.map((input) => input.q),
      );
      const x =
        floats &&
        (await read(
          floats,
          chunk.map((input) => input.x),
        ));
      for (const input of chunk) {
        await must(gatherers, input.node).add(must(q, input.q), x?.get(input.x));
        sizes.set(input, 2 * bytesIn(must(q, input.q)));
      }
    }
    batches++;
    options.onBatch?.(batches);
  }
  if (batches === 0) throw noBatches();
  const found = new Map<Node, readonly Moments[]>();
  for (const [node, gatherer] of gatherers) {
    const moments = gatherer.moments();
    if (moments) found.set(node, moments);
  }
  return found;
}

function positionsOf({ columns }: Layer, { positionsPerInput, batchCount }: LayerMomentOptions): number {
  const wanted = Math.max(FEWEST_POSITIONS, columns * (positionsPerInput ?? POSITIONS_PER_INPUT));
  return Math.ceil(wanted / batchCount);
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
