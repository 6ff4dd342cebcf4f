/** @file Networks of which each input uses a part: exits, skipped layers and frames, slices, regions, widths, fewer tokens, small pictures. */
import { smallNetworks } from "../../../small-networks.ts";
import { byReference, type Cases, each, namesOf } from "../case.ts";
import { conditional, data, type Layers, type Model, models, nn, train, type Value } from "../lithe.ts";

const { random } = data;
const CLASSES = 3;

const convolution = (n: Layers, x: Value): Value => n.op("Tanh", [nn.conv(n.scope("conv"), x, 2, { kernel: 3 })]);
const pixels = (n: Layers): Value => n.input("input", "float32", ["batch", 2, 8, 8]);

function answer(n: Layers, features: Value): void {
  const flat = n.op("Flatten", [features], { axis: 1 });
  n.output(nn.linear(n.scope("head"), flat, CLASSES), "logits");
}

function stepOf(model: Model, terms: readonly train.LossTerm[] = []) {
  return train.trainingStep(model, { loss: "crossEntropy", output: "logits", terms, optimizer: "sgd" });
}

const stages = nn.network(random(1), (n) => {
  let y = pixels(n);
  for (const [i, channels] of [4, 6, 6].entries()) {
    const stage = n.scope(`stage${i}`);
    y = n.op("Relu", [nn.batchNorm(stage, nn.conv(stage, y, channels, { kernel: 3, bias: false }))]);
  }
  answer(n, y);
});

/** Thresholds that no score equals. */
async function exited(model: Model, exits: conditional.StageOptions, confidence: conditional.ConfidenceName) {
  const options = { ...exits, confidence };
  const thresholds = exits.exits.map((_, k) => 0.5 + k / 10);
  return {
    scored: conditional.withScores(model, options),
    segments: conditional.exitSegments(model, options),
    exported: await conditional.exportEarlyExit(model, { ...options, thresholds }),
  };
}

function skipping(): Model {
  return nn.network(random(1), (n) => {
    const layers = [3, -3, 0];
    answer(
      n,
      layers.reduce((y, open, i) => conditional.skippable(n.scope(`layer${i}`), y, convolution, { open }), pixels(n)),
    );
  });
}

function films(): Model {
  return nn.network(random(1), (n) => {
    const features = conditional.skipFrames(n.scope("film"), n.input("input", "float32", ["batch", 5, 2, 4, 4]), {
      glance: (m, x) => m.op("ReduceMean", [x, m.ints([3, 4])], { keepdims: 0 }),
      frame: (m, x) => nn.globalAveragePool(m, convolution(m, x)),
      open: 0.5,
    });
    answer(n, features);
  });
}

function sequences(): Model {
  return nn.network(random(1), (n) => {
    const logits = conditional.readSlices(n, n.input("input", "float32", ["batch", 5, 3]), {
      width: 6,
      step: (m, slice, state) =>
        m.op("Tanh", [m.op("Add", [nn.linear(m.scope("in"), slice, 6), nn.linear(m.scope("on"), state, 6)])]),
      head: (m, state) => nn.linear(m, state, CLASSES),
    });
    n.output(logits, "logits");
  });
}

function looking(size: number, count: number): Model {
  return nn.network(random(2), (n) => {
    const x = n.input("input", "float32", ["batch", 2, 12, 15]);
    const glance = nn.averagePool(n, x, { kernel: 3 });
    const focus = (m: Layers, crop: Value) => nn.globalAveragePool(m, convolution(m, crop));
    answer(n, conditional.focusRegions(n.scope("look"), x, glance, focus, { size, count }));
  });
}

function slim() {
  return conditional.slimmable(random(1), {
    widths: [0.25, 0.5],
    input: pixels,
    build(n, x, width) {
      const first = n.scope("first");
      const y = n.op("Relu", [nn.batchNorm(first, nn.conv(first, x, 8 * width, { kernel: 3, bias: false }))]);
      const z = n.op("Relu", [nn.conv(n.scope("second"), y, 8 * width, { kernel: 3, stride: 2 })]);
      return nn.linear(n.scope("head"), n.op("ReduceMean", [z, n.ints([2, 3])], { keepdims: 0 }), CLASSES);
    },
  });
}

const picture = (seed: number, size: number): Model =>
  models.resnet(random(seed), { depth: 8, width: 4, channels: 1, size, classes: CLASSES });

async function small(options: conditional.SmallFirstOptions) {
  const added = conditional.smallFirst(picture(1, 16), options);
  return { added, exported: await conditional.exportEarlyExit(added.model, { ...added, thresholds: [0.6] }) };
}

export const skipped: Cases = {
  ...each("exits by", namesOf(conditional.confidences), (confidence) => {
    const added = conditional.addExits(stages, random(2), { at: 2 });
    return exited(added.model, added, confidence);
  }),
  "exits, in training": () => {
    const added = conditional.addExits(stages, random(2), { at: 2 });
    return { added, step: stepOf(added.model, conditional.exitTerms(added, "crossEntropy", [1, 0.5])) };
  },
  "exits of a transformer": () => {
    const added = conditional.addExits(smallNetworks.vit.make(2), random(2), { at: 1 });
    return exited(added.model, added, "entropy");
  },
  "exits of an MSDNet": () => {
    const model = smallNetworks.msdnet.make(2);
    return exited(model, { exits: conditional.exitsOf(model) }, "max-probability");
  },
  "skipped layers": async () => {
    const model = skipping();
    const step = stepOf(model, [conditional.skipTerm(conditional.gatesOf(model), 0.5, 2)]);
    return { step, exported: await conditional.exportSkipping(model) };
  },
  "skipped frames": async () => {
    const model = films();
    const step = stepOf(model, [conditional.frameTerm(conditional.framesOf(model), 0.25, 2)]);
    return { step, exported: await conditional.exportFrames(model) };
  },
  ...each("slices by", ["max-probability", "entropy"] as const, async (confidence) => {
    const model = sequences();
    const exits = conditional.exitsOf(model);
    const thresholds = exits.map(() => 0.7);
    return {
      step: stepOf(model, conditional.exitTerms({ exits }, "crossEntropy")),
      exported: await conditional.exportSlices(model, { exits, confidence, thresholds }),
    };
  }),
  ...each("regions:", ["1", "3"], async (count) => {
    const model = looking(5, Number(count));
    return { step: stepOf(model), exported: await conditional.exportRegions(model) };
  }),
  widths: async () => {
    const { model, outputs } = slim();
    const terms = conditional.widthTerms({ model, outputs }, "crossEntropy");
    const cut = outputs.map(({ name }) => conditional.atWidth(model, name, byReference));
    return { outputs, step: stepOf(model, terms), cut: await Promise.all(cut) };
  },
  ...each("fewer tokens by", namesOf(conditional.tokenReductions), (reduction) =>
    (["mean", "class"] as const).flatMap((pooling) => {
      const options = { size: 16, patch: 4, width: 12, depth: 3, heads: 2, channels: 1, classes: CLASSES, pooling };
      const model = models.vit(random(3), options);
      return [4, [1, 0, 3]].map((remove) => conditional.reduceTokens(model, { reduction, remove }));
    }),
  ),
  "small pictures first, one network": () => small({ size: 8 }),
  "small pictures first, two networks": () => small({ first: picture(2, 8) }),
};
