/** @file What a distillation loss is: which values of teacher and student it compares, and one number from a pair of them. */
import { ShapeError, UsageError } from "../../errors.ts";
import type { Dims, Value } from "../../ir/index.ts";
import type { OptionNames } from "../../options.ts";
import type { StepBuilder, TermContext } from "../../train/index.ts";

/** Names of a value of the teacher and of the value of the student that follows it. Any value of the graphs, not only outputs. */
export interface Pair {
  readonly teacher: string;
  readonly student: string;
}

export interface DistillationLoss {
  /** Under which a run tells it; a second loss of one name gets a number behind it. */
  readonly name: string;
  /** Its factor in what is minimised; 1 when absent. */
  readonly weight?: number;
  /** What is compared: the mean over the pairs. Absent: the predictions of both. */
  readonly pairs?: readonly Pair[];
  /** Whether a student's value of another width first passes a linear layer, trained along and then dropped. */
  readonly projects?: boolean;
  /** The loss of one pair, a scalar; 0 for equal values. */
  build(g: StepBuilder, teacher: Value, student: Value, context: Pick<TermContext, "labels">): Value;
}

export interface PairOptions {
  readonly pairs: readonly Pair[];
  readonly weight?: number;
}

/** The dims of a value that a loss reads. */
export function dimsOf(value: Value): Dims {
  if (value.type?.kind === "tensor" && value.type.dims) return value.type.dims;
  throw new ShapeError("a distillation loss needs a value of known rank", {
    where: `value ${JSON.stringify(value.name)}`,
  });
}

/** The axis of the channels: the second of pictures [N, C, H, W] and of [N, C], the last of tokens [N, T, C]. */
export function channelAxis(value: Value): number {
  return dimsOf(value).length === 3 ? 2 : 1;
}

/** Settings and pairs of a loss, checked. */
export function checkLoss(name: string, { weight = 1, pairs }: Partial<PairOptions>): void {
  if (!(weight >= 0 && Number.isFinite(weight))) {
    throw new UsageError("the weight of a distillation loss is out of range", {
      expected: "0 or more",
      got: String(weight),
      where: name,
    });
  }
  if (pairs?.length === 0) throw new UsageError("a distillation loss has no pairs to compare", { where: name });
}

export function checkTemperature(temperature: number): void {
  if (temperature > 0 && Number.isFinite(temperature)) return;
  throw new UsageError("the temperature is out of range", { expected: "above 0", got: String(temperature) });
}

export const pairOptionsNames: OptionNames<PairOptions> = { pairs: true, weight: true };

/** A loss that compares named values; the names of its options are checked already. */
export function pairLoss(
  name: string,
  { pairs, weight = 1 }: PairOptions,
  parts: Pick<DistillationLoss, "build" | "projects">,
): DistillationLoss {
  checkLoss(name, { pairs, weight });
  return { name, weight, pairs, ...parts };
}
