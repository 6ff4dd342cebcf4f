/** @file One cycle up and down: Smith and Topin, "Super-convergence" (2017), arXiv:1708.07120; as torch's OneCycleLR (cosine). */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkShare, type Schedule } from "./schedule.ts";

export interface OneCycleOptions {
  /** The share of the run in which the rate rises. */
  readonly rise?: number;
  /** The first rate is the highest divided by this. */
  readonly startDivisor?: number;
  /** The last rate is the first divided by this. */
  readonly endDivisor?: number;
}

const oneCycleOptionsNames: OptionNames<OneCycleOptions> = { rise: true, startDivisor: true, endDivisor: true };

/** From 1/startDivisor to 1, then to 1/(startDivisor·endDivisor), both along a cosine. */
export function oneCycle(options: OneCycleOptions = {}): Schedule {
  const { rise = 0.3, startDivisor = 25, endDivisor = 1e4 } = checkOptions(options, oneCycleOptionsNames);
  checkShare("rise", rise);
  const [start, end] = [1 / startDivisor, 1 / (startDivisor * endDivisor)];
  const between = (from: number, to: number, share: number) => to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
  return (step, total) => {
    const peak = rise * total - 1;
    if (step <= peak && peak > 0) return between(start, 1, step / peak);
    return between(1, end, Math.min(1, (step - peak) / Math.max(1, total - 1 - peak)));
  };
}

member(oneCycle, { rise: number(), startDivisor: number(), endDivisor: number() });
