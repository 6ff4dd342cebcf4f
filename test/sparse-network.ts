/** @file A small network with every kind of layer that can be sparse: plain and grouped convolutions, products both ways, stacked ones. */
import { random } from "../src/data/index.ts";
import { graphBuilder, int64s, type Model, model, sizeOf, tensorFromNumbers, type Value } from "../src/ir/index.ts";
import { builderInference } from "../src/ops/index.ts";

/** Pictures of 3 × 6 × 6 to 5 scores. Weights are called after their layers. */
export function sparseNetwork(seed = 1): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const draws = random(seed, 0x5a);
  const weight = (name: string, dims: readonly number[]): Value =>
    g.constant(
      name,
      tensorFromNumbers(
        "float32",
        dims,
        Array.from({ length: sizeOf(dims) }, () => draws.normal() / 3),
      ),
    );
  const x = g.input("x", "float32", ["batch", 3, 6, 6]);
  const conv = g.op("Conv", [x, weight("conv", [8, 3, 3, 3]), weight("bias", [8])], {}, { name: "conv layer" });
  const grouped = g.op(
    "Conv",
    [g.op("Relu", [conv]), weight("grouped", [6, 4, 3, 3])],
    { group: 2 },
    { name: "grouped layer" },
  );
  const flat = g.op("Flatten", [g.op("Relu", [grouped])]);
  const gemm = g.op("Gemm", [flat, weight("gemm", [10, 24])], { transB: 1 }, { name: "gemm layer" });
  const axis = g.constant("axis", int64s([1]));
  const places = g.op("Unsqueeze", [g.op("Relu", [gemm]), axis]);
  const stacked = g.op("MatMul", [places, weight("stacked", [1, 10, 7])], {}, { name: "stacked layer" });
  const last = g.op("Squeeze", [g.op("Relu", [stacked]), axis]);
  g.output(g.op("MatMul", [last, weight("last", [7, 5])], {}, { name: "last layer" }), "y");
  return model(g.build());
}
