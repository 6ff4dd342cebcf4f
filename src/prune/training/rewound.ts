/** @file The end of a learning rate's schedule, gone through again: Renda, Frankle and Carbin (2020), arXiv:2003.02389. */
import { UsageError } from "../../errors.ts";
import { type Schedule, type ScheduleName, schedules } from "../../train/index.ts";

/** The schedule from the share `from` of its run on, over a whole run: what a pruned network is trained with again. */
export function rewound(schedule: Schedule | ScheduleName, from: number): Schedule {
  if (!(from >= 0 && from < 1))
    throw new UsageError("from is out of range", { expected: "at least 0 and below 1", got: String(from) });
  const own = typeof schedule === "string" ? schedules[schedule]() : schedule;
  return (step, total) => own((total * from) / (1 - from) + step, total / (1 - from));
}
