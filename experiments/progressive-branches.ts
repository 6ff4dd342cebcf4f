/** @file One network, cut at inference to fewer branches: progressive training against training of all branches at once. */
import type { Model } from "../src/ir/index.ts";
import {
  keepBranches,
  maskBranches,
  prefixTerms,
  progressiveBranches,
  withPrefixOutputs,
} from "../src/parallel/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAbove, isAtLeast, meanInterval, overSeeds, points } from "./judgement.ts";
import {
  accuracyOn,
  budget,
  fashionPictures,
  mean,
  type Pictures,
  percent,
  picturesOf,
  smallParaFormer,
  spread,
  trainedOn,
} from "./para-training.ts";

const BRANCHES = 8;
const PASSES = 3;
const kept = [1, 2, 4, 6, 8];

type Training = (pictures: Pictures, model: Model) => Promise<Model>;

const options = { epochs: PASSES, learningRate: 3e-3 };

const trainings = {
  ordinary: (pictures, model) => trainedOn(pictures, model, options),
  async progressive(pictures, model) {
    const masked = maskBranches(model);
    const drive = { [masked.mask]: progressiveBranches(masked.branches) };
    return masked.restore(await trainedOn(pictures, masked.model, { ...options, drive }));
  },
  async joint(pictures, model) {
    const prefixed = withPrefixOutputs(model);
    const terms = prefixTerms(prefixed, "crossEntropy");
    return prefixed.restore(await trainedOn(pictures, prefixed.model, { ...options, terms }));
  },
} satisfies Record<string, Training>;

type TrainingName = keyof typeof trainings;

const told: Record<TrainingName, string> = {
  ordinary: "all branches at once",
  progressive: "progressive: updates take turns over prefixes",
  joint: "joint: every update trains all prefixes",
};

interface Row {
  readonly training: TrainingName;
  readonly seed: number;
  readonly kept: number;
  readonly test: number;
}

const names = Object.keys(trainings) as TrainingName[];

function testsOf(rows: readonly Row[], training: TrainingName, branches: number): number[] {
  return rows.filter((row) => row.training === training && row.kept === branches).map(({ test }) => test);
}

export const progressive: Experiment<readonly Row[]> = {
  name: "progressive-branches",
  claim: "After progressive training, branches can be cut at inference without training again.",
  source: "ParaFormer, arXiv:2510.15425",
  workload: `Fashion-MNIST, Para-Former-1-${BRANCHES} with the plain sum: ${budget}; ${PASSES} passes over the training pictures for every method, learning rate 3e-3.`,
  seeds: [1, 2, 3],
  criterion: `with half of the branches, a progressively trained network is within one point of itself with all, and better than the ordinary one cut the same way; and, said after a first look, with all branches within one point of the ordinary one.`,
  async run({ shared, once, log }) {
    const source = await fashionPictures(shared);
    const rows: Row[] = [];
    for (const seed of this.seeds) {
      const pictures = await picturesOf(source, seed);
      for (const training of names) {
        const tests = await once(`${training}, seed ${seed}`, async () => {
          const start = smallParaFormer(pictures, { depth: 1, branches: BRANCHES, combine: "sum" });
          const trained = await trainings[training](pictures, start);
          const accuracies: number[] = [];
          for (const k of kept) accuracies.push(await accuracyOn(keepBranches(trained, k), pictures.test));
          return accuracies;
        });
        log(`${training}, seed ${seed}: ${tests.map(percent).join(", ")}`);
        rows.push(...tests.map((test, i) => ({ training, seed, kept: kept[i]!, test })));
      }
    }
    return rows;
  },
  judge(rows) {
    const half = BRANCHES / 2;
    const between = (more: readonly [TrainingName, number], less: readonly [TrainingName, number]) => {
      const others = testsOf(rows, ...less);
      return testsOf(rows, ...more).map((test, seed) => test - others[seed]!);
    };
    const kept = between(["progressive", half], ["progressive", BRANCHES]);
    const over = between(["progressive", half], ["ordinary", half]);
    const price = between(["progressive", BRANCHES], ["ordinary", BRANCHES]);
    return [
      {
        what: "with half of its branches a progressively trained network is within one point of itself with all",
        holds: isAtLeast(meanInterval(kept), -0.01),
        figure: overSeeds(kept, points),
      },
      {
        what: "it is better than the ordinary one cut the same way",
        holds: isAbove(meanInterval(over), 0),
        figure: overSeeds(over, points),
      },
      {
        what: "with all branches it is within one point of the ordinary one",
        holds: isAtLeast(meanInterval(price), -0.01),
        figure: overSeeds(price, points),
        why: "updates take turns over prefixes, so that the later branches get fewer of them: what can be cut costs accuracy at full width.",
      },
    ];
  },
  page(rows) {
    const half = BRANCHES / 2;
    const at = (training: TrainingName, branches: number) => mean(testsOf(rows, training, branches));
    const table = markdownTable(
      ["training", ...kept.map((k) => `${k} kept`)],
      names.map((name) => [told[name], ...kept.map((k) => spread(testsOf(rows, name, k)))]),
    );
    const loss = at("progressive", BRANCHES) - at("progressive", half);
    return [
      "Test accuracy in percent, mean ± standard deviation over the seeds, of one network cut to its first branches:",
      table,
      `Cut to half, the progressive network loses ${(100 * loss).toFixed(2)} points, the ordinary one ${(100 * (at("ordinary", BRANCHES) - at("ordinary", half))).toFixed(2)}, the joint one ${(100 * (at("joint", BRANCHES) - at("joint", half))).toFixed(2)}.`,
    ].join("\n\n");
  },
};
