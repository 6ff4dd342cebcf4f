/** @file The parts of a network with branches from whose times the time on any number of ranks follows. */

import { branchGroupsOf } from "../../branches/index.ts";
import { nth } from "../../checked.ts";
import type { Model } from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import type { RunStep, Step } from "../../runtime/index.ts";
import { planSteps, type Share } from "./partition-branches.ts";
import { stepsFrom } from "./parts.ts";

export type StepParts =
  | {
      readonly kind: "run";
      /** Branches of the stage; 0 for a step without. */
      readonly branches: number;
      /** What a rank with one branch runs, and what one with all of them runs; the same without branches. */
      readonly one: Model;
      readonly all: Model;
    }
  | {
      readonly kind: "sum";
      readonly value: string;
      /** Whether every rank has a term, or one rank broadcasts. */
      readonly terms: "all" | "one";
    };

/** The steps that `partitionBranches` makes for two ranks or more. */
export function stepParts(model: Model): StepParts[] {
  const typed = inferShapes(model);
  const groups = branchGroupsOf(typed.graph);
  const plan = (share: Share) => planSteps(typed, groups, 2, share);
  const planned = plan((rank, count) => (rank === 1 ? [0, 1] : [1, count]));
  const one = stepsFrom(typed, 2, planned);
  const all = stepsFrom(
    typed,
    2,
    plan((rank, count) => (rank === 1 ? [0, count] : [count, count])),
  );
  return planned.map((step, index): StepParts => {
    if (step.kind === "sum")
      return { kind: "sum", value: step.value.name, terms: step.from.length > 1 ? "all" : "one" };
    const rank = step.branches > 0 ? 1 : 0;
    return {
      kind: "run",
      branches: step.branches,
      one: partOf(nth(one, index), rank),
      all: partOf(nth(all, index), rank),
    };
  });
}

function partOf(step: Step, rank: number): Model {
  return nth((step as RunStep).parts, rank);
}
