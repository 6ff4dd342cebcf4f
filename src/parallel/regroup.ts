/** @file Regrouping: steps in sequence become branches over one input. Only additions are new; no weight changes. */
import { lastOf, nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { type Draft, editModel, type Model, makeNode, type Node, usesOf, type Value } from "../ir/index.ts";
import { requireSameOutputs } from "../ops/index.ts";
import type { Branch, Stage } from "./arrangements/index.ts";
import { type BlockRun, requireRuns, surveyBlocks } from "./block-runs.ts";
import { checkShape, type ParallelPlan, stagesOf, type Window, windowLength } from "./plan.ts";

/**
 * The model with the blocks of the plan's windows side by side. All else stays: names, weights, inputs and outputs, and
 * the values between windows, which keep their names. The answers change; `distill` brings them back.
 *
 * Where an activation or a norm follows the addition (x ← tail(x + f(x))), the tail of the last block follows the sum of
 * all; inside a branch tails stay where they are; the others go, with their weights.
 *
 * @throws UnsupportedError when there is no run of blocks, UsageError for windows that are not there or overlap.
 */
export function parallelizeBlocks(model: Model, plan: ParallelPlan): Model {
  checkShape(plan);
  const runs = requireRuns(surveyBlocks(model));
  checkWindows(runs, plan);
  const changed = editModel(model, (draft) => {
    for (const window of plan.windows) regroup(draft, stagesOf(nth(runs, window.run), window, plan));
  });
  const regrouped = withoutOrphans(model, changed);
  requireSameOutputs(model, regrouped);
  return regrouped;
}

/** Without the weights that only tails read which are gone. */
function withoutOrphans(before: Model, after: Model): Model {
  const isRead = ({ graph }: Model, value: Value) => usesOf(graph, value).length > 0;
  return editModel(after, (draft) => {
    for (const value of draft.graph.initializers.keys()) {
      if (isRead(before, value) && !isRead(after, value)) draft.removeInitializer(value);
    }
  });
}

function checkWindows(runs: readonly BlockRun[], plan: ParallelPlan): void {
  const length = windowLength(plan);
  const taken = new Set<string>();
  for (const window of plan.windows) {
    const run = runs[window.run];
    const fits = run && Number.isSafeInteger(window.first) && window.first >= 0;
    if (!fits || window.first + length > run.blocks.length) throw outside(runs, window, length);
    for (let i = 0; i < length; i++) {
      const block = `${window.run} ${window.first + i}`;
      if (taken.has(block)) throw new UsageError("two windows overlap", { where: describeWindow(window) });
      taken.add(block);
    }
  }
}

function outside(runs: readonly BlockRun[], window: Window, length: number): UsageError {
  return new UsageError("a window lies outside the runs of blocks", {
    expected: `${length} blocks within runs of ${runs.map(({ blocks }) => blocks.length).join(", ")}`,
    got: describeWindow(window),
  });
}

function describeWindow({ run, first }: Window): string {
  return `run ${run}, block ${first}`;
}

/** All nodes of the steps move to where the last of them stood, in the order of the stages. */
function regroup(draft: Draft, stages: readonly Stage[]): void {
  const steps = stages.flat(2);
  const last = lastOf(lastOf(lastOf(stages)));
  const nodes: Node[] = [];
  let input = nth(steps, 0).input;
  for (const stage of stages) input = emitStage(draft, stage, input, nodes);
  const end = last.tail.at(-1) ?? lastOf(last.additions);
  for (const step of steps) {
    for (const node of [...step.members, ...step.additions, ...step.tail]) if (node !== end) draft.remove(node);
  }
  draft.replaceNode(end, ...nodes);
}

/** The stage's output takes the place of that of its last step, so the next reader finds it under its old name. */
function emitStage(draft: Draft, stage: Stage, input: Value, nodes: Node[]): Value {
  const last = lastOf(lastOf(stage));
  const add = (a: Value, b: Value, result = draft.value(`${last.sum.name}/part`, last.sum.type)): Value => {
    nodes.push(makeNode("Add", [a, b], [result], { name: result.name }));
    return result;
  };
  const changes = stage.map((branch) => emitBranch(draft, branch, input, nodes, add));
  add(
    input,
    changes.reduce((sum, change) => add(sum, change)),
    last.sum,
  );
  for (const item of last.tail) nodes.push(item);
  return last.output;
}

type AddNode = (a: Value, b: Value) => Value;

/** What a branch adds to its input. */
function emitBranch(draft: Draft, branch: Branch, input: Value, nodes: Node[], add: AddNode): Value {
  let state = input;
  for (const [i, step] of branch.entries()) {
    if (step.input !== state) draft.replaceValue(step.input, state);
    for (const item of step.members) nodes.push(item);
    if (i === branch.length - 1) break;
    const end = [...step.additions, ...step.tail];
    const isNext = nth(branch, i + 1).input === step.output;
    state = isNext ? step.output : draft.value(step.output.name, step.output.type);
    for (const item of isNext ? end : [...end.slice(0, -1), giving(lastOf(end), step.output, state)]) nodes.push(item);
  }
  const last = lastOf(branch);
  const terms = branch.flatMap((step) => step.terms);
  if (branch.slice(0, -1).every(({ tail }) => tail.length === 0)) return sumOf(terms, add);
  const result = draft.value(`${last.sum.name}/change`, last.sum.type);
  const end = sumOf([state, ...last.terms], add);
  nodes.push(makeNode("Sub", [end, input], [result], { name: result.name }));
  return result;
}

/**
 * The node with another value in the place of one of its outputs: where branches are not runs of consecutive blocks, the
 * old output is the input of a block in another branch, which reads something else from now on.
 */
function giving(node: Node, output: Value, value: Value): Node {
  return { ...node, outputs: node.outputs.map((old) => (old === output ? value : old)) };
}

function sumOf(values: readonly Value[], add: AddNode): Value {
  return values.slice(1).reduce((sum, value) => add(sum, value), nth(values, 0));
}
