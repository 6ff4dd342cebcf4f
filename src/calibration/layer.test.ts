import { describe, expect, it } from "vitest";
import { float, type GraphBuilder, graphBuilder, type Node, tensor, type Value } from "../ir/index.ts";
import { isLayer, type Layer, layerOf, rowsOf } from "./layer.ts";

const counted = (dims: readonly number[]) =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i),
  );

/** What the last node is seen as. */
function seen(build: (g: GraphBuilder, x: Value, constant: (...dims: number[]) => Value) => void) {
  const g = graphBuilder();
  build(g, g.input("x", "float32"), (...dims) => g.constant("c", counted(dims)));
  const graph = g.build();
  return layerOf(graph, graph.nodes.at(-1) as Node);
}

function layer(build: Parameters<typeof seen>[0]): Layer {
  const found = seen(build);
  if (!isLayer(found)) throw new Error(found.reason);
  return found;
}

describe("a node is no layer", () => {
  it.each<[string, Parameters<typeof seen>[0]]>([
    ["has no weights", (g, x) => g.op("Relu", [x])],
    ["has no weights", (g, x, constant) => g.unchecked("com.example::MatMul", [x, constant(2, 2)], 1)[0]],
    ["its weight is not a constant", (g, x) => g.op("MatMul", [x, x])],
    ["its input is a constant", (g, _, constant) => g.op("MatMul", [constant(2, 2), constant(2, 2)])],
    ["its weight is a vector", (g, x, constant) => g.op("MatMul", [x, constant(2)])],
    ["its weight has no elements", (g, x, constant) => g.op("MatMul", [x, constant(0, 2)])],
    ["its weight has fewer than three axes", (g, x, constant) => g.op("Conv", [x, constant(2, 2)])],
    ["alpha or beta is not 1", (g, x, constant) => g.op("Gemm", [x, constant(2, 2)], { alpha: float(2) })],
    ["alpha or beta is not 1", (g, x, constant) => g.op("Gemm", [x, constant(2, 2)], { beta: float(0.5) })],
    ["its input is transposed", (g, x, constant) => g.op("Gemm", [x, constant(2, 2)], { transA: 1 })],
    ["its bias is not a float32 constant", (g, x, constant) => g.op("Gemm", [x, constant(2, 2), x])],
    ["its bias is not one number for each output channel", (g, x, c) => g.op("Gemm", [x, c(2, 3), c(2)])],
    ["its groups do not divide its output channels", (g, x, c) => g.op("Conv", [x, c(4, 2, 1, 1)], { group: 3 })],
    ["its groups do not divide its output channels", (g, x, c) => g.op("Conv", [x, c(4, 2, 1, 1)], { group: 0 })],
    ["it has not one output", (g, x, constant) => g.ops("MatMul", [x, constant(2, 2)], 2)],
  ])("where %s", (reason, build) => {
    expect(seen(build)).toEqual({ reason });
  });
});

describe("a layer's matrix", () => {
  const rowOf = (of: Layer, row: number) => {
    const [weights] = [Float32Array.from({ length: of.rows * of.columns }, (_, i) => i)];
    const read = Array.from({ length: of.columns }, (_, column) => weights[of.position(row, column)]);
    expect([...rowsOf(of, weights, row, 1)]).toEqual(read);
    return read;
  };

  it("of a product has a row for each output", () => {
    const product = layer((g, x, constant) => g.op("MatMul", [x, constant(2, 3)]));
    expect(product).toMatchObject({ rows: 3, columns: 2, groups: 1, channelAxis: 1 });
    expect(rowOf(product, 1)).toEqual([1, 4]);
    const turned = layer((g, x, constant) => g.op("Gemm", [x, constant(3, 2)], { transB: 1 }));
    expect(turned).toMatchObject({ rows: 3, columns: 2, groups: 1, channelAxis: 0 });
    expect(rowOf(turned, 1)).toEqual([2, 3]);
  });

  it("of a convolution has a row for each output channel, over all groups", () => {
    const convolution = layer((g, x, constant) => g.op("Conv", [x, constant(4, 2, 1, 2)], { group: 2 }));
    expect(convolution).toMatchObject({ rows: 4, columns: 4, groups: 2, channelAxis: 0 });
    expect(rowOf(convolution, 3)).toEqual([12, 13, 14, 15]);
  });

  it("of stacked matrices has the rows of one after those of another", () => {
    const stacked = layer((g, x, constant) => g.op("MatMul", [x, constant(2, 2, 3)]));
    expect(stacked).toMatchObject({ rows: 6, columns: 2, groups: 2, channelAxis: 2 });
    expect(rowOf(stacked, 1)).toEqual([1, 4]);
    expect(rowOf(stacked, 4)).toEqual([7, 10]);
    const weights = Float32Array.from({ length: 12 }, (_, i) => i);
    expect([...rowsOf(stacked, weights, 1, 4)]).toEqual([1, 4, 2, 5, 6, 9, 7, 10]);
  });
});
