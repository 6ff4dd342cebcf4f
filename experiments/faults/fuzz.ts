/** @file Models and options that were answered with an unnamed error, or not at all. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LitheError } from "../../src/errors.ts";
import { graphBuilder, type Model, makeNode, model, tensor, verify } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { costOf, inferModel } from "../../src/ops/index.ts";
import { cleanup } from "../../src/passes/index.ts";
import { quantize, quantizeDynamic, quantizeWeights } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { Evaluate } from "../../src/rewrite/index.ts";
import { trainingStep } from "../../src/train/index.ts";
import { runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";

const kind = "errors have names";

/** What a call ends in; right when it gives something or fails by name. */
async function ending(work: () => unknown): Promise<Answer> {
  try {
    await work();
    return { got: "a result", ok: true };
  } catch (error) {
    const { name, message } = error as Error;
    return { got: `${name}: ${message.slice(0, 120)}`, ok: error instanceof LitheError };
  }
}

async function refusal(work: () => unknown): Promise<Answer> {
  const answer = await ending(work);
  return { ...answer, ok: answer.ok && answer.got !== "a result" };
}

const folded: Evaluate = async (source, feeds) => evaluate(source, feeds, { precision: "declared" });

function layer(dims: readonly number[], attributes = {}): Model {
  const g = graphBuilder();
  const size = dims.reduce((a, b) => a * b, 1);
  const w = g.constant("w", tensor("float32", dims, new Float32Array(size).fill(0.5)));
  const isConv = dims.length > 2;
  const x = g.input("x", "float32", isConv ? [1, dims[1]!, 4, 4] : [1, dims[0]!]);
  g.output(g.op(isConv ? "Conv" : "MatMul", [x, w], attributes), "y");
  return model(g.build());
}

export const fuzzFaults: readonly Fault[] = [
  {
    kind,
    name: "`inspect` of reduce-without-inputs.onnx",
    right: "counts without it, or a named error",
    before: "InternalError: Reduce of empty array with no initial value",
    async try({ shared }) {
      const { stdout } = await runCommand(["inspect", join(shared, "cases/reduce-without-inputs.onnx"), "--json"]);
      const answer = JSON.parse(stdout) as { error?: { name: string }; nodes?: number };
      return { got: answer.error?.name ?? `${answer.nodes} nodes`, ok: answer.error?.name !== "InternalError" };
    },
  },
  {
    kind,
    name: "`trainingStep` of train-untyped.onnx after `cleanup`",
    right: "a named error",
    before: "TypeError: Cannot read properties of undefined (reading 'type')",
    async try({ shared }) {
      const source = decodeModel(readFileSync(join(shared, "cases/train-untyped.onnx")));
      const { model: cleaned } = await cleanup({ evaluate: folded }).run(source);
      return ending(() => trainingStep(cleaned, { loss: "meanSquaredError", optimizer: "adam" }));
    },
  },
  {
    kind,
    name: "a Div without inputs: inference and costs",
    right: "a problem of the model",
    before: "TypeError: Reduce of empty array with no initial value",
    try: () =>
      ending(() => {
        const y = { name: "y" };
        const nodes = [makeNode("Div", [], [y], { name: "n" })];
        const made = model({ name: "main", inputs: [], outputs: [y], nodes, initializers: new Map() });
        costOf(made);
        if (inferModel(made).problems.length === 0) throw new Error("no problem was found");
      }),
  },
  {
    kind,
    name: "weight-only int8 of a convolution whose groups do not divide its channels",
    right: "the layer stays",
    before: "TypeError: Cannot destructure property 'scale' of 'undefined'",
    try: () => {
      const options = { format: "dequantize", convolutions: true, bits: 8, blockSize: 16 } as const;
      return ending(() => quantizeWeights(layer([4, 2, 3, 3], { group: 7 }), options));
    },
  },
  {
    kind,
    name: "dynamic int8 of a matrix without elements",
    right: "the layer stays",
    before: "it was quantized, with scales of nothing",
    try: () =>
      ending(() => {
        const { model: made, report } = quantizeDynamic(layer([0, 4]));
        if (report.layers[0]?.quantized || verify(made).length > 0) throw new Error("it was quantized");
      }),
  },
  {
    kind: "options are read or refused",
    name: "`quantize` with `wieghtBits`",
    right: "a UsageError that lists the names",
    before: "quantized with 8 bits, without a word",
    try: () => refusal(() => quantize(layer([4, 4]), { form: "dynamic", wieghtBits: 7 } as { form: "dynamic" })),
  },
  {
    kind: "options are read or refused",
    name: "`trainingStep` with `learningRate`",
    right: "a UsageError that lists the names",
    before: "a step, without a word",
    try: () => {
      const options = { loss: "meanSquaredError", optimizer: "adam", learningRate: 1 } as const;
      return refusal(() => trainingStep(layer([4, 4]), options));
    },
  },
];
