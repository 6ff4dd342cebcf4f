import { expect, it } from "vitest";
import { graphBuilder, model, scalar, tensor } from "../../ir/index.ts";
import { quantizeFloat16 } from "./float16.ts";

/** A product, and a sum with a number that float16 has not. */
function masked() {
  const g = graphBuilder();
  const weight = g.constant("w", tensor("float32", [2, 2], [1, 2, 3, 4]));
  const product = g.op("MatMul", [g.input("x", "float32", [2, 2]), weight], {}, { name: "product" });
  const sum = g.op("Add", [product, g.constant("mask", scalar("float32", -3e38))], {}, { name: "masked" });
  g.output(g.op("Relu", [sum], {}, { name: "last" }), "y");
  return model(g.build());
}

it("the report of float16 has the layers, and what stays for its numbers with the reason", async () => {
  const { report } = await quantizeFloat16(masked());
  expect(report.form).toBe("float16");
  expect(report.layers[0]).toEqual({ node: "product", opType: "MatMul", quantized: true, bits: 16 });
  expect(report.layers[1]).toMatchObject({ node: "masked", opType: "Add", quantized: false });
  expect(report.layers[1]!.reason).toMatch(/constant of 3\.0\d*e\+38/);
});

it("a layer that is blocked, kept or excluded stays in floats, and the report says which", async () => {
  const reasonFor = async (options: Parameters<typeof quantizeFloat16>[1]) =>
    (await quantizeFloat16(masked(), options)).report.layers.find(({ node }) => node === "product");
  const blocked = { opType: "MatMul", quantized: false, reason: "blocked" };
  expect(await reasonFor({ block: new Set(["MatMul"]) })).toMatchObject(blocked);
  expect(await reasonFor({ keeps: ({ opType }) => opType === "MatMul" })).toMatchObject(blocked);
  expect(await reasonFor({ exclude: ["prod*"] })).toMatchObject({ quantized: false, reason: "excluded by name" });
});
