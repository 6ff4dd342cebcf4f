/** Trains a small network with two exits, chooses thresholds on held-out pictures, and exports one model that stops when it is sure. */
import { fit, openSession } from "litheml";
import { addExits, chooseThresholds, exitCosts, exitTerms, exportEarlyExit, recordExits } from "litheml/conditional";
import { batches, glyphs, random } from "litheml/data";
import { numbersOf } from "litheml/ir";
import { conv, linear, maxPool, network } from "litheml/nn";

const net = network(random(1), (n) => {
  let y = n.input("input", "float32", ["batch", 3, 32, 32]);
  for (const [i, channels] of [8, 16, 32].entries()) {
    y = maxPool(n, n.op("Relu", [conv(n.scope(`stage${i}`), y, channels, { kernel: 3 })]), { kernel: 2 });
  }
  n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 10), "logits");
});
const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
const pictures = (split: "calibration" | "validation" | "test", size: number) => glyphs({ split, size, port });

const added = addExits(net, random(2), { at: 2 });
const { model } = await fit(added.model, {
  data: pictures("calibration", 600),
  epochs: 3,
  loss: "crossEntropy",
  output: "logits",
  terms: exitTerms(added, "crossEntropy", [1, 0.5]),
  optimizer: "adam",
  learningRate: 3e-3,
  seed: 1,
}).result;

const held = batches(pictures("validation", 200), { batch: 50 });
const records = await recordExits(model, held, { ...added, open: openSession });
const whole = records.right.at(-1)!.filter(Boolean).length / records.right[0]!.length;
const costs = exitCosts(model, added);
const { thresholds, accuracy, cost } = chooseThresholds(records, { costs, bound: { accuracy: whole - 0.01 } });
console.log(`accuracy ${whole} → ${accuracy}, ${(costs.at(-1)! / cost).toFixed(1)} times fewer operations`);

await using session = await openSession(await exportEarlyExit(model, { ...added, thresholds }));
for await (const { feeds, labels } of batches(pictures("test", 5))) {
  const made = await session.run(feeds);
  console.log(`class ${labels![0]} left at exit ${numbersOf(made.get("exit")!)[0]}`);
}
