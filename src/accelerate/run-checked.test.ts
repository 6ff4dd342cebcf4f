import { describe, expect, it } from "vitest";
import { openTaking } from "../../test/small-job.ts";
import { CancelledError, UsageError } from "../errors.ts";
import { graphBuilder, type Model, model, scalar, type Tensor, tensor, withGraph } from "../ir/index.ts";
import { type Pass, sequential, untilStable } from "../rewrite/index.ts";
import { type Feeds, type OpenSession, openSession, type Session, type SessionOptions } from "../runtime/index.ts";
import { type CheckOptions, cleanupChecked, type Pipeline, runChecked } from "./run-checked.ts";

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
      const initializers = new Map([[two, scale === undefined ? data : scalar("float32", scale)]]);
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

describe("the sessions of a check", () => {
  const reference = openTaking(() => 1);

  it("are released, the original's too where it is opened for the check, and only there", async () => {
    const [opened, released]: Session[][] = [[], []];
    const open: OpenSession = async (...given) => {
      const session = await reference(...given);
      const release = async (): Promise<void> => void released!.push(tracked);
      const tracked = { ...session, release, [Symbol.asyncDispose]: release };
      opened!.push(tracked);
      return tracked;
    };
    await runChecked(threeProducts(), pipelineOf(renaming("a")), { open, batches });
    expect(opened).toHaveLength(2);
    expect(new Set(released)).toEqual(new Set(opened));
    const original = await open(threeProducts());
    await runChecked(threeProducts(), pipelineOf(renaming("a")), { open, batches, original });
    expect(released).not.toContain(original);
  });

  it("end with a signal while they run", async () => {
    const controller = new AbortController();
    const original = await reference(threeProducts());
    let runs = 0;
    const open: OpenSession = async (...given) => {
      const session = await reference(...given);
      const run: Session["run"] = async (...fed) => {
        runs++;
        controller.abort();
        return await session.run(...fed);
      };
      return { ...session, run };
    };
    const options = { open, batches, original, signal: controller.signal };
    await expect(runChecked(threeProducts(), pipelineOf(renaming("a")), options)).rejects.toThrow(CancelledError);
    expect(runs).toBe(1);
  });

  const stored = new Map([["session.intra_op.allow_spinning", "0"]]);
  const unpacked = new Map([...stored, ["session.disable_prepacking", "1"]]);

  it.each([
    ["as they are given where the model is small", 12, { threads: 2, config: stored }, { threads: 2, config: stored }],
    [
      "without laying out anew what is large",
      2 ** 28,
      { threads: 2, config: stored },
      { threads: 2, config: unpacked },
    ],
    ["so without other configuration", 2 ** 28, {}, { config: new Map([["session.disable_prepacking", "1"]]) }],
  ])("are opened %s", async (_, bytes, session, expected) => {
    const small = threeProducts();
    const [[two, data]] = [...small.graph.initializers] as [[(typeof small.graph.inputs)[0], Tensor]];
    const stated = Object.defineProperty(new Uint8Array(4), "length", { value: bytes });
    const initializers = new Map([[two, { ...data, data: stated }]]);
    const large = withGraph(small, { ...small.graph, initializers });
    const given: (SessionOptions | undefined)[] = [];
    const open: OpenSession = async (_model, options) => {
      given.push(options);
      return reference(small);
    };
    const original = await reference(small);
    await runChecked(large, pipelineOf(renaming("a")), { open, batches, original, session });
    expect(given).toEqual([expected]);
  });

  it("are asked for by name", async () => {
    const wrong = { open: reference, batches, batch: 4 } as CheckOptions;
    await expect(runChecked(threeProducts(), pipelineOf(), wrong)).rejects.toThrow(UsageError);
  });
});

it("cleanup is held to rounding", async () => {
  const { model: cleaned, leftOut } = await cleanupChecked(threeProducts(), options);
  expect(leftOut).toEqual([]);
  expect(cleaned.opsets.get("")).toBeGreaterThan(13);
});
