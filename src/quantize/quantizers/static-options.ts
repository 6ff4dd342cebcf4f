/** @file Options of static quantization, their defaults, and how they apply to one node. */
import { type CaptureOptions, overriddenIn } from "../../calibration/index.ts";
import { type Model, type Node, type NodePattern, nodeMatcher } from "../../ir/index.ts";
import type { OptionNames } from "../../options.ts";
import type { ObserverName } from "../calibration/observers/index.ts";
import type { PlacementOptions } from "../placement/placement.ts";
import type { QuantizeEvent } from "../report.ts";
import type { RoundingName } from "../rounding/index.ts";
import { type NodeChoice, nodeChoice } from "../selection.ts";

export type StaticBits = 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** Settings that may differ from layer to layer. */
export interface LayerSettings {
  /** 7: half the range, for processors on which sums of two 8-bit products saturate. 4, 3 and 2 are stored as int4 (opset 21) and computed in floats. */
  readonly weightBits: StaticBits;
  readonly perChannel: boolean;
  readonly rounding: RoundingName;
  /** Of the layer's output. */
  readonly observer: ObserverName;
}

export interface StaticOptions extends Partial<LayerSettings>, NodeChoice {
  readonly open: CaptureOptions["open"];
  readonly calibration: CaptureOptions["batches"];
  readonly activation?: "uint8" | "int8";
  /** Of the 8 that activations are stored in; 8 by default. */
  readonly activationBits?: StaticBits;
  /** The first entry that matches a layer changes its settings. */
  readonly overrides?: readonly (Partial<LayerSettings> & { readonly nodes: readonly NodePattern[] })[];
  /** Moves each output's mean to where the float model has it; second-order rounding does so by itself. */
  readonly biasCorrection?: boolean;
  /** Scales channels between layers so that their weights have like ranges. */
  readonly equalization?: boolean;
  readonly shareConcat?: boolean;
  readonly floatTail?: boolean;
  /** Pads channels with zeros where ONNX Runtime's integer kernels have a slow remainder; exact. Default true. */
  readonly alignChannels?: boolean;
  /**
   * Second-order rounding and bias correction go from layer to layer, and each makes up for what the layers before it have done. Else all
   * layers look at once, each at its own error only: much faster, and better where calibration samples are few. Default false.
   */
  readonly sequential?: boolean;
  /** Positions that second-order rounding reads for each input of a layer, over all batches; default 32. */
  readonly positionsPerInput?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: QuantizeEvent) => void;
}

export const staticOptionsNames: OptionNames<StaticOptions> = {
  open: true,
  calibration: true,
  activation: true,
  activationBits: true,
  exclude: true,
  include: true,
  overrides: true,
  biasCorrection: true,
  equalization: true,
  shareConcat: true,
  floatTail: true,
  alignChannels: true,
  sequential: true,
  positionsPerInput: true,
  threads: true,
  signal: true,
  onEvent: true,
  weightBits: true,
  perChannel: true,
  rounding: true,
  observer: true,
};

export const staticDefaults = {
  weightBits: 8,
  perChannel: true,
  rounding: "nearest",
  observer: "min-max",
  activation: "uint8",
  shareConcat: true,
  floatTail: true,
  sequential: false,
  alignChannels: true,
} as const;

/** The settings of one node: staticDefaults, then the options, then the first override that names it. */
export function settingsOf(options: StaticOptions): (node: Node) => LayerSettings {
  const overrides = (options.overrides ?? []).map((entry) => ({ entry, matches: nodeMatcher(entry.nodes) }));
  const { weightBits, perChannel, rounding, observer } = { ...staticDefaults, ...definedOf(options) };
  const general = { weightBits, perChannel, rounding, observer };
  return (node) => {
    const found = overrides.find(({ matches }) => matches(node));
    return found ? { ...general, ...definedOf(found.entry) } : general;
  };
}

function definedOf<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** How the options apply to a model. */
export function placementOptions(options: StaticOptions, model: Model): PlacementOptions {
  const overridden = overriddenIn(model);
  const floatByName = nodeChoice(options);
  return {
    float: (node) => floatByName(node) ?? overridden(node),
    shareConcat: options.shareConcat ?? staticDefaults.shareConcat,
    floatTail: options.floatTail ?? staticDefaults.floatTail,
    foldClamps: true,
  };
}

export function captureOptions({ open, calibration, signal, threads }: StaticOptions): CaptureOptions {
  return { open, batches: calibration, signal, threads };
}
