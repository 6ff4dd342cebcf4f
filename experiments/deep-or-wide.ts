/** @file The same number of blocks deep or wide: the control that arXiv:2407.21670 lacks. */
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import {
  budget,
  fashionPictures,
  fromScratch,
  mean,
  nameOf,
  picturesOf,
  type Scores,
  type Shape,
  type Source,
  spread,
  triedOut,
} from "./para-training.ts";

const COMBINE = "residualSum";
const rates = [1e-3, 2e-3, 4e-3];

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
  workload: `Fashion-MNIST: ${budget}; branches beside one identity path (residualSum)`,
  seeds: [1, 2, 3],
  criterion:
    "published whatever it is; the claim counts as shown if the widest network is within one point of the deepest",
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
  page({ choices, rows }) {
    return "";
  },
};
