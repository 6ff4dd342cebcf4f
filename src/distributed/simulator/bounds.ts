/** @file What no schedule can be faster than. */
import { nth } from "../../checked.ts";
import type { Task } from "./events.ts";

/** Milliseconds of the longest chain of tasks of which each waits for the one before it. Tasks stand behind what they wait for. */
export function criticalPath(tasks: readonly Task[]): number {
  const ends = new Float64Array(tasks.length);
  let longest = 0;
  tasks.forEach(({ after, time, delay = 0 }, index) => {
    const begin = after.reduce(
      (latest, task) => Math.max(latest, (ends[task] ?? 0) + (nth(tasks, task).delay ?? 0)),
      0,
    );
    const end = begin + time;
    ends[index] = end;
    longest = Math.max(longest, end + delay);
  });
  return longest;
}

/** Milliseconds of work of the resource that has most. */
export function mostWork(tasks: readonly Task[], resources: number): number {
  const work = new Float64Array(resources);
  for (const { on, time } of tasks) for (const resource of on) work[resource] = (work[resource] ?? 0) + time;
  return work.reduce((most, each) => Math.max(most, each), 0);
}
