/** @file A straight line down to a floor. */
import { checkShare, type Schedule } from "./schedule.ts";

export interface LinearOptions {
  /** The rate at the end, as a share of the first one. */
  readonly floor?: number;
}

export function linear({ floor = 0 }: LinearOptions = {}): Schedule {
  checkShare("floor", floor);
  return (step, total) => 1 - (1 - floor) * Math.min(1, step / total);
}
