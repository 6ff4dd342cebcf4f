/** @file Static int8: activations and weights are integers, ranges come from calibration. */

import { UnsupportedError, UsageError } from "../../errors.ts";
import { floatsOf, type Model, type Node, opsetOf, type Value } from "../../ir/index.ts";
import { alignChannels } from "../align-channels.ts";
import { calibrate, type Ranges } from "../calibrate.ts";
import type { CaptureOptions } from "../capture.ts";
import { equalize } from "../equalize.ts";
import { forgetTypes } from "../forget-types.ts";
import { type Insertion, insertQdq, type LayerConstants } from "../insert-qdq.ts";
import type { Layer } from "../layer.ts";
import { gatherLayers } from "../layer-moments.ts";
import { roundLayer } from "../matrices.ts";
import { type Observer, type ObserverName, observers } from "../observers/index.ts";
import { type Placement, type PlacementOptions, place } from "../placement.ts";
import type { LayerReport, Quantized, QuantizeEvent } from "../report.ts";
import { type Moments, type Rounding, type RoundingName, roundings } from "../rounding/index.ts";
import {
  bitsOf,
  type Granularity,
  groupParameters,
  type Limits,
  limitsOf,
  type Parameters,
  parametersOf,
  type Range,
  type Scheme,
} from "../scheme.ts";
import { labelOf, matcher, type NodePattern } from "../selection.ts";

/** Settings that may differ from layer to layer. */
export interface LayerSettings {
  /** 7: half the range, for processors on which sums of two 8-bit products saturate. */
  readonly weightBits: 8 | 7;
  readonly perChannel: boolean;
  readonly rounding: RoundingName;
  /** Of the layer's output. */
  readonly observer: ObserverName;
}

export interface StaticOptions extends Partial<LayerSettings> {
  readonly open: CaptureOptions["open"];
  readonly calibration: CaptureOptions["batches"];
  readonly activation?: "uint8" | "int8";
  /** Nodes that stay in floats. */
  readonly exclude?: readonly NodePattern[];
  /** Only these nodes are quantized; all that can be when absent. */
  readonly include?: readonly NodePattern[];
  /** The first entry that matches a layer changes its settings. */
  readonly overrides?: readonly (Partial<LayerSettings> & { readonly nodes: readonly NodePattern[] })[];
  /** Moves each output's mean to where the float model has it; second-order rounding does so by itself. */
  readonly biasCorrection?: boolean;
  /** Scales channels between layers so that their weights have like ranges. */
  readonly equalization?: boolean;
  readonly shareConcat?: boolean;
  readonly floatTail?: boolean;
  /** Pads channels with zeros where ONNX Runtime's integer kernels have a slow remainder. */
  readonly alignChannels?: boolean;
  /**
   * Second-order rounding and bias correction go from layer to layer, and each makes up for what the layers before it have done; else
   * all layers look at once, each at its own error only, which is faster.
   */
  readonly sequential?: boolean;
  /** Positions that second-order rounding reads for each input of a layer, over all batches; default 32. */
  readonly positionsPerInput?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: QuantizeEvent) => void;
}

const defaults = {
  weightBits: 8,
  perChannel: true,
  rounding: "nearest",
  observer: "min-max",
  activation: "uint8",
  shareConcat: true,
  floatTail: true,
  sequential: true,
} as const;

const SMALLEST_OPSET = 13;

/**
 * Quantizes what ONNX Runtime computes on integers to 8 bits, as QuantizeLinear/DequantizeLinear pairs around the operators.
 *
 * The function is approximate. BatchNormalization should be fused before. The result has the same inputs and outputs.
 *
 * @throws UnsupportedError below opset 13 and for a model that is quantized already, DataError without batches.
 */
export async function quantizeStatic(model: Model, options: StaticOptions): Promise<Quantized<Model>> {
  checkModel(model);
  const source = prepared(model, options);
  const placement = place(source.graph, placementOptions(options));
  const capture = captureOptions(options);
  const { ranges, batches } = await calibrate(source, placement.values, {
    ...capture,
    observer: observerOf(placement, options),
    onBatch: (batch) => options.onEvent?.({ type: "calibrate", batch }),
  });
  const parameters = activationParameters(placement, ranges, options);
  const schemes = layerSchemes(placement, parameters, options);
  const insertion = { placement, activation: options.activation ?? defaults.activation, parameters };
  const constants = await roundLayers({ source, insertion, schemes, capture, options, batchCount: batches });
  const result = insertQdq(source, { ...insertion, constants } satisfies Insertion);
  return { model: result.model, report: reportOf(placement, schemes, parameters, ranges, options) };
}

interface Work {
  readonly source: Model;
  readonly insertion: Omit<Insertion, "constants">;
  readonly schemes: ReadonlyMap<Node, LayerScheme>;
  readonly capture: CaptureOptions;
  readonly options: StaticOptions;
  readonly batchCount: number;
}

/** Rounds all layers; those whose rounding looks at the quantized model do so in turn, or all at once. */
async function roundLayers({ source, insertion, schemes, capture, options, batchCount }: Work) {
  const { layers } = insertion.placement;
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
  for (const stage of stagesOf(insertion.placement, options)) {
    const some = new Map(stage.map((node) => [node, layers.get(node)!]));
    const float = (options.sequential ?? defaults.sequential) ? source : undefined;
    const inserted = insertQdq(source, { ...insertion, constants });
    const moments = await gatherLayers(inserted, some, float, {
      ...capture,
      positionsPerInput: options.positionsPerInput,
      batchCount,
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
  if (!(options.sequential ?? defaults.sequential)) return looking.length === 0 ? [] : [looking];
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

function checkModel(model: Model): void {
  if (opsetOf(model) < SMALLEST_OPSET) {
    throw new UnsupportedError("per-channel QuantizeLinear needs a newer opset", {
      expected: `opset ${SMALLEST_OPSET} or later`,
      got: `${opsetOf(model)}`,
      hint: "Upgrade the model first.",
    });
  }
  const quantized = model.graph.nodes.find(({ opType }) => quantizedOperators.has(opType));
  if (quantized) {
    throw new UnsupportedError("the model is quantized already", {
      got: quantized.opType,
      where: `node ${JSON.stringify(labelOf(quantized))}`,
    });
  }
}

const quantizedOperators = new Set([
  "QuantizeLinear",
  "DequantizeLinear",
  "DynamicQuantizeLinear",
  "QLinearConv",
  "QLinearMatMul",
  "ConvInteger",
  "MatMulInteger",
  "MatMulNBits",
]);

function prepared(model: Model, { equalization, alignChannels: align, ...options }: StaticOptions): Model {
  const bare = forgetTypes(model);
  const equal = equalization ? equalize(bare) : bare;
  if (!align) return equal;
  const { float } = placementOptions(options);
  return alignChannels(equal, (node) => float(node) === undefined);
}

function placementOptions(options: Omit<StaticOptions, "equalization" | "alignChannels">): PlacementOptions {
  const excluded = matcher(options.exclude ?? []);
  const included = options.include && matcher(options.include);
  return {
    float(node) {
      if (excluded(node)) return "excluded by name";
      return included && !included(node) ? "not among the nodes to quantize" : undefined;
    },
    shareConcat: options.shareConcat ?? defaults.shareConcat,
    floatTail: options.floatTail ?? defaults.floatTail,
    foldClamps: true,
  };
}

function captureOptions({ open, calibration, signal, threads }: StaticOptions): CaptureOptions {
  return { open, batches: calibration, signal, threads };
}

/** The settings of one node: defaults, then the options, then the first override that names it. */
function settingsOf(options: StaticOptions): (node: Node) => LayerSettings {
  const overrides = (options.overrides ?? []).map((entry) => ({ entry, matches: matcher(entry.nodes) }));
  const { weightBits, perChannel, rounding, observer } = { ...defaults, ...definedOf(options) };
  const general = { weightBits, perChannel, rounding, observer };
  return (node) => {
    const found = overrides.find(({ matches }) => matches(node));
    return found ? { ...general, ...definedOf(found.entry) } : general;
  };
}

function definedOf<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function observerOf(placement: Placement, options: StaticOptions): (value: Value) => Observer {
  const settings = settingsOf(options);
  const byOutput = new Map<Value, ObserverName>();
  const clampOf = new Map([...placement.folded].map(([clamp, source]) => [source, clamp]));
  for (const node of [...placement.layers.keys(), ...placement.others.keys()]) {
    const output = (clampOf.get(node) ?? node).outputs[0];
    if (output) byOutput.set(output, settings(node).observer);
  }
  return (value) => {
    const name = byOutput.get(value) ?? options.observer ?? defaults.observer;
    const factory = observers[name];
    if (!factory) {
      const expected = Object.keys(observers).join(", ");
      throw new UsageError("there is no such observer", { expected, got: JSON.stringify(name) });
    }
    return factory({ levels: 256 });
  };
}

/** Values that share get the union of their ranges. */
function activationParameters(
  placement: Placement,
  ranges: Ranges,
  options: StaticOptions,
): ReadonlyMap<Value, Parameters> {
  const shared = new Map<Value, Range>();
  for (const value of placement.values) {
    const root = placement.representative(value);
    const range = ranges.get(value)!;
    const known = shared.get(root);
    shared.set(root, known ? { min: Math.min(known.min, range.min), max: Math.max(known.max, range.max) } : range);
  }
  const limits = activationLimits(options);
  return new Map(
    placement.values.map((value) => [value, parametersOf(shared.get(placement.representative(value))!, limits, false)]),
  );
}

function activationLimits({ activation = defaults.activation }: StaticOptions): Limits {
  return limitsOf({ dtype: activation, symmetric: false });
}

interface LayerScheme {
  readonly scheme: Scheme;
  readonly parameters: readonly Parameters[];
  readonly settings: LayerSettings;
}

function layerSchemes(
  { layers }: Placement,
  activations: ReadonlyMap<Value, Parameters>,
  options: StaticOptions,
): ReadonlyMap<Node, LayerScheme> {
  const settings = settingsOf(options);
  return new Map(
    [...layers].map(([node, layer]) => {
      const own = settings(node);
      const granularity: Granularity = own.perChannel
        ? { kind: "channel", axis: layer.channelAxis }
        : { kind: "tensor" };
      const scheme: Scheme = { dtype: "int8", symmetric: true, granularity, reducedRange: own.weightBits === 7 };
      const found = groupParameters(floatsOf(layer.weightTensor), layer.weightTensor.dims, scheme);
      const parameters = roomForBias(layer, found, activations.get(layer.input)!.scale);
      return [node, { scheme, parameters, settings: own }];
    }),
  );
}

/** Enlarges scales under which the bias would not fit into 32 bits. */
function roomForBias({ biasTensor }: Layer, parameters: readonly Parameters[], inputScale: number): Parameters[] {
  const biases = biasTensor ? floatsOf(biasTensor) : new Float32Array(0);
  const greatest =
    parameters.length === 1 ? [biases.reduce((a, b) => Math.max(a, Math.abs(b)), 0)] : biases.map(Math.abs);
  return parameters.map(({ scale, zeroPoint }, i) => {
    const least = ((greatest[i] ?? 0) * 2 * 1.0001) / (inputScale * (2 ** 32 - 2));
    return { scale: Math.fround(Math.max(scale, least)), zeroPoint };
  });
}

function reportOf(
  placement: Placement,
  schemes: ReadonlyMap<Node, LayerScheme>,
  parameters: ReadonlyMap<Value, Parameters>,
  ranges: Ranges,
  { weightBits }: StaticOptions,
) {
  const layers: LayerReport[] = [];
  for (const [node] of placement.layers) {
    const own = schemes.get(node)!;
    const scales = own.parameters.map(({ scale }) => scale);
    const outputScale = node.outputs[0] && parameters.get(node.outputs[0])?.scale;
    layers.push({
      node: labelOf(node),
      opType: node.opType,
      quantized: true,
      bits: own.settings.weightBits ?? weightBits ?? bitsOf(own.scheme.dtype),
      granularity: own.scheme.granularity.kind,
      rounding: own.settings.rounding,
      weightScale: { min: Math.min(...scales), max: Math.max(...scales) },
      ...(outputScale === undefined ? {} : { outputScale }),
    });
  }
  for (const [node] of placement.others) layers.push({ node: labelOf(node), opType: node.opType, quantized: true });
  for (const [node, reason] of placement.skipped) {
    layers.push({ node: labelOf(node), opType: node.opType, quantized: false, reason });
  }
  return {
    form: "static" as const,
    layers,
    ranges: new Map([...ranges].map(([value, range]) => [value.name, range])),
  };
}
