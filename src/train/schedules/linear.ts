/** @file A straight line down to a floor. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkShare, type Schedule } from "./schedule.ts";

export interface LinearOptions {
  /** The rate at the end, as a share of the first one. */
  readonly floor?: number;
}

const linearOptionsNames: OptionNames<LinearOptions> = { floor: true };

export function linear(options: LinearOptions = {}): Schedule {
  const { floor = 0 } = checkOptions(options, linearOptionsNames);
  checkShare("floor", floor);
  return (step, total) => 1 - (1 - floor) * Math.min(1, step / total);
}

member(linear, { floor: number() });
