/** @file SmoothQuant and AWQ against torch and numpy, and what rotations do. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isLayer, layerOf } from "../../calibration/index.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import { floatsOf, graphBuilder, type Model, model, tensor } from "../../ir/index.ts";
import type { WeightBits } from "../weights/weight-blocks.ts";
import { awqScales, roundingError } from "./awq.ts";
import { outlierColumns, separateOutliers } from "./outliers.ts";
import { rotateResidual } from "./rotate.ts";
import { rotationOf } from "./rotation.ts";
import { smoothingScales } from "./smooth-quant.ts";

interface Recorded {
  readonly smoothquant: readonly {
    readonly alpha: number;
    readonly inputs: readonly number[];
    readonly weights: readonly number[];
    readonly scales: readonly number[];
  }[];
  readonly awq: readonly {
    readonly bits: WeightBits;
    readonly size: 16;
    readonly rows: number;
    readonly columns: number;
    readonly weights: readonly number[];
    readonly inputs: readonly (readonly number[])[];
    readonly losses: readonly number[];
  }[];
}

const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/rounding/post-training.json", import.meta.url), "utf8"),
);

/** One matrix, as Gemm has it: a row for each output. */
function product(weights: readonly number[], rows: number, columns: number): Model {
  const g = graphBuilder();
  const w = g.constant("w", tensor("float32", [rows, columns], Float32Array.from(weights)));
  const x = g.input("x", "float32", ["batch", columns]);
  g.output(g.op("Gemm", [x, w], { transB: 1 }, { name: "product" }), "y");
  return model(g.build());
}

function layerIn({ graph }: Model) {
  const layer = layerOf(graph, graph.nodes[0]!);
  if (!isLayer(layer)) throw new Error(layer.reason);
  return layer;
}

describe("SmoothQuant", () => {
  it.each(recorded.smoothquant)("has the scales of its authors' formula: alpha $alpha", (given) => {
    const { alpha, inputs, weights, scales } = given;
    const found = smoothingScales(Float64Array.from(inputs), Float64Array.from(weights), alpha);
    for (const [j, scale] of found.entries()) expect(scale / scales[j]!).toBeCloseTo(1, 9);
  });
});

describe("AWQ", () => {
  it.each(recorded.awq)("has the error on samples for every exponent: $bits bits", (given) => {
    const { bits, size, rows, columns, weights, inputs, losses } = given;
    const layer = layerIn(product(weights, rows, columns));
    const mean = new Float64Array(columns);
    const gram = new Float64Array(columns * columns);
    for (const x of inputs) {
      for (let i = 0; i < columns; i++) {
        mean[i]! += Math.abs(x[i]!) / inputs.length;
        for (let j = 0; j < columns; j++) gram[i * columns + j]! += (x[i]! * x[j]!) / inputs.length;
      }
    }
    for (const [k, loss] of losses.entries()) {
      const found = roundingError(layer, awqScales(mean, k / losses.length), gram, { bits, size, symmetric: false });
      expect(found / loss).toBeCloseTo(1, 5);
    }
  });
});

describe("outliers", () => {
  const weights = Array.from({ length: 4 * 64 }, (_, i) => Math.sin(3 * i) / 8);
  for (let row = 0; row < 4; row++) weights[row * 64 + 21] = row % 2 === 0 ? 9 : -9;

  it("are the inputs that spoil their blocks", () => {
    const layer = layerIn(product(weights, 4, 64));
    expect(outlierColumns(layer, { bits: 4, size: 32, symmetric: false }, 1)).toEqual([21]);
    expect(outlierColumns(layer, { bits: 4, size: 32, symmetric: true }, 1)).toEqual([21]);
  });

  it("are stored apart, with zeros in their place", () => {
    const { model: apart, notes } = separateOutliers(product(weights, 4, 64), { share: 0.01 });
    expect(notes).toEqual([{ node: "product", done: true, what: "1 of 64 inputs keep float weights" }]);
    expect(apart.graph.nodes.map(({ opType }) => opType)).toEqual(["Gemm", "Gather", "MatMul", "Add", "Identity"]);
    const stored = [...apart.graph.initializers].find(([{ name }]) => name.includes("_scaled"))![1];
    expect(floatsOf(stored as never)[21]).toBe(0);
  });

  it.each([0, 1, -1, 2])("a share of %d is refused", (share) => {
    expect(() => separateOutliers(product(weights, 4, 64), { share })).toThrow(UsageError);
  });
});

describe("a rotation", () => {
  it.each([8, 12, 64, 7])("of %d channels is its own inverse, keeps lengths and ones, and spreads", (width) => {
    const rotate = rotationOf(width, 3);
    const row = Float64Array.from({ length: width }, (_, i) => Math.sin(5 * i) + i);
    const turned = row.slice();
    rotate(turned);
    const square = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
    expect(square(turned)).toBeCloseTo(square(row), 6);
    expect([...turned].some((value, i) => Math.abs(value - row[i]!) > 0.1)).toBe(true);
    rotate(turned);
    for (const [i, value] of turned.entries()) expect(value).toBeCloseTo(row[i]!, 9);
    const ones = new Float64Array(width).fill(1);
    rotate(ones);
    for (const value of ones) expect(value).toBeCloseTo(1, 9);
    const single = new Float64Array(width);
    single[1] = 1;
    rotate(single);
    if (width >= 12) expect(Math.max(...single.map(Math.abs))).toBeLessThan(0.95);
  });

  it("is refused with the node at which the stream is something else", () => {
    const stream = (behind: (g: ReturnType<typeof graphBuilder>) => string) => () => {
      const g = graphBuilder();
      const constant = (name: string, dims: readonly number[]) =>
        g.constant(name, tensor("float32", dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5)));
      const x = g.input("x", "float32", ["batch", 8]);
      const kind = behind(g);
      const start = kind === "input" ? x : g.op("MatMul", [x, constant("w", [8, 8])], {}, { name: "write" });
      const bent = kind === "bend" ? g.op("Relu", [start], {}, { name: "bend" }) : start;
      const norm = g.op("LayerNormalization", [bent, constant("s", [8]), constant("b", [8])], {}, { name: "norm" });
      const read = kind === "read" ? g.op("Relu", [norm], {}, { name: "read" }) : norm;
      g.output(g.op("MatMul", [read, constant("v", [8, 4])], {}, { name: "last" }), "y");
      return rotateResidual(model(g.build()));
    };
    expect(stream(() => "input")).toThrow(UnsupportedError);
    expect(stream(() => "input")).toThrow(/begins at an input/);
    expect(stream(() => "bend")).toThrow(/bend/);
    expect(stream(() => "read")).toThrow(/read/);
    expect(stream(() => "none")().notes.map(({ node }) => node)).toEqual(["write", "last"]);
    const g = graphBuilder();
    g.output(g.op("Relu", [g.input("x", "float32", [1])]), "y");
    expect(() => rotateResidual(model(g.build()))).toThrow(/no residual stream/);
  });
});
