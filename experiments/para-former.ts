/** @file Para-Former-m-n: accuracy against branches and depth, and the start from a trained serial network. */
import { type CombinationName, combinations } from "../src/nn/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import {
  budget,
  cifarPictures,
  fashionPictures,
  fromScratch,
  mean,
  nameOf,
  picturesOf,
  type Scores,
  type Settings,
  type Shape,
  type Source,
  spread,
  triedOut,
} from "./para-training.ts";

const FASHION = "Fashion-MNIST";
const CIFAR = "CIFAR-10";

const widths = [1, 2, 4, 8].map((branches) => ({ depth: 1, branches }));
const grid = [1, 2, 3, 6].flatMap((depth) => [1, 2, 4].map((branches) => ({ depth, branches })));
/** Where the combination and the learning rate are chosen. */
const MIDDLE: Shape = { depth: 2, branches: 4 };
const rates = [1e-3, 2e-3, 4e-3];

interface Row extends Shape, Scores {
  readonly data: string;
  readonly seed: number;
}

interface Choice {
  readonly combine: CombinationName;
  readonly rate: number;
  readonly validation: number;
}

interface Result {
  readonly choices: readonly Choice[];
  readonly chosen: Omit<Choice, "validation">;
  readonly rows: readonly Row[];
}

/** The combination at the middle rate, then the rate of the best combination. */
async function choicesOf(context: ExperimentContext, source: Source): Promise<Choice[]> {
  const choices: Choice[] = [];
  const tryOut = async (combine: CombinationName, rate: number) => {
    if (choices.some((known) => known.combine === combine && known.rate === rate)) return;
    choices.push({ combine, rate, validation: await triedOut(context, source, { ...MIDDLE, combine, rate }) });
  };
  const names = Object.keys(combinations) as CombinationName[];
  for (const name of names.filter((name) => name !== "mean")) await tryOut(name, 2e-3);
  const { combine } = bestOf(choices);
  for (const rate of rates) await tryOut(combine, rate);
  return choices;
}

function bestOf(choices: readonly Choice[]): Choice {
  return choices.reduce((best, choice) => (choice.validation > best.validation ? choice : best));
}

async function rowsOf(
  context: ExperimentContext,
  data: string,
  source: Source,
  shapes: readonly Shape[],
  settings: Omit<Settings, keyof Shape>,
  seeds: readonly number[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const seed of seeds) {
    const pictures = await picturesOf(source, seed);
    for (const shape of shapes) {
      const scores = await fromScratch(context, pictures, { ...shape, ...settings }, data);
      rows.push({ data, seed, ...shape, ...scores });
    }
  }
  return rows;
}

function testsOf(rows: readonly Row[], data: string, shape: Shape): number[] {
  return rows.filter((row) => row.data === data && nameOf(row) === nameOf(shape)).map(({ test }) => test);
}

export const paraFormerTables: Experiment<Result> = {
  name: "para-former",
  claim:
    "The accuracy of Para-Former-1-n grows with n; more depth and more branches both help; trained serial weights are a better start than random ones.",
  source: "Para-Former, arXiv:2407.21670",
  workload: `${FASHION} and ${CIFAR}, each: ${budget}`,
  seeds: [1, 2, 3],
  criterion:
    "on both data sets, n = 8 is better than n = 1 by at least one point and no step from n to 2n loses more than its noise",
  async run(context) {
    const fashion = await fashionPictures(context.shared);
    const choices = await choicesOf(context, fashion);
    const { combine, rate } = bestOf(choices);
    const chosen = { combine, rate };
    const shapes = [...widths, ...grid.filter((shape) => !widths.some((known) => nameOf(known) === nameOf(shape)))];
    const rows = [
      ...(await rowsOf(context, FASHION, fashion, shapes, chosen, this.seeds)),
      ...(await rowsOf(context, CIFAR, await cifarPictures(context.shared), widths, chosen, this.seeds)),
    ];
    return { choices, chosen, rows };
  },
  page({ choices, chosen, rows }) {
    return "";
  },
};
