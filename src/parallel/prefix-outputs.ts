/** @file Every number of branches at once: an output for each, which one step trains together. */
import { must, nth } from "../checked.ts";
import { UnsupportedError, UsageError } from "../errors.ts";
import { type Draft, editModel, type Model, type Node, readsOf, subgraphsOf, type Value } from "../ir/index.ts";
import { type Loss, type LossName, type LossTerm, losses } from "../train/index.ts";
import { combined, requireBranches, withTrained } from "./branch-groups.ts";

export interface PrefixModel {
  /** Initializers and outputs keep their names; the outputs of `prefixes` come after them. */
  readonly model: Model;
  /** `prefixes[k − 1]`: the name of the output of the first k branches, for k below n. */
  readonly prefixes: readonly string[];
  /** The original model with the parameters of this one, say after training. */
  restore(trained: Model): Model;
}

/**
 * Adds for every k below n the first output as the first k branches alone give it. Branches are computed once; what
 * follows them, the norm and the head, is computed n times with the same weights.
 *
 * @throws UnsupportedError unless the model has one group of branches before its first output, and no subgraphs behind.
 */
export function withPrefixOutputs(model: Model): PrefixModel {
  const { model: typed, groups, branches } = requireBranches(model);
  const [group] = groups;
  if (!group || groups.length > 1) {
    throw new UnsupportedError("prefixes of branches need one group of them", { got: `${groups.length} groups` });
  }
  const output = typed.graph.outputs[0];
  const tail = output && nodesBetween(typed, group.combine.output, output);
  if (!output || !tail) {
    throw new UnsupportedError("the first output does not depend on the branches", {
      got: output?.name ?? "no output",
    });
  }
  const prefixes: Value[] = [];
  const edited = editModel(typed, (draft) => {
    for (let k = 1; k < branches; k++) {
      const start = draft.value(`${group.combine.output.name}/first${k}`, group.combine.output.type);
      draft.append(combined(group, group.outputs.slice(0, k), start));
      prefixes.push(must(copied(draft, tail, new Map([[group.combine.output, start]]), k), output));
    }
    draft.setOutputs([...typed.graph.outputs, ...prefixes]);
  });
  return {
    model: edited,
    prefixes: prefixes.map(({ name }) => name),
    restore: (trained) => withTrained(model, trained),
  };
}

/** A term per prefix, each of the weight of the loss over all branches: nested dropout without the drawing, Rippel et al. (2014), arXiv:1402.0915. */
export function prefixTerms({ prefixes }: PrefixModel, loss: Loss | LossName): LossTerm[] {
  const built = typeof loss === "string" ? losses[loss]() : loss;
  if (prefixes.length === 0) throw new UsageError("there is no prefix to train", { expected: "two branches or more" });
  return prefixes.map((name, i) => ({
    name: `first ${i + 1}`,
    build: (g, context) => built.build(g, context.output(name), context.labels()),
  }));
}

/** The nodes on paths from one value to another, in order; `undefined` when there is none. */
function nodesBetween({ graph }: Model, from: Value, to: Value): readonly Node[] | undefined {
  const reached = new Set<Value>([from]);
  const after = graph.nodes.filter((node) => {
    if (!readsOf(node).some((value) => reached.has(value))) return false;
    for (const value of node.outputs) if (value) reached.add(value);
    return true;
  });
  if (!reached.has(to)) return undefined;
  const outer = after.find((node) => subgraphsOf(node).length > 0);
  if (!outer) return after;
  throw new UnsupportedError("what follows the branches holds a subgraph", { got: `${outer.opType} ${outer.name}` });
}

/** Copies nodes over other values; gives each original value's copy. */
function copied(draft: Draft, nodes: readonly Node[], values: Map<Value, Value>, k: number): ReadonlyMap<Value, Value> {
  for (const node of nodes) {
    const outputs = node.outputs.map((value) => value && draft.value(`${value.name}/first${k}`, value.type));
    node.outputs.forEach((value, i) => {
      if (value) values.set(value, nth(outputs, i));
    });
    const inputs = node.inputs.map((value) => value && (values.get(value) ?? value));
    draft.append({ ...node, inputs, outputs, name: outputs.find((value) => value)?.name ?? node.name });
  }
  return values;
}
