/** Trains a small mixture of experts on points of four kinds, measures its load, and exports it without what only training reads. */
import { encodeModel, fit, openSession, tensorFromNumbers } from "litheml";
import { gates, measureMixture, mlpExpert, moeLayer, moeTraining, withoutSideOutputs } from "litheml/conditional";
import { batches, datasetOf, random } from "litheml/data";
import { linear, network } from "litheml/nn";
import { adamw, evaluateModel } from "litheml/train";

/** Points in the plane; the class is whether x·y is positive. */
function points(size: number, seed: number) {
  const point = (position: number) => {
    const source = random(seed, position);
    const at = [source.normal(), source.normal()] as const;
    const inputs = new Map([["input", tensorFromNumbers("float32", [2], at)]]);
    return { inputs, label: Number(at[0] * at[1] > 0), source: `${position}` };
  };
  return datasetOf({ size, open: () => ({ read: point }) });
}

const model = network(random(1), (n) => {
  const x = n.input("input", "float32", ["batch", 2]);
  const tokens = linear(n.scope("in"), x, 8);
  const expert = mlpExpert({ hidden: 8 });
  const y = moeLayer(n.scope("moe"), tokens, { gate: gates["top-k"]({ k: 2 }), expert, experts: 4 });
  n.output(linear(n.scope("out"), y, 2), "logits");
});

const { model: trained } = await fit(model, {
  data: points(800, 1),
  epochs: 4,
  batch: 32,
  loss: "crossEntropy",
  optimizer: adamw(),
  learningRate: 2e-2,
  output: "logits",
  ...moeTraining(model),
}).result;

const held = points(200, 2);
async function* inputs() {
  for await (const { feeds } of batches(held, {
    batch: 50,
    port: { name: "input", dtype: "float32", dims: ["batch", 2] },
  }))
    yield feeds;
}
for (const { layer, load, loadBalance } of await measureMixture(trained, inputs(), openSession)) {
  console.log(
    layer,
    load?.map((share) => share.toFixed(2)).join(" "),
    `max/mean ${loadBalance?.maxOverMean.toFixed(2)}`,
  );
}
const bare = await withoutSideOutputs(trained);
const { accuracy } = await evaluateModel(bare, { data: held, loss: "crossEntropy", metrics: ["accuracy"] });
console.log(`${encodeModel(bare).byteLength} bytes, accuracy ${accuracy}`);
