import { describe, expect, it } from "vitest";
import { sparseNetwork } from "../../../test/sparse-network.ts";
import { sparseLayers } from "../sparse-layers.ts";
import { block, granularities, neighbours, patternOf, vector } from "./index.ts";

const { layers } = sparseLayers(sparseNetwork());
const layerOf = (name: string) => layers.find(({ node }) => node.name === `${name} layer`)!;

describe.each(Object.entries(granularities))("%s", (_, make) => {
  it.each(layers.map((layer) => [layer.node.name, layer] as const))("cuts every weight of %s once", (_, layer) => {
    const { positions, count, width, lines, groups } = make().cut(layer);
    expect(positions).toHaveLength(count * width);
    const real = positions.filter((at) => at >= 0).sort();
    expect([...real]).toEqual(Array.from({ length: layer.rows * layer.columns }, (_, i) => i));
    for (let row = 0; row < count; row++)
      expect(positions.subarray(row * width, (row + 1) * width).some((at) => at >= 0)).toBe(true);
    for (const ends of [lines, ...(groups ? [groups.ends] : [])]) {
      expect(ends.at(-1)).toBe(count);
      expect([...ends].every((end, i) => end > (ends[i - 1] ?? 0))).toBe(true);
    }
  });

  it("has lines of rows that lead to the same outputs", () => {
    for (const layer of layers) {
      const { positions, width, lines } = make().cut(layer);
      const outputOf = new Map<number, number>();
      for (let row = 0; row < layer.rows; row++)
        for (let column = 0; column < layer.columns; column++) outputOf.set(layer.position(row, column), row);
      const outputs = [...lines].map((end, i) => {
        const line = positions.subarray((lines[i - 1] ?? 0) * width, end * width);
        return new Set([...line].filter((at) => at >= 0).map((at) => outputOf.get(at)));
      });
      expect(outputs.reduce((sum, each) => sum + each.size, 0)).toBe(layer.rows);
    }
  });
});

describe("granularities", () => {
  it("take the rows of kernels, and runs of inputs", () => {
    expect([...vector().cut(layerOf("conv")).positions.subarray(0, 6)]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(vector().cut(layerOf("conv")).width).toBe(3);
    expect([...vector({ size: 4 }).cut(layerOf("last")).positions.subarray(0, 8)]).toEqual([
      0, 5, 10, 15, 20, 25, 30, -1,
    ]);
  });

  it("compare inputs at one position of the kernel", () => {
    const { positions, groups } = neighbours({ keep: 1, of: 2 }).cut(layerOf("grouped"));
    expect([...positions.subarray(0, 8)]).toEqual([0, 9, 18, 27, 1, 10, 19, 28]);
    expect([...groups!.ends.subarray(0, 4)]).toEqual([2, 4, 6, 8]);
  });

  it("take outputs × inputs of one group at one position", () => {
    const { positions, count, width } = block({ size: 2 }).cut(layerOf("grouped"));
    expect([count, width]).toEqual([2 * 2 * 9 * 2, 4]);
    expect([...positions.subarray(0, 4)]).toEqual([0, 9, 36, 45]);
    const second = positions.subarray(1 * 9 * 2 * 4);
    expect([...second.subarray(0, 4)]).toEqual([72, 81, -1, -1]);
  });

  it("refuse sizes and patterns that are none", () => {
    expect(() => block({ size: 0 })).toThrow(/block.size is out of range/);
    expect(() => patternOf("4:2")).toThrow(/expected 1 ≤ N < M; got 4:2/);
    expect(() => patternOf("half")).toThrow(/N:M, such as 2:4; got half/);
    expect(patternOf("1:4").name).toBe("1:4");
  });
});
