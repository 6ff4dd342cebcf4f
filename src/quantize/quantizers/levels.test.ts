import { describe, expect, it } from "vitest";
import { noise } from "../../../test/models.ts";
import {
  floatsOf,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  tensor,
  tensorFromNumbers,
  verify,
} from "../../ir/index.ts";
import { encodedSize } from "../../onnx/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";
import { quantizeLevels } from "./levels.ts";
import { quantizeWeights } from "./weight-only.ts";

type Level = (value: number, output: number) => number;

/** Levels of an output: its scale grows with its number. */
const kinds: Record<string, { readonly level: Level; readonly bits: number }> = {
  "two levels": { level: (value, output) => (value < 0 ? -1 : 1) * (0.1 + output / 7), bits: 1 },
  "three levels": {
    level: (value, output) => (Math.abs(value) < 0.3 ? 0 : Math.sign(value)) * (0.1 + output / 7),
    bits: 2,
  },
  "three levels that are not symmetric": {
    level: (value, output) => (Math.abs(value) < 0.3 ? 0 : value < 0 ? -0.3 : 0.2 + output / 7),
    bits: 2,
  },
  "two levels that are not symmetric": { level: (value) => (value < 0 ? -0.3 : 0.2), bits: 2 },
  "one level": { level: (_, output) => 0.1 + output, bits: 1 },
};

const CHANNELS = 13;

/** A convolution and a product, neither of which has a number of weights that fills its bytes. */
function network(level: Level): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 3, 5, 5]);
  const kernels = noise(CHANNELS * 27, 3).map((value, i) => level(value, Math.floor(i / 27)));
  const matrix = noise(CHANNELS * 7, 5).map((value, i) => level(value, i % 7));
  const maps = g.op("Conv", [x, g.constant("kernels", tensor("float32", [CHANNELS, 3, 3, 3], kernels))], {
    kernel_shape: [3, 3],
  });
  const flat = g.op("Flatten", [g.op("GlobalAveragePool", [maps])], { axis: 1 });
  g.output(g.op("MatMul", [flat, g.constant("matrix", tensor("float32", [CHANNELS, 7], matrix))]), "y");
  return model(g.build());
}

const feeds: Feeds = new Map([["x", tensor("float32", [2, 3, 5, 5], noise(150, 9))]]);

async function answers(source: Model, ep: "cpu" | "wasm"): Promise<readonly number[]> {
  await using session = await openSession(source, { ep });
  return [...floatsOf((await session.run(feeds)).get("y")!)];
}

describe.each(Object.entries(kinds))("%s", (_, { level, bits }) => {
  it("are packed and unpacked to the same bits", async () => {
    const source = network(level);
    const { model: packed, report } = quantizeLevels(source);
    expect(verify(packed)).toEqual([]);
    expect(report.layers).toMatchObject([
      { opType: "Conv", quantized: true, bits },
      { opType: "MatMul", quantized: true, bits },
    ]);
    for (const ep of ["cpu", "wasm"] as const) expect(await answers(packed, ep)).toEqual(await answers(source, ep));
  });
});

describe("packed weights", () => {
  it("take a bit each", () => {
    const g = graphBuilder();
    const weights = noise(512 * 512).map(Math.sign);
    g.output(
      g.op("MatMul", [g.input("x", "float32", [1, 512]), g.constant("w", tensor("float32", [512, 512], weights))]),
      "y",
    );
    const source = model(g.build());
    const size = encodedSize(quantizeLevels(source).model);
    expect(size).toBeGreaterThan((512 * 512) / 8);
    expect(size).toBeLessThan((512 * 512) / 8 + 4 * 512 + 2000);
  });

  it("that more than one layer reads are stored once", () => {
    const g = graphBuilder();
    const w = g.constant("w", tensorFromNumbers("float32", [16, 16], noise(256).map(Math.sign)));
    const inner = g.op("MatMul", [g.input("x", "float32", [1, 16]), w]);
    g.output(g.op("MatMul", [inner, w]), "y");
    const { graph } = quantizeLevels(model(g.build())).model;
    const bytes = [...graph.initializers.values()].filter((stored) => "dtype" in stored && stored.dtype === "uint8");
    expect(bytes.filter(({ dims }) => dims[0] === 32)).toHaveLength(1);
  });

  it.each([
    ["more levels", noise(256)],
    ["NaN", new Float32Array(256).fill(Number.NaN)],
  ])("stay where an output has %s", (_, weights) => {
    const g = graphBuilder();
    g.output(
      g.op("MatMul", [g.input("x", "float32", [1, 16]), g.constant("w", tensor("float32", [16, 16], weights))]),
      "y",
    );
    const source = model(g.build());
    const { model: same, report } = quantizeLevels(source);
    expect(encodedSize(same)).toBe(encodedSize(source));
    expect(report.layers[0]).toMatchObject({ quantized: false, reason: expect.stringContaining("levels") });
  });

  it("are refused where the runtime has no operators on bits", () => {
    const old = { ...network(() => 1), opsets: new Map([["", 17]]) };
    expect(() => quantizeLevels(old)).toThrow(/opset 18 or later.*got opset 17|opset 18/s);
  });
});

describe("blocks of 2 bits", () => {
  it.each([true, false])("hold levels −a, 0 and a as they are, symmetric: %s", async (symmetric) => {
    const g = graphBuilder();
    const level = kinds["three levels"]!.level;
    const matrix = noise(64 * 48, 5).map((value, i) => level(value, i % 48));
    g.output(
      g.op("MatMul", [g.input("x", "float32", [2, 64]), g.constant("w", tensor("float32", [64, 48], matrix))]),
      "y",
    );
    const source = model(g.build());
    const { model: packed } = await quantizeWeights(source, { bits: 2, symmetric, accuracyLevel: 0 });
    const x: Feeds = new Map([["x", tensor("float32", [2, 64], noise(128, 9))]]);
    await using a = await openSession(source);
    await using b = await openSession(packed);
    const [expected, got] = [numbersOf((await a.run(x)).get("y")!), numbersOf((await b.run(x)).get("y")!)];
    for (const [i, value] of expected.entries()) expect(got[i]!).toBeCloseTo(value, 5);
  });
});
