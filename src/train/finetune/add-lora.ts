/** @file New low-rank adapters: Hu et al., "LoRA" (2021), arXiv:2106.09685. */
import { nth } from "../../checked.ts";
import { random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { type Model, scalar, sizeOf, storedWeights, type Tensor, tensor, wildcard } from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { applyLora } from "./apply-lora.ts";
import { type LoraSite, loraSites } from "./lora-sites.ts";
import { loraSuffixes } from "./lora-tensors.ts";

export interface LoraOptions {
  /** r, the inner length of every adapter. */
  readonly rank: number;
  /** α: the adapters are scaled by α/r. r when absent. */
  readonly alpha?: number;
  /** Names of weights (initializers), `*` standing for any run of characters; all that can carry an adapter when absent. */
  readonly weights?: readonly string[];
  /** Names of weights that carry none whatever `weights` says, such as that of a new head, which is trained as a whole. */
  readonly except?: readonly string[];
  /** Decides the initial values of the first factors. */
  readonly seed?: number;
}

export interface WithLora {
  readonly model: Model;
  /** The factors: what `trainable` should name. */
  readonly parameters: readonly string[];
}

const loraOptionsNames: OptionNames<LoraOptions> = { rank: true, alpha: true, weights: true, except: true, seed: true };

/**
 * Adds W + (α/r)·A·B to weights of MatMul, Gemm and Conv (without groups) by computing the second term beside the layer, so that
 * only the small factors have to be trained. A is uniform within 1/√fan-in, B is zero: the model computes at first what it did.
 * For rows x of a MatMul with W [in, out], A is [in, r] and B [r, out]; for Conv, A [r, in, …] has the kernel and B is 1×1.
 *
 * @throws UsageError for a rank that is not a whole number of at least 1, and where a pattern or the whole model has no weight that can carry an adapter.
 */
export function addLora(model: Model, options: LoraOptions): WithLora {
  const { rank, alpha = rank, weights, except = [], seed = 0 } = checkOptions(options, loraOptionsNames);
  checkCount("the rank of an adapter", rank);
  const source = storedWeights(model);
  const possible = loraSites(inferShapes(source).graph).filter(({ weight }) => !except.includes(weight.name));
  const sites = chosenSites(possible, weights);
  const drawing = random(seed, ADAPTERS);
  const tensors = new Map<string, Tensor>();
  for (const { weight, tensor: matrix, nodes, layer } of sites) {
    const { down, up, fanIn } = layer.shape(nth(nodes, 0), matrix.dims, rank)!;
    const drawn = new Float32Array(sizeOf(down)).map(() => (2 * drawing.uniform() - 1) / Math.sqrt(fanIn));
    tensors.set(weight.name + loraSuffixes.down, tensor("float32", down, drawn));
    tensors.set(weight.name + loraSuffixes.up, tensor("float32", up, new Float32Array(sizeOf(up))));
    tensors.set(weight.name + loraSuffixes.scale, scalar("float32", alpha / rank));
  }
  const parameters = [...tensors.keys()].filter((name) => !name.endsWith(loraSuffixes.scale));
  return { model: applyLora(source, tensors), parameters };
}

/** The stream of random numbers. */
const ADAPTERS = 0x10ca;

function chosenSites(sites: readonly LoraSite[], patterns: readonly string[] | undefined): readonly LoraSite[] {
  const named = (pattern: string) => sites.filter(({ weight }) => wildcard(pattern)(weight.name));
  const expected = sites.slice(0, 20).map(({ weight }) => weight.name);
  const unknown = patterns?.find((pattern) => named(pattern).length === 0);
  const chosen = patterns ? sites.filter((site) => patterns.some((pattern) => named(pattern).includes(site))) : sites;
  if (unknown === undefined && chosen.length > 0) return chosen;
  throw new UsageError("there is no weight that could carry an adapter", {
    expected: expected.join(", ") || "a MatMul, Gemm or Conv over a float32 initializer",
    got: unknown === undefined ? "none" : JSON.stringify(unknown),
  });
}
