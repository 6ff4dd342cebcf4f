/** @file Weight-only: weights have 8, 4 or 2 bits, computation stays in floats (or is up to the kernel). */
import {
  type CaptureOptions,
  isRecurrent,
  isWeighted,
  joinedMoments,
  type Moments,
  overriddenIn,
  weightsIn,
} from "../../calibration/index.ts";
import { must } from "../../checked.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import {
  allGraphs,
  checkPatterns,
  type Draft,
  labelOf,
  type Model,
  maxOf,
  minOf,
  type Node,
  opsetOf,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { convertFloat16 } from "../../passes/index.ts";
import { checkNotQuantized } from "../already-quantized.ts";
import { gatherLayers } from "../calibration/layer-moments.ts";
import { editWithStore, type Store } from "../qdq/constant-store.ts";
import { sharedBy } from "../qdq/sharing.ts";
import { withoutUnread } from "../qdq/unread.ts";
import type { LayerReport, Quantized, QuantizeEvent } from "../report.ts";
import { roundGroups } from "../rounding/block-rounding.ts";
import { type BlockRoundingName, blockRoundings, looksAtInputs } from "../rounding/index.ts";
import { type NodeChoice, nodeChoice } from "../selection.ts";
import { replaceLookup, type TableLookup, tableLookup } from "../weights/tables.ts";
import { type BlockedMatrix, type BlockLayout, checkLayout, type WeightBits } from "../weights/weight-blocks.ts";
import { recurrentTargets } from "./recurrent-formats.ts";
import { type WeightFormat, type WeightTarget, weightTarget } from "./weight-formats.ts";

export interface WeightOnlyOptions extends NodeChoice {
  /** Default 4. Recurrent weights have 8, as errors of each step add up in their state. */
  readonly bits?: WeightBits;
  /** Inputs that share a scale; default 32. */
  readonly blockSize?: BlockLayout["size"];
  /** Default false: each block has a zero point of its own. */
  readonly symmetric?: boolean;
  /**
   * `matmul-nbits`: MatMul and Gemm become com.microsoft.MatMulNBits, embeddings GatherBlockQuantized; `dequantize`: a DequantizeLinear
   * before the operator, in blocks for matrices (opset 21) and per channel for convolutions. Convolutions and stacked matrices take
   * the second form in either case. Default `matmul-nbits`.
   */
  readonly format?: WeightFormat;
  /** Convolutions too: smaller, and slower, as weights are dequantized in every run. Default false. */
  readonly convolutions?: boolean;
  /** All but `nearest` and `hqq` need `open` and `calibration`. Default `nearest`. */
  readonly rounding?: BlockRoundingName;
  /** What everything else is computed in, MatMulNBits' activations and scales included. Default `float32`. */
  readonly rest?: "float32" | "float16";
  /** Of MatMulNBits: 4 computes on activations rounded to int8, 0 in float32. Default 4. */
  readonly accuracyLevel?: 0 | 1 | 2 | 3 | 4;
  readonly open?: CaptureOptions["open"];
  readonly calibration?: CaptureOptions["batches"];
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: QuantizeEvent) => void;
}

const weightOnlyOptionsNames: OptionNames<WeightOnlyOptions> = {
  bits: true,
  blockSize: true,
  symmetric: true,
  format: true,
  convolutions: true,
  rounding: true,
  accuracyLevel: true,
  rest: true,
  open: true,
  calibration: true,
  exclude: true,
  include: true,
  threads: true,
  signal: true,
  onEvent: true,
};

/**
 * Stores the weights of MatMul, Gemm, Gather and recurrent layers, and of Conv when asked, in few bits, in branches and loops too. Inputs of layers there
 * cannot be observed, so their rounding is `nearest`, or `hqq`.
 *
 * @throws UsageError for a layout that no kernel has and for a rounding that looks at inputs without data; UnsupportedError below the
 * opset that the format needs and for a model that is quantized already.
 */
export async function quantizeWeights(model: Model, options: WeightOnlyOptions = {}): Promise<Quantized<Model>> {
  checkOptions(options, weightOnlyOptionsNames);
  checkNotQuantized(model);
  const layout: BlockLayout = {
    bits: options.bits ?? 4,
    size: options.blockSize ?? 32,
    symmetric: options.symmetric ?? false,
  };
  checkLayout(layout);
  const format = options.format ?? "matmul-nbits";
  checkOpset(model, format, options);
  checkPatterns(model.graph, { exclude: options.exclude, include: options.include });
  const { targets, tables, reports } = choose(model, layout, options);
  const moments = await momentsOf(model, targets, options);
  const byNode = new Map(targets.map(({ node }) => [node, targets.filter((target) => target.node === node)]));
  const rounded = roundedMatrices(targets, { layout, options, moments });
  const result = editWithStore(model, (draft, store) => {
    for (const node of draft.graph.nodes) {
      const table = tables.get(node);
      if (table) reports.push(replaceLookup(draft, store, table, 8));
      const [first] = (byNode.get(node) ?? []).map((target) => write(draft, store, target, rounded(target)));
      if (first) reports.push(first);
    }
  });
  const opsets = new Map(result.opsets);
  if (targets.some(({ domain }) => domain === "com.microsoft")) opsets.set("com.microsoft", 1);
  const stored = withoutUnread({ ...result, opsets });
  const written = options.rest === "float16" ? (await convertFloat16().run(stored)).model : stored;
  return { model: written, report: { form: "weight-only", layers: reports } };
}

function checkOpset(model: Model, format: WeightFormat, { convolutions, bits = 4 }: WeightOnlyOptions): void {
  const least = format === "dequantize" || (convolutions && bits < 8) ? 21 : 13;
  if (opsetOf(model) >= least) return;
  throw new UnsupportedError("DequantizeLinear in this form needs a newer opset", {
    expected: `opset ${least} or later`,
    got: `${opsetOf(model)}`,
    hint: "Upgrade the model first.",
  });
}

interface Chosen {
  readonly targets: WeightTarget[];
  /** Lookups in tables that the format stores by rows. */
  readonly tables: Map<Node, TableLookup>;
  readonly reports: LayerReport[];
}

function choose(model: Model, { bits }: BlockLayout, options: WeightOnlyOptions): Chosen {
  const { format = "matmul-nbits", convolutions = false, accuracyLevel = 4 } = options;
  const floatByName = nodeChoice(options);
  const targets: WeightTarget[] = [];
  const tables = new Map<Node, TableLookup>();
  const reports: LayerReport[] = [];
  const constant = weightsIn(model.graph);
  const overridden = overriddenIn(model);
  const opset = opsetOf(model);
  for (const node of [...allGraphs(model.graph)].flatMap(({ nodes }) => nodes)) {
    if (!isWeighted(node) && node.opType !== "Gather") continue;
    const reason = floatByName(node) ?? overridden(node);
    const table = format === "dequantize" ? tableLookup(constant, node) : undefined;
    const own = { format, convolutions, accuracyLevel, bits, opset };
    const found =
      reason !== undefined
        ? { reason }
        : isRecurrent(node)
          ? recurrentTargets(constant, node, own)
          : (table ?? weightTarget(constant, node, own));
    if ("reason" in found) {
      reports.push({ node: labelOf(node), opType: node.opType, quantized: false, reason: found.reason });
    } else if ("table" in found) tables.set(node, found);
    else for (const target of [found].flat()) targets.push(target);
  }
  return { targets, tables, reports };
}

/** Moments of the layers' inputs in the float model, when the rounding needs them. */
async function momentsOf(model: Model, targets: readonly WeightTarget[], options: WeightOnlyOptions) {
  const { open, calibration, signal, threads, rounding = "nearest" } = options;
  if (!looksAtInputs(rounding)) return undefined;
  if (!open || !calibration) {
    throw new UsageError(`${rounding} rounding looks at inputs`, {
      expected: "open and calibration",
      got: "neither or one",
    });
  }
  const outermost = new Set(model.graph.nodes);
  const observed = targets.filter(({ node }) => outermost.has(node));
  const layers = new Map(observed.flatMap(({ node, layer }) => (layer ? [[node, layer] as const] : [])));
  if (layers.size === 0) return undefined;
  const layerInputs = new Map([...layers].map(([node, { input }]) => [node, input]));
  let batchCount = 0;
  for await (const _ of calibration()) batchCount++;
  const capture = { open, batches: calibration, signal, threads, batchCount: Math.max(1, batchCount) };
  return gatherLayers({ model, layerInputs }, layers, undefined, {
    ...capture,
    onBatch: (batch) => options.onEvent?.({ type: "moments", batch, layers: layers.size }),
  });
}

interface RoundContext {
  readonly layout: BlockLayout;
  readonly options: WeightOnlyOptions;
  readonly moments: ReadonlyMap<Node, readonly Moments[]> | undefined;
}

interface RoundedMatrix {
  readonly matrix: BlockedMatrix;
  readonly rounding: BlockRoundingName;
}

/** Rounds each matrix once: nodes that read the same weights in the same way share it, and their inputs count together. */
function roundedMatrices(
  targets: readonly WeightTarget[],
  { layout, options, moments }: RoundContext,
): (target: WeightTarget) => RoundedMatrix {
  const groups = sharedBy(
    targets,
    ({ source }) => source,
    ({ reading, layout: laidOut }) => `${reading} ${JSON.stringify(laidOut(layout))}`,
  );
  const made = new Map<readonly WeightTarget[], RoundedMatrix>();
  return (target) => {
    const group = must(groups, target);
    const known = made.get(group);
    if (known) return known;
    const joined = joinedMoments(group.flatMap(({ node }) => (moments?.has(node) ? [must(moments, node)] : [])));
    const { rounding = "nearest" } = options;
    const name = joined || !looksAtInputs(rounding) ? rounding : "nearest";
    const matrix = roundGroups(
      target.matrix,
      target.layer?.groups ?? 1,
      target.layout(layout),
      blockRoundings[name](),
      joined,
    );
    const result = { matrix, rounding: name };
    if (group.length > 1) made.set(group, result);
    return result;
  };
}

function write(draft: Draft, store: Store, target: WeightTarget, { matrix, rounding }: RoundedMatrix): LayerReport {
  const { node, layer } = target;
  const { bits, size } = matrix.layout;
  target.write(draft, store, matrix);
  const scales = matrix.scales.map(Math.abs);
  return {
    node: labelOf(node),
    opType: node.opType,
    quantized: true,
    bits,
    granularity: size === layer?.columns ? "channel" : `blocks of ${size}`,
    rounding,
    weightScale: { min: minOf(scales), max: maxOf(scales) },
  };
}
