/** @file From lists of nodes, step by step and rank by rank, to models that hand named values on. */
import { nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import { formatType, type Model, modelOfNodes, type Node, type TensorType, type Value } from "../../ir/index.ts";
import type { SignLayer, SignStep, Step } from "../../runtime/index.ts";

/** A run step before its models are made: the nodes of each rank, in order. */
export interface PlannedRun {
  readonly kind: "run";
  readonly nodes: readonly (readonly Node[])[];
  /** Branches of the stage that it runs; 0 where it runs none. */
  readonly branches: number;
}

/** A layer of signs, which reads and makes values of the graph. */
export interface PlannedSigns {
  readonly kind: "signs";
  readonly input: Value;
  readonly output: Value;
  readonly layer: SignLayer;
}

/** A sum step of a value of the graph. */
export interface PlannedSum {
  readonly kind: "sum";
  readonly value: Value;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** What branches are spread by. */
export type BranchStep = PlannedRun | PlannedSum;

export type PlannedStep = BranchStep | PlannedSigns;

/** Makes each rank's nodes of each step a model, whose outputs are what its rank still needs afterwards. */
export function stepsFrom(model: Model, size: number, planned: readonly PlannedStep[]): Step[] {
  const needed = Array.from({ length: size }, (_, rank) => new Set<Value>(rank === 0 ? model.graph.outputs : []));
  const steps = planned.toReversed().map((step): Step => {
    if (step.kind === "run") {
      return { kind: "run", parts: step.nodes.map((nodes, rank) => partOf(model, nodes, nth(needed, rank))) };
    }
    if (step.kind === "signs") return signStep(step, nth(needed, 0));
    const { value, from, to } = step;
    for (const rank of to) nth(needed, rank).delete(value);
    for (const rank of from) nth(needed, rank).add(value);
    return { kind: "sum", value: value.name, dtype: tensorTypeOf(value).dtype, from, to };
  });
  return steps.toReversed();
}

/** `needed` becomes what rank 0 needs before it. */
function signStep({ input, output, layer }: PlannedSigns, needed: Set<Value>): SignStep {
  needed.delete(output);
  needed.add(input);
  return { kind: "signs", input: input.name, output: output.name, layer };
}

/** The model of one rank's nodes. `needed` becomes what the rank needs before it. */
function partOf(model: Model, nodes: readonly Node[], needed: Set<Value>): Model | undefined {
  if (nodes.length === 0) return undefined;
  const made = new Set(nodes.flatMap((node) => node.outputs.filter((value) => value !== undefined)));
  const outputs = [...made].filter((value) => needed.has(value));
  const part = modelOfNodes(model, nodes, outputs);
  for (const value of outputs) needed.delete(value);
  for (const value of part.graph.inputs) needed.add(value);
  for (const value of [...part.graph.inputs, ...outputs]) tensorTypeOf(value);
  return part;
}

/** The type of a value that passes between parts. */
export function tensorTypeOf({ name, type }: Value): TensorType {
  if (type?.kind === "tensor") return type;
  throw new UnsupportedError("a value between two parts has to be a tensor of known dtype", {
    got: formatType(type),
    where: `value ${JSON.stringify(name)}`,
  });
}
