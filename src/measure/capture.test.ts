import { describe, expect, it } from "vitest";
import { denseFeeds, denseModel } from "../../test/models.ts";
import { DataError, UsageError } from "../errors.ts";
import { editModel, floatsOf, graphBuilder, type Model, makeNode, model, tensor, tensorType } from "../ir/index.ts";
import { type OpenSession, openSession } from "../runtime/index.ts";
import { captureValues, withOutputs } from "./capture.ts";
import { findDivergence } from "./divergence.ts";
import { inspectTypes } from "./inspect-types.ts";

const batches = [1, 2, 3].map((size) => denseFeeds(size, size));

describe("captureValues", () => {
  it("yields intermediates, inputs, initializers and outputs of every batch", async () => {
    const seen: number[][] = [];
    for await (const { batch, values } of captureValues(
      denseModel(),
      ["product", "x", "w", "y"],
      batches,
      openSession,
    )) {
      expect(values.get("x")).toBe(batches[batch]!.get("x"));
      expect(values.get("w")!.dims).toEqual([4, 3]);
      const product = floatsOf(values.get("product")!);
      const expected = product.map((value) => Math.max(0, value) + 1);
      expect(floatsOf(values.get("y")!)).toEqual(expected);
      seen.push([...values.get("product")!.dims]);
    }
    expect(seen).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });

  it("works in groups when memory is short, over batches that start anew", async () => {
    let opened = 0;
    const open: OpenSession = (...args) => {
      opened++;
      return openSession(...args);
    };
    const found: string[] = [];
    const names = ["product", "hidden"];
    for await (const { values } of captureValues(denseModel(), names, batches, open, { memory: 1 }))
      found.push(...values.keys());
    expect(opened).toBe(2);
    expect(found).toEqual([..."123"].map(() => "product").concat([..."123"].map(() => "hidden")));
    const once = batches.values();
    await expect(captureValues(denseModel(), names, once, open, { memory: 1 }).next()).rejects.toThrow(UsageError);
  });

  it("reads an iterator once when one group suffices", async () => {
    let count = 0;
    for await (const _ of captureValues(denseModel(), ["product"], batches.values(), openSession)) count++;
    expect(count).toBe(3);
  });

  it("refuses names that the model does not have", async () => {
    await expect(captureValues(denseModel(), ["nothing"], batches, openSession).next()).rejects.toThrow(UsageError);
  });
});

describe("withOutputs", () => {
  it("leaves a model alone whose outputs are there already", () => {
    const built = denseModel();
    expect(withOutputs(built, ["y"])).toBe(built);
    expect(withOutputs(built, ["product"]).graph.outputs.map(({ name }) => name)).toEqual(["y", "product"]);
  });
});

/** The same model with its Relu replaced by Abs. */
function withAbs(built: Model): Model {
  return editModel(built, (draft) => {
    for (const node of draft.nodesOfType("Relu")) draft.replaceNode(node, makeNode("Abs", node.inputs, node.outputs));
  });
}

describe("findDivergence", () => {
  it("names the first value that differs, and its node", async () => {
    const { first, values } = await findDivergence(denseModel(), withAbs(denseModel()), batches, openSession);
    expect(values.map(({ name }) => name)).toEqual(["product", "hidden", "add", "y"]);
    expect(values[0]!.maxAbs).toBe(0);
    expect(first).toMatchObject({ name: "hidden" });
    expect(first!.node).toContain("Relu");
  });

  it("finds nothing between equal models, and says when nothing is common", async () => {
    expect((await findDivergence(denseModel(), denseModel(), batches, openSession)).first).toBeUndefined();
    const g = graphBuilder();
    g.output(g.op("Neg", [g.input("x", "float32", ["batch", 4])], {}, { name: "elsewhere" }));
    await expect(findDivergence(denseModel(), model(g.build()), batches, openSession)).rejects.toThrow(DataError);
  });
});

describe("inspectTypes", () => {
  it("asks the runtime, for operators that lithe may not know", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 4]);
    const w = g.constant("w", tensor("float32", [3, 4], new Float32Array(12)));
    const fused = g.op("com.microsoft::FusedMatMul", [x, w], { transB: 1 }, { name: "fused" });
    g.output(g.op("Shape", [fused]), "y");
    const built = model(g.build(), {
      opsets: new Map([
        ["", 21],
        ["com.microsoft", 1],
      ]),
    });
    const types = await inspectTypes(built, openSession);
    expect(types.get("fused")).toEqual(tensorType("float32", ["batch", 3]));
    expect(types.get("y")).toEqual(tensorType("int64", [2]));
  });

  it("leaves out what cannot pass a port", async () => {
    const g = graphBuilder();
    const low = g.op("Cast", [g.input("x", "float32", [4])], { to: 16 }, { name: "low" });
    g.output(g.op("Cast", [low], { to: 1 }), "y");
    const types = await inspectTypes(model(g.build()), openSession);
    expect([...types.keys()]).toEqual(["x", "y", "cast"]);
  });
});
