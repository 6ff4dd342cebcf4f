import { describe, expect, it } from "vitest";
import { type BranchNetwork, branchNetworks } from "../../test/branch-networks.ts";
import type { Graph } from "../ir/index.ts";
import { branchGroupsOf } from "./find-branches.ts";

const names = Object.keys(branchNetworks) as BranchNetwork[];

function shapesOf(graph: Graph): string[] {
  return branchGroupsOf(graph).map(
    ({ nodes, inputs, parts, constants, combine }) =>
      `${nodes.length} × ${nodes[0]!.length} nodes, ${constants[0]!.length} constants, reads ${inputs.map(({ name }) => name)} and ${parts[0]!.length} parts, plus ${combine.addends.length}, × ${combine.factor}`,
  );
}

describe("branches", () => {
  it.each(names)("of %s", (name) => {
    expect(branchGroupsOf(branchNetworks[name]({ branches: 1 }).graph)).toEqual([]);
    expect(shapesOf(branchNetworks[name]({ branches: 3, depth: 2 }).graph)).toMatchSnapshot();
  });
});
