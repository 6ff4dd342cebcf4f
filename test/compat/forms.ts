/** @file The forms in which lithe writes a model, each with how far it may stand from the original. */
import { LitheError } from "../../src/errors.ts";
import { allNodes, type Model } from "../../src/ir/index.ts";
import { cleanup, lowerPortable, upgradeOpset } from "../../src/passes/index.ts";
import { quantize } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import type { Subject } from "./subjects.ts";

export interface Form {
  readonly name: string;
  /** Relative error that a runtime may add to what the newest one gives. */
  readonly tolerance: number;
  build(subject: Subject): Promise<Model>;
  /** Nothing but weighted layers gives it something to do. */
  readonly needsWeights?: true;
}

const folding = {
  evaluate: async (model: Model, feeds: Parameters<typeof evaluate>[1]) =>
    evaluate(model, feeds, { precision: "declared" }),
};

const cleanModels = new WeakMap<Model, Promise<Model>>();

/** Cleaned once for all forms. */
function cleaned({ model }: Subject): Promise<Model> {
  const known = cleanModels.get(model) ?? clean(model);
  cleanModels.set(model, known);
  return known;
}

async function clean(model: Model): Promise<Model> {
  return (await cleanup(folding).run(model)).model;
}

/** One batch is enough: what is compared is a file with itself. */
function calibration({ feeds }: Subject) {
  return async function* () {
    yield feeds;
  };
}

export const forms: readonly Form[] = [
  { name: "original", tolerance: 1e-4, build: async ({ model }) => model },
  { name: "upgraded", tolerance: 1e-4, build: async ({ model }) => (await upgradeOpset().run(model)).model },
  { name: "cleaned", tolerance: 1e-4, build: cleaned },
  {
    name: "portable",
    tolerance: 1e-4,
    build: async (subject) => (await lowerPortable().run(await cleaned(subject))).model,
  },
  {
    name: "float16",
    tolerance: 4e-3,
    build: async (subject) => (await quantize(await cleaned(subject), { form: "float16" })).model,
  },
  {
    name: "dynamic int8",
    needsWeights: true,
    tolerance: 2e-2,
    build: async (subject) => (await quantize(await cleaned(subject), { form: "dynamic" })).model,
  },
  {
    name: "static int8",
    needsWeights: true,
    tolerance: 2e-2,
    build: async (subject) =>
      (
        await quantize(await cleaned(subject), {
          form: "static",
          open: subject.isLarge ? openSession : openReference,
          calibration: calibration(subject),
        })
      ).model,
  },
  {
    name: "weight-only 8-bit",
    needsWeights: true,
    tolerance: 2e-2,
    build: async (subject) =>
      (await quantize(await cleaned(subject), { form: "weight-only", bits: 8, blockSize: 32 })).model,
  },
  {
    name: "weight-only 4-bit",
    needsWeights: true,
    tolerance: 2e-2,
    build: async (subject) =>
      (await quantize(await cleaned(subject), { form: "weight-only", bits: 4, blockSize: 32 })).model,
  },
];

/** The form of a model, or why it has none. */
export async function buildForm(form: Form, subject: Subject): Promise<Model | string> {
  if (form.needsWeights && !hasWeights(subject.model)) return "it has no weights";
  if (form.name === "float16" && subject.name.startsWith("light/"))
    return "its generated weights pass what float16 holds";
  try {
    return await form.build(subject);
  } catch (error) {
    if (error instanceof LitheError) return error.message;
    throw error;
  }
}

/** Operators of which some quantizer stores an input in few bits. */
const weighted = /^(Conv|ConvTranspose|MatMul|Gemm|Gather|Embed|Attention|LSTM|GRU|RNN|MoE)/;

function hasWeights(model: Model): boolean {
  const stored = model.graph.initializers.size > 0 || [...allNodes(model)].some(({ opType }) => opType === "Constant");
  return stored && [...allNodes(model)].some(({ opType }) => weighted.test(opType));
}
