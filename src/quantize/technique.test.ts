import { expect, it } from "vitest";
import type * as z from "zod";
import type { OpenSession } from "../runtime/index.ts";
import type { TechniqueContext } from "../technique/index.ts";
import type { QuantizeOptions } from "./quantizers/index.ts";
import { optionsOf, type QuantizeSettings, quantizeTechnique } from "./technique.ts";

type Progress = Parameters<TechniqueContext["progress"]>[0];

function contextWith(saturates = false) {
  const shown: Progress[] = [];
  const open: OpenSession = () => Promise.reject(new Error("nothing is opened"));
  const context = {
    open,
    session: { ep: "cpu", threads: 3 },
    signal: new AbortController().signal,
    data: { calibration: async function* () {}, timed: () => Promise.reject(new Error("nothing is timed")) },
    saturates: async () => saturates,
    progress: (event: Progress) => void shown.push(event),
  } as const;
  return { context, shown };
}

type Static = Extract<QuantizeOptions, { form: "static" }>;
const { context } = contextWith();
const check = (own: z.input<typeof quantizeTechnique.settings> & { data?: string; out?: string }) => () =>
  quantizeTechnique.check(own as QuantizeSettings & { data?: string; out?: string });

it("int8 weights have the bits that are asked for, or those that the machine adds exactly", async () => {
  const bits = async (weightBits: "auto" | 7 | 8, saturates: boolean) =>
    ((await optionsOf({ form: "static", weightBits }, contextWith(saturates).context)) as Static).weightBits;
  expect([await bits(7, false), await bits(8, true)]).toEqual([7, 8]);
  expect([await bits("auto", true), await bits("auto", false)]).toEqual([7, 8]);
});

it("a form takes its own settings, and those that nobody stated are the quantizer's", async () => {
  expect(await optionsOf({ form: "weight-only", bits: 2, blockSize: 64, symmetric: true }, context)).toMatchObject({
    ...{ form: "weight-only", bits: 2, blockSize: 64, symmetric: true, convolutions: false, threads: 3 },
  });
  expect(await optionsOf({ form: "weight-only" }, context)).not.toHaveProperty("bits");
  expect(await optionsOf({ form: "dynamic", exclude: ["head"] }, context)).toEqual({
    form: "dynamic",
    exclude: ["head"],
  });
  expect(await optionsOf({ form: "static", perTensor: true, equalize: true }, context)).toMatchObject({
    ...{ perChannel: false, equalization: true, biasCorrection: false },
  });
});

it("files are called as the ecosystem calls them", () => {
  const { suffix } = quantizeTechnique;
  expect([suffix({ form: "weight-only", bits: 4 }), suffix({ form: "static" }), suffix({ form: "float16" })]).toEqual([
    ...["_q4", "_quantized", "_fp16"],
  ]);
  expect(suffix({ form: "weight-only", bits: 4, rest: "float16" })).toBe("_q4f16");
  expect(suffix({ form: "weight-only" })).toBe("_q4");
  expect(suffix({ form: "dynamic" })).toBe("_quantized");
});

it("a file whose name promises a form holds it", () => {
  const named = (out: string, own: z.input<typeof quantizeTechnique.settings>) => check({ ...own, out });
  for (const out of ["model_quantized.onnx", "model_int8.onnx", "model.onnx", "dir/model_small.onnx", "q4.onnx"]) {
    expect(named(out, { form: "dynamic" })).not.toThrow();
  }
  expect(named("model_q4.onnx", { form: "weight-only", bits: 4 })).not.toThrow();
  expect(named("model_q4f16.onnx", { form: "weight-only", bits: 4, rest: "float16" })).not.toThrow();
  expect(named("model_q4.onnx", { form: "dynamic" })).toThrow(/promises another form.*--form weight-only --bits 4/);
  expect(named("model_q4.onnx", { form: "weight-only", bits: 8 })).toThrow(/_q8/);
  expect(named("model_q4.onnx", { form: "weight-only", bits: 4, rest: "float16" })).toThrow(/_q4f16/);
  expect(named("model_int8.onnx", { form: "float16" })).toThrow(/--form dynamic/);
  expect(named("model_bnb4.onnx", { form: "weight-only" })).toThrow(/not made.*model_q4\.onnx/);
  expect(named("model_uint8.onnx", { form: "dynamic" })).toThrow(/model_int8\.onnx/);
  expect(named("model_q1f16.onnx", { form: "weight-only", bits: 2 })).toThrow(/model_q2f16\.onnx/);
});

it("settings of which one makes the other idle are refused together", () => {
  expect(check({ form: "static", data: "random", rounding: "hqq" })).toThrow(/hqq.*weight-only/s);
  expect(check({ form: "static", data: "random", rounding: "clip" })).toThrow(/clip.*weight-only/s);
  expect(check({ form: "dynamic", data: "random", transform: "awq" })).toThrow(/awq.*smoothquant/s);
  expect(check({ form: "weight-only", format: "dequantize", accuracyLevel: 0 })).toThrow(/MatMulNBits/);
  expect(check({ form: "weight-only", format: "dequantize", rest: "float16" })).toThrow(/Cast/);
  expect(check({ form: "weight-only", rounding: "hqq" })).not.toThrow();
  expect(check({ form: "weight-only", format: "dequantize", rest: "float32", accuracyLevel: 4 })).not.toThrow();
});

it("data are needed where something is chosen by them", () => {
  expect(check({ form: "static" })).toThrow("static quantization needs data");
  expect(check({ form: "dynamic" })).not.toThrow();
  expect(check({ form: "weight-only", rounding: "second-order" })).toThrow("second-order rounding needs data");
  expect(check({ form: "weight-only" })).not.toThrow();
  expect(check({ form: "weight-only", rounding: "gptq" })).toThrow("gptq rounding needs data");
  expect(check({ form: "weight-only", rounding: "clip" })).toThrow("clip rounding needs data");
  expect(check({ form: "weight-only", rounding: "hqq" })).not.toThrow();
  expect(check({ form: "weight-only", transform: "awq" })).toThrow("the transform awq needs data");
  expect(check({ form: "dynamic", transform: "smoothquant" })).toThrow("smoothquant needs data");
  expect(check({ form: "dynamic", transform: "hadamard" })).not.toThrow();
  expect(check({ form: "static", data: "random" })).not.toThrow();
});

it("calibration and rounding tell how far they are", async () => {
  const { context, shown } = contextWith();
  const { onEvent } = (await optionsOf({ form: "static" }, context)) as Static;
  onEvent!({ type: "calibrate", batch: 3 });
  onEvent!({ type: "moments", batch: 4, layers: 2 });
  onEvent!({ type: "round", node: "conv1", done: 1, total: 2 });
  expect(shown).toEqual([
    { stage: "calibrate", done: 3, total: 0 },
    { stage: "statistics", done: 4, total: 0 },
    { stage: "round", done: 1, total: 2, detail: "conv1" },
  ]);
});
