/** @file A mask over branches as an input of the model, so that one training graph serves every number of branches. */

import type { BranchGroup } from "../branches/index.ts";
import { lastOf, nth } from "../checked.ts";
import { type Draft, editModel, int64s, type Model, makeNode, type Node, tensorType, type Value } from "../ir/index.ts";
import { combined, requireBranches, withTrained } from "./branch-groups.ts";

export interface MaskedModel {
  /** Reads the further input `mask`, float32 [branches]. Initializers keep their names. */
  readonly model: Model;
  readonly mask: string;
  readonly branches: number;
  /** The original model with the parameters of the masked one, say after training. */
  restore(trained: Model): Model;
}

/**
 * Multiplies the output of branch j by mask[j]. A sum becomes Σ mⱼyⱼ, a mean Σ mⱼyⱼ / Σ mⱼ, so that a mask of k ones and
 * zeros behind them gives what `keepBranches(model, k)` gives, and branches under a zero get no gradient.
 *
 * @throws UnsupportedError where there are no branches.
 */
export function maskBranches(model: Model): MaskedModel {
  const { model: typed, groups, branches } = requireBranches(model);
  let mask = "";
  const masked = editModel(typed, (draft) => {
    const input = draft.value("mask", tensorType("float32", [branches]));
    mask = input.name;
    const factors = Array.from({ length: branches }, (_, j) => draft.value(`mask/${j}`, tensorType("float32", [1])));
    draft.setInputs([...draft.graph.inputs, input]);
    draft.prepend(
      makeNode("Split", [input], factors, { name: "mask/split", attributes: { axis: 0, num_outputs: branches } }),
    );
    for (const group of groups) apply(draft, group, factors, input);
  });
  return { model: masked, mask, branches, restore: (trained) => withTrained(model, trained) };
}

function apply(draft: Draft, group: BranchGroup, factors: readonly Value[], mask: Value): void {
  const { combine, outputs } = group;
  const added: Node[] = [];
  const emit = (opType: "Mul" | "ReduceSum" | "Div" | "Sum", inputs: readonly Value[], result: Value): Value => {
    added.push(makeNode(opType, inputs, [result], { name: result.name }));
    return result;
  };
  const fresh = (name: string) => draft.value(`${combine.output.name}/${name}`, combine.output.type);
  const masked = outputs.map((y, j) => emit("Mul", [y, nth(factors, j)], fresh(`masked${j}`)));
  if (combine.factor === 1) added.push(combined(group, masked, combine.output));
  else {
    const count = draft.value("mask/count", tensorType("float32", [1]));
    const axes = draft.constant("mask/axes", int64s([0]));
    emit("ReduceSum", [mask, axes], count);
    emit("Div", [emit("Sum", masked, fresh("sum")), count], combine.output);
  }
  const end = lastOf(combine.nodes);
  draft.replaceNode(end, ...added);
  for (const node of combine.nodes) if (node !== end) draft.remove(node);
}
