/** @file Training steps: every network, and on small ones every optimizer, loss and option of a step. */
import { smallNetworks } from "../../../small-networks.ts";
import { type Cases, each, namesOf } from "../case.ts";
import { autodiff, conditional, data, ir, type Model, models, nn, ops, train } from "../lithe.ts";

const { crossEntropy } = train;

function stepOf(name: keyof typeof smallNetworks, options: Partial<train.TrainingStepOptions> = {}) {
  const { make, axis } = smallNetworks[name];
  const model = make(1);
  const loss = crossEntropy({ axis });
  const exits = conditional.exitsOf(model);
  const terms = exits.length > 0 ? { terms: conditional.exitTerms({ exits }, loss) } : {};
  return train.trainingStep(model, { loss, ...terms, optimizer: "sgd", ...options });
}

/** Gradients and update as two graphs, with all that crosses between them. */
function splitOf(name: "mlp" | "resnet"): train.SplitStep {
  const { make, axis } = smallNetworks[name];
  return train.splitStep(make(1), { ...accumulated, average: 0.9, loss: crossEntropy({ axis }) });
}

/** A network that ends in three numbers. */
function answering(): Model {
  return nn.network(data.random(4), (n) => {
    const x = n.input("x", "float32", ["batch", 4]);
    const hidden = n.op("Tanh", [nn.linear(n.scope("in"), x, 5)]);
    n.output(nn.linear(n.scope("head"), hidden, 3), "y");
  });
}

function recurrent(layer: "rnn" | "gru" | "lstm"): Model {
  return nn.network(data.random(5), (n) => {
    const x = n.input("x", "float32", ["batch", 4, 3]);
    const y = nn[layer](n.scope("recurrent"), x, { hidden: 4, bidirectional: layer !== "rnn" });
    n.output(nn.linear(n.scope("head"), n.op("ReduceMean", [y, n.ints([1])], { keepdims: 0 }), 3), "y");
  });
}

const settings = {
  "sgd, Nesterov": () => train.sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  "adamw, decay": () => train.adamw({ weightDecay: 0.1, betas: [0.8, 0.99], epsilon: 1e-6 }),
  "lion, decay": () => train.lion({ weightDecay: 0.1 }),
  "muon, scaled as adamw": () => train.muon({ scale: "adamw", nesterov: false, iterations: 2, weightDecay: 0.1 }),
};

const losses = {
  "crossEntropy, smoothed": () => train.crossEntropy({ smoothing: 0.1 }),
  "focal, other factor": () => train.focal({ gamma: 1.5 }),
  "huber, other delta": () => train.huber({ delta: 0.5 }),
};

const options = {
  clip: { clip: 0.5 },
  accumulate: { accumulate: 3 },
  average: { average: 0.99 },
  "loss scale": { lossScale: { initial: 1024, growth: 3, backoff: 0.25, every: 5 } },
  "loss scale, clip, accumulate, average": { lossScale: {}, clip: 1, accumulate: 2, average: 0.9 },
  "all decay": { decayExclude: [], optimizer: "adamw" },
  "chosen parameters": { trainable: ["*weight"] },
  "frozen parameters": { freeze: ["*bias"] },
  "dropout off": { dropout: "off" },
  "batch norm frozen": { batchNorm: "frozen" },
} satisfies Record<string, Partial<train.TrainingStepOptions>>;

/** Networks in which each of those options changes something. */
const subjects = ["mlp", "resnet"] as const;

const accumulated = { accumulate: 2, lossScale: {}, clip: 1, optimizer: "adamw" } as const;

function formsWith(parts: Partial<autodiff.Forms>): Partial<train.TrainingStepOptions> {
  return { forms: { ...autodiff.defaultForms, ...parts } };
}

type Side = "input" | "weight";

function stepsWith(conv: Partial<autodiff.ConvChoice>) {
  const forms = formsWith({ conv: { ...autodiff.defaultForms.conv, ...conv } });
  return (["lenet", "resnet"] as const).map((name) => stepOf(name, forms));
}

/** The steps with each form that some convolution can have. */
function convForms(side: Side) {
  const names = new Set<string>();
  stepsWith({
    [side](geometry: autodiff.ConvGeometry) {
      for (const name of autodiff.convForms(geometry)[side]) names.add(name);
      return [];
    },
  });
  return Object.fromEntries([...names].map((name) => [name, stepsWith({ [side]: () => [name] })]));
}

const poolForms: Readonly<Record<autodiff.MaxPoolFormName, true>> = { indices: true, repeated: true, compared: true };

/** A network with a pool. */
function pooled(): Model {
  return nn.network(data.random(6), (n) => {
    const x = n.input("x", "float32", ["batch", 2, 8, 8]);
    const y = nn.maxPool(n, nn.conv(n.scope("conv"), x, 4, { kernel: 3 }), { kernel: 2 });
    n.output(nn.linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 3), "y");
  });
}

function rematerialised(choose: autodiff.Checkpoints) {
  const { graph } = ops.inferShapes(smallNetworks.vit.make(1));
  const [of] = graph.outputs;
  const wrt = [...graph.initializers.keys()].filter(({ name }) => /weight$/.test(name));
  const seed = { name: "dy", type: of!.type! };
  const differentiated = autodiff.differentiateGraph(graph, { of: of!, wrt, seed, opset: 21 });
  const { graph: whole, gradients } = autodiff.rematerialise(differentiated, choose);
  return ir.model({ ...whole, inputs: [...whole.inputs, seed], outputs: [...gradients.values()] });
}

export const training: Cases = {
  ...each("step", namesOf(models.models), (name) => stepOf(name, { optimizer: "adamw" })),
  ...each("step, portable", namesOf(models.models), (name) =>
    stepOf(name, { optimizer: "adamw", profile: "portable" }),
  ),
  ...each("recurrent step", ["rnn", "gru", "lstm"], (layer) =>
    train.trainingStep(recurrent(layer), { loss: "meanSquaredError", optimizer: "sgd" }),
  ),
  ...each("optimizer", namesOf(train.optimizers), (optimizer) => ({
    mlp: stepOf("mlp", { optimizer }),
    portable: stepOf("lenet", { optimizer, profile: "portable" }),
  })),
  ...each("optimizer", namesOf(settings), (name) => stepOf("mlp", { optimizer: settings[name]() })),
  ...each("loss", namesOf(train.losses), (loss) => train.trainingStep(answering(), { loss, optimizer: "sgd" })),
  ...each("loss", namesOf(losses), (name) =>
    train.trainingStep(answering(), { loss: losses[name](), optimizer: "sgd" }),
  ),
  ...each("option", namesOf(options), (name) => subjects.map((subject) => stepOf(subject, options[name]))),
  ...each("step in float16", ["lenet", "resnet", "vit", "gpt"] as const, (name) =>
    stepOf(name, { precision: "float16", lossScale: {} }),
  ),
  ...each("split step", ["mlp", "resnet"] as const, (name) => splitOf(name)),
  ...each("looped", ["mlp", "gpt"] as const, (name) => [
    train.loopedStep(stepOf(name)),
    train.loopedStep(stepOf(name, accumulated)),
  ]),
  ...each("forms of convolutions", ["input", "weight"], convForms),
  ...each("pool form", namesOf(poolForms), (name) =>
    train.trainingStep(pooled(), {
      loss: "crossEntropy",
      optimizer: "sgd",
      ...formsWith({ pool: { max: () => [name] } }),
    }),
  ),
  "sums as reductions": () => stepOf("vit", formsWith({ rowSum: "reduction" })),
  "products with fused transposes": () => stepOf("vit", formsWith({ weightProduct: "fused" })),
  "recomputed from the blocks' boundaries": () => rematerialised(autodiff.everyBoundary(3)),
  "recomputed within bytes": () => rematerialised(autodiff.withinBytes(100_000, { symbols: new Map([["batch", 8]]) })),
};
