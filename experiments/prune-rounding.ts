/** @file Widths that kernels like against any widths at equal work, and whether a pruned model is ever slower than the original. */
import { BoundError, UsageError } from "../src/errors.ts";
import type { Model } from "../src/ir/index.ts";
import { HORIZON, type KernelBlocks, measureKernelBlocks, openReplicated, raceLatency } from "../src/measure/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { encodedSize, encodeModel } from "../src/onnx/index.ts";
import { pruneMeasured, pruneModel } from "../src/prune/index.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, isAbove, type Judgement, ratio as shown } from "./judgement.ts";
import { feedsOf } from "./prune-models.ts";
import { realModels } from "./real-models.ts";

/** Nets whose rounding is compared, and the ratios at which they are rounded. */
const nets = ["squeezenet1.1", "cifar10-resnet20", "cifar10-resnet56", "mcunet-320kb"] as const;
const COMPARED = [0.3, 0.5] as const;
const RATIOS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] as const;
const SECONDS = 4;

type Timed = readonly [ratio: number, low: number, high: number];

interface Rounded {
  readonly model: string;
  readonly ratio: number;
  /** Multiply-accumulates left, as shares of the original's. */
  readonly rounded: number;
  readonly unrounded: number;
  /** The unrounded one's time over the rounded one's, and the original's over both. */
  readonly against: Timed;
  readonly original: { readonly rounded: Timed; readonly unrounded: Timed };
}

interface Pruned {
  readonly model: string;
  readonly ratio: number;
  /** What pruning said where it refused. */
  readonly refused?: string;
  /** Widths narrowed, share of multiply-accumulates left, models that were timed on the way. */
  readonly narrowed?: number;
  readonly macs?: number;
  readonly trials?: number;
  /** The original's time over the result's, timed anew. */
  readonly speed?: Timed;
}

interface Result {
  readonly blocks: KernelBlocks;
  readonly rounded: readonly Rounded[];
  readonly pruned: readonly Pruned[];
}

/** Each against the first, in one run. */
async function raced(models: readonly Model[], feeds: Feeds, position = 0, opened: Contenders = []): Promise<Timed[]> {
  const model = models[position];
  if (!model) {
    const contenders = opened.map((each) => ({ ...each, feeds }));
    const standings = await raceLatency(contenders, { seconds: SECONDS, horizon: HORIZON });
    return standings.map(({ ratio, spread: [low, high] }) => [ratio, low, high]);
  }
  await using sessions = await openReplicated(openSession, model, encodedSize(model), { stock: true });
  return await raced(models, feeds, position + 1, [...opened, sessions]);
}

type Contenders = readonly Pick<Awaited<ReturnType<typeof openReplicated>>, "session" | "replicas">[];

/** Rounded first; without rounding to no more than what that leaves. */
async function roundedOf(
  name: string,
  model: Model,
  ratio: number,
  blocks: KernelBlocks,
): Promise<Rounded | undefined> {
  const rounded = prunedAt(model, ratio, blocks);
  if (!rounded) return undefined;
  const left = shareOf(rounded.report.macs);
  const unrounded = pruneModel(model, { macs: left });
  const feeds = feedsOf(model);
  const [, against] = await raced([unrounded.model, rounded.model], feeds);
  const [, first, second] = await raced([model, rounded.model, unrounded.model], feeds);
  return {
    ...{ model: name, ratio, rounded: left, unrounded: shareOf(unrounded.report.macs), against: against! },
    original: { rounded: first!, unrounded: second! },
  };
}

function prunedAt(model: Model, ratio: number, round: KernelBlocks): ReturnType<typeof pruneModel> | undefined {
  try {
    return pruneModel(model, { ratio, round });
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function shareOf({ before, after }: { readonly before: number; readonly after: number }): number {
  return after / before;
}

async function prunedOf(
  name: string,
  model: Model,
  ratio: number,
  blocks: KernelBlocks,
  { keep }: Pick<ExperimentContext, "keep">,
): Promise<Pruned> {
  const feeds = feedsOf(model);
  try {
    const given = { ratio, open: openSession, feeds, blocks: async () => blocks };
    const { model: result, report, trials } = await pruneMeasured(model, given);
    await keep(`${name}.lithe-${ratio}.onnx`, encodeModel(result));
    const [, speed] = await raced([model, result], feeds);
    const narrowed = report.widths.filter(({ before, after }) => after < before).length;
    return { model: name, ratio, narrowed, macs: shareOf(report.macs), trials: trials.length, speed: speed! };
  } catch (error) {
    if (error instanceof UsageError || error instanceof BoundError)
      return { model: name, ratio, refused: error.message };
    throw error;
  }
}

async function run({ shared, once, log, keep }: ExperimentContext): Promise<Result> {
  const { blocks } = await once("blocks", () => measureKernelBlocks(openSession));
  const rounded: Rounded[] = [];
  const pruned: Pruned[] = [];
  for (const name of nets) {
    const model = await loadModel(`${shared}/models/${name}.onnx`);
    for (const ratio of COMPARED) {
      log(`${name} rounded at ratio ${ratio}`);
      const key = `${name} rounded ${ratio}`;
      const row = await once(key, async () => (await roundedOf(name, model, ratio, blocks)) ?? null);
      if (row) rounded.push(row);
    }
  }
  for (const { model: name } of realModels) {
    const model = await loadModel(`${shared}/models/${name}.onnx`);
    for (const ratio of RATIOS) {
      log(`${name} at ratio ${ratio}`);
      pruned.push(await once(`${name} ratio ${ratio}`, () => prunedOf(name, model, ratio, blocks, { keep })));
    }
  }
  return { blocks, rounded, pruned };
}

function timed([ratio, low, high]: Timed): string {
  return `${shown(ratio)} (${intervalText([low, high], shown)})`;
}

/** Of the nets at either ratio: at least this many are faster rounded. */
const MANY = 2;

function roundingHelps(rounded: readonly Rounded[]): Judgement {
  const faster = (row: Rounded) => isAbove([row.against[1], row.against[2]], 1);
  const best = nets.filter((net) => rounded.some((row) => row.model === net && faster(row) === true));
  return {
    what: `rounded is faster than unrounded at equal multiply-accumulates on at least ${MANY} of ${nets.length} nets`,
    holds: rounded.length === 0 ? undefined : best.length >= MANY,
    figure: rounded.map((row) => `${row.model} at ${row.ratio}: ${timed(row.against)}`).join("; "),
  };
}

export const pruneRounding: Experiment<Result> = {
  name: "prune-rounding",
  claim:
    "Widths rounded to the blocks that kernels compute are faster than any widths at equal work, and a model that was pruned by measuring is never slower than the original.",
  source: "lithe; notes of others: MCUNet pruned at 0.1 to 0.4 without rounding becomes slower",
  workload: `${nets.join(", ")} cut at ratios ${COMPARED.join(" and ")} with widths rounded to the measured blocks, and without rounding to no more multiply-accumulates than that leaves; then every shared model pruned by measuring at ratios ${RATIOS[0]} to ${RATIOS.at(-1)}, each result timed anew. One thread, batch 1, models in turns in three sessions each.`,
  seeds: [],
  criterion: `rounded is faster on ${MANY} nets at least by the whole interval; no result is slower than its original by the whole interval.`,
  run,
  judge: ({ rounded, pruned }) => [
    roundingHelps(rounded),
    everyOne(
      "no pruned model is slower than the original",
      pruned.filter(({ speed }) => speed !== undefined),
      ({ speed }) => !(speed![2] < 1),
      ({ model, ratio, speed }) => `${model} at ${ratio}: ${timed(speed!)}`,
    ),
  ],
  page({ blocks, rounded, pruned }) {
    const compared = markdownTable(
      [
        "model",
        "ratio",
        "work left, rounded",
        "unrounded",
        "unrounded / rounded",
        "original / rounded",
        "original / unrounded",
      ],
      rounded.map((row) => [
        ...[row.model, row.ratio, shown(row.rounded), shown(row.unrounded), timed(row.against)],
        ...[timed(row.original.rounded), timed(row.original.unrounded)],
      ]),
    );
    const results = markdownTable(
      ["model", "ratio", "widths narrowed", "work left", "timed", "original / result"],
      pruned.map(({ model, ratio, refused, narrowed, macs, trials, speed }) =>
        speed === undefined
          ? [model, ratio, "–", "–", "–", `refused: ${(refused ?? "").replaceAll("|", "\\|")}`]
          : [model, ratio, narrowed!, shown(macs!), trials!, timed(speed)],
      ),
    );
    return `Blocks measured here: ${blocks.convolution} channels of convolutions, ${blocks.product} columns of products.\n\n${compared}\n\n${results}`;
  },
};
