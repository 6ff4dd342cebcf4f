/** @file Horizontal fusion: n isomorphic subgraphs over a common input become one with stacked weights. */
import { nth } from "../checked.ts";
import { type Graph, type Model, opsetOf, TARGET_OPSET, withGraph } from "../ir/index.ts";
import { inferTypes } from "../passes/index.ts";
import { type Note, type Pass, type PassResult, type TypeOf, typesIn } from "../rewrite/index.ts";
import { branchGroupsOf } from "./find-branches.ts";
import { headGroupsOf } from "./find-heads.ts";
import { type FusableSets, type FusedSets, fuseSets } from "./fuse-group.ts";
import type { FusionForm } from "./rule.ts";
import { withStacked } from "./stacking.ts";

const name = "fuse-branches";

/** Branches may hold branches; this deep. */
const ROUNDS = 16;

/**
 * Rounding. Where the outputs of branches are summed, corresponding nodes of all branches become one node: products of
 * matrices are batched over a new branch axis or become one wide product, biases and scales are broadcast, convolutions
 * become grouped ones, and linear operators at the end take the sum in, Σ h_j·W_j = [h_1 … h_n]·[W_1; …; W_n].
 * m·n nodes become O(m). The parameters of a fused model are stacked and as trainable as before;
 * `unfuseBranches` takes them back. Of two forms, the one of fewer nodes is taken. Isomorphic heads, which end in outputs of the model,
 * are fused alike and cut apart at the end, where that makes fewer nodes.
 *
 * An operator that has no rule ends the fusion where it stands: what follows stays as it is. Needs opset 21.
 */
export function fuseBranches(): Pass {
  return { name, exactness: "rounding", run: fuse };
}

async function fuse(model: Model): Promise<PassResult> {
  const graph = model.graph;
  const isOurs = opsetOf(model) === TARGET_OPSET;
  const typeOf = typesIn(model);
  if (!isOurs || (branchGroupsOf(graph, typeOf).length === 0 && headGroupsOf(graph, typeOf).length === 0)) {
    return { model };
  }
  const notes = new Map<string, Note>();
  let { model: current } = await inferTypes().run(model);
  let isFused = false;
  for (let round = 0; round < ROUNDS; round++) {
    const next = fusedOnce(current, notes);
    if (next === current) break;
    current = next;
    isFused = true;
  }
  const fused = withFusedHeads(current, notes);
  if (fused !== current) return { model: fused, notes: [...notes.values()] };
  return { model: isFused ? current : model, notes: [...notes.values()] };
}

function fusedOnce(model: Model, notes: Map<string, Note>): Model {
  const typeOf = typesIn(model);
  let current = model;
  for (const group of branchGroupsOf(model.graph, typeOf)) {
    const result = smallest(current.graph, group, typeOf);
    declineEnds(result, notes);
    if (!result.graph) continue;
    const before = group.nodes.flat().length + group.combine.nodes.length;
    const reason = `${group.nodes.length} branches, ${before} nodes, became ${result.emitted} nodes`;
    const where = [group.combine.output.name];
    notes.set(where.join(), { pass: name, kind: "applied", reason, nodes: where });
    current = withStacked(withGraph(current, result.graph), result.stacked);
  }
  return current;
}

function withFusedHeads(model: Model, notes: Map<string, Note>): Model {
  const typeOf = typesIn(model);
  let current = model;
  for (const { outputs, ...group } of headGroupsOf(model.graph, typeOf)) {
    const result = smallest(current.graph, group, typeOf);
    if (!result.graph || result.graph.nodes.length >= current.graph.nodes.length) continue;
    declineEnds(result, notes);
    const where = outputs.map((value) => value.name);
    const reason = `${where.length} heads, ${group.nodes.flat().length} nodes, became ${result.emitted} nodes`;
    notes.set(where.join(), { pass: name, kind: "applied", reason, nodes: where });
    current = withStacked(withGraph(current, result.graph), result.stacked);
  }
  return current;
}

function declineEnds({ ends }: Pick<FusedSets, "ends">, notes: Map<string, Note>): void {
  for (const { node, reason } of ends) {
    notes.set(`${node.name} ${reason}`, { pass: name, kind: "declined", reason, nodes: [node.name] });
  }
}

const forms: readonly FusionForm[] = ["wide", "leading"];

function smallest(graph: Graph, group: FusableSets, typeOf: TypeOf) {
  const results = forms.map((form) => fuseSets(graph, group, form, typeOf));
  const fused = results.filter((result): result is FusedSets => result.graph !== undefined);
  return fused.toSorted((a, b) => a.graph.nodes.length - b.graph.nodes.length)[0] ?? nth(results, 0);
}
