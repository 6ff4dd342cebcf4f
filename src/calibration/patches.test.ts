import { describe, expect, it } from "vitest";
import { type BuilderAttributes, graphBuilder, tensor } from "../ir/index.ts";
import { isLayer, layerOf } from "./layer.ts";
import { type Patches, patchesOf } from "./patches.ts";

const counted = (dims: readonly number[], from = 1) =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
  );

function layer(opType: "Conv" | "MatMul", weight: readonly number[], attributes: BuilderAttributes = {}) {
  const g = graphBuilder();
  g.output(g.op(opType, [g.input("x", "float32"), g.constant("w", counted(weight))], attributes), "y");
  const graph = g.build();
  const found = layerOf(graph, graph.nodes[0]!);
  if (isLayer(found)) return found;
  throw new Error(found.reason);
}

function read(patches: Patches | string, columns: number, group = 0): number[][] {
  if (typeof patches === "string") throw new Error(patches);
  return Array.from({ length: patches.count }, (_, position) => {
    const row = new Float32Array(columns + 2).fill(-1);
    patches.read(position, group, row, 1);
    expect([row[0], row[columns + 1]]).toEqual([-1, -1]);
    return [...row.subarray(1, columns + 1)];
  });
}

describe("patches of a convolution", () => {
  /** 1 2 3 / 4 5 6. */
  const image = counted([1, 1, 2, 3]);
  const patches = (attributes: BuilderAttributes, kernel: readonly [number, number] = [2, 2]) =>
    read(patchesOf(layer("Conv", [1, 1, ...kernel], attributes), image), kernel[0] * kernel[1]);

  it("are what the kernel covers, row by row", () => {
    expect(patches({})).toEqual([
      [1, 2, 4, 5],
      [2, 3, 5, 6],
    ]);
    expect(patches({}, [1, 3])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it("have zeros where they reach over the edge: top, left, bottom, right", () => {
    expect(patches({ pads: [1, 0, 0, 0] })).toEqual([
      [0, 0, 1, 2],
      [0, 0, 2, 3],
      [1, 2, 4, 5],
      [2, 3, 5, 6],
    ]);
    expect(patches({ pads: [0, 1, 0, 0] })).toEqual([
      [0, 1, 0, 4],
      [1, 2, 4, 5],
      [2, 3, 5, 6],
    ]);
    expect(patches({ pads: [0, 0, 1, 1] }).at(-1)).toEqual([6, 0, 0, 0]);
    expect(patches({ pads: [0, 0, 0, 1] })).toHaveLength(3);
    expect(patches({ pads: [0, 0, 1, 0] })).toHaveLength(4);
  });

  it("lie as far apart as the strides, and reach as far as the dilations", () => {
    expect(patches({ strides: [1, 2] }, [1, 1])).toEqual([[1], [3], [4], [6]]);
    expect(patches({ strides: [2, 1] }, [1, 1])).toEqual([[1], [2], [3]]);
    expect(patches({ dilations: [1, 2] })).toEqual([[1, 3, 4, 6]]);
    expect(patches({ dilations: [2, 1], pads: [0, 0, 1, 0] })).toEqual([
      [1, 2, 0, 0],
      [2, 3, 0, 0],
    ]);
  });

  it("are padded to the size of the input, an odd row or column at the end or at the beginning", () => {
    const upper = patches({ auto_pad: "SAME_UPPER" });
    expect(upper).toHaveLength(6);
    expect([upper[0], upper[5]]).toEqual([
      [1, 2, 4, 5],
      [6, 0, 0, 0],
    ]);
    const lower = patches({ auto_pad: "SAME_LOWER" });
    expect(lower).toHaveLength(6);
    expect([lower[0], lower[5]]).toEqual([
      [0, 0, 0, 1],
      [2, 3, 5, 6],
    ]);
    const wide = patches({ auto_pad: "SAME_UPPER" }, [1, 3]);
    expect(wide.slice(0, 3)).toEqual([
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 0],
    ]);
    expect(patches({ auto_pad: "SAME_UPPER", strides: [2, 2] })).toEqual([
      [1, 2, 4, 5],
      [3, 0, 6, 0],
    ]);
    expect(patches({ auto_pad: "VALID", pads: [1, 1, 1, 1] })).toHaveLength(2);
  });

  it("take the channels of their group, image after image", () => {
    const two = counted([2, 4, 1, 1]);
    const grouped = layer("Conv", [2, 2, 1, 1], { group: 2 });
    expect(read(patchesOf(grouped, two), 2, 0)).toEqual([
      [1, 2],
      [5, 6],
    ]);
    expect(read(patchesOf(grouped, two), 2, 1)).toEqual([
      [3, 4],
      [7, 8],
    ]);
  });

  it("are read in two dimensions only", () => {
    expect(patchesOf(layer("Conv", [1, 1, 2]), counted([1, 1, 3]))).toMatch(/1-dimensional convolution/);
    expect(patchesOf(layer("Conv", [1, 1, 2, 2, 2]), counted([1, 1, 3, 3, 3]))).toMatch(/3-dimensional convolution/);
  });
});

describe("patches of a product", () => {
  it("are the rows of its input, over all axes", () => {
    expect(read(patchesOf(layer("MatMul", [2, 3]), counted([2, 1, 2])), 2)).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it("of stacked matrices are the rows of each place, or the same for all", () => {
    const stacked = layer("MatMul", [2, 2, 3]);
    const own = patchesOf(stacked, counted([2, 1, 2]));
    expect([read(own, 2, 0), read(own, 2, 1)]).toEqual([[[1, 2]], [[3, 4]]]);
    const shared = patchesOf(stacked, counted([1, 1, 2]));
    expect([read(shared, 2, 0), read(shared, 2, 1)]).toEqual([[[1, 2]], [[1, 2]]]);
    expect(patchesOf(stacked, counted([3, 2, 1, 2]))).toMatch(/one stack for all or one for each/);
  });
});
