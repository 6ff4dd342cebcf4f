/** Trains one network at two sizes, chooses when the small picture is enough, and looks at the large one only where it is not. */
import { fit, openSession, tensorFromNumbers } from "litheml";
import { chooseThresholds, exitCosts, exitTerms, openEarlyExit, recordExits, smallFirst } from "litheml/conditional";
import { batches, datasetOf, random } from "litheml/data";
import { batchNorm, conv, globalAveragePool, linear, network } from "litheml/nn";

/** Noisy stripes, whose direction is the class: wide ones, and ones of two pixels that a small picture does not show. */
function stripes(size: number, seed: number) {
  const picture = (position: number) => {
    const source = random(seed, position);
    const isWide = source.uniform() < 0.7;
    const at = (place: number) => Math.cos((isWide ? 0.25 : 1) * Math.PI * place);
    const pixel = (i: number) => at(position % 2 ? i % 16 : i >> 4) + 0.3 * source.normal();
    const pixels = Array.from({ length: 256 }, (_, i) => pixel(i));
    const inputs = new Map([["input", tensorFromNumbers("float32", [1, 16, 16], pixels)]]);
    return { inputs, label: position % 2, source: `${position}` };
  };
  return datasetOf({ size, open: () => ({ read: picture }) });
}

const net = network(random(1), (n) => {
  let y = n.input("input", "float32", ["batch", 1, 16, 16]);
  for (const [i, channels] of [8, 16].entries()) {
    const stage = n.scope(`stage${i}`);
    y = n.relu(batchNorm(stage, conv(stage, y, channels, { kernel: 3, bias: false })));
  }
  n.output(linear(n.scope("head"), globalAveragePool(n, y), 2), "logits");
});
const twice = smallFirst(net, { size: 8 });
const { model } = await fit(twice.model, {
  data: stripes(480, 1),
  epochs: 4,
  loss: "crossEntropy",
  output: "logits",
  terms: exitTerms(twice, "crossEntropy"),
  optimizer: "adam",
  learningRate: 1e-2,
  seed: 1,
}).result;

const records = await recordExits(model, batches(stripes(300, 2), { batch: 50 }), { ...twice, open: openSession });
const whole = records.right[1]!.filter(Boolean).length / records.right[1]!.length;
const costs = exitCosts(model, twice);
const chosen = chooseThresholds(records, { costs, bound: { accuracy: whole - 0.01 } });
const large = costs[1]! - costs[0]!;
console.log(
  `accuracy ${whole} → ${chosen.accuracy} at ${((100 * chosen.cost) / large).toFixed(0)} % of the operations`,
);

await using session = await openEarlyExit(model, { ...twice, thresholds: chosen.thresholds }, openSession);
for await (const { feeds } of batches(stripes(20, 3), { batch: 20 })) {
  const { exits } = await session.run(feeds);
  console.log(`${exits.filter((exit) => exit === 0).length} of ${exits.length} left after the small picture`);
}
