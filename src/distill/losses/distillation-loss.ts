/** @file What a distillation loss is: which values of teacher and student it compares, and one number from a pair of them. */
import { ShapeError, UsageError } from "../../errors.ts";
import type { Dims, Names, Tensor, Value } from "../../ir/index.ts";
import type { OptionNames } from "../../options.ts";
import type { Drive, StepBuilder, TermContext } from "../../train/index.ts";

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
  /** For a loss with a memory: `build` then gets its value. `distill` makes the data say which samples it hands out. */
  remember?(g: StepBuilder, pair: Remembered, scope: Names): Memory;
  /** The loss of one pair, a scalar; 0 for equal values. */
  build(g: StepBuilder, teacher: Value, student: Value, context: Pick<TermContext, "labels">): Value;
}

/** What a loss keeps from batch to batch, as a part of the step graph and of its state. */
export interface Memory {
  /** What `build` gets in the place of the student's value. */
  readonly value: Value;
  /** Trained along and then dropped. */
  readonly parameters: ReadonlyMap<Value, Tensor>;
  /** Initializers that become another value after every batch. */
  readonly carried: readonly { readonly value: Value; readonly initial: Tensor; readonly next: Value }[];
  /** Inputs that the samples hold. */
  readonly fed?: readonly Value[];
  /** Inputs that the run feeds itself. */
  readonly driven: readonly { readonly input: Value; readonly drive: Drive }[];
}

/** A pair of values, and which samples they are of: int64 [batch], the positions in the data that is trained on. */
export interface Remembered {
  readonly teacher: Value;
  readonly student: Value;
  readonly sample: Value;
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

/** Logits that are compared class by class have equal dims, but for lengths that only a batch decides. */
export function checkLogits(name: string, teacher: Value, student: Value): void {
  const [expected, got] = [dimsOf(teacher), dimsOf(student)];
  const fits = got.every((dim, i) => typeof dim === "string" || typeof expected[i] === "string" || dim === expected[i]);
  if (fits && expected.length === got.length) return;
  throw new ShapeError(`${name} compares as many scores of teacher and student`, {
    expected: `[${expected.join(", ")}], as ${JSON.stringify(teacher.name)} of the teacher`,
    got: `[${got.join(", ")}]`,
    where: `value ${JSON.stringify(student.name)} of the student`,
    hint: "Name answers of equal dims (options output and teacherOutput, --output and --teacher-output), or compare values within by a loss over pairs, whose widths may differ.",
  });
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
