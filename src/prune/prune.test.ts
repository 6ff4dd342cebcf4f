import { describe, expect, it } from "vitest";
import { random } from "../data/index.ts";
import { graphBuilder, type Model, model, type Tensor, tensorFromNumbers, verify } from "../ir/index.ts";
import { imagenetResnet, mobilenetV2, vit } from "../models/index.ts";
import { builderInference } from "../ops/index.ts";
import type { PruneLimit } from "./prunable.ts";
import { pruneModel } from "./prune.ts";

/** Weights of a matrix, of which column k has norm `norms[k]`. */
const columns = (rows: number, norms: readonly number[]): Tensor =>
  tensorFromNumbers(
    "float32",
    [rows, norms.length],
    Array.from({ length: rows * norms.length }, (_, i) => norms[i % norms.length]! / Math.sqrt(rows)),
  );

/** x · a, relu, · b; the hidden units have the norms 1 to 8, in this order. */
function perceptron(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", ["batch", 4]);
  const hidden = g.op("MatMul", [x, g.constant("a", columns(4, [3, 1, 8, 2, 5, 7, 4, 6]))], {}, { name: "first" });
  const relu = g.op("Relu", [hidden], {}, { name: "relu" });
  const last = g.op("MatMul", [relu, g.constant("b", columns(8, [1, 1]))], {}, { name: "last" });
  g.output(last, "y");
  return model(g.build());
}

function weights({ graph }: Model, name: string): number[] {
  const tensor = [...graph.initializers].find(([value]) => value.name === name)![1] as Tensor;
  return [...new Float32Array((tensor.data as Uint8Array).slice().buffer)].map(
    (each) => Math.round(each * 1000) / 1000,
  );
}

describe("pruneModel", () => {
  it("takes what matters least, with the rows that read it", () => {
    const { model: pruned, report } = pruneModel(perceptron(), { ratio: 0.5 });
    expect(verify(pruned)).toEqual([]);
    expect(weights(pruned, "a").slice(0, 4)).toEqual([8, 5, 7, 6].map((norm) => norm / 2));
    expect(weights(pruned, "b")).toHaveLength(8);
    expect(report.widths).toEqual([
      { layers: ["first"], before: 8, after: 4, held: [] },
      { layers: ["last"], before: 2, after: 2, held: ["it is an output of the model"] },
    ]);
    expect(report.macs).toEqual({ before: 48, after: 24 });
    expect(report.parameters).toEqual({ before: 48, after: 24 });
  });

  it("leaves multiples, and never less than the ratio does", () => {
    const after = (ratio: number, round: number) => pruneModel(perceptron(), { ratio, round }).report.widths[0]!.after;
    expect([after(0.5, 4), after(0.85, 4), after(0.6, 3)]).toEqual([4, 4, 6]);
  });

  it("takes no more of a width than the least limit of its layers", () => {
    const after = (limits: readonly PruneLimit[]) =>
      pruneModel(perceptron(), { ratio: 0.75, limits }).report.widths[0]!.after;
    expect(after([{ layer: "first", most: 0.25 }])).toBe(6);
    expect(
      after([
        { layer: "f*", most: 0.5 },
        { layer: "first", most: 0.6 },
      ]),
    ).toBe(4);
    expect(after([{ layer: "last", most: 0.1 }])).toBe(2);
    expect(() => after([{ layer: "first", most: 0 }])).toThrow(/takes nothing away/);
    expect(() => after([{ layer: "first", most: 1 }])).toThrow(/limit of a layer is out of range.*1/);
    expect(() => after([{ layer: "frist", most: 0.5 }])).toThrow(/matches no node.*"first"/);
    expect(() => after([{ layer: "relu", most: 0.5 }])).toThrow(/names no layer with a width.*"first"/);
  });

  it("leaves layers alone that are excluded", () => {
    expect(() => pruneModel(perceptron(), { ratio: 0.5, exclude: ["fir*"] })).toThrow(
      /no layer of the model can be narrowed/,
    );
    expect(() => pruneModel(perceptron(), { ratio: 0.5, exclude: ["frist"] })).toThrow(/matches no node.*"first"/);
  });

  it("takes whole heads, or the same positions of each", () => {
    const network = vit(random(1), { size: 8, patch: 4, classes: 3, width: 16, heads: 4, depth: 1 });
    const attention = (factor: "outer" | "inner") =>
      pruneModel(network, { ratio: 0.5, factor }).report.widths.flatMap(({ layers, before, after }) =>
        layers.some((name) => name.includes("qkv")) ? [[before, after]] : [],
      );
    expect(attention("outer")).toEqual([[48, 24]]);
    expect(attention("inner")).toEqual([
      [32, 16],
      [16, 8],
    ]);
  });

  it.each([
    ["ResNet-18", () => imagenetResnet(random(1), { depth: 18 }), 483_149_824, 3_055_880],
    ["ResNet-50", () => imagenetResnet(random(1), { depth: 50 }), 1_052_311_552, 6_917_640],
    ["MobileNetV2", () => mobilenetV2(random(1)), 83_402_176, 1_221_768],
  ])("halves a %s as Torch-Pruning does", (_, make, macs, parameters) => {
    const { report } = pruneModel(make(), { ratio: 0.5 });
    expect([report.macs.after, report.parameters.after]).toEqual([macs, parameters]);
  });

  it("says what it cannot do", () => {
    expect(() => pruneModel(perceptron(), { ratio: 1 })).toThrow(/ratio is out of range/);
    expect(() => pruneModel(perceptron(), { ratio: 0.05 })).toThrow(/takes nothing away.*1 of 8/);
    expect(() => pruneModel(perceptron(), { ratio: 0.5, round: 16 })).toThrow(/multiple of 16/);
    expect(() => pruneModel(perceptron(), { ratio: 0.5, criterion: "norm-scale" })).toThrow(/norm-scale says nothing/);
    expect(() => pruneModel(perceptron(), { ratio: 0.5, round: 1.5 })).toThrow(/round must be a whole number/);
  });
});
