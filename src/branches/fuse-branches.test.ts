import { describe, expect, it } from "vitest";
import { type BranchNetwork, branchNetworks, distance, feedsOf } from "../../test/branch-networks.ts";
import { verify } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { checked } from "../rewrite/index.ts";
import { fuseBranches } from "./fuse-branches.ts";

const names = Object.keys(branchNetworks) as BranchNetwork[];
const counts = [1, 2, 3, 8];

describe.each(names)("fused branches of %s", (name) => {
  it.each(counts)("compute the same with n = %i", async (branches) => {
    const model = branchNetworks[name]({ branches, depth: 2 });
    const { model: fused } = await checked(fuseBranches()).run(model);
    expect(verify(fused)).toEqual([]);
    expect(fused !== model).toBe(branches > 1);
    for (const batch of [1, 3]) {
      const feeds = feedsOf(model, batch);
      expect(distance(evaluate(model, feeds), evaluate(fused, feeds))).toBeLessThan(1e-12);
    }
    expect((await fuseBranches().run(fused)).model).toBe(fused);
  });
});
