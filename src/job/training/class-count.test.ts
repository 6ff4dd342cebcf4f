import { describe, expect, it } from "vitest";
import { type Dataset, datasetOf } from "../../data/index.ts";
import { classCount, outputCount } from "./class-count.ts";

const data = (labels: readonly number[]): Dataset =>
  datasetOf({
    size: labels.length,
    labels: async () => labels,
    open: () => ({ read: (i) => ({ inputs: new Map(), label: labels[i]!, source: `row ${i + 1}` }) }),
  });

describe("the outputs of a network for labels", () => {
  it("are one per class", async () => {
    expect(await classCount(data([0, 2, 1]))).toBe(3);
    expect(await classCount(data([0, 1, -100]), -100)).toBe(2);
    expect(await classCount(data(Array.from({ length: 200 }, (_, i) => 5 * i)))).toBe(996);
  });

  it("are refused for what is no class, with the row and a proposal", async () => {
    await expect(classCount(data([1, -1, 1]))).rejects.toThrow(/got -1; at sample row 2.*as 0 and 1/);
    await expect(classCount(data([0, 12.5]))).rejects.toThrow(/sample row 2.*meanSquaredError/);
    await expect(classCount(data([0, Number.NaN]))).rejects.toThrow(/row 2/);
    await expect(classCount(data([3, 500_001, 77]))).rejects.toThrow(
      /3 different labels up to 500001.*meanSquaredError/,
    );
  });

  it("may be a hundred of which few are seen, and not one more", async () => {
    expect(await classCount(data([0, 99]))).toBe(100);
    await expect(classCount(data([0, 100]))).rejects.toThrow(/2 different labels up to 100/);
    expect(await classCount(data([...Array.from({ length: 10 }, (_, i) => i), 100]))).toBe(101);
  });

  it("is one where a number is learned", async () => {
    expect(await outputCount(data([-1e6, 500_001.5]), "meanSquaredError")).toBe(1);
    expect(await outputCount(data([0, 1]), { name: "focal", gamma: 1 })).toBe(1);
    expect(await outputCount(data([0, 1]), "hinge")).toBe(2);
  });
});
