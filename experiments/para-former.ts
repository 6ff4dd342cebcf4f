/** @file Para-Former-m-n: accuracy against branches and depth, and the start from a trained serial network. */
import type { Model } from "../src/ir/index.ts";
import { type CombinationName, combinations } from "../src/nn/index.ts";
import { branchesFromSerial } from "../src/parallel/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, isAbove, isAtLeast, type Judgement, meanInterval, overSeeds, points } from "./judgement.ts";
import {
  accuracyOn,
  budget,
  cifarPictures,
  deviation,
  EPOCHS,
  fashionPictures,
  fromScratch,
  mean,
  nameOf,
  type Pictures,
  percent,
  picturesOf,
  type Scores,
  type Settings,
  type Shape,
  type Source,
  smallParaFormer,
  spread,
  trainedOn,
  triedOut,
  updates,
} from "./para-training.ts";

const FASHION = "Fashion-MNIST";
const CIFAR = "CIFAR-10";

const widths = [1, 2, 4, 8].map((branches) => ({ depth: 1, branches }));
const grid = [1, 2, 3, 6].flatMap((depth) => [1, 2, 4].map((branches) => ({ depth, branches }))).filter(isInBudget);
/** Where the combination and the learning rate are chosen. */
const MIDDLE: Shape = { depth: 2, branches: 4 };
const rates = [1e-3, 3e-3];

/** The largest network of the grid is left out. */
function isInBudget({ depth, branches }: Shape): boolean {
  return depth * branches < 24;
}

interface Row extends Shape, Scores {
  readonly data: string;
  readonly seed: number;
}

interface Choice {
  readonly combine: CombinationName;
  readonly rate: number;
  readonly validation: number;
}

/** Blocks of the serial network, and what becomes of them. */
const SERIAL: Shape = { depth: 6, branches: 1 };
const parallels: readonly Shape[] = [
  { depth: 3, branches: 2 },
  { depth: 1, branches: 6 },
];
const FINE_TUNING = 1;

/** Test accuracies of networks with one identity path. */
interface Started extends Shape {
  readonly seed: number;
  /** The serial network, trained. */
  readonly serial: number;
  /** The same weights side by side, before and after fine-tuning. */
  readonly dealt: number;
  readonly tuned: number;
  /** From scratch, with the passes of the fine-tuning, and with all. */
  readonly short: number;
  readonly full: number;
}

interface Result {
  readonly choices: readonly Choice[];
  readonly chosen: Omit<Choice, "validation">;
  readonly rows: readonly Row[];
  readonly started: readonly Started[];
}

/** The combination at the higher rate, then the rate of the best combination. */
async function choicesOf(context: ExperimentContext, source: Source): Promise<Choice[]> {
  const choices: Choice[] = [];
  const tryOut = async (combine: CombinationName, rate: number) => {
    if (choices.some((known) => known.combine === combine && known.rate === rate)) return;
    choices.push({ combine, rate, validation: await triedOut(context, source, { ...MIDDLE, combine, rate }) });
  };
  const names = Object.keys(combinations) as CombinationName[];
  for (const name of names.filter((name) => name !== "mean")) await tryOut(name, 3e-3);
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

async function startedOn(
  { once, log }: ExperimentContext,
  pictures: Pictures,
  learningRate: number,
): Promise<Started[]> {
  const { seed } = pictures;
  const begin = (shape: Shape) => smallParaFormer(pictures, { ...shape, combine: "residualSum" });
  const scored = (model: Model) => accuracyOn(model, pictures.test);
  const started = await once(`from serial, rate ${learningRate}, seed ${seed}`, async () => {
    const serial = await trainedOn(pictures, begin(SERIAL), { learningRate });
    const rows: Started[] = [];
    for (const shape of parallels) {
      const dealt = branchesFromSerial(serial, shape.branches);
      const brief = { learningRate, epochs: FINE_TUNING };
      rows.push({
        ...shape,
        seed,
        serial: await scored(serial),
        dealt: await scored(dealt),
        tuned: await scored(await trainedOn(pictures, dealt, brief)),
        short: await scored(await trainedOn(pictures, begin(shape), brief)),
        full: await scored(await trainedOn(pictures, begin(shape), { learningRate })),
      });
    }
    return rows;
  });
  for (const row of started) log(JSON.stringify(row));
  return started;
}

function testsOf(rows: readonly Row[], data: string, shape: Shape): number[] {
  return rows.filter((row) => row.data === data && nameOf(row) === nameOf(shape)).map(({ test }) => test);
}

export const paraFormerTables: Experiment<Result> = {
  name: "para-former",
  claim:
    "The accuracy of Para-Former-1-n grows with n; more depth and more branches both help; trained serial weights are a better start than random ones.",
  source: "Para-Former, arXiv:2407.21670",
  workload: `${FASHION} and ${CIFAR}, each: ${budget}; ${EPOCHS} passes over the training pictures, ${updates(EPOCHS)} updates.`,
  seeds: [1, 2, 3],
  criterion:
    "on both data sets, n = 8 is better than n = 1 by at least one point and no step from n to 2n loses more than its noise; the deepest network is better than the one-block network at every n, that of the most branches than that of one at every depth, and the start from serial weights than a random one with as many passes",
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
    const started: Started[] = [];
    for (const seed of this.seeds) started.push(...(await startedOn(context, await picturesOf(fashion, seed), rate)));
    return { choices, chosen, rows, started };
  },
  judge: ({ rows, started }) => [
    ...sets.flatMap((data) => judgeWidths(rows, data)),
    everyOne(
      `${FASHION}: more depth helps, at every n`,
      [1, 2, 4].map((branches) =>
        gainOver(
          rows,
          [1, 2, 3, 6].map((depth) => ({ depth, branches })),
        ),
      ),
      ({ gains }) => isAbove(meanInterval(gains), 0),
      gainText,
    ),
    everyOne(
      `${FASHION}: more branches help, at every depth`,
      [1, 2, 3, 6].map((depth) =>
        gainOver(
          rows,
          [1, 2, 4].map((branches) => ({ depth, branches })),
        ),
      ),
      ({ gains }) => isAbove(meanInterval(gains), 0),
      gainText,
    ),
    everyOne(
      "trained serial weights are a better start than random ones, with as many passes after it",
      parallels.map((shape) => ({ shape, own: started.filter((row) => nameOf(row) === nameOf(shape)) })),
      ({ own }) => isAbove(meanInterval(own.map(({ tuned, short }) => tuned - short)), 0),
      ({ shape, own }) =>
        `${nameOf(shape)} ${overSeeds(
          own.map(({ tuned, short }) => tuned - short),
          points,
        )}`,
    ),
  ],
  page({ choices, chosen, rows, started }) {
    return [
      `Test accuracy in percent, mean ± standard deviation over the seeds. Chosen on validation, on other seeds' pictures, for ${nameOf(MIDDLE)} and taken for all: ${chosen.combine}, learning rate ${chosen.rate} (${choices.map((x) => `${x.combine} ${x.rate}: ${percent(x.validation)}`).join("; ")}).`,
      "Table 1, one block deep:",
      branchTable(rows),
      `Table 2, ${FASHION}, m blocks in sequence:`,
      gridTable(rows),
      `Table 3, ${FASHION}: ${nameOf(SERIAL)} trained, its blocks dealt out to branches beside one identity path, and the same networks from scratch:`,
      startTable(started),
    ].join("\n\n");
  },
};

const sets = [FASHION, CIFAR];

function branchTable(rows: readonly Row[]): string {
  return markdownTable(
    ["n", ...sets],
    widths.map((shape) => [shape.branches, ...sets.map((data) => spread(testsOf(rows, data, shape)))]),
  );
}

function gridTable(rows: readonly Row[]): string {
  const columns = [1, 2, 4];
  return markdownTable(
    ["m", ...columns.map((n) => `n = ${n}`)],
    [1, 2, 3, 6].map((depth) => [
      depth,
      ...columns.map((branches) =>
        isInBudget({ depth, branches }) ? spread(testsOf(rows, FASHION, { depth, branches })) : "not trained",
      ),
    ]),
  );
}

function startTable(started: readonly Started[]): string {
  const columns = {
    "serial, trained": "serial",
    "dealt out": "dealt",
    [`dealt out, ${FINE_TUNING} pass more`]: "tuned",
    [`from scratch, ${FINE_TUNING} pass`]: "short",
    [`from scratch, ${EPOCHS} passes`]: "full",
  } as const;
  return markdownTable(
    ["m-n", ...Object.keys(columns)],
    parallels.map((shape) => {
      const own = started.filter((row) => nameOf(row) === nameOf(shape));
      return [nameOf(shape), ...Object.values(columns).map((column) => spread(own.map((row) => row[column])))];
    }),
  );
}

function judgeWidths(rows: readonly Row[], data: string): readonly Judgement[] {
  const tests = widths.map((shape) => testsOf(rows, data, shape));
  const gains = tests.at(-1)!.map((test, seed) => test - tests[0]![seed]!);
  const steps = tests.slice(1).map((more, i) => ({
    name: `n = ${widths[i]!.branches} to ${widths[i + 1]!.branches}`,
    differences: more.map((test, seed) => test - tests[i]![seed]!),
  }));
  return [
    {
      what: `${data}: n = 8 is better than n = 1 by at least one point`,
      holds: isAtLeast(meanInterval(gains), 0.01),
      figure: overSeeds(gains, points),
    },
    everyOne(
      `${data}: no step from n to 2n loses more than its noise`,
      steps,
      ({ differences }) => mean(differences) >= -deviation(differences),
      ({ name, differences }) => `${name} ${overSeeds(differences, points)}`,
    ),
  ];
}

interface Gain {
  readonly name: string;
  /** One for each seed. */
  readonly gains: readonly number[];
}

/** The last of the shapes that were trained against the first. */
function gainOver(rows: readonly Row[], all: readonly Shape[]): Gain {
  const known = all.filter(isInBudget);
  const [least, most] = [known[0]!, known.at(-1)!];
  const before = testsOf(rows, FASHION, least);
  return {
    name: `${nameOf(least)} to ${nameOf(most)}`,
    gains: testsOf(rows, FASHION, most).map((test, seed) => test - before[seed]!),
  };
}

function gainText({ name, gains }: Gain): string {
  return `${name} ${overSeeds(gains, points)}`;
}
