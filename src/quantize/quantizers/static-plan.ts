/** @file What static quantization will do: placement, ranges, scales; all but the integers. */
import { isStacked, type Layer } from "../../calibration/index.ts";
import { must, nth } from "../../checked.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import {
  floatsOf,
  forgetTypes,
  labelOf,
  type Model,
  type Node,
  opsetOf,
  storedConstants,
  type Value,
} from "../../ir/index.ts";
import { checkNotQuantized } from "../already-quantized.ts";
import { calibrate, type Ranges } from "../calibration/calibrate.ts";
import { type Observer, type ObserverName, observers } from "../calibration/observers/index.ts";
import { type Placement, place } from "../placement/placement.ts";
import { sharedBy } from "../qdq/sharing.ts";
import {
  type Granularity,
  groupParameters,
  type Limits,
  limitsOf,
  type Parameters,
  parametersOf,
  type Range,
  type Scheme,
} from "../scheme.ts";
import { alignChannels } from "../weights/align-channels.ts";
import { equalize } from "../weights/equalize.ts";
import {
  captureOptions,
  type LayerSettings,
  placementOptions,
  type StaticOptions,
  settingsOf,
  staticDefaults,
} from "./static-options.ts";

/** Everything but the integers. */
export interface StaticPlan {
  /** The model after equalization and padding; nodes and values of the plan are its own. */
  readonly source: Model;
  readonly placement: Placement;
  readonly ranges: Ranges;
  /** Of the activations. */
  readonly parameters: ReadonlyMap<Value, Parameters>;
  readonly schemes: ReadonlyMap<Node, LayerScheme>;
  /** Layers with equal weights and schemes, by each of them. */
  readonly sharing: ReadonlyMap<Node, readonly Node[]>;
  readonly activation: "uint8" | "int8";
  readonly activationBits: number | undefined;
  /** Number of calibration batches. */
  readonly batches: number;
}

export interface LayerScheme {
  readonly scheme: Scheme;
  readonly parameters: readonly Parameters[];
  readonly settings: LayerSettings;
}

/**
 * Prepares, places and calibrates.
 *
 * @throws UnsupportedError below opset 13 and for a model that is quantized already, DataError without batches.
 */
export async function staticPlan(model: Model, options: StaticOptions): Promise<StaticPlan> {
  checkModel(model);
  checkBits(options);
  const source = prepared(model, options);
  const placement = place(source.graph, placementOptions(options, source));
  const { ranges, batches } = await calibrate(source, placement.values, {
    ...captureOptions(options),
    observer: observerOf(placement, options),
    onBatch: (batch) => options.onEvent?.({ type: "calibrate", batch }),
  });
  const parameters = activationParameters(placement, ranges, options);
  const { schemes, sharing } = layerSchemes(placement, parameters, options, opsetOf(source));
  const { activation = staticDefaults.activation, activationBits } = options;
  return { source, placement, ranges, parameters, schemes, sharing, activation, activationBits, batches };
}

/** @throws UsageError for bits that no form has */
function checkBits({ weightBits, activationBits, overrides = [] }: StaticOptions): void {
  for (const given of [weightBits, activationBits, ...overrides.map((entry) => entry.weightBits)]) {
    if (given === undefined || (Number.isInteger(given) && given >= 2 && given <= 8)) continue;
    throw new UsageError("static quantization has no such number of bits", {
      expected: "2, 3, 4, 5, 6, 7 or 8",
      got: String(given),
    });
  }
}

const SMALLEST_OPSET = 13;

function checkModel(model: Model): void {
  checkNotQuantized(model);
  if (opsetOf(model) < SMALLEST_OPSET) {
    throw new UnsupportedError("per-channel QuantizeLinear needs a newer opset", {
      expected: `opset ${SMALLEST_OPSET} or later`,
      got: `${opsetOf(model)}`,
      hint: "Upgrade the model first.",
    });
  }
}

function prepared(model: Model, options: StaticOptions): Model {
  const { equalization = false, alignChannels: align = staticDefaults.alignChannels } = options;
  const bare = forgetTypes(storedConstants(model));
  const equal = equalization ? equalize(bare) : bare;
  if (!align) return equal;
  const { float } = placementOptions(options, equal);
  return alignChannels(equal, (node) => float(node) === undefined);
}

function observerOf(placement: Placement, options: StaticOptions): (value: Value) => Observer {
  const { low, high } = activationLimits(options);
  const levels = high - low + 1;
  const settings = settingsOf(options);
  const byOutput = new Map<Value, ObserverName>();
  const clampOf = new Map([...placement.folded].map(([clamp, source]) => [source, clamp]));
  for (const node of [...placement.layers.keys(), ...placement.others.keys()]) {
    const output = (clampOf.get(node) ?? node).outputs[0];
    if (output) byOutput.set(output, settings(node).observer);
  }
  return (value) => {
    const name = byOutput.get(value) ?? options.observer ?? staticDefaults.observer;
    const factory = observers[name];
    if (!factory) {
      const expected = Object.keys(observers).join(", ");
      throw new UsageError("there is no such observer", { expected, got: JSON.stringify(name) });
    }
    return factory({ levels });
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
    const range = must(ranges, value);
    const known = shared.get(root);
    shared.set(root, known ? { min: Math.min(known.min, range.min), max: Math.max(known.max, range.max) } : range);
  }
  const limits = activationLimits(options);
  return new Map(
    placement.values.map((value) => [
      value,
      parametersOf(must(shared, placement.representative(value)), limits, false),
    ]),
  );
}

function activationLimits({ activation = staticDefaults.activation, activationBits }: StaticOptions): Limits {
  return limitsOf({ dtype: activation, symmetric: false, bits: activationBits });
}

/** Layers with equal weights get the same scheme and scales, so that the weights are stored once. */
function layerSchemes(
  { layers }: Placement,
  activations: ReadonlyMap<Value, Parameters>,
  options: StaticOptions,
  opset: number,
): Pick<StaticPlan, "schemes" | "sharing"> {
  const settings = settingsOf(options);
  const own = new Map(
    [...layers].map(([node, layer]) => [
      node,
      layerScheme(layer, settings(node), must(activations, layer.input).scale, opset),
    ]),
  );
  const sharing = sharedBy(
    layers.keys(),
    (node) => must(layers, node).weightTensor,
    (node) => {
      const { scheme, settings: chosen, isWidened } = must(own, node);
      return JSON.stringify([scheme, chosen.rounding, must(layers, node).groups, isWidened ? labelOf(node) : ""]);
    },
  );
  const schemes = new Map(
    [...own].map(([node, { scheme, settings: chosen }]) => {
      const parameters = widest(must(sharing, node).map((member) => must(own, member).parameters));
      return [node, { scheme, settings: chosen, parameters }];
    }),
  );
  return { schemes, sharing };
}

/** Growth of a scale for the sake of a bias up to which layers with equal weights still share them. */
const SHARED_GROWTH = 2;

function layerScheme(layer: Layer, settings: LayerSettings, inputScale: number, opset: number) {
  // ONNX Runtime 1.30 refuses QLinearMatMul with scales per channel of stacked matrices, when it runs.
  const granularity: Granularity =
    settings.perChannel && !isStacked(layer) ? { kind: "channel", axis: layer.channelAxis } : { kind: "tensor" };
  const scheme: Scheme = { ...storageOf(settings.weightBits, opset), symmetric: true, granularity };
  const found = groupParameters(floatsOf(layer.weightTensor), layer.weightTensor.dims, scheme);
  const parameters = roomForBias(layer, found, inputScale);
  const isWidened = parameters.some(({ scale }, i) => scale > SHARED_GROWTH * nth(found, i).scale);
  return { scheme, settings, parameters, isWidened };
}

/** The opset from which on there are integers of 4 bits, in which fewer are stored too. */
const HALF_BYTES = 21;

function storageOf(weightBits: number, opset: number): Pick<Scheme, "dtype" | "reducedRange" | "bits"> {
  if (weightBits >= 7) return { dtype: "int8", reducedRange: weightBits === 7 };
  return { dtype: weightBits <= 4 && opset >= HALF_BYTES ? "int4" : "int8", bits: weightBits };
}

function widest(candidates: readonly (readonly Parameters[])[]): readonly Parameters[] {
  const [first = []] = candidates;
  if (candidates.length < 2) return first;
  return first.map((parameters, i) => ({
    ...parameters,
    scale: candidates.reduce((most, other) => Math.max(most, nth(other, i).scale), 0),
  }));
}

/** Enlarges scales under which the bias would not fit into 32 bits. */
export function roomForBias(
  { biasTensor }: Layer,
  parameters: readonly Parameters[],
  inputScale: number,
): Parameters[] {
  const biases = biasTensor ? floatsOf(biasTensor) : new Float32Array(0);
  const greatest =
    parameters.length === 1 ? [biases.reduce((a, b) => Math.max(a, Math.abs(b)), 0)] : biases.map(Math.abs);
  return parameters.map(({ scale, zeroPoint }, i) => {
    const least = ((greatest[i] ?? 0) * 2 * 1.0001) / (inputScale * (2 ** 32 - 2));
    return { scale: Math.fround(Math.max(scale, least)), zeroPoint };
  });
}
