import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { tensor as filled, graphBuilder, type Model, model, type Tensor, verify } from "../../ir/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";
import { quantizeWeights } from "./weight-only.ts";

/** A tensor whose bytes are not aligned, as those of a file are not, and a count of how often they are asked for. */
function counted(dims: readonly [number, number]): { readonly tensor: Tensor; readonly reads: () => number } {
  const bytes = new Uint8Array(4 * dims[0] * dims[1] + 1).subarray(1);
  let reads = 0;
  const tensor: Tensor = {
    dtype: "float32",
    dims,
    get data() {
      reads++;
      return bytes;
    },
  };
  return { tensor, reads: () => reads };
}

const operators = {
  embedding: (rows: number) => {
    const { tensor, reads } = counted([rows, 32]);
    const g = graphBuilder();
    g.output(g.op("Gather", [g.constant("table", tensor), g.input("ids", "int64", [1])]), "y");
    return { subject: model(g.build()), reads };
  },
  product: (rows: number) => {
    const { tensor, reads } = counted([32, rows]);
    const g = graphBuilder();
    g.output(g.op("MatMul", [g.input("x", "float32", [1, 32]), g.constant("weight", tensor)]), "y");
    return { subject: model(g.build()), reads };
  },
  recurrent: (rows: number) => {
    const { tensor, reads } = counted([4 * rows, 32]);
    const g = graphBuilder();
    const held = { ...Object.getOwnPropertyDescriptors(tensor), dims: { value: [1, 4 * rows, 32], enumerable: true } };
    const weight = g.constant("weight", Object.defineProperties({}, held) as Tensor);
    const again = g.constant("again", {
      dtype: "float32",
      dims: [1, 4 * rows, rows],
      data: new Uint8Array(16 * rows * rows),
    });
    g.output(g.op("LSTM", [g.input("x", "float32", [1, 1, 32]), weight, again], { hidden_size: rows }), "y");
    return { subject: model(g.build()), reads };
  },
} satisfies Record<string, (rows: number) => { readonly subject: Model; readonly reads: () => number }>;

describe("weights of few bits", () => {
  it.each(Object.keys(operators) as (keyof typeof operators)[])(
    "open the %s once, however many rows it has",
    async (name) => {
      const [few, many] = [operators[name](64), operators[name](512)];
      const reports = [await quantizeWeights(few.subject), await quantizeWeights(many.subject)];
      expect(reports.map(({ report }) => report.layers.map(({ quantized }) => quantized))).toEqual([[true], [true]]);
      expect(many.reads()).toBe(few.reads());
    },
  );

  it.each([2, 4, 8] as const)("of %d bits keep 8 where they are recurrent", async (bits) => {
    const { model: after, report } = await quantizeWeights(operators.recurrent(32).subject, { bits });
    expect(report.layers).toMatchObject([{ opType: "LSTM", quantized: true, bits: 8 }]);
    const dtypes = new Set([...after.graph.initializers.values()].map((data) => (data as Tensor).dtype));
    expect(dtypes).toEqual(new Set(["float32", "uint8"]));
    expect(verify(after)).toEqual([]);
  });

  it.each([
    [true, ["x", "weight_Q4", "weight_scale"]],
    [false, ["x", "weight_Q4", "weight_scale", "weight_zero_point"]],
  ])("have zero points where their blocks are not symmetric: %s", async (symmetric, inputs) => {
    const { model: after } = await quantizeWeights(operators.product(32).subject, { symmetric });
    const [node] = after.graph.nodes;
    expect(node!.opType).toBe("MatMulNBits");
    expect(node!.inputs.map((value) => value?.name)).toEqual(inputs);
  });
});

describe("second-order rounding of weights", () => {
  const subject = () => {
    const g = graphBuilder();
    const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(1 + 7 * i));
    const weight = g.constant("weight", filled("float32", [16, 4], values));
    g.output(g.op("MatMul", [g.input("x", "float32", [2, 16]), weight], {}, { name: "product" }), "y");
    return model(g.build());
  };

  async function* calibration(): AsyncGenerator<Feeds> {
    yield new Map([
      [
        "x",
        filled(
          "float32",
          [2, 16],
          Float32Array.from({ length: 32 }, (_, i) => Math.cos(3 * i)),
        ),
      ],
    ]);
  }

  it("is what the report says of layers whose inputs were seen", async () => {
    const { report } = await quantizeWeights(subject(), { rounding: "second-order", open: openSession, calibration });
    expect(report.layers).toMatchObject([{ node: "product", quantized: true, rounding: "second-order" }]);
    const { report: plain } = await quantizeWeights(subject(), { open: openSession, calibration });
    expect(plain.layers).toMatchObject([{ node: "product", quantized: true, rounding: "nearest" }]);
  });

  it("asks for a runtime and for inputs", async () => {
    for (const options of [{}, { open: openSession }, { calibration }]) {
      await expect(quantizeWeights(subject(), { rounding: "second-order", ...options })).rejects.toThrow(UsageError);
    }
  });
});
