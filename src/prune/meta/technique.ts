/** @file MetaPruning as a technique: settings, plan, work, report. */
import * as z from "zod";
import { UsageError } from "../../errors.ts";
import { maxOf } from "../../ir/index.ts";
import { between, choice, names, setting, whole } from "../../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../../technique/index.ts";
import type { PruneReport } from "../prunable.ts";
import { cardOf, sentenceOf } from "../technique-report.ts";
import { type MetaPruningEvent, type MetaPruningOptions, type MetaTrial, metaPruning } from "./meta-pruning.ts";
import { countedChoices } from "./width-space.ts";
import { widthSupernet } from "./width-supernet.ts";

const settings = z.strictObject({
  targetMacs: setting(
    "--target-macs <share>",
    "the share of multiply-accumulates that is left at most",
    between(0.001, 0.999).exactOptional(),
  ),
  targetLatency: setting(
    "--target-latency <share>",
    "in its place: the share of the original's time that is left at most, measured of every candidate",
    between(0.001, 0.999).exactOptional(),
  ),
  scales: setting("--scales <n>", "counts of each width to choose among, evenly up to the whole", whole(2).default(10)),
  round: setting("--round <n>", "widths that are narrowed are left with multiples of this", whole(1).default(8)),
  exclude: setting("--exclude <names>", "layers whose widths stay, `head,block1/*`", names().exactOptional()),
  supernetEpochs: setting(
    "--supernet-epochs <n>",
    "epochs that the network of all widths is trained",
    whole(1).default(10),
  ),
  epochs: setting("--epochs <n>", "epochs that the network that was found is trained", whole(1).default(20)),
  learningRate: setting(
    "--learning-rate <x>",
    "highest learning rate of both trainings",
    between(0, 1e6).default(3e-3),
  ),
  trainBatch: setting("--train-batch <n>", "samples per step (64, or the model's own)", whole(1).exactOptional()),
  start: setting(
    "--start <which>",
    "scratch: the network that was found begins with new weights; generated: with those by which it was found",
    choice(["scratch", "generated"]).default("scratch"),
  ),
  population: setting("--population <n>", "candidates that are drawn first", whole(2).default(50)),
  generations: setting(
    "--generations <n>",
    "rounds of as many children, half mutations and half crossovers of the 10 best",
    whole(0).default(19),
  ),
  heldSamples: setting(
    "--held-samples <n>",
    "training samples that candidates are compared on (a tenth, 2000 at most)",
    whole(1).exactOptional(),
  ),
});

export type MetaPruneSettings = z.output<typeof settings>;

export interface MetaPruneEvidence extends Evidence {
  readonly report: PruneReport;
  readonly trials: readonly MetaTrial[];
}

export const metaPruneTechnique = defineTechnique({
  name: "metaprune",
  summary: "Narrower layers of widths that evolution finds under a limit of work, trained anew on labelled samples",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: false,
  resumes: true,
  suffix: () => "_metapruned",

  check({ data, targetMacs, targetLatency }) {
    if ((targetMacs === undefined) === (targetLatency === undefined))
      throw new UsageError("the search needs to know how much is left", {
        expected: "one of --target-macs SHARE and --target-latency SHARE",
        got: targetMacs === undefined ? "none" : "both",
      });
    if (data !== undefined && data !== "random") return;
    throw new UsageError("widths are chosen and trained on samples", { expected: "--data PATH", got: data ?? "none" });
  },

  plan(model, { targetMacs, targetLatency, scales, round, exclude }) {
    const supernet = widthSupernet(model, { scales: evenly(scales), round, ...(exclude && { exclude }) });
    countedChoices(supernet).within(targetMacs ?? 1);
    const networks = supernet.options.reduce((product, count) => product * count, 1);
    const all = supernet.widths.length + supernet.held.length;
    return {
      sentence: `${supernet.widths.length} of ${all} widths can be chosen, ${networks.toPrecision(2)} networks in all`,
      facts: { widths: supernet.options, networks, targetMacs, targetLatency },
    };
  },

  async run(model, own, context): Promise<MetaPruneEvidence> {
    const run = metaPruning(model, await optionsOf(own, context));
    for await (const event of run) await tell(event, context);
    const { model: found, report, trials, supernet, training } = await run.result;
    const best = maxOf(trials.map(({ accuracy = 0 }) => accuracy));
    return {
      model: found,
      sentence: sentenceOf(report),
      facts: { ...report, trials, supernet: { seconds: supernet.seconds }, best },
      training,
      report,
      trials,
    };
  },

  sections: ({ sentence, report, trials }, own) => ({
    verdict: sentence,
    cards: [cardOf("Multiply-accumulates", report.macs), cardOf("Parameters", report.parameters)],
    parts: [
      {
        kind: "chart",
        title: "Search",
        label: "The best accuracy so far over candidates",
        x: "candidates",
        y: "accuracy on held-out samples, generated weights",
        series: [{ name: "best so far", points: bestSoFar(trials) }],
        empty: "No candidate was evaluated.",
      },
      {
        kind: "table",
        title: "Widths",
        head: ["layers", "before", "after", "held"],
        rows: report.widths.map(({ layers, before, after, held }) => ({
          cells: [layers.join(", "), before, after, held.join("; ")],
          isChosen: after < before,
        })),
      },
    ],
    facts: [
      ["counts of each width", `${own.scales}`],
      ["candidates", `${trials.length}`],
      ["epochs", `${own.supernetEpochs} of the supernet, ${own.epochs} of the network, from ${own.start}`],
    ],
  }),
});

async function optionsOf(own: MetaPruneSettings, context: TechniqueContext): Promise<MetaPruningOptions> {
  const {
    targetMacs,
    targetLatency,
    scales,
    round,
    exclude,
    supernetEpochs,
    epochs,
    learningRate,
    start,
    heldSamples,
  } = own;
  const { data, session, open, seed, signal, checkpoints } = context;
  const half = own.population / 2;
  const batch = own.trainBatch ?? data.batch ?? 64;
  const training = { learningRate, batch };
  return {
    ...{ data: labelled(context), round, start, seed, signal, session, open },
    scales: evenly(scales),
    ...(targetMacs !== undefined && { macs: targetMacs }),
    ...(targetLatency !== undefined && { latency: { share: targetLatency, feeds: (await data.timed()).feeds } }),
    ...(exclude && { exclude }),
    supernet: { ...training, epochs: supernetEpochs },
    network: { ...training, epochs },
    ...(heldSamples !== undefined && { held: heldSamples }),
    evolution: {
      population: own.population,
      parents: Math.min(10, own.population),
      mutations: Math.floor(half),
      crossovers: Math.ceil(half),
      generations: own.generations,
    },
    checkpoint: { folder: checkpoints.folder },
    resume: checkpoints.resume,
  };
}

/** 1/n, 2/n, …, 1. */
function evenly(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i + 1) / count);
}

function labelled({ data }: TechniqueContext): MetaPruningOptions["data"] {
  const training = data.datasets?.training;
  if (training?.labels !== undefined && training.size > 1) return training;
  throw new UsageError("widths are chosen and trained on labelled samples", {
    expected: "data with labels, more of them than choose and verify",
    got:
      training === undefined ? "none" : `${training.size} to train on, ${training.labels ? "with" : "without"} labels`,
  });
}

async function tell(event: MetaPruningEvent, { emit, progress, say }: TechniqueContext): Promise<void> {
  if (event.type === "missed") return;
  if (event.type === "trial") {
    const { trial, done, most } = event;
    await emit({ stage: "search", type: "trial", ...trial });
    return progress({
      stage: "search",
      done,
      total: most,
      detail: trial.accuracy === undefined ? "too slow" : `accuracy ${trial.accuracy.toFixed(4)}`,
    });
  }
  const { of, event: step } = event;
  await emit({ stage: of === "network" ? "training" : of, ...step });
  if (step.type === "start" && step.resumedFrom > 0) say(`${of}: resumed after batch ${step.resumedFrom}`);
  if (step.type !== "step") return;
  progress({ stage: of, done: step.step, total: step.steps, detail: `loss ${step.loss.toFixed(4)}` });
}

function bestSoFar(trials: readonly MetaTrial[]): [number, number][] {
  let best = 0;
  return trials.map(({ accuracy = 0 }, i) => {
    best = Math.max(best, accuracy);
    return [i + 1, best];
  });
}
