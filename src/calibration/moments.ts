/** @file Second moments of layers' inputs, gathered from the float model and from a quantized one on the same batches. */
import { nth } from "../checked.ts";
import type { Tensor } from "../ir/index.ts";
import type { GramProduct } from "./gram.ts";
import type { Layer } from "./layer.ts";
import { type Patches, patchesOf } from "./patches.ts";

/** Second moments of a layer's inputs over calibration patches, of one group. */
export interface Moments {
  /** E[x̂ x̂ᵀ], row-major; x̂ are the inputs as the changed model computes them, with a constant 1 as last feature. */
  readonly gram: Float64Array;
  /** E[(x − x̂) x̂ᵀ] where x are the inputs of the original. Absent: they are the same. */
  readonly drift?: Float64Array;
}

export interface MomentGatherer {
  /** Adds a batch: the inputs in the quantized model, and in the float model (absent: the same). */
  add(quantized: Tensor, float?: Tensor): Promise<void>;
  /** Moments of each group; `undefined` when nothing was added. */
  moments(): Moments[] | undefined;
  /** Why nothing can be gathered for this layer. */
  readonly reason: string | undefined;
}

/** Sums over `positions` positions spread evenly over each batch. */
export function gatherMoments(layer: Layer, product: GramProduct, positions: number): MomentGatherer {
  const n = layer.columns + 1;
  const size = layer.groups * n * n;
  const gram = new Float64Array(size);
  let drift: Float64Array | undefined;
  let count = 0;
  let reason: string | undefined;

  return {
    async add(quantized, float) {
      const seen = patchesOf(layer, quantized);
      const meant = float ? patchesOf(layer, float) : undefined;
      if (typeof seen === "string" || typeof meant === "string") {
        reason = typeof seen === "string" ? seen : (meant as string);
        return;
      }
      const taken = Math.min(positions, seen.count);
      const x = sampled(layer, seen, taken);
      accumulate(gram, await product.multiply(x, x, layer.groups, taken, n));
      if (meant) {
        const d = sampled(layer, meant, taken);
        for (let i = 0; i < d.length; i++) d[i]! -= x[i]!;
        drift ??= new Float64Array(size);
        accumulate(drift, await product.multiply(d, x, layer.groups, taken, n));
      }
      count += taken;
    },
    moments() {
      if (count === 0) return undefined;
      const part = (sum: Float64Array, group: number): Float64Array =>
        sum.subarray(group * n * n, (group + 1) * n * n).map((value) => value / count);
      return Array.from({ length: layer.groups }, (_, group) => ({
        gram: part(gram, group),
        ...(drift ? { drift: part(drift, group) } : {}),
      }));
    },
    get reason() {
      return reason;
    },
  };
}

/** `groups × taken × n`: patches spread evenly, each with a 1 at its end. */
function sampled({ groups, columns }: Layer, patches: Patches, taken: number): Float32Array {
  const n = columns + 1;
  const rows = new Float32Array(groups * taken * n);
  for (let group = 0; group < groups; group++) {
    for (let i = 0; i < taken; i++) {
      const at = (group * taken + i) * n;
      patches.read(Math.floor(((i + 0.5) * patches.count) / taken), group, rows, at);
      rows[at + columns] = 1;
    }
  }
  return rows;
}

function accumulate(sum: Float64Array, part: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
}

/** The moments of inputs that go through the same weights, by group: each layer counts alike. `undefined` for none. */
export function joinedMoments(layers: readonly (readonly Moments[])[]): readonly Moments[] | undefined {
  const [first] = layers;
  if (!first || layers.length === 1) return first;
  return first.map((_, group) => {
    const own = layers.map((moments) => nth(moments, group));
    const drifts = own.flatMap(({ drift }) => drift ?? []);
    return {
      gram: meanOf(own.map(({ gram }) => gram)),
      ...(drifts.length === own.length && { drift: meanOf(drifts) }),
    };
  });
}

function meanOf(parts: readonly Float64Array[]): Float64Array {
  return nth(parts, 0).map((_, i) => parts.reduce((sum, part) => sum + part[i]!, 0) / parts.length);
}
