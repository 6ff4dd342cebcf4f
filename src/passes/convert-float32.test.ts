import { describe, expect, it } from "vitest";
import { graphBuilder, model, numbersOf, tensorFromNumbers, verify } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { convertFloat32 } from "./convert-float32.ts";

/** The weight has the name that the pass would give to the input. */
function halfModel(border: "float16" | "float32") {
  const g = graphBuilder();
  const x = g.input("x", border, ["n", 2]);
  const w = g.constant("x_float32", tensorFromNumbers("float16", [2, 2], [1, 0.5, -2, 3]));
  const half = border === "float16" ? x : g.op("Cast", [x], { to: 10 });
  const y = g.op("MatMul", [half, w]);
  g.output(border === "float16" ? y : g.op("Cast", [y], { to: 1 }), "y");
  return model(g.build());
}

describe("convert-float32", () => {
  it.each(["float16", "float32"] as const)("computes in float32 behind %s inputs and outputs", async (border) => {
    const before = halfModel(border);
    const { model: after } = await convertFloat32().run(before);
    expect(verify(after)).toEqual([]);
    expect(after.graph.inputs).toEqual(before.graph.inputs);
    expect(after.graph.outputs.map(({ name }) => name)).toEqual(["y"]);
    expect([...after.graph.initializers.values()].map((data) => "dtype" in data && data.dtype)).toEqual(["float32"]);
    const feeds = new Map([["x", tensorFromNumbers(border, [1, 2], [0.25, 4])]]);
    const run = (m: typeof before) => [...numbersOf(evaluate(m, feeds, { precision: "declared" }).get("y")!)];
    expect(run(after)).toEqual(run(before));
  });

  it("leaves a float32 model as it is, and its own result too", async () => {
    const { model: once } = await convertFloat32().run(halfModel("float32"));
    expect((await convertFloat32().run(once)).model).toBe(once);
  });
});
