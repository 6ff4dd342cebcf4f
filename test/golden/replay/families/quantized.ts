/** @file Quantized networks: every form, with every setting that changes the graph. What is measured, the reference evaluator measures. */
import { readFileSync } from "node:fs";
import { sampleOf, smallNetworks } from "../../../small-networks.ts";
import { byReference, type Cases, each, namesOf } from "../case.ts";
import { data, quantize as lithe, type Model, models, nn, onnx, openReference, passes } from "../lithe.ts";

const { quantize } = lithe;

type Network = models.ModelName;

/** As it is quantized in practice: cleaned up. */
async function clean(name: Network): Promise<Model> {
  return (await passes.cleanup({ evaluate: byReference }).run(smallNetworks[name].make(1))).model;
}

function observed(name: Network) {
  const network = smallNetworks[name];
  return {
    open: openReference,
    async *calibration() {
      for (const seed of [1, 2]) yield new Map([[network.input, sampleOf(network, seed)]]);
    },
  };
}

async function asStatic(name: Network, options: Partial<lithe.StaticOptions> = {}) {
  return quantize(await clean(name), { form: "static", ...observed(name), ...options });
}

async function asWeights(name: Network, options: lithe.WeightOnlyOptions) {
  return quantize(await clean(name), { form: "weight-only", ...options });
}

/** Layers in an order in which each of these settings changes something: kernels that follow each other, a sum, matrices. */
const settings = {
  "7-bit weights": { weightBits: 7 },
  "scales per tensor": { perChannel: false },
  "int8 activations": { activation: "int8" },
  "bias correction": { biasCorrection: true },
  equalization: { equalization: true },
  "scales of their own before Concat": { shareConcat: false },
  "integers up to the end": { floatTail: false },
  "channels as they are": { alignChannels: false },
  overrides: { overrides: [{ nodes: ["stem*"], weightBits: 7, perChannel: false, observer: "mse" }] },
  "some nodes excluded": { exclude: ["stem*"] },
  "some nodes included": { include: ["stem*", "*1/batchnormalization"] },
} satisfies Record<string, Partial<lithe.StaticOptions>>;

const subjects = ["resnet", "msdnet"] as const;

/** From layer to layer takes a while. */
const slowSettings = {
  "bias correction from layer to layer": { biasCorrection: true, sequential: true },
  "second-order rounding from layer to layer": { rounding: "second-order", sequential: true },
} satisfies Record<string, Partial<lithe.StaticOptions>>;

const weightSettings = {
  "8 bits": { bits: 8 },
  "4 bits": { bits: 4 },
  "3 bits": { bits: 3 },
  "2 bits": { bits: 2 },
  "4 bits, the rest in float16": { rest: "float16" },
  "4 bits, symmetric": { symmetric: true },
  "4 bits, blocks of 16": { blockSize: 16 },
  "4 bits, computed in floats": { accuracyLevel: 0 },
  "8 bits, standard operators": { bits: 8, format: "dequantize" },
  "4 bits, standard operators": { bits: 4, format: "dequantize" },
  "2 bits, standard operators": { bits: 2, format: "dequantize" },
} satisfies Record<string, lithe.WeightOnlyOptions>;

async function byTransform(name: lithe.TransformName) {
  const model = await clean("gpt");
  if (name === "hadamard") return lithe.transforms.hadamard(model);
  return await lithe.transforms[name](model, observed("gpt"));
}

/** A table, a recurrent layer, and stacked matrices in a branch. */
function words(): Model {
  return nn.network(data.random(7), (n) => {
    const ids = n.input("ids", "int64", ["batch", 5]);
    const { value } = nn.embedding(n.scope("words"), ids, { vocabulary: 40, width: 32 });
    const read = nn.lstm(n.scope("lstm"), value, { hidden: 32 });
    const mean = n.op("ReduceMean", [read, n.ints([1])], { keepdims: 0 });
    const [high] = [n.op("Greater", [n.op("ReduceMax", [mean], { keepdims: 0 }), n.number(0)])];
    const branch = (name: string) => (inner: nn.Layers) => nn.linear(inner.scope(name), mean, 32);
    n.output(nn.linear(n.scope("head"), n.when(high, branch("yes"), branch("no")), 4), "y");
  });
}

const demo = (): Model => onnx.decodeModel(readFileSync(data.demoModelUrl()));

export const quantized: Cases = {
  ...each("static", namesOf(models.models), (name) => asStatic(name)),
  ...each("static, observer", namesOf(lithe.observers), (observer) => asStatic("resnet", { observer })),
  ...each("static, rounding", namesOf(lithe.roundings), async (rounding) => [
    await asStatic("resnet", { rounding }),
    await asStatic("vit", { rounding }),
  ]),
  ...each("static,", namesOf(settings), (name) =>
    Promise.all(subjects.map((subject) => asStatic(subject, settings[name]))),
  ),
  ...each("static,", namesOf(slowSettings), (name) => asStatic("resnet", slowSettings[name])),
  ...each("dynamic", namesOf(models.models), async (name) => quantize(await clean(name), { form: "dynamic" })),
  "dynamic, 7-bit weights, some excluded": async () =>
    quantize(await clean("vit"), { form: "dynamic", weightBits: 7, exclude: ["*head*"] }),
  ...each("float16", namesOf(models.models), async (name) => quantize(await clean(name), { form: "float16" })),
  "float16, signature too": async () => quantize(await clean("vit"), { form: "float16", io: "float16" }),
  "float16, some kept": async () =>
    quantize(await clean("resnet"), { form: "float16", block: new Set(["Conv"]), exclude: ["*head*"] }),
  ...each("weights,", namesOf(weightSettings), (name) =>
    Promise.all((["vit", "gpt"] as const).map((subject) => asWeights(subject, weightSettings[name]))),
  ),
  "weights, convolutions": () => asWeights("resnet", { bits: 8, convolutions: true }),
  "weights, convolutions of 4 bits": () => asWeights("resnet", { bits: 4, convolutions: true }),
  "weights, second-order rounding": () => asWeights("vit", { rounding: "second-order", ...observed("vit") }),
  ...each("weights, rounding", namesOf(lithe.blockRoundings), (rounding) =>
    asWeights("vit", { rounding, blockSize: 16, ...observed("vit") }),
  ),
  ...each("changed before,", namesOf(lithe.transforms), async (name) => (await byTransform(name)).model),
  "changed before, outliers": async () => lithe.separateOutliers(await clean("gpt"), { share: 0.05 }).model,
  ...each("words,", ["dynamic", "float16", "weight-only"] as const, (form) => quantize(words(), { form })),
  "words, standard operators": () => quantize(words(), { form: "weight-only", format: "dequantize" }),
  "demo network, dynamic": () => quantize(demo(), { form: "dynamic" }),
  "demo network, float16": () => quantize(demo(), { form: "float16" }),
};
