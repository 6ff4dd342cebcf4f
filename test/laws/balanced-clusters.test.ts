/** @file Clusters of equal size: of small sets the best there are, equal points in their order, the same for the same seed. */
import { describe, expect, it } from "vitest";
import { balancedClusters } from "../../src/conditional/moe/route/balanced-clusters.ts";

type Point = readonly [number, number];

const onCircle = (degrees: number): Point => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];

/** Σ of squared distances from the means of the clusters. */
function spreadOf(points: readonly Point[], clusters: readonly (readonly number[])[]): number {
  const sums = clusters.map((members) => {
    const mean = [0, 1].map((axis) => members.reduce((sum, i) => sum + points[i]![axis]!, 0) / members.length);
    return members.reduce((sum, i) => sum + (points[i]![0] - mean[0]!) ** 2 + (points[i]![1] - mean[1]!) ** 2, 0);
  });
  return sums.reduce((a, b) => a + b);
}

/** All ways to halve numbers from 0. */
function halves(count: number): number[][][] {
  const isFirst = (way: number, i: number) => Math.floor(way / 2 ** i) % 2 === 1;
  const places = Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: 2 ** count }, (_, way) => [
    places.filter((i) => isFirst(way, i)),
    places.filter((i) => !isFirst(way, i)),
  ]).filter(([first]) => first!.length === count / 2);
}

describe("balanced clusters", () => {
  // Rounds behind the best one of these make it worse again.
  it.each([
    { seed: 1, degrees: [240, 225, 150, 210, 210, 135] },
    { seed: 2, degrees: [315, 240, 90, 45, 0, 0] },
    { seed: 2, degrees: [225, 270, 270, 270, 195, 315] },
    { seed: 0, degrees: [120, 90, 30, 90, 15, 150] },
    { seed: 2, degrees: [210, 165, 150, 165, 225, 105] },
    { seed: 1, degrees: [120, 165, 240, 90, 165, 180] },
  ])("halve $degrees as well as can be", ({ seed, degrees }) => {
    const points = degrees.map(onCircle);
    const found = balancedClusters(Float64Array.from(points.flat()), { count: 6, clusters: 2, seed });
    expect(found.map(({ length }) => length)).toEqual([3, 3]);
    expect(found.flat().sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const best = Math.min(...halves(6).map((clusters) => spreadOf(points, clusters)));
    expect(spreadOf(points, found)).toBeCloseTo(best, 9);
  });

  it("go by directions, whatever the lengths", () => {
    const points = [10, 15, 100, 105].map(onCircle).map(([x, y], i) => [(1 + 9 * i) * x, (1 + 9 * i) * y]);
    for (const seed of [0, 1, 2, 3]) {
      const found = balancedClusters(Float64Array.from(points.flat()), { count: 4, clusters: 2, seed });
      expect(found.toSorted((a, b) => a[0]! - b[0]!)).toEqual([
        [0, 1],
        [2, 3],
      ]);
    }
  });

  it("serve equal points in their order", () => {
    // There is room for two of the three that are alike; the third goes to the other one.
    const points = [0, 0, 0, 90].map(onCircle);
    for (const seed of [0, 1, 2, 3]) {
      const found = balancedClusters(Float64Array.from(points.flat()), { count: 4, clusters: 2, seed });
      expect(found.toSorted((a, b) => a[0]! - b[0]!)).toEqual([
        [0, 1],
        [2, 3],
      ]);
    }
  });
});
