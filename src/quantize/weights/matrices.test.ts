import { expect, it } from "vitest";
import { isLayer, layerOf } from "../../calibration/index.ts";
import { graphBuilder, tensor } from "../../ir/index.ts";
import { nearest } from "../rounding/index.ts";
import { roundLayer } from "./matrices.ts";

it("the bias of each group of a layer is corrected by the inputs of that group", () => {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 4, 5, 5]);
  const weights = g.constant("w", tensor("float32", [4, 2, 1, 1], [0.3, -0.3, 0.7, 0, 0.3, -0.3, 0, 0.7]));
  const bias = g.constant("b", tensor("float32", [4], [1, 2, 3, 4]));
  g.output(g.op("Conv", [x, weights, bias], { group: 2 }), "y");
  const graph = g.build();
  const layer = layerOf(graph, graph.nodes[0]!);
  if (!isLayer(layer)) throw new Error(layer.reason);
  // Means of the two inputs: (2, 1) in the first group, (−4, 10) in the second; squares play no part.
  const moments = [
    [2, 1],
    [-4, 10],
  ].map(([a, b]) => ({ gram: Float64Array.of(9, 9, a!, 9, 9, b!, a!, b!, 1) }));
  const { weight, bias: corrected } = roundLayer(layer, {
    scheme: { dtype: "int8", symmetric: true, granularity: { kind: "tensor" } },
    parameters: [{ scale: 0.25, zeroPoint: 0 }],
    rounding: nearest,
    moments,
    correctBias: true,
  });
  expect([...weight.values]).toEqual([1, -1, 3, 0, 1, -1, 0, 3]);
  // What is lost is (0.05, −0.05) and (−0.05, 0) in the first group, (0.05, −0.05) and (0, −0.05) in the second.
  const expected = [1 + 0.1 - 0.05, 2 - 0.1, 3 - 0.2 - 0.5, 4 - 0.5];
  corrected!.forEach((value, row) => void expect(value).toBeCloseTo(expected[row]!, 6));
});
