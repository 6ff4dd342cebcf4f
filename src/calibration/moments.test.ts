import { expect, it } from "vitest";
import { graphBuilder, tensor } from "../ir/index.ts";
import { openSession } from "../runtime/index.ts";
import { openGram } from "./gram.ts";
import { isLayer, layerOf } from "./layer.ts";
import { gatherMoments, joinedMoments } from "./moments.ts";

function product() {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 2]);
  g.output(g.op("MatMul", [x, g.constant("w", tensor("float32", [2, 1], [1, 1]))]), "y");
  const graph = g.build();
  const layer = layerOf(graph, graph.nodes[0]!);
  if (isLayer(layer)) return layer;
  throw new Error(layer.reason);
}

const rows = (...values: readonly number[][]) => tensor("float32", [values.length, 2], values.flat());

it("moments are means of products of what the quantized model sees with itself, and with what it lacks", async () => {
  await using gram = await openGram(openSession);
  const gatherer = gatherMoments(product(), gram, 8);
  // x̂ is (1, 1) and (2, 2), each with a 1 behind it; x − x̂ is (0, −1) and (1, 0).
  await gatherer.add(rows([1, 1]), rows([1, 0]));
  await gatherer.add(rows([2, 2]), rows([3, 2]));
  const [moments] = gatherer.moments()!;
  expect([...moments!.gram]).toEqual([2.5, 2.5, 1.5, 2.5, 2.5, 1.5, 1.5, 1.5, 1]);
  expect([...moments!.drift!]).toEqual([1, 1, 0.5, -0.5, -0.5, -0.5, 0, 0, 0]);
});

it("moments of some positions are those in the middle of equal parts", async () => {
  await using gram = await openGram(openSession);
  const gatherer = gatherMoments(product(), gram, 2);
  // Of six rows, numbers 1 and 4.
  await gatherer.add(rows([9, 9], [1, 0], [9, 9], [9, 9], [3, 2], [9, 9]));
  const [moments] = gatherer.moments()!;
  expect([...moments!.gram]).toEqual([5, 3, 2, 3, 2, 1, 2, 1, 1]);
  expect(moments!.drift).toBeUndefined();
});

it("moments of inputs that go through the same weights count alike, and drift only where all have it", () => {
  const [a, b] = [1, 4].map((x) => [{ gram: Float64Array.of(x), drift: Float64Array.of(2 * x) }]);
  expect(joinedMoments([a!, b!])).toEqual([{ gram: Float64Array.of(2.5), drift: Float64Array.of(5) }]);
  expect(joinedMoments([a!, [{ gram: Float64Array.of(4) }]])).toEqual([{ gram: Float64Array.of(2.5) }]);
});
