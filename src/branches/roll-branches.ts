/** @file Horizontal rolling: n isomorphic subgraphs over a common input become a loop over stacked weights. */
import { type Model, opsetOf, TARGET_OPSET, withGraph } from "../ir/index.ts";
import { inferTypes } from "../passes/index.ts";
import { type Note, type Pass, type PassResult, typesIn } from "../rewrite/index.ts";
import { branchGroupsOf } from "./find-branches.ts";
import { rollGroup } from "./roll-group.ts";
import { withStacked } from "./stacking.ts";

const name = "roll-branches";

/**
 * Rounding. Where the outputs of branches are summed, they become one `Scan` whose body is one branch and whose turns take the slices of
 * the stacked weights: m·n nodes become O(m), as with `fuseBranches`, but the branches are still computed one after another, each in the
 * memory that one needs. Stacked parameters are as trainable as before, and `unfuseBranches` takes them back.
 *
 * Branches with operators that draw random numbers, keep statistics or hold graphs are left alone. Needs opset 21.
 */
export function rollBranches(): Pass {
  return { name, exactness: "rounding", run: roll };
}

async function roll(model: Model): Promise<PassResult> {
  if (opsetOf(model) !== TARGET_OPSET || branchGroupsOf(model.graph, typesIn(model)).length === 0) return { model };
  const { model: typed } = await inferTypes().run(model);
  const typeOf = typesIn(typed);
  const notes: Note[] = [];
  let current = typed;
  for (const group of branchGroupsOf(typed.graph, typeOf)) {
    const nodes = [group.combine.output.name];
    const result = rollGroup(current, group, typeOf);
    if ("declined" in result) {
      notes.push({ pass: name, kind: "declined", reason: result.declined, nodes });
      continue;
    }
    const count = group.nodes.length;
    notes.push({ pass: name, kind: "applied", reason: `${count} branches became ${count} turns of a loop`, nodes });
    current = withStacked(withGraph(current, result.graph), result.stacked);
  }
  return { model: current === typed ? model : current, notes };
}
