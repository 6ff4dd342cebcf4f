import { describe, expect, it } from "vitest";
import { plainSource } from "../../../test/branch-networks.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import type { Model, Value } from "../../ir/index.ts";
import { embedding, type Layers, linear, mlpBlock, network } from "../../nn/index.ts";
import type { Partition } from "../../runtime/index.ts";
import { partitionBranches } from "./partition-branches.ts";
import { stepParts } from "./step-parts.ts";

/** Stages of x + Σ fⱼ(x) behind an embedding of a small or a large vocabulary. */
function stages(vocabulary: number, counts: readonly number[]): Model {
  return network(plainSource(), (n) => {
    const { value } = embedding(n.scope("tokens"), n.input("ids", "int64", ["batch", 3]), { vocabulary, width: 4 });
    const y = counts.reduce((x, count, i) => stage(n.scope(`stage${i}`), x, count), value);
    n.output(linear(n.scope("head"), y, 2), "logits");
  });
}

function stage(n: Layers, x: Value, count: number): Value {
  const branch = (j: number): Value => mlpBlock(n.scope(`branch${j}`), x, { hidden: 8 });
  return Array.from({ length: count }, (_, j) => branch(j)).reduce((sum, y) => n.op("Add", [sum, y]), x);
}

/** `run 0 1` for the ranks with a part, `sum 0 1 > 0` for terms and receivers. */
function scheduleOf({ steps }: Partition): string[] {
  return steps.map((step) =>
    step.kind === "run"
      ? `run ${step.parts.flatMap((part, rank) => (part ? [rank] : [])).join(" ")}`
      : step.kind === "sum"
        ? `sum ${step.from.join(" ")} > ${step.to.join(" ")}`
        : step.kind,
  );
}

describe("the schedule", () => {
  it("is one run on one rank", () => {
    expect(scheduleOf(partitionBranches(stages(5, [2, 4]), 1))).toEqual(["run 0"]);
  });

  it("has one sum for each stage, to all ranks but for the last, where the stem is light", () => {
    expect(scheduleOf(partitionBranches(stages(5, [2, 2, 4]), 2))).toEqual([
      "run 0 1",
      "sum 0 1 > 0 1",
      "run 0 1",
      "sum 0 1 > 0 1",
      "run 0 1",
      "sum 0 1 > 0",
      "run 0",
    ]);
  });

  it("broadcasts what a heavy stem gives", () => {
    expect(scheduleOf(partitionBranches(stages(1000, [2]), 2))).toEqual([
      "run 0",
      "sum 0 > 1",
      "run 0 1",
      "sum 0 1 > 0",
      "run 0",
    ]);
  });

  it("leaves ranks without a branch out of the sum", () => {
    expect(scheduleOf(partitionBranches(stages(5, [3, 2]), 3))).toEqual([
      "run 0 1 2",
      "sum 0 1 2 > 0 1 2",
      "run 0 1",
      "sum 0 1 > 0",
      "run 0",
    ]);
  });

  it("is what the parts that are timed follow", () => {
    const steps = stepParts(stages(1000, [2, 4]));
    expect(steps.map((step) => (step.kind === "run" ? step.branches : step.terms))).toEqual([
      0,
      "one",
      2,
      "all",
      4,
      "all",
      0,
    ]);
    const run = steps[4] as Extract<(typeof steps)[number], { kind: "run" }>;
    expect(run.all.graph.initializers.size).toBeGreaterThan(3 * run.one.graph.initializers.size);
  });
});

describe("a partition is refused", () => {
  it("without branches", () => {
    expect(() => partitionBranches(stages(5, [1]), 2)).toThrow(UnsupportedError);
  });

  it.each([0, 5, 1.5])("for %d ranks of 4 branches", (size) => {
    expect(() => partitionBranches(stages(5, [4]), size)).toThrow(UsageError);
  });
});
