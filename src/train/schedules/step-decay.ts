/** @file A factor after every so many steps, or at given ones; as torch's StepLR and MultiStepLR. */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, numbers } from "../../settings/index.ts";
import type { Schedule } from "./schedule.ts";

export interface StepDecayOptions {
  readonly factor?: number;
  /** The steps at which the rate falls: a period, or a list. As shares of the run where they are below 1. */
  readonly at?: number | readonly number[];
}

const stepDecayOptionsNames: OptionNames<StepDecayOptions> = { factor: true, at: true };

/** factor^k, with k the number of falls so far. */
export function stepDecay(options: StepDecayOptions = {}): Schedule {
  const { factor = 0.1, at = [0.5, 0.75] } = checkOptions(options, stepDecayOptionsNames);
  const points = [at].flat();
  if (points.length === 0 || points.some((point) => !(point > 0))) {
    throw new UsageError("a step decay needs steps", { expected: "numbers above 0", got: `[${points.join(", ")}]` });
  }
  const inSteps = (point: number, total: number) => (point < 1 ? point * total : point);
  if (typeof at === "number") return (step, total) => factor ** Math.floor(step / Math.max(1, inSteps(at, total)));
  return (step, total) => factor ** points.filter((point) => step >= inSteps(point, total)).length;
}

member(stepDecay, { factor: number(), at: number().or(numbers()) });
