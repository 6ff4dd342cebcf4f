import { describe, expect, it } from "vitest";
import { LimitError, UnsupportedError, UsageError } from "../errors.ts";
import { formatType, type GraphBuilder, graphBuilder, int64s, type Model, model, tensor, verify } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import type { Evaluate } from "../rewrite/index.ts";
import { dynamicBatch, fixDims } from "./index.ts";

const byReference: Evaluate = async (of, feeds) => evaluate(of, feeds, { precision: "declared" });

function build(make: (g: GraphBuilder) => void): Model {
  const g = graphBuilder({ infer: () => [] });
  make(g);
  return model(g.build());
}

function types({ graph }: Model): string[] {
  return [...graph.inputs, ...graph.outputs].map(({ name, type }) => `${name} ${formatType(type)}`);
}

describe("dynamic-batch", () => {
  const network = build((g) => {
    const x = g.input("image", "float32", [1, 2, 2, 2]);
    const flat = g.op("Reshape", [g.op("Relu", [x]), g.constant("flat", int64s([1, -1]))]);
    const w = g.constant(
      "w",
      tensor(
        "float32",
        [8, 3],
        Float32Array.from({ length: 24 }, (_, i) => i / 24),
      ),
    );
    g.output(g.op("MatMul", [flat, w]), "scores");
  });

  it("frees the inputs, the shapes that hold the batch, and the outputs that follow", async () => {
    const { model: after, notes = [] } = await dynamicBatch({ evaluate: byReference }).run(network);
    expect(verify(after)).toEqual([]);
    expect(types(after)).toEqual(["image float32[batch, 2, 2, 2]", "scores float32[batch, 3]"]);
    expect(notes).toHaveLength(1);
    const x = tensor(
      "float32",
      [2, 2, 2, 2],
      Float32Array.from({ length: 16 }, (_, i) => i - 8),
    );
    expect(evaluate(after, new Map([["image", x]])).get("scores")?.dims).toEqual([2, 3]);
    expect((await dynamicBatch({ evaluate: byReference }).run(after)).model).toBe(after);
  });

  it("refuses a model whose samples mix", async () => {
    const mixing = build((g) => {
      const x = g.input("x", "float32", [1, 3]);
      const mean = g.op("ReduceMean", [x, g.constant("axes", int64s([0]))], { keepdims: 1 });
      g.output(g.op("Add", [x, mean]), "y");
    });
    await expect(dynamicBatch({ evaluate: byReference }).run(mixing)).rejects.toThrow(UnsupportedError);
    await expect(dynamicBatch({ evaluate: byReference }).run(mixing)).rejects.toThrow(/"y" of a batch/);
  });

  it("refuses a constant that holds the old batch", async () => {
    const stateful = build((g) => {
      const x = g.input("x", "float32", [1, 3]);
      g.output(g.op("Concat", [x, g.constant("state", tensor("float32", [1, 3], [1, 2, 3]))], { axis: 1 }), "y");
    });
    await expect(dynamicBatch({ evaluate: byReference }).run(stateful)).rejects.toThrow(UnsupportedError);
  });

  it("does not try inputs that are too large together", async () => {
    const large = build((g) => {
      const [x, y] = ["x", "y"].map((name) => g.input(name, "float32", [1, 2 ** 24 - 1]));
      g.output(g.op("Add", [x, y]), "sum");
    });
    await expect(dynamicBatch({ evaluate: byReference }).run(large)).rejects.toThrow(LimitError);
  });

  it("names the inputs when one is wrong", async () => {
    const pass = dynamicBatch({ evaluate: byReference, inputs: ["picture"] });
    await expect(pass.run(network)).rejects.toThrow(UsageError);
    await expect(pass.run(network)).rejects.toThrow(/expected image/);
  });
});

describe("fix-dims", () => {
  const network = build((g) => {
    const x = g.input("x", "float32", ["n", 3, "n"]);
    g.output(g.op("Relu", [x]), "y");
  });

  it("writes a number everywhere the dim stands, and nothing else", async () => {
    const { model: after } = await fixDims(new Map([["n", 4]])).run(network);
    expect(formatType(after.graph.inputs[0]?.type)).toBe("float32[4, 3, 4]");
    expect(verify(after)).toEqual([]);
  });

  it("refuses unknown dims and lengths that are none", () => {
    expect(() => fixDims(new Map([["m", 4]])).run(network)).toThrow(/"m"; expected n/);
    expect(() => fixDims(new Map([["n", 0]])).run(network)).toThrow(UsageError);
  });
});
