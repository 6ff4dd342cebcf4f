/** @file What a fault is: a small input that was answered wrongly, what is right, and how to see what is answered now. */
import type { ExperimentContext } from "../experiment.ts";

export interface Fault {
  /** The kind of fault of which this is a member. */
  readonly kind: string;
  /** The input and what is done to it. */
  readonly name: string;
  readonly right: string;
  /** What commit 617d8e0 was seen, or reported, to answer. */
  readonly before: string;
  /** Tries it on this code. */
  try(context: Pick<ExperimentContext, "shared" | "log">): Promise<Answer>;
}

export interface Answer {
  readonly got: string;
  /** Whether what was got is right. */
  readonly ok: boolean;
}
