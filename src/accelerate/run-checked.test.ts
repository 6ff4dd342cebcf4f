import { describe, expect, it } from "vitest";
import { graphBuilder, type Model, model, scalar, type Tensor, tensor, withGraph } from "../ir/index.ts";
import { type Pass, sequential, untilStable } from "../rewrite/index.ts";
import { type Feeds, openSession } from "../runtime/index.ts";
import { cleanupChecked, type Pipeline, runChecked } from "./run-checked.ts";

/** y = x · 2, three times over. */
function threeProducts(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 3]);
  const two = g.constant("two", scalar("float32", 2));
  const y = [0, 1, 2].reduce((value, i) => g.op("Mul", [value, two], {}, { name: `product${i}` }), x);
  g.output(y, "y");
  return model(g.build());
}

/** Renames a node, and with `scale` changes what the model computes. */
function renaming(name: string, scale?: number): Pass {
  return {
    name,
    exactness: "exact",
    run(before) {
      const { graph } = before;
      if (graph.nodes.some((node) => node.name === name)) return { model: before };
      const nodes = graph.nodes.map((node, i) => (i === 0 ? { ...node, name } : node));
      const [[two, data]] = [...graph.initializers] as [[(typeof graph.inputs)[0], Tensor]];
      const initializers = new Map([[two!, scale === undefined ? data! : scalar("float32", scale)]]);
      return { model: withGraph(before, { ...graph, nodes, initializers }) };
    },
  };
}

const throwing: Pass = {
  name: "throwing",
  exactness: "exact",
  run: () => {
    throw new TypeError("cannot read what is not there");
  },
};

async function* batches(): AsyncGenerator<{ readonly feeds: Feeds }> {
  for (const at of [1, 2]) yield { feeds: new Map([["x", tensor("float32", [1, 3], [at, -at, 3])]]) };
}

const pipelineOf =
  (...passes: readonly Pass[]): Pipeline =>
  (each) =>
    untilStable(sequential("all", passes.map(each)), 1);

const options = { open: openSession, batches };

describe("runChecked", () => {
  it("keeps passes that are right", async () => {
    const { model: changed, leftOut } = await runChecked(
      threeProducts(),
      pipelineOf(renaming("a"), renaming("b")),
      options,
    );
    expect(leftOut).toEqual([]);
    expect(changed.graph.nodes[0]?.name).toBe("b");
  });

  it("leaves out each pass that changes the answers, and names it", async () => {
    const passes = [
      renaming("a"),
      renaming("wrong", 3),
      renaming("b"),
      throwing,
      renaming("worse", 2.001),
      renaming("c"),
    ];
    const { model: changed, leftOut } = await runChecked(threeProducts(), pipelineOf(...passes), options);
    expect(leftOut.map(({ pass }) => pass).sort()).toEqual(["throwing", "worse", "wrong"]);
    expect(leftOut.find(({ pass }) => pass === "wrong")?.reason).toContain("relative error");
    expect(changed.graph.nodes[0]?.name).toBe("c");
  });

  it("leaves a model alone that does not answer twice alike", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 3]);
    const two = g.constant("two", scalar("float32", 2));
    g.output(g.op("Add", [g.op("RandomNormalLike", [x]), g.op("Mul", [x, two])]), "y");
    const random = model(g.build());
    await using original = await openSession(random);
    for await (const { feeds } of batches()) await original.run(feeds);
    const { model: same, leftOut } = await runChecked(random, pipelineOf(renaming("a")), { ...options, original });
    expect(same).toBe(random);
    expect(leftOut).toEqual([{ pass: "all", reason: expect.stringContaining("twice alike") }]);
  });

  it("fails as the original does on data that it refuses", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 3]);
    const shape = g.constant("shape", tensor("int64", [1], BigInt64Array.of(7n)));
    g.output(g.op("Reshape", [x, shape]), "y");
    await expect(runChecked(model(g.build()), pipelineOf(renaming("a")), options)).rejects.toThrow(/runtime failed/);
  });
});

it("cleanup is held to rounding", async () => {
  const { model: cleaned, leftOut } = await cleanupChecked(threeProducts(), options);
  expect(leftOut).toEqual([]);
  expect(cleaned.opsets.get("")).toBeGreaterThan(13);
});
