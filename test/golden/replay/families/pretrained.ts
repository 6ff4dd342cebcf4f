/** @file The pretrained models beside the checkout, through everything that needs no training. They are no part of a checkout, so nothing is accepted for them. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { sharedRoot } from "../../../shared-root.ts";
import { byReference, type Cases, type Make } from "../case.ts";
import {
  branches,
  data,
  ir,
  quantize as lithe,
  type Model,
  onnx,
  openReference,
  ops,
  parallel,
  passes,
  type Tensor,
  train,
} from "../lithe.ts";

const folder = `${sharedRoot}models/`;
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".onnx")) : [];

/** Multiply-accumulates of a run up to which the reference evaluator carries one out. */
const AFFORDABLE = 2e7;

/** A refusal is an outcome. */
async function outcome(make: Make): Promise<unknown> {
  try {
    return await make();
  } catch (error) {
    return { refused: (error as Error).message };
  }
}

function feedsFor({ graph }: Model): Map<string, Tensor> {
  const source = data.random(3);
  const fed = graph.inputs.filter((value) => !graph.initializers.has(value));
  return new Map(
    fed.map(({ name, type }): [string, Tensor] => {
      const { dtype, dims = [] } = type as ir.TensorType;
      const lengths = dims.map((dim) => (typeof dim === "number" ? dim : 1));
      const isFloat = ir.dataTypes[dtype].kind === "float";
      const numbers = Array.from({ length: ir.sizeOf(lengths) }, () => (isFloat ? source.normal() : source.below(2)));
      return [name, ir.tensorFromNumbers(dtype, lengths, numbers)];
    }),
  );
}

async function* calibration(model: Model): AsyncGenerator<ReadonlyMap<string, Tensor>> {
  yield feedsFor(model);
}

function withoutData(clean: Model): Cases {
  const symbols = clean.graph.inputs.flatMap(({ type }) =>
    type?.kind === "tensor" ? (type.dims ?? []).filter((dim) => typeof dim === "string" && dim !== "") : [],
  );
  return {
    clean: () => clean,
    dynamic: () => lithe.quantize(clean, { form: "dynamic" }),
    float16: () => lithe.quantize(clean, { form: "float16" }),
    "8-bit weights": () => lithe.quantize(clean, { form: "weight-only", bits: 8, convolutions: true }),
    "4-bit weights": () => lithe.quantize(clean, { form: "weight-only", bits: 4 }),
    survey: () => parallel.surveyBlocks(clean).runs.map(({ blocks, period }) => ({ blocks: blocks.length, period })),
    fused: () => branches.fuseBranches().run(clean),
    portable: () => passes.lowerPortable().run(clean),
    "fixed dims": () => passes.fixDims(new Map(symbols.map((symbol) => [symbol as string, 2]))).run(clean),
    step: () => train.trainingStep(clean, { loss: "meanSquaredError", optimizer: "adamw" }),
  };
}

function withData(clean: Model): Cases {
  const observed = { open: openReference, calibration: () => calibration(clean) };
  return {
    static: () => lithe.quantize(clean, { form: "static", ...observed }),
    "static, second-order": () => lithe.quantize(clean, { form: "static", ...observed, rounding: "second-order" }),
    "dynamic batch": () => passes.dynamicBatch({ evaluate: byReference }).run(clean),
  };
}

async function through(name: string) {
  const source = onnx.decodeModel(readFileSync(folder + name));
  const { model, notes } = await passes.cleanup({ evaluate: byReference }).run(source);
  const { macs } = ops.costOf(model);
  const all = { ...withoutData(model), ...(macs <= AFFORDABLE && withData(model)) };
  const made: Record<string, unknown> = { source, notes };
  for (const [what, make] of Object.entries(all)) made[what] = await outcome(make);
  return made;
}

export const pretrained: Cases = Object.fromEntries(files.map((name) => [name, () => through(name)]));
