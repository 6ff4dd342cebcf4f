import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphBuilder,
  type Model,
  model,
  producerOf,
  tensor,
  tensorFromNumbers,
  verify,
} from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { openSession } from "../runtime/index.ts";
import { upgradeOpset } from "./index.ts";

function build(opset: number, make: (g: GraphBuilder) => void): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build(), { opsets: new Map([["", opset]]), irVersion: 8 });
}

async function outputs(of: Model, dims: readonly number[]): Promise<[string, string][]> {
  const count = dims.reduce((a, b) => a * b, 1);
  const x = tensorFromNumbers(
    "float32",
    dims,
    Float64Array.from({ length: count }, (_, i) => Math.sin(i * 7.3)),
  );
  const session = await openSession(of, { optimization: "disabled" });
  try {
    const results = await session.run(new Map([["x", x]]));
    return [...results].map(([name, { data, dims: shape }]) => [name, `${shape} ${data}`]);
  } finally {
    await session.release();
  }
}

/** Each of these means the same to the runtime before and after, bit for bit. */
const upgraded: readonly (readonly [name: string, before: Model])[] = [
  [
    "Upsample",
    build(9, (g) => {
      const x = g.input("x", "float32", [1, 2, 4, 4]);
      const scales = g.constant("scales", tensor("float32", [4], [1, 1, 2, 2]));
      g.output(g.unchecked("Upsample", [x, scales], 1)[0], "nearest");
      g.output(g.unchecked("Upsample", [x, scales], 1, { mode: "linear" })[0], "linear");
    }),
  ],
  [
    "Upsample with attributes",
    build(7, (g) => {
      const scales = { type: "floats", value: [1, 1, 2, 3] } as const;
      g.output(g.unchecked("Upsample", [g.input("x", "float32", [1, 2, 4, 4])], 1, { scales })[0], "y");
    }),
  ],
  [
    "Resize of opset 10",
    build(10, (g) => {
      const x = g.input("x", "float32", [1, 2, 4, 4]);
      const scales = g.constant("scales", tensor("float32", [4], [1, 1, 1.5, 0.5]));
      g.output(g.op("Resize", [x, scales]), "nearest");
      g.output(g.op("Resize", [x, scales], { mode: "linear" }), "linear");
    }),
  ],
  [
    "TopK and Scatter",
    build(9, (g) => {
      const x = g.input("x", "float32", [1, 2, 4, 4]);
      const [values, indices] = g.unchecked("TopK", [x], 2, { k: 2, axis: 3 });
      g.output(values, "values");
      g.output(g.unchecked("Scatter", [x, indices, values], 1, { axis: 3 })[0], "scattered");
    }),
  ],
  [
    "Crop, ImageScaler and Affine",
    build(8, (g) => {
      const x = g.input("x", "float32", [1, 2, 4, 4]);
      const bias = { type: "floats", value: [0.5, -0.5] } as const;
      const scaled = g.unchecked("ImageScaler", [x], 1, { bias, scale: { type: "float", value: 3 } })[0];
      g.output(g.unchecked("Crop", [scaled], 1, { border: [1, 0, 0, 2] })[0], "cropped");
      const factors = { alpha: { type: "float", value: 2 }, beta: { type: "float", value: 0.25 } } as const;
      g.output(g.unchecked("Affine", [x], 1, factors)[0], "affine");
    }),
  ],
  [
    "Dropout with a ratio",
    build(8, (g) =>
      g.output(
        g.unchecked("Dropout", [g.input("x", "float32", [1, 2, 4, 4])], 1, { ratio: { type: "float", value: 0.3 } })[0],
        "y",
      ),
    ),
  ],
  [
    "GridSample by its old names",
    build(16, (g) => {
      const grid = g.constant(
        "grid",
        tensorFromNumbers("float32", [1, 2, 2, 2], [-0.5, 0, 0.3, 0.9, -1, 1, 0.1, -0.2]),
      );
      g.output(g.op("GridSample", [g.input("x", "float32", [1, 2, 4, 4]), grid], { mode: "bilinear" }), "y");
    }),
  ],
];

describe("upgrade-opset", () => {
  it.each(upgraded)("keeps what the runtime makes of %s", async (_, before) => {
    const { model: after, notes = [] } = await upgradeOpset().run(before);
    expect(notes.filter(({ kind }) => kind === "declined")).toEqual([]);
    expect(after.opsets.get("")).toBe(21);
    expect(verify(after)).toEqual([]);
    expect(await outputs(after, [1, 2, 4, 4])).toEqual(await outputs(before, [1, 2, 4, 4]));
  });

  it.each([
    [
      "a mask that became boolean",
      /mask/,
      build(9, (g) => {
        const [, mask] = g.ops("Dropout", [g.input("x", "float32", [4])], 2);
        g.output(mask);
      }),
    ],
    [
      "statistics of training",
      /statistics/,
      build(9, (g) => {
        const parts = ["scale", "bias", "mean", "variance"].map((name) => g.input(name, "float32", [2]));
        const [, mean] = g.ops("BatchNormalization", [g.input("x", "float32", [1, 2, 3]), ...parts], 5);
        g.output(mean);
      }),
    ],
    [
      "an operator that opset 21 lacks",
      /not an operator/,
      build(9, (g) => g.output(g.unchecked("ATen", [g.input("x", "float32", [4])], 1)[0])),
    ],
    [
      "one that came later",
      /not an operator/,
      build(24, (g) => g.output(g.op("Swish", [g.input("x", "float32", [4])]))),
    ],
    [
      "an attribute that came later",
      /round_mode/,
      build(24, (g) =>
        g.output(g.unchecked("Cast", [g.input("x", "float32", [4])], 1, { to: 24, round_mode: "down" })[0]),
      ),
    ],
    [
      "a type that came later",
      /float4e2m1/,
      build(23, (g) => g.output(g.op("Identity", [g.input("x", "float4e2m1", [4])]))),
    ],
  ])("leaves the model as it is for %s", async (_, reason, before) => {
    const { model: after, notes = [] } = await upgradeOpset().run(before);
    expect(after).toBe(before);
    expect(notes).toMatchObject([{ kind: "declined", reason: expect.stringMatching(reason) }]);
  });

  it("reads a later opset as 21 where the definitions are equal", async () => {
    const cast = { to: 11, round_mode: "up" };
    const before = build(24, (g) => g.output(g.op("Cast", [g.op("Gelu", [g.input("x", "float32", [4])])], cast)));
    const { model: after } = await upgradeOpset().run(before);
    expect([after.opsets.get(""), after.irVersion]).toEqual([21, 10]);
    expect(after.graph.nodes[1]?.attributes.has("round_mode")).toBe(false);
  });

  it("leaves other domains and models without the standard one alone", async () => {
    const g = graphBuilder();
    g.output(g.op("com.microsoft::Gelu", [g.input("x", "float32", [4])]));
    const before = model(g.build(), { opsets: new Map([["com.microsoft", 1]]) });
    expect((await upgradeOpset().run({ ...before, graph: { ...before.graph } })).model.opsets).toBe(before.opsets);
  });
});

describe("what ONNX Runtime before 1.25 computes wrongly at opset 21", () => {
  it("is written in another way", async () => {
    const before = build(17, (g) => {
      const x = g.input("x", "float32", [1, 2, 4, 4]);
      const window = { kernel_shape: [2, 2], count_include_pad: 1 };
      g.output(g.op("AveragePool", [x], { ...window, pads: [0, 0, 1, 1] }), "longer_ends");
      g.output(g.op("AveragePool", [x], { ...window, pads: [1, 1, 0, 0] }), "longer_beginnings");
      const pads = g.constant("pads", tensor("int64", [8], [0, 0, 1, 1, 0, 0, 1, 1]));
      g.output(g.op("MaxPool", [g.op("Pad", [x, pads])], { kernel_shape: [2, 2] }), "zeros");
    });
    const after = (await upgradeOpset().run(before)).model;
    const averages = after.graph.nodes.filter(({ opType }) => opType === "AveragePool");
    expect(averages.map(({ attributes }) => attributes.has("pads"))).toEqual([false, true]);
    const [maximum] = after.graph.nodes.filter(({ opType }) => opType === "MaxPool");
    expect(producerOf(after.graph, maximum!.inputs[0]!)?.inputs).toHaveLength(4);
    const feeds = new Map([
      [
        "x",
        tensor(
          "float32",
          [1, 2, 4, 4],
          Float32Array.from({ length: 32 }, (_, i) => i - 16),
        ),
      ],
    ]);
    expect(evaluate(after, feeds)).toEqual(evaluate(before, feeds));
  });
});

it.each([-(2 ** 31), 4])("leaves a sum as it is that is aligned at axis %d of a picture", async (axis) => {
  const before = build(6, (g) => {
    const b = g.constant("b", tensor("float32", [3], [1, 2, 3]));
    g.output(g.unchecked("Add", [g.input("x", "float32", [2, 3, 4, 5]), b], 1, { broadcast: 1, axis })[0], "y");
  });
  const { model: after, notes = [] } = await upgradeOpset().run(before);
  expect(after.opsets.get("")).toBe(6);
  expect(notes.map(({ reason }) => reason).join()).toMatch(/axis is none/);
});
