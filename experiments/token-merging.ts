/** @file Token merging and pruning on a trained vision transformer, without training it again. */
import { reduceTokens, type TokenReductionName, tokenReductions } from "../src/conditional/index.ts";
import { batches, type Dataset, random } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { raceLatency } from "../src/measure/index.ts";
import { vit } from "../src/models/index.ts";
import { type Feeds, openSession, type Session } from "../src/runtime/index.ts";
import { adamw, evaluateModel, fit } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAtLeast, isAtMost, type Judgement, meanInterval, overSeeds, points, ratio } from "./judgement.ts";
import { fashionPictures, type Pictures, picturesOf } from "./para-training.ts";
import { meanAndDeviation } from "./training-folder.ts";

const FASTER = 1.4;
const POINTS = 0.01;
const BATCH = 32;
/** Tokens that go in every block, or in each; the later ones fall, or leave out every second block. */
const REMOVED: readonly (number | readonly number[])[] = [
  4,
  6,
  7,
  8,
  [12, 10, 8, 6, 4, 2],
  [20, 10, 4, 2, 0, 0],
  [20, 0, 10, 0, 6, 0],
  [16, 0, 12, 0, 8, 0],
];
const reductions = Object.keys(tokenReductions) as TokenReductionName[];

interface Cell {
  readonly reduction: TokenReductionName;
  readonly remove: number | readonly number[];
  readonly validation: number;
  readonly test: number;
  /** Throughput over that of the whole network, timed in turn. */
  readonly faster: number;
}

interface Row {
  readonly seed: number;
  readonly whole: { readonly validation: number; readonly test: number };
  readonly cells: readonly Cell[];
}

export interface TokenMergingSizes {
  readonly depth: number;
  readonly epochs: number;
  /** Rounds in which all forms are timed. */
  readonly rounds: number;
}

/** Trains one network and measures all reductions of it. */
export async function measureReductions(pictures: Pictures, sizes: TokenMergingSizes): Promise<Row> {
  const { seed, training, validation, test } = pictures;
  const model = vit(random(seed), { channels: 1, size: 28, patch: 4, width: 96, heads: 3, depth: sizes.depth });
  const { model: trained } = await fit(model, {
    data: training,
    epochs: sizes.epochs,
    batch: BATCH,
    loss: "crossEntropy",
    optimizer: adamw({ weightDecay: 0.05 }),
    learningRate: 1e-3,
    schedule: "warmup",
    seed,
    session: { threads: 1 },
  }).result;
  const forms = reductions.flatMap((reduction) =>
    REMOVED.map((remove) => ({ reduction, remove, model: reduceTokens(trained, { reduction, remove }) })),
  );
  const faster = await throughputs(
    trained,
    forms.map((form) => form.model),
    test,
    sizes.rounds,
  );
  const cells: Cell[] = [];
  for (const [i, { reduction, remove, model: reduced }] of forms.entries()) {
    cells.push({ reduction, remove, faster: faster[i]!, ...(await accuracies(reduced, validation, test)) });
  }
  return { seed, whole: await accuracies(trained, validation, test), cells };
}

async function accuracies(model: Model, validation: Dataset, test: Dataset): Promise<Row["whole"]> {
  const measure = async (data: Dataset) =>
    (await evaluateModel(model, { data, loss: "crossEntropy", metrics: ["accuracy"], batch: 100 })).accuracy!;
  return { validation: await measure(validation), test: await measure(test) };
}

/** How many times faster each model is than the first at one batch of real pictures. */
async function throughputs(whole: Model, models: readonly Model[], data: Dataset, rounds: number): Promise<number[]> {
  const sessions: Session[] = [];
  try {
    for (const model of [whole, ...models]) sessions.push(await openSession(model, { threads: 1 }));
    const feeds = await firstBatch(data);
    const standings = await raceLatency(
      sessions.map((session) => ({ session, feeds })),
      { rounds },
    );
    return standings.slice(1).map(({ ratio }) => ratio);
  } finally {
    await Promise.all(sessions.map((session) => session.release()));
  }
}

async function firstBatch(data: Dataset): Promise<Feeds> {
  for await (const { feeds } of batches(data, { batch: BATCH, limit: BATCH })) return feeds;
  throw new Error("no pictures");
}

/** The fastest of a row that loses at most the bound on validation pictures. */
function chosenOf({ whole, cells }: Row): Cell | undefined {
  const kept = cells.filter(({ validation }) => whole.validation - validation <= POINTS);
  return kept.sort((a, b) => b.faster - a.faster)[0];
}

export const tokenMerging: Experiment<readonly Row[]> = {
  name: "token-merging",
  claim: "Merging tokens that are alike makes a trained vision transformer faster without training it again.",
  source: "ToMe, Bolya et al. (2023), arXiv:2210.09461; EViT, Liang et al. (2022), arXiv:2202.07800",
  workload: `Fashion-MNIST, 6,000 training pictures per seed for 6 epochs, 2,000 held out to choose the reduction, 5,000 for the test; a vision transformer of width 96, 6 blocks and 49 tokens; the tokens of the table's second column go in every block, as far as there are any, or in each; cpu provider, 1 thread, batch ${BATCH}, all forms timed in turn`,
  seeds: [1, 2, 3],
  criterion: `at least ${FASTER} times the throughput at most ${100 * POINTS} point less accurate on the test, means over the seeds of what validation pictures choose`,
  async run({ shared, once, log }) {
    const source = await fashionPictures(shared);
    const rows: Row[] = [];
    for (const seed of this.seeds) {
      const measured = async () =>
        measureReductions(await picturesOf(source, seed), { depth: 6, epochs: 6, rounds: 15 });
      rows.push(await once(`seed ${seed}`, measured));
      log(`seed ${seed}: ${JSON.stringify(rows.at(-1))}`);
    }
    return rows;
  },
  judge: judgeRows,
  page: pageOf,
};

function scheduleName(remove: Cell["remove"]): string {
  return typeof remove === "number" ? String(remove) : `(${remove.join(", ")})`;
}

function pageOf(rows: readonly Row[]): string {
  const hundredths = (x: number) => (100 * x).toFixed(2);
  const spread = (values: readonly number[], show: (x: number) => string) => {
    const { mean, deviation } = meanAndDeviation(values);
    return `${show(mean)} ± ${show(deviation)}`;
  };
  const table = markdownTable(
    ["reduction", "tokens less per block", "points lost, test", "times faster"],
    rows[0]!.cells.map(({ reduction, remove }, i) => [
      reduction,
      scheduleName(remove),
      spread(
        rows.map(({ whole, cells }) => whole.test - cells[i]!.test),
        hundredths,
      ),
      spread(
        rows.map(({ cells }) => cells[i]!.faster),
        (x) => x.toFixed(2),
      ),
    ]),
  );
  const chosen = rows.map((row) => ({ row, cell: chosenOf(row) }));
  if (chosen.some(({ cell }) => cell === undefined)) {
    return `${table}\n\nFor some seed no reduction keeps the bound on validation pictures.`;
  }
  const faster = chosen.map(({ cell }) => cell!.faster);
  const lost = chosen.map(({ row, cell }) => row.whole.test - cell!.test);
  const names = chosen.map(({ cell }) => `${cell!.reduction} ${scheduleName(cell!.remove)}`).join(", ");
  return [
    table,
    `Whole network: ${spread(
      rows.map(({ whole }) => whole.test),
      hundredths,
    )} % right. Chosen on validation pictures: ${names}; ${spread(faster, (x) => x.toFixed(2))} times faster for ${spread(lost, hundredths)} points.`,
  ].join("\n\n");
}

/** What validation pictures choose, judged on the test. */
function judgeRows(rows: readonly Row[]): readonly Judgement[] {
  const chosen = rows.flatMap((row) => {
    const cell = chosenOf(row);
    return cell ? [{ faster: cell.faster, lost: row.whole.test - cell.test }] : [];
  });
  const [faster, lost] = [chosen.map((one) => one.faster), chosen.map((one) => one.lost)];
  const isComplete = chosen.length === rows.length;
  const why = "three seeds choose different reductions, which differ in speed and in what they lose.";
  return [
    {
      what: `at least ${FASTER} times the throughput`,
      holds: isComplete && isAtLeast(meanInterval(faster), FASTER),
      figure: `${overSeeds(faster, ratio)} times`,
      why,
    },
    {
      what: `at most ${100 * POINTS} point is lost on the test`,
      holds: isComplete && isAtMost(meanInterval(lost), POINTS),
      figure: overSeeds(lost, points),
      why,
    },
  ];
}
