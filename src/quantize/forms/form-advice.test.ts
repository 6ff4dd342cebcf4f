import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { graphBuilder, type Model, model, tensor } from "../../ir/index.ts";
import { modelAdvice } from "./form-advice.ts";
import type { FormEntry, FormTable, ProbeForm } from "./form-table.ts";
import type { ProbeProduct } from "./probe-models.ts";

const products: readonly ProbeProduct[] = ["conv", "conv 1x1", "depthwise", "matmul of one row", "matmul of 64 rows"];
const forms: readonly ProbeForm[] = [
  "static u8s8",
  "dynamic u8u8",
  "weight-only 8-bit blocks",
  "weight-only 4-bit blocks",
  "weight-only 2-bit blocks",
  "weight-only 8-bit blocks, exact",
  "weight-only 4-bit blocks, exact",
  "weight-only 2-bit blocks, exact",
  "float16",
];

/** Every form loses on every product, but for what is said. */
function table(known: Partial<Record<ProbeProduct, Partial<Record<ProbeForm, number | "fails">>>>): FormTable {
  const entries = products.flatMap((product) =>
    forms.map((form): FormEntry => {
      const ratio = known[product]?.[form] ?? 0.5;
      return ratio === "fails" ? { product, form, reason: "no kernel" } : { product, form, ratio };
    }),
  );
  return { ep: "cpu", threads: 1, entries };
}

const convolution = (weight: readonly number[], group: number): Model => {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, weight[1]! * group, 8, 8]);
  const size = weight.reduce((a, b) => a * b, 1);
  g.output(g.op("Conv", [x, g.constant("w", tensor("float32", weight, new Float32Array(size)))], { group }), "y");
  return model(g.build());
};

const product = (opType: "MatMul" | "Gemm"): Model => {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 4]);
  g.output(g.op(opType, [x, g.constant("w", tensor("float32", [4, 4], new Float32Array(16)))]), "y");
  return model(g.build());
};

/** A convolution, one that is depthwise, and a product. */
const mixed = (): Model => {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 4, 8, 8]);
  const weight = (name: string, dims: number[]) =>
    g.constant(name, tensor("float32", dims, new Float32Array(dims.reduce((a, b) => a * b, 1))));
  const wide = g.op("Conv", [x, weight("w1", [4, 4, 3, 3])]);
  const deep = g.op("Conv", [wide, weight("w2", [4, 1, 3, 3])], { group: 4 });
  const flat = g.op("Flatten", [g.op("GlobalAveragePool", [deep])]);
  g.output(g.op("MatMul", [flat, weight("w3", [4, 2])]), "y");
  return model(g.build());
};

describe("the products of a model", () => {
  it.each<[string, Model, ProbeProduct]>([
    ["a convolution", convolution([4, 4, 3, 3], 1), "conv"],
    ["a convolution along one axis", convolution([4, 4, 1, 3], 1), "conv"],
    ["a convolution of one channel", convolution([4, 1, 3, 3], 1), "conv"],
    ["a convolution in groups", convolution([4, 2, 3, 3], 2), "conv"],
    ["a convolution of single points", convolution([4, 4, 1, 1], 1), "conv 1x1"],
    ["a depthwise convolution", convolution([4, 1, 3, 3], 4), "depthwise"],
    ["a MatMul", product("MatMul"), "matmul of one row"],
    ["a Gemm", product("Gemm"), "matmul of one row"],
  ])("%s is known by its kind", (_, of, name) => {
    expect(modelAdvice(of, table({ [name]: { "static u8s8": 1.72 } }), "static")).toEqual({
      verdict: "pays",
      reason: `${name} 1.72×`,
    });
    expect(modelAdvice(of, table({}), "static")).toEqual({ verdict: "loses", reason: `${name} 0.50×` });
  });

  it("are named once each, with what does not run", () => {
    const measured = table({ conv: { "static u8s8": 0.9 }, depthwise: { "static u8s8": "fails" } });
    expect(modelAdvice(mixed(), measured, "static")).toEqual({
      verdict: "loses",
      reason: "conv 0.90×, depthwise does not run, matmul of one row 0.50×",
    });
  });

  it("decide by the best of them", () => {
    const measured = table({ "matmul of one row": { "dynamic u8u8": 1.01 } });
    expect(modelAdvice(mixed(), measured, "dynamic").verdict).toBe("pays");
    expect(modelAdvice(mixed(), measured, "static").verdict).toBe("loses");
    expect(modelAdvice(mixed(), measured, "float16").verdict).toBe("loses");
  });

  it("count for weights alone where they are of matrices, with the bits and the level that are asked for", () => {
    const measured = table({ "matmul of one row": { "weight-only 4-bit blocks": 2 } });
    expect(modelAdvice(mixed(), measured, "weight-only")).toEqual({
      verdict: "pays",
      reason: "matmul of one row 2.00×",
    });
    expect(modelAdvice(mixed(), measured, "weight-only", { bits: 3 }).verdict).toBe("pays");
    for (const other of [{ bits: 8 }, { bits: 2 }, { bits: 4, accuracyLevel: 0 }, { accuracyLevel: 1 }] as const) {
      expect(modelAdvice(mixed(), measured, "weight-only", other)).toEqual({
        verdict: "loses",
        reason: "matmul of one row 0.50×",
      });
    }
    expect(modelAdvice(convolution([4, 4, 3, 3], 1), measured, "weight-only")).toEqual({
      verdict: "unknown",
      reason: "the table has no product of this model",
    });
  });

  it("are none where there are no weights", () => {
    const g = graphBuilder();
    g.output(g.op("Relu", [g.input("x", "float32", [1])]), "y");
    expect(modelAdvice(model(g.build()), table({}), "static").verdict).toBe("unknown");
  });
});

describe("a form of few bits", () => {
  const levels = [0, 1, 2, 3, 4] as const;
  const bits = [8, 4, 3, 2] as const;
  const rows = forms.filter((form) => form.startsWith("weight-only"));

  it("is never recommended where its own row is slower than float32, whatever the other rows say", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.01, max: 4, noNaN: true }), { minLength: 6, maxLength: 6 }), (ratios) => {
        const own = Object.fromEntries(rows.map((row, i) => [row, ratios[i]!])) as Record<ProbeForm, number>;
        const measured = table({ "matmul of one row": own, "matmul of 64 rows": own });
        for (const width of bits) {
          for (const accuracyLevel of levels) {
            const stored = `${width === 3 ? 4 : width}-bit blocks${accuracyLevel === 4 ? "" : ", exact"}`;
            const { verdict } = modelAdvice(product("MatMul"), measured, "weight-only", { bits: width, accuracyLevel });
            expect(verdict).toBe(own[`weight-only ${stored}` as ProbeForm] > 1 ? "pays" : "loses");
          }
        }
      }),
      { seed: 5, numRuns: 40 },
    );
  });

  it("is not spoken of by a table that was measured before it had a row", () => {
    const measured = table({});
    const old = { ...measured, entries: measured.entries.filter(({ form }) => !form.includes("2-bit")) };
    expect(modelAdvice(product("MatMul"), old, "weight-only", { bits: 2 })).toEqual({
      verdict: "unknown",
      reason: "the table has no row weight-only 2-bit blocks; probe again",
    });
    expect(modelAdvice(product("MatMul"), old, "weight-only", { bits: 4 }).verdict).toBe("loses");
  });
});
