/** Trains a small network with two exits, chooses thresholds on held-out pictures, and exports one model that stops when it is sure. */
import { fit, openSession, tensorFromNumbers } from "litheml";
import { addExits, chooseThresholds, exitCosts, exitTerms, exportEarlyExit, recordExits } from "litheml/conditional";
import { batches, datasetOf, random } from "litheml/data";
import { numbersOf } from "litheml/ir";
import { conv, linear, maxPool, network } from "litheml/nn";

/** Noisy pictures with bright stripes, half of them faint: their direction and their distance are the class. */
function stripes(size: number, seed: number) {
  const picture = (position: number) => {
    const source = random(seed, position);
    const [phase, period, light] = [6 * source.uniform(), position % 4 < 2 ? 0.8 : 1.6, position % 8 < 4 ? 2 : 0.7];
    const pixel = (i: number) => light * Math.sin(phase + period * (position % 2 ? i % 16 : i >> 4)) + source.normal();
    const pixels = Array.from({ length: 256 }, (_, i) => pixel(i));
    const inputs = new Map([["input", tensorFromNumbers("float32", [1, 16, 16], pixels)]]);
    return { inputs, label: position % 4, source: `${position}` };
  };
  return datasetOf({ size, open: () => ({ read: picture }) });
}

const net = network(random(1), (n) => {
  let y = n.input("input", "float32", ["batch", 1, 16, 16]);
  for (const [i, channels] of [8, 16, 32].entries()) {
    y = maxPool(n, n.relu(conv(n.scope(`stage${i}`), y, channels, { kernel: 3 })), { kernel: 2 });
  }
  n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 4), "logits");
});
const added = addExits(net, random(2), { at: 2 });
const { model } = await fit(added.model, {
  data: stripes(800, 1),
  epochs: 5,
  loss: "crossEntropy",
  output: "logits",
  terms: exitTerms(added, "crossEntropy", [1, 0.5]),
  optimizer: "adam",
  learningRate: 1e-2,
  seed: 1,
}).result;

const held = batches(stripes(400, 2), { batch: 50 });
const records = await recordExits(model, held, { ...added, open: openSession });
const whole = records.right.at(-1)!.filter(Boolean).length / records.right[0]!.length;
const costs = exitCosts(model, added);
const { thresholds, accuracy, cost } = chooseThresholds(records, { costs, bound: { accuracy: whole - 0.01 } });
console.log(`accuracy ${whole} → ${accuracy}, ${(costs.at(-1)! / cost).toFixed(1)} times fewer operations`);

await using session = await openSession(await exportEarlyExit(model, { ...added, thresholds }));
for await (const { feeds, labels } of batches(stripes(8, 3))) {
  const made = await session.run(feeds);
  console.log(`class ${labels![0]} left at exit ${numbersOf(made.get("exit")!)[0]}`);
}
