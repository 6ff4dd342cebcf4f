/** @file Partitions: whatever carries one out computes what the whole model computes, for any number of ranks. */
import { describe, expect, it } from "vitest";
import { constantOf, type Model, sizeOf } from "../../src/ir/index.ts";
import { partitionBranches } from "../../src/parallel/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openPartition, openSession, type Partition, runPartition } from "../../src/runtime/index.ts";
import { type BranchNetwork, branchNetworks, distance, feedsOf } from "../branch-networks.ts";

const names = Object.keys(branchNetworks) as BranchNetwork[];
const sizes = [1, 2, 3, 4];

describe.each(names)("a partition of %s", (name) => {
  const model = branchNetworks[name]({ branches: 4 });
  const feeds = feedsOf(model, 3);
  const expected = evaluate(model, feeds);

  it.each(sizes)("over %i ranks equals the whole in float64", async (size) => {
    const results = await runPartition(partitionBranches(model, size), feeds, (part, fed) => evaluate(part, fed));
    expect(distance(expected, results)).toBeLessThan(1e-13);
  });

  it("over worker threads equals the session within rounding, with the same bits every time", async () => {
    await using whole = await openSession(model);
    await using group = await openPartition(partitionBranches(model, 2));
    expect(group.inputs).toEqual(whole.inputs);
    expect(group.outputs).toEqual(whole.outputs);
    const first = await group.run(feeds);
    expect(distance(await whole.run(feeds), first)).toBeLessThan(1e-5);
    for (let round = 0; round < 5; round++) expect(await group.run(feeds)).toEqual(first);
  });

  it.each([2, 4])("over %i ranks has every matrix of a branch on one rank", (size) => {
    const matrices = matricesByRank(partitionBranches(model, size));
    const own = new Set(matricesOf(model));
    const copies = [...own].map((matrix) => matrices.filter((held) => held.has(matrix)).length);
    expect(Math.min(...copies)).toBe(1);
    expect(copies.filter((count) => count === 1).length).toBeGreaterThanOrEqual(4);
    expect(copies.every((count) => count === 1 || count === size)).toBe(true);
  });
});

it.each(sizes)("two stages over %i worker threads equal the session within rounding", async (size) => {
  const model = branchNetworks["two stages"]({ branches: 4 });
  const feeds = feedsOf(model, 2);
  await using whole = await openSession(model);
  await using group = await openPartition(partitionBranches(model, size));
  expect(distance(await whole.run(feeds), await group.run(feeds))).toBeLessThan(1e-5);
});

/** Names of the weights with two axes or more. */
function matricesOf({ graph }: Model): string[] {
  return [...graph.initializers.keys()]
    .filter((value) => {
      const tensor = constantOf(graph, value);
      return tensor?.dtype === "float32" && tensor.dims.length > 1 && sizeOf(tensor.dims) > 1;
    })
    .map(({ name }) => name);
}

function matricesByRank({ size, steps }: Partition): Set<string>[] {
  const models = (rank: number) => steps.flatMap((step) => (step.kind === "run" ? [step.parts[rank]] : []));
  return Array.from(
    { length: size },
    (_, rank) => new Set(models(rank).flatMap((part) => (part ? matricesOf(part) : []))),
  );
}
