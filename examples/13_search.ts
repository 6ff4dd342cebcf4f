/** Searches widths and depth of a network under a limit of multiply-accumulates: evolution, each candidate trained briefly. */
import { costOf, fit, tensorFromNumbers } from "litheml";
import { datasetOf, random } from "litheml/data";
import { mlp } from "litheml/models";
import { choices, evolution, search } from "litheml/search";
import { evaluateModel } from "litheml/train";

/** Points of a square; the class is whether they lie in one of two rings. */
function rings(size: number, seed: number) {
  const point = (position: number) => {
    const source = random(seed, position);
    const [x, y] = [source.between(-2, 2), source.between(-2, 2)];
    const radius = Math.hypot(x, y);
    const label = (radius > 0.5 && radius < 1) || radius > 1.6 ? 1 : 0;
    return { inputs: new Map([["input", tensorFromNumbers("float32", [2], [x, y])]]), label, source: `${position}` };
  };
  return datasetOf({ size, open: () => ({ read: point }) });
}

type Widths = readonly number[];

const networkOf = (widths: Widths) =>
  mlp(random(1), { input: [2], hidden: widths.filter((width) => width > 0), classes: 2 });
const macsOf = (widths: Widths) => costOf(networkOf(widths)).macs;

const [training, held] = [rings(320, 1), rings(200, 2)];
const run = search({
  space: choices({
    places: [
      [4, 8, 16, 32],
      [0, 8, 16, 32],
      [0, 8, 16],
    ],
    isAllowed: (widths) => macsOf(widths) <= 800,
  }),
  strategy: evolution({ population: 4, parents: 2, mutations: 2, crossovers: 2, generations: 2 }),
  evaluate: async (widths, { signal }) => {
    const settings = { data: training, epochs: 4, loss: "crossEntropy", optimizer: "adam", signal } as const;
    const { model } = await fit(networkOf(widths), { ...settings, learningRate: 0.02, seed: 1 }).result;
    return await evaluateModel(model, { data: held, loss: "crossEntropy", metrics: ["accuracy"] });
  },
  score: ({ accuracy }) => accuracy!,
  seed: 1,
});
for await (const event of run) {
  if (event.type === "trial") console.log(`${event.trial.key}: accuracy ${event.trial.score}`);
}
const { best } = await run.result;
console.log(`best: ${best!.key}, ${macsOf(best!.candidate)} multiply-accumulates`);
