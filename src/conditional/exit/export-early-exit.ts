/** @file One model that stops computing when it is sure: everything behind an exit stands in a branch of an `If`. */
import { lastOf, nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import {
  editGraph,
  type Graph,
  graphAttribute,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  scalar,
  tensorType,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { extend } from "../../nn/index.ts";
import { requireSameOutputs } from "../../ops/index.ts";
import { keepOutputs } from "../lowering/keep-outputs.ts";
import { noWeights } from "../lowering/no-weights.ts";
import { named, type StageOptions, stagesOf, withScores } from "./staged-model.ts";

export interface EarlyExitOptions extends StageOptions {
  /** The least score at which each exit is taken. An exit of threshold ∞ is left out. */
  readonly thresholds: readonly number[];
}

/** The output that tells where the answer came from. */
export const EXIT_OUTPUT = "exit";

/**
 * A model of two outputs: the logits, under the name that they have in the whole network, and int64 `exit`, the number of the exit that
 * was taken (that of the exits when none was). Weights stay in the outer graph. A batch leaves when its least sure sample may: with one
 * sample the answer is that of the first exit whose score reaches its threshold.
 *
 * @throws UsageError for thresholds that do not fit the exits.
 */
export async function exportEarlyExit(model: Model, { thresholds, ...options }: EarlyExitOptions): Promise<Model> {
  checkThresholds(thresholds, options.exits);
  const scored = withScores(model, options);
  const taken = thresholds.flatMap((threshold, i) => (threshold < Number.POSITIVE_INFINITY ? [i] : []));
  const decided = extend(scored.model, noWeights, (n, value) => {
    for (const i of taken) {
      const least = n.op("ReduceMin", [value(nth(scored.scores, i))], { keepdims: 0 });
      n.output(n.op("GreaterOrEqual", [least, n.number(nth(thresholds, i))]), decision(i));
    }
  });
  const { outputs } = decided.graph;
  const read = new Set([scored.output, ...taken.flatMap((i) => [nth(scored.exits, i), decision(i)])]);
  const live = await keepOutputs(
    decided,
    outputs.filter(({ name }) => read.has(name)),
  );
  const exits = taken.map((i) => ({ number: i, logits: nth(scored.exits, i), condition: decision(i) }));
  const exported = withGraph(live, nested(live, scored.output, exits, thresholds.length));
  requireSameOutputs(model, exported, { pairs: [[scored.output, scored.output]] });
  return exported;
}

export function checkThresholds(thresholds: readonly number[], exits: readonly string[]): void {
  if (thresholds.length === exits.length && !thresholds.some(Number.isNaN)) return;
  throw new UsageError("the thresholds do not fit the exits", {
    expected: `${exits.length} numbers`,
    got: thresholds.join(", ") || "none",
  });
}

const decision = (i: number): string => `decision/${i}`;

interface Taken {
  readonly number: number;
  readonly logits: string;
  readonly condition: string;
}

/** What a branch makes: logits and the number of the exit. */
interface Made {
  readonly nodes: readonly Node[];
  readonly outputs: readonly [Value, Value];
}

function nested(model: Model, output: string, exits: readonly Taken[], last: number): Graph {
  const scope = namesOf(model);
  const original = named(model.graph, output);
  const graph = editGraph(
    model.graph,
    (draft) => draft.substitute(original, draft.value(`${output}/whole`, original.type)),
    scope,
  );
  const whole = nth(graph.outputs, model.graph.outputs.indexOf(original));
  const values = exits.map(({ logits, condition }) => [named(graph, logits), named(graph, condition)] as const);
  const stages = stagesOf(graph, [...values, [whole]]);
  const numberType = tensorType("int64", []);
  const answer = (logits: Value, number: number, nodes: readonly Node[]): Made => {
    const answered = { ...original, name: scope.fresh("answer") };
    const told: Value = { name: scope.fresh("taken"), type: numberType };
    const constant = makeNode("Constant", [], [told], {
      name: told.name,
      attributes: { value: scalar("int64", number) },
    });
    const copy = makeNode("Identity", [logits], [answered], { name: answered.name });
    return { nodes: [...nodes, copy, constant], outputs: [answered, told] };
  };
  let made = answer(whole, last, lastOf(stages));
  for (let k = exits.length - 1; k >= 0; k--) {
    const [logits, condition] = nth(values, k);
    const told: Value = { name: scope.fresh("taken"), type: numberType };
    const outputs = [{ ...original, name: scope.fresh("answer") }, told] as const;
    const branches = {
      then_branch: graphAttribute(branch(scope, answer(logits, nth(exits, k).number, []))),
      else_branch: graphAttribute(branch(scope, made)),
    };
    const choice = makeNode("If", [condition], outputs, { name: scope.fresh("early_exit"), attributes: branches });
    made = { nodes: [...nth(stages, k), choice], outputs };
  }
  const told: Value = { name: scope.fresh(EXIT_OUTPUT), type: numberType };
  const ends = [original, told].map((value, i) =>
    makeNode("Identity", [made.outputs[i]], [value], { name: value.name }),
  );
  return { ...graph, nodes: [...made.nodes, ...ends], outputs: [original, told] };
}

function branch(scope: Names, { nodes, outputs }: Made): Graph {
  return { name: scope.fresh("branch"), inputs: [], outputs, nodes, initializers: new Map() };
}
