/** @file Cosine annealing without restarts: Loshchilov and Hutter, "SGDR" (2016), arXiv:1608.03983; as torch's CosineAnnealingLR. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkShare, type Schedule } from "./schedule.ts";

export interface CosineOptions {
  /** The rate at the end, as a share of the first one. */
  readonly floor?: number;
}

const cosineOptionsNames: OptionNames<CosineOptions> = { floor: true };

/** floor + (1 − floor)·(1 + cos(π·step/total))/2. */
export function cosine(options: CosineOptions = {}): Schedule {
  const { floor = 0 } = checkOptions(options, cosineOptionsNames);
  checkShare("floor", floor);
  return (step, total) => floor + ((1 - floor) * (1 + Math.cos((Math.PI * Math.min(step, total)) / total))) / 2;
}

member(cosine, { floor: number() });
