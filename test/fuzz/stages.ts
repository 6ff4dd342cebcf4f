/** @file What is done to a changed model, stage by stage, and what each result has to keep. */

import { type GradientOptions, gradient } from "../../src/autodiff/index.ts";
import { branchGroupsOf } from "../../src/branches/index.ts";
import { LimitError } from "../../src/errors.ts";
import {
  isSparse,
  type Model,
  parseModel,
  printModel,
  type Tensor,
  tensorFromNumbers,
  type Value,
  verify,
} from "../../src/ir/index.ts";
import { inspection } from "../../src/job/model/inspection.ts";
import { inputPorts } from "../../src/job/model/model-file.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { cleanup, dynamicBatch, fixDims } from "../../src/passes/index.ts";
import {
  type CaptureOptions,
  quantizeDynamic,
  quantizeFloat16,
  quantizeStatic,
  quantizeWeights,
} from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { Evaluate } from "../../src/rewrite/index.ts";
import { resolveOptions } from "../../src/runtime/options.ts";
import { loadSpec } from "../../src/runtime/prepare.ts";
import { trainingStep } from "../../src/train/index.ts";
import { type EveryPassName, everyPass } from "../every-pass.ts";

/** A changed model, and its cleaned form, which is made when it is first asked for. */
export interface Subject {
  readonly model: Model;
  cleaned(): Promise<Model>;
}

/** One thing that lithe does with a model. */
export interface Stage {
  /** In how many of all cases. */
  readonly share: number;
  /** What the stage made, if it makes a model with the same signature. */
  run(subject: Subject): Promise<Model | undefined>;
}

export function subjectOf(model: Model): Subject {
  let cleaned: Promise<Model> | undefined;
  return {
    model,
    cleaned() {
      cleaned ??= clean(model, refused);
      return cleaned;
    },
  };
}

const SAMPLE_ELEMENTS = 4096;

/** Folding without a runtime: the float64 reference under a bound. */
const folded: Evaluate = async (model, feeds) => evaluate(model, feeds, { maxNodes: 500, precision: "declared" });
const refused: Evaluate = async () => {
  throw new LimitError("nothing is evaluated here");
};

/** Stands in for a runtime: any session gives numbers for every output whose dims are known, as if they had been computed. */
const openStandIn: CaptureOptions["open"] = async (model) => ({
  ep: "reference",
  inputs: [],
  outputs: [],
  loadTime: 0,
  run: async () => new Map(model.graph.outputs.map((value) => [value.name, sampleOf(value)])),
  time: async () => ({ firstRun: 0, times: [] }),
  profile: async () => {
    throw new LimitError("nothing is profiled here");
  },
  release: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

function sampleOf({ type }: Value): Tensor {
  const dims = type?.kind === "tensor" ? (type.dims ?? []).map((dim) => (typeof dim === "number" ? dim : 2)) : [];
  const count = dims.reduce((a, b) => a * b, 1);
  if (count > SAMPLE_ELEMENTS) throw new LimitError("a sample would be too large");
  return tensorFromNumbers(
    "float32",
    dims,
    Float64Array.from({ length: count }, (_, i) => Math.sin(i)),
  );
}

async function* oneBatch(model: Model): AsyncGenerator<Map<string, Tensor>> {
  yield new Map(model.graph.inputs.map((value) => [value.name, sampleOf(value)]));
}

const data = (model: Model) => ({ open: openStandIn, calibration: () => oneBatch(model) });
const clean = async (model: Model, run: Evaluate): Promise<Model> =>
  (await cleanup({ evaluate: run }).run(model)).model;
const nothing = async (work: () => unknown): Promise<undefined> => void (await work());

const passStages = Object.fromEntries(
  (Object.keys(everyPass) as EveryPassName[])
    .filter((name) => name !== "cleanup")
    .map((name): [string, Stage] => [
      `pass ${name}`,
      { share: 0.15, run: async ({ model }) => (await everyPass[name]({ evaluate: folded }).run(model)).model },
    ]),
);

export const stages: Readonly<Record<string, Stage>> = {
  inspect: {
    share: 1,
    run: ({ model }) => nothing(() => inspection(model, { sha256: "", bytes: 0 }, new Map([["batch", 2]]))),
  },
  ports: { share: 0.1, run: ({ model }) => nothing(() => inputPorts(model)) },
  text: {
    share: 0.1,
    run: ({ model }) =>
      nothing(() => {
        const text = printModel(model);
        if (verify(model).length === 0 && printModel(parseModel(text)) !== text) throw new Error("the text changed it");
      }),
  },
  load: {
    share: 0.3,
    run: ({ model }) => nothing(() => loadSpec(model, { ...resolveOptions({}), saturates: true, reduced: true })),
  },
  cleanup: { share: 0.7, run: ({ cleaned }) => cleaned() },
  "cleanup, folded": { share: 0.3, run: ({ model }) => clean(model, folded) },
  ...passStages,
  "dynamic batch": { share: 0.1, run: ({ model }) => nothing(() => dynamicBatch({ evaluate: folded }).run(model)) },
  "fix dims": { share: 0.1, run: ({ model }) => nothing(() => fixDims(new Map([["batch", 3]])).run(model)) },
  branches: { share: 0.1, run: ({ model }) => nothing(() => branchGroupsOf(model.graph)) },
  float16: { share: 0.3, run: async ({ model }) => (await quantizeFloat16(model)).model },
  "float16, cleaned": {
    share: 0.2,
    run: async ({ cleaned }) => (await quantizeFloat16(await cleaned(), { io: "float16" })).model,
  },
  dynamic: { share: 0.3, run: async ({ model }) => quantizeDynamic(model).model },
  "dynamic, cleaned": { share: 0.2, run: async ({ cleaned }) => quantizeDynamic(await cleaned()).model },
  "weight-only": { share: 0.3, run: async ({ model }) => (await quantizeWeights(model, { blockSize: 16 })).model },
  "weight-only, dequantize": {
    share: 0.2,
    run: async ({ model }) =>
      (await quantizeWeights(model, { format: "dequantize", convolutions: true, bits: 8 })).model,
  },
  static: { share: 0.2, run: async ({ model }) => (await quantizeStatic(model, data(model))).model },
  "static, cleaned": {
    share: 0.2,
    async run({ cleaned }) {
      const model = await cleaned();
      return (await quantizeStatic(model, { ...data(model), equalization: true, biasCorrection: true })).model;
    },
  },
  train: {
    share: 0.3,
    run: ({ model }) => nothing(() => trainingStep(model, { loss: "meanSquaredError", optimizer: "adam" })),
  },
  "train, cleaned": {
    share: 0.2,
    run: ({ cleaned }) =>
      nothing(async () =>
        trainingStep(await cleaned(), { loss: "crossEntropy", optimizer: "sgd", clip: 1, precision: "float16" }),
      ),
  },
  gradient: {
    share: 0.3,
    run: ({ model }) => nothing(() => gradient(model, everyInput(model))),
  },
};

function everyInput({ graph }: Model): GradientOptions {
  return { of: graph.outputs[0]?.name ?? "", wrt: graph.inputs.map(({ name }) => name), seed: "seed" };
}

/** What is wrong with a stage's result, given that its model was valid. */
export function brokenBy(before: Model, after: Model): string | undefined {
  const [broken] = verify(after);
  if (broken) return `the result is invalid: ${broken.message} (${broken.where})`;
  const [was, is] = [signatureOf(before), signatureOf(after)];
  if (was !== is) return `the signature changed from ${was} to ${is}`;
  const changed = changedIntegers(before, after);
  if (changed) return `the integers of ${JSON.stringify(changed)} changed`;
  decodeModel(encodeModel(after));
  return undefined;
}

function signatureOf({ graph }: Model): string {
  const inputs = graph.inputs.filter((value) => !graph.initializers.has(value)).map(({ name }) => name);
  return JSON.stringify([inputs, graph.outputs.map(({ name }) => name)]);
}

/** The name of an int64 constant of the main graph that is still there with other elements. */
function changedIntegers(before: Model, after: Model): string | undefined {
  const later = new Map([...after.graph.initializers].map(([{ name }, held]) => [name, held]));
  for (const [{ name }, held] of before.graph.initializers) {
    const other = later.get(name);
    if (!other || isSparse(held) || isSparse(other) || held.dtype !== "int64" || other.dtype !== "int64") continue;
    if (!(held.data instanceof Uint8Array) || !(other.data instanceof Uint8Array)) continue;
    if (Buffer.compare(held.data, other.data) !== 0) return name;
  }
  return undefined;
}
