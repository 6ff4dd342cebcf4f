/** @file Passes over every shipped network and over the graphs that the laws of passes use. */
import { branchNetworks } from "../../../branch-networks.ts";
import { graphs } from "../../../laws/pass-graphs.ts";
import { smallNetworks } from "../../../small-networks.ts";
import { byReference, type Cases, each, namesOf } from "../case.ts";
import { branches, passes as lithe, type Model, models, type rewrite } from "../lithe.ts";

const index = { ...lithe.passes, ...branches.branchPasses };

const networks = Object.fromEntries(namesOf(models.models).map((name) => [name, () => smallNetworks[name].make(2)]));

/** What a pass makes of models that it changes, with its notes. */
async function over(pass: rewrite.Pass, subjects: Readonly<Record<string, () => Model>>) {
  const made: Record<string, rewrite.PassResult> = {};
  for (const [name, make] of Object.entries(subjects)) {
    const before = make();
    const result = await pass.run(before);
    if (result.model !== before) made[name] = result;
  }
  return made;
}

const fused = namesOf(branchNetworks).map((name) => [name, () => branchNetworks[name]({ branches: 2 })] as const);

export const passes: Cases = {
  ...each("networks", namesOf(index), (name) => over(index[name]({ evaluate: byReference }), networks)),
  ...each("graphs", namesOf(index), (name) => over(index[name]({ evaluate: byReference }), graphs)),
  ...each("network", namesOf(models.models), (name) => smallNetworks[name].make(3)),
  "fixed dims": () => over(lithe.fixDims(new Map([["batch", 3]])), networks),
  "dynamic batch": async () => {
    const { model } = await lithe.fixDims(new Map([["batch", 1]])).run(smallNetworks.vit.make(1));
    return lithe.dynamicBatch({ evaluate: byReference }).run(model);
  },
  "common subexpressions, parameters too": () =>
    over(
      lithe.eliminateCommonSubexpressions(() => true),
      { ...graphs, ...Object.fromEntries(fused) },
    ),
};
