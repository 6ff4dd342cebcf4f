/** @file Laws of branches that became a loop: the same function, in as many nodes for two branches as for eight. */
import { describe, expect, it } from "vitest";
import { rollBranches, stackedParameters } from "../../src/branches/index.ts";
import { type Model, verify } from "../../src/ir/index.ts";
import { dropout, linear, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { checked } from "../../src/rewrite/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { type BranchNetwork, branchNetworks, distance, feedsOf, plainSource } from "../branch-networks.ts";

const names = Object.keys(branchNetworks) as BranchNetwork[];

/** Whose normalisation keeps statistics. */
const withStatistics: ReadonlySet<BranchNetwork> = new Set(["residual convolutions"]);

async function onRuntime(model: Model, feeds: ReturnType<typeof feedsOf>) {
  await using session = await openSession(model, { threads: 1 });
  return await session.run(feeds);
}

describe.each(names.filter((name) => !withStatistics.has(name)))("a loop over the branches of %s", (name) => {
  it("is the same function, on ONNX Runtime too, and loses no node to more branches", async () => {
    const model = branchNetworks[name]({ branches: 3, depth: 2 });
    const { model: rolled, notes = [] } = await checked(rollBranches()).run(model);
    expect(notes.filter(({ kind }) => kind === "declined")).toEqual([]);
    expect(verify(rolled)).toEqual([]);
    expect(rolled.graph.nodes.filter(({ opType }) => opType === "Scan").length).toBeGreaterThan(0);
    expect(stackedParameters(rolled).length).toBeGreaterThan(0);
    const feeds = feedsOf(model, 2);
    const expected = evaluate(model, feeds);
    expect(distance(expected, evaluate(rolled, feeds))).toBeLessThan(1e-12);
    expect(distance(expected, await onRuntime(rolled, feeds))).toBeLessThan(1e-5);
    const { model: wide } = await rollBranches().run(branchNetworks[name]({ branches: 8, depth: 2 }));
    expect(wide.graph.nodes).toHaveLength(rolled.graph.nodes.length);
    expect((await rollBranches().run(rolled)).model).toBe(rolled);
  });
});

describe("branches that are no turns of a loop", () => {
  it.each([...withStatistics])("%s keep their statistics apart", async (name) => {
    const model = branchNetworks[name]({ branches: 3 });
    const { model: same, notes } = await rollBranches().run(model);
    expect(same).toBe(model);
    expect(notes).toMatchObject([
      { kind: "declined", reason: "BatchNormalization is not the same in every turn of a loop" },
    ]);
  });

  it("drop by masks of their own", async () => {
    const model = network(plainSource(), (n) => {
      const x = n.input("x", "float32", ["batch", 4]);
      const [a, b] = ["a", "b"].map((name) => linear(n.scope(name), dropout(n.scope(name), x, 0.5), 4));
      n.output(n.op("Add", [a, b]), "y");
    });
    const { model: same, notes } = await rollBranches().run(model);
    expect(same).toBe(model);
    expect(notes?.map(({ reason }) => reason)).toEqual(["Dropout is not the same in every turn of a loop"]);
  });

  it("that nothing sums are no group", async () => {
    const model = network(plainSource(), (n) => {
      n.output(linear(n.scope("a"), n.input("x", "float32", ["batch", 4]), 4), "y");
    });
    expect(await rollBranches().run(model)).toEqual({ model });
  });
});
