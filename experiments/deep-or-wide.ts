/** @file The same number of blocks deep or wide: the control that arXiv:2407.21670 lacks. */
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { isAtLeast, type Judgement, meanInterval, overSeeds, points } from "./judgement.ts";
import {
  budget,
  EPOCHS,
  fashionPictures,
  fromScratch,
  mean,
  nameOf,
  percent,
  picturesOf,
  type Scores,
  type Shape,
  type Source,
  spread,
  triedOut,
  updates,
} from "./para-training.ts";

/** Keeps the variance whatever n is, so that one learning rate means the same for all. */
const COMBINE = "learnedScale";
const rates = [1e-3, 3e-3];

const shapes: readonly Shape[] = [
  { depth: 8, branches: 1 },
  { depth: 4, branches: 2 },
  { depth: 2, branches: 4 },
  { depth: 1, branches: 8 },
  { depth: 12, branches: 1 },
  { depth: 6, branches: 2 },
  { depth: 4, branches: 3 },
  { depth: 3, branches: 4 },
  { depth: 2, branches: 6 },
  { depth: 1, branches: 12 },
];

interface Rate extends Shape {
  readonly rate: number;
  readonly validation: number;
}

interface Row extends Shape, Scores {
  readonly seed: number;
  readonly rate: number;
}

interface Result {
  readonly choices: readonly Rate[];
  readonly rows: readonly Row[];
}

/** Every shape of eight blocks takes the rate that is best for itself, those of twelve that of the shape of the same depth or the nearest. */
async function choicesOf(context: ExperimentContext, source: Source): Promise<Rate[]> {
  const choices: Rate[] = [];
  for (const shape of shapes.filter(({ depth, branches }) => depth * branches === 8)) {
    for (const rate of rates) {
      const validation = await triedOut(context, source, { ...shape, rate, combine: COMBINE });
      choices.push({ ...shape, rate, validation });
    }
  }
  return choices;
}

function rateFor({ depth }: Shape, choices: readonly Rate[]): number {
  const distance = (choice: Shape) => Math.abs(Math.log(choice.depth / depth));
  const nearest = Math.min(...choices.map(distance));
  const candidates = choices.filter((choice) => distance(choice) === nearest);
  return candidates.reduce((best, choice) => (choice.validation > best.validation ? choice : best)).rate;
}

export const deepOrWide: Experiment<Result> = {
  name: "deep-or-wide",
  claim: "At an equal number of blocks, a wide Para-Former learns as well as a deep one.",
  source: "lithe; a control for Para-Former, arXiv:2407.21670, after arXiv:2203.09795",
  workload: `Fashion-MNIST: ${budget}; ${EPOCHS} passes over the training pictures; branches beside one identity path, each with a learned scale that starts at 1/√n.`,
  seeds: [1, 2, 3],
  criterion:
    "the widest network is within one point of the deepest, for 8 blocks and for 12; published whatever it is.",
  async run(context) {
    const source = await fashionPictures(context.shared);
    const choices = await choicesOf(context, source);
    const rows: Row[] = [];
    for (const seed of this.seeds) {
      const pictures = await picturesOf(source, seed);
      for (const shape of shapes) {
        const rate = rateFor(shape, choices);
        const scores = await fromScratch(context, pictures, { ...shape, rate, combine: COMBINE }, "Fashion-MNIST");
        rows.push({ ...shape, seed, rate, ...scores });
      }
    }
    return { choices, rows };
  },
  judge: ({ rows }) =>
    [8, 12].map((size): Judgement => {
      const all = shapes.filter(({ depth, branches }) => depth * branches === size);
      const tests = (shape: Shape) => rows.filter((row) => nameOf(row) === nameOf(shape)).map(({ test }) => test);
      const deepest = tests(all[0]!);
      const gains = tests(all.at(-1)!).map((test, seed) => test - deepest[seed]!);
      return {
        what: `the widest of ${size} blocks is within one point of the deepest, or better`,
        holds: isAtLeast(meanInterval(gains), -0.01),
        figure: overSeeds(gains, points),
      };
    }),
  page({ choices, rows }) {
    const sizes = [8, 12];
    const tests = (shape: Shape) => rows.filter((row) => nameOf(row) === nameOf(shape)).map(({ test }) => test);
    const ofSize = (size: number) => shapes.filter(({ depth, branches }) => depth * branches === size);
    const lines = sizes.map((size) => {
      const all = ofSize(size);
      const [deepest, widest] = [tests(all[0]!), tests(all.at(-1)!)];
      const differences = widest.map((test, seed) => test - deepest[seed]!);
      return {
        text: `${size} blocks, widest against deepest: ${spread(differences)} points`,
        met: mean(differences) >= -0.01,
      };
    });
    return [
      `Test accuracy in percent, mean ± standard deviation over the seeds. Learning rates were chosen on validation, on other seeds' pictures (${choices.map((x) => `${nameOf(x)} ${x.rate}: ${percent(x.validation)}`).join("; ")}); the shapes of 12 blocks take that of the shape of 8 whose depth is nearest.`,
      ...sizes.map((size) =>
        markdownTable(
          [`m-n, ${size} blocks`, "test", "learning rate"],
          ofSize(size).map((shape) => [nameOf(shape), spread(tests(shape)), rateFor(shape, choices)]),
        ),
      ),
      `The training is short, ${updates(EPOCHS)} updates: it tells how fast the shapes learn, not what they reach in the end.`,
      `${lines.map(({ text }) => text).join("; ")}. The criterion is ${lines.every(({ met }) => met) ? "" : "not "}met.`,
    ].join("\n\n");
  },
};
