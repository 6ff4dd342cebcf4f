/** @file How sparsity grows during a training. */

/** The share of the way that is done at a share of the time, from 0 to 1. */
export type Course = (time: number) => number;

/** Every course under its name. One course is one line. */
export const courses = {
  /** s_t = s_f + (s_i − s_f)·(1 − t)³: most goes while there is much left (Zhu and Gupta, arXiv:1710.01878). */
  cubic: (time) => 1 - (1 - time) ** 3,
  /** The same amount at every turn. */
  iterative: (time) => time,
  /** All at once, in the beginning. */
  "one-shot": () => 1,
} as const satisfies Record<string, Course>;

export type CourseName = keyof typeof courses;
