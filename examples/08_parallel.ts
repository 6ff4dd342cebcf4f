/** Trains four parallel branches at every number of branches at once, then cuts the network without training again. */
import { fit, tensorFromNumbers } from "litheml";
import { datasetOf, random } from "litheml/data";
import { paraFormer } from "litheml/models";
import { keepBranches, prefixTerms, withPrefixOutputs } from "litheml/parallel";
import { adamw, evaluateModel } from "litheml/train";

/** Noisy pictures with bright stripes: their direction and their distance are the class. */
function stripes(size: number, seed: number) {
  const picture = (position: number) => {
    const source = random(seed, position);
    const [phase, period] = [6 * source.uniform(), position % 4 < 2 ? 0.8 : 1.6];
    const pixel = (i: number) => Math.sin(phase + period * (position % 2 ? i % 16 : i >> 4)) + source.normal();
    const pixels = Array.from({ length: 256 }, (_, i) => pixel(i));
    const inputs = new Map([["input", tensorFromNumbers("float32", [1, 16, 16], pixels)]]);
    return { inputs, label: position % 4, source: `${position}` };
  };
  return datasetOf({ size, open: () => ({ read: picture }) });
}

const shape = { channels: 1, size: 16, patch: 4, width: 32, heads: 2, classes: 4 };
const prefixed = withPrefixOutputs(paraFormer(random(1), { ...shape, depth: 1, branches: 4 }));
const { model } = await fit(prefixed.model, {
  data: stripes(600, 1),
  epochs: 3,
  batch: 20,
  loss: "crossEntropy",
  terms: prefixTerms(prefixed, "crossEntropy"),
  optimizer: adamw(),
  learningRate: 5e-3,
  schedule: "cosine",
}).result;
const trained = prefixed.restore(model);

for (const kept of [1, 2, 3, 4]) {
  const small = keepBranches(trained, kept);
  const { accuracy } = await evaluateModel(small, {
    data: stripes(400, 2),
    loss: "crossEntropy",
    metrics: ["accuracy"],
  });
  console.log(`${kept} of 4 branches, ${small.graph.nodes.length} nodes: accuracy ${accuracy!.toFixed(3)}`);
}
