import { describe, expect, it } from "vitest";
import type { Node } from "../../ir/index.ts";
import type { WeightRows } from "../criterion.ts";
import { type CriterionName, criteria } from "./index.ts";

/** Three filters of two weights: (3, −4), (0, 1), (3, 0). */
function filters(parts: { opType?: string; port?: number; width?: number; role?: "in" | "out" } = {}): WeightRows {
  const { opType = "Conv", port = 1, width = 2, role = "out" } = parts;
  const value = { name: "weight" };
  const inputs = Array.from({ length: 3 }, (_, i) => (i === port ? value : { name: `input ${i}` }));
  const node: Node = { opType, domain: "", name: "layer", inputs, outputs: [], attributes: new Map() };
  const rows = width === 1 ? Float32Array.of(-0.5, 2, 0) : Float32Array.of(3, -4, 0, 1, 3, 0);
  return { axis: { node, value, axis: 0, role }, rows, count: 3, width, index: 0 };
}

const scores = (name: CriterionName, weights = filters(), seed = 1) => {
  const found = criteria[name].scores(weights, seed);
  return found && [...found];
};

describe("criteria", () => {
  it("are what their names say", () => {
    for (const [name, criterion] of Object.entries(criteria)) {
      expect(criterion.name).toBe(name);
      expect(criterion.summary.length).toBeGreaterThan(10);
    }
  });

  it("sum magnitudes, or take the norm", () => {
    expect(scores("l1")).toEqual([7, 1, 3]);
    expect(scores("l2")).toEqual([5, 1, 3]);
  });

  it("sum the distances to the other filters", () => {
    const [ab, ac, bc] = [Math.hypot(3, 5), 4, Math.hypot(3, 1)];
    const [a, b, c] = scores("geometric-median")!;
    expect(a).toBeCloseTo(ab + ac, 12);
    expect(b).toBeCloseTo(ab + bc, 12);
    expect(c).toBeCloseTo(ac + bc, 12);
  });

  it("say nothing of filters of weights that are summed over, or of vectors", () => {
    expect(scores("geometric-median", filters({ role: "in" }))).toBeUndefined();
    expect(scores("geometric-median", filters({ width: 1 }))).toBeUndefined();
  });

  it("divide squares by those that are not smaller", () => {
    expect(scores("lamp")).toEqual([25 / 25, 1 / 35, 9 / 34]);
    const none = filters();
    expect(scores("lamp", { ...none, rows: new Float32Array(6) })).toEqual([0, 0, 0]);
  });

  it("read the scales of a norm, and nothing else", () => {
    expect(scores("norm-scale", filters({ opType: "BatchNormalization", width: 1 }))).toEqual([0.5, 2, 0]);
    expect(scores("norm-scale", filters({ opType: "BatchNormalization", port: 2, width: 1 }))).toBeUndefined();
    expect(scores("norm-scale")).toBeUndefined();
  });

  it("square sums of |weight · gradient|", () => {
    const gradients = Float32Array.of(0.5, 0.25, 7, -2, -1, 3);
    expect(scores("taylor", { ...filters(), gradients })).toEqual([(1.5 + 1) ** 2, 2 ** 2, 3 ** 2]);
    expect(scores("taylor")).toBeUndefined();
  });

  it("weigh squares of weights by those of gradients", () => {
    const squaredGradients = Float32Array.of(0.5, 0.25, 7, 2, 1, 3);
    expect(scores("fisher", { ...filters(), squaredGradients })).toEqual([(4.5 + 4) / 2, 1, 4.5]);
    expect(scores("fisher")).toBeUndefined();
  });

  it("take the mean of what is not zero, where it is read", () => {
    const inputShares = Float32Array.of(0.5, 0.25, 1, 0, 0, 0);
    expect(scores("apoz", { ...filters({ role: "in" }), inputShares })).toEqual([0.375, 0.5, 0]);
    expect(scores("apoz", { ...filters(), inputShares })).toBeUndefined();
    expect(scores("apoz", filters({ role: "in" }))).toBeUndefined();
  });

  it("multiply magnitudes with the norms of inputs, and compare per output", () => {
    const inputNorms = Float32Array.of(1, 0.5, 9, 2, 3, 4);
    expect(scores("wanda", { ...filters(), inputNorms })).toEqual([5, 2, 9]);
    expect(criteria.wanda.withinOutputs).toBe(true);
    expect(scores("wanda")).toBeUndefined();
  });

  it("say what they need", () => {
    const needs = Object.entries(criteria).flatMap(([name, criterion]) =>
      "needs" in criterion && criterion.needs ? [[name, criterion.needs]] : [],
    );
    expect(needs).toEqual([
      ["taylor", "gradients"],
      ["fisher", "gradients"],
      ["apoz", "inputs"],
      ["wanda", "inputs"],
    ]);
  });

  it("draw from the seed, and for each axis anew", () => {
    const drawn = scores("random")!;
    expect(scores("random")).toEqual(drawn);
    expect(scores("random", filters(), 2)).not.toEqual(drawn);
    expect(scores("random", { ...filters(), index: 1 })).not.toEqual(drawn);
    for (const score of drawn) expect(score >= 0 && score < 1).toBe(true);
  });
});
