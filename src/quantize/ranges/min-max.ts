/**
 * @file Ranges from least and greatest values: of weights as they are, of activations by moving averages. Jacob et al., "Quantization and
 * Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018), arXiv:1712.05877.
 */
import { numbersOf, scalar, type Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { StepBuilder } from "../../train/index.ts";
import { symmetricSteps } from "../scheme.ts";
import type { LearnedRange, LearningRange, RangeSite } from "./range.ts";
import { checkShare } from "./settings.ts";

export interface MinMaxRangeOptions {
  /** c of r ← r + c (batch − r) on both ends of an activation's range; 0.01 by default. */
  readonly rate?: number;
}

const minMaxRangeOptionsNames: OptionNames<MinMaxRangeOptions> = { rate: true };

/** The smallest width of a range, so that a scale is never 0. */
const NARROWEST = 1e-12;

/** No gradient goes to a range: rounding is passed straight through where a value lies inside of it. */
export function minMaxRange(options: MinMaxRangeOptions = {}): LearnedRange {
  const { rate = 0.01 } = checkOptions(options, minMaxRangeOptionsNames);
  checkShare("rate", rate);
  return {
    name: "min-max",
    settings: { rate },
    learn: (g, site) => (site.role === "weight" ? greatestWeight(g, site) : movingEnds(g, site, rate)),
  };
}

/** s = 2 max|w| / `symmetricSteps`, of each channel where each has a scale. */
export function greatestWeight(g: StepBuilder, { sources, limits, axis, scale }: RangeSite): LearningRange {
  const [weight] = sources;
  const rank = weight.type?.kind === "tensor" ? (weight.type.dims?.length ?? 0) : 0;
  const axes = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
  const greatest = g.op("ReduceMax", [g.abs(weight), g.ints(axes)], { keepdims: 0 });
  const width = g.mul(g.max(greatest, NARROWEST), 2 / symmetricSteps(limits));
  return { scale: sameForm(g, width, scale.dims), isFixed: true, parameters: [], statistics: [] };
}

/** A scalar as [1] where the scale is written so. */
function sameForm(g: StepBuilder, x: Value, dims: readonly number[]): Value {
  return dims.length === 1 && dims[0] === 1 ? g.reshape(x, [1]) : x;
}

/** Quantized with the ends that the batches before have left; both include zero, which is exact. */
function movingEnds(g: StepBuilder, site: RangeSite, rate: number): LearningRange {
  const { low, high } = site.limits;
  const [calibrated = 1] = numbersOf(site.scale);
  const end = (name: string, integer: number) =>
    g.constant(`${site.name}/${name}`, scalar("float32", (integer - site.zeroPoint) * calibrated));
  const [least, most] = [end("least", low), end("most", high)];
  const scale = g.div(g.max(g.sub(most, least), NARROWEST), high - low);
  const zeroPoint = g.min(g.max(g.sub(low, g.op("Round", [g.div(least, scale)])), low), high);
  const moved = (h: StepBuilder, before: Value, ends: readonly Value[], wider: (a: Value, b: Value) => Value) => {
    const batch = ends.reduce(wider, h.number(0, "float32"));
    return h.add(before, h.mul(h.sub(batch, before), rate));
  };
  const extremes = (h: StepBuilder, opType: "ReduceMin" | "ReduceMax") =>
    site.sources.map((x) => h.op(opType, [x, undefined], { keepdims: 0 }));
  return {
    scale: sameForm(g, scale, site.scale.dims),
    isFixed: true,
    zeroPoint,
    parameters: [],
    statistics: [
      { value: least, next: (h) => moved(h, least, extremes(h, "ReduceMin"), h.min) },
      { value: most, next: (h) => moved(h, most, extremes(h, "ReduceMax"), h.max) },
    ],
  };
}
