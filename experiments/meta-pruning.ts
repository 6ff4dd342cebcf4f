/** @file Whether widths that MetaPruning finds are better than one share of every width, and what its accuracies with generated weights say. */
import { type Dataset, inMemory, openData, random, split, subset } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { bootstrapInterval, kendallTau } from "../src/measure/index.ts";
import { batchNorm, conv, globalAveragePool, type Layers, linear, maxPool, network } from "../src/nn/index.ts";
import { costOf } from "../src/ops/index.ts";
import {
  type Choice,
  countedChoices,
  type MetaTraining,
  metaPruning,
  uniformChoices,
  untrained,
  widthSupernet,
} from "../src/prune/index.ts";
import { adamw, evaluateModel, type FitOptions, fit, recalibrated } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import {
  intervalText,
  isAbove,
  isAtLeast,
  isAtMost,
  meanInterval,
  overSeeds,
  percentage,
  points,
  ratio,
} from "./judgement.ts";
import { trainResumably } from "./training-folder.ts";

const SAMPLES = 12_000;
const HELD = 2000;
const TESTED = 10_000;
const NETS = 16;
/** The share of every width in the network that is compared with. */
const UNIFORM = 0.5;
const LEAST_TAU = 0.5;

const scales = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1];
const evolution = { population: 30, parents: 10, mutations: 15, crossovers: 15, generations: 5 };
const supernetTraining: MetaTraining = { epochs: 30, batch: 64, learningRate: 3e-3 };
const training: MetaTraining = { epochs: 8, batch: 64, learningRate: 3e-3 };
const session = { threads: 1 } as const;

/** A network with weights made for its widths, and with weights of its own. */
interface Net {
  readonly widths: readonly number[];
  readonly macs: number;
  /** On held-out samples, with generated weights; norms measured anew, and as the supernet's training left them. */
  readonly generated: number;
  readonly unmeasured: number;
  /** On the test, trained from scratch. */
  readonly trained: number;
}

interface Seed {
  readonly seed: number;
  readonly searched: { readonly widths: readonly number[]; readonly macs: number; readonly test: number };
  readonly uniform: { readonly widths: readonly number[]; readonly macs: number; readonly test: number };
  readonly candidates: number;
}

interface Result {
  readonly nets: readonly Net[];
  readonly seeds: readonly Seed[];
}

interface Pictures {
  readonly all: Dataset;
  readonly test: Dataset;
}

/** Four convolutions with norms, 28 × 28 to 7 × 7, the mean over places, a linear head. */
function convNet(seed: number): Model {
  return network(random(seed), (n) => {
    let y = n.input("input", "float32", ["batch", 1, 28, 28]);
    for (const [i, channels] of [16, 32, 32, 64].entries()) {
      const stage: Layers = n.scope(`conv${i}`);
      y = n.relu(batchNorm(stage, conv(stage, y, channels, { kernel: 3, bias: false })));
      if (i === 0 || i === 2) y = maxPool(n, y, { kernel: 2 });
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), 10), "logits");
  });
}

const supernetOf = (seed: number) => widthSupernet(convNet(seed), { scales, seed });

/** As `metaPruning` trains. */
function fitOptions(given: MetaTraining, data: Dataset, seed: number): FitOptions {
  const usual = { optimizer: adamw({ weightDecay: 0 }), learningRate: 3e-3, schedule: "warmup", clip: 1 } as const;
  return { ...usual, ...given, loss: "crossEntropy", data, seed, session };
}

async function accuracyOf(model: Model, data: Dataset): Promise<number> {
  const { accuracy } = await evaluateModel(model, {
    data,
    loss: "crossEntropy",
    metrics: ["accuracy"],
    batch: 250,
    session,
  });
  return accuracy!;
}

/** What generated weights say of networks that are drawn. */
async function generatedNets(pictures: Pictures, log: ExperimentContext["log"]) {
  const seed = 1;
  const supernet = supernetOf(seed);
  const parts = await split(pictures.all, { calibration: SAMPLES - HELD, evaluation: HELD, seed });
  const start = (folder: string) =>
    fit(supernet.model, {
      ...fitOptions(supernetTraining, parts.calibration, seed),
      drive: uniformChoices(supernet),
      checkpoint: { folder, everySteps: 200 },
      resume: true,
    });
  const { model } = await trainResumably("meta-pruning-supernet", start, log);
  const networks = supernet.networks(model);
  const { macsOf } = countedChoices(supernet);
  const found: (Omit<Net, "trained" | "widths"> & { readonly choice: Choice })[] = [];
  for (const choice of drawnChoices(supernet.options)) {
    const measured = await recalibrated(networks(choice), { data: parts.calibration, batches: 8, seed, session });
    const generated = await accuracyOf(measured, parts.evaluation);
    const unmeasured = await accuracyOf(networks(choice), parts.evaluation);
    log(`${choice}: ${macsOf(choice)} multiply-accumulates, ${generated} and ${unmeasured} without recalibration`);
    found.push({ choice, macs: macsOf(choice), generated, unmeasured });
  }
  return found;
}

/** Different ones, each place drawn uniformly. */
function drawnChoices(options: readonly number[]): Choice[] {
  const draws = random(11, 1);
  const found = new Map<string, Choice>();
  while (found.size < NETS) {
    const choice = options.map((count) => draws.below(count));
    found.set(choice.join(), choice);
  }
  return [...found.values()];
}

async function trainedAlone(choice: Choice, seed: number, { all, test }: Pictures): Promise<number> {
  const start = untrained(supernetOf(seed).plain(choice), seed);
  const { model } = await fit(start, fitOptions(training, all, seed)).result;
  return accuracyOf(model, test);
}

/** Channels of the four convolutions. */
function channels(choice: Choice): number[] {
  return supernetOf(1).widths.map(({ counts }, i) => counts[choice[i]!]!);
}

async function compared(seed: number, pictures: Pictures, { log }: ExperimentContext): Promise<Seed> {
  const supernet = supernetOf(seed);
  const { macsOf } = countedChoices(supernet);
  const uniform = supernet.widths.map(({ counts }) => counts.indexOf(counts[0]! * UNIFORM));
  const whole = macsOf(supernet.options.map(() => 0));
  const run = metaPruning(convNet(seed), {
    ...{ data: pictures.all, macs: macsOf(uniform) / whole, scales, seed, held: HELD, evolution, session },
    supernet: supernetTraining,
    network: training,
  });
  for await (const event of run) {
    if (event.type === "trial" && event.done % 10 === 0)
      log(`seed ${seed}: candidate ${event.done}, ${event.trial.accuracy}`);
    if (event.type === "training" && event.event.type === "step" && event.event.step % 200 === 0)
      log(
        `seed ${seed}: ${event.of}, batch ${event.event.step} of ${event.event.steps}, loss ${event.event.loss.toFixed(3)}`,
      );
  }
  const { model, report, trials } = await run.result;
  return {
    seed,
    searched: {
      widths: report.widths.slice(0, supernet.widths.length).map(({ after }) => after),
      macs: costOf(model).macs,
      test: await accuracyOf(model, pictures.test),
    },
    uniform: { widths: channels(uniform), macs: macsOf(uniform), test: await trainedAlone(uniform, seed, pictures) },
    candidates: trials.length,
  };
}

async function run(context: ExperimentContext): Promise<Result> {
  const { shared, once, log } = context;
  const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
  const open = (name: string) => openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port });
  const whole = await open("train");
  const all = await inMemory(
    subset(
      whole,
      Array.from({ length: SAMPLES }, (_, i) => i),
    ),
  );
  const pictures = { all, test: await inMemory(await open("t10k")) };
  const made = await once("generated", () => generatedNets(pictures, log));
  const nets: Net[] = [];
  for (const { choice, ...net } of made) {
    const trained = await once(`trained ${choice}`, () => trainedAlone(choice, 1, pictures));
    log(`${choice}: ${trained} from scratch`);
    nets.push({ widths: channels(choice), ...net, trained });
  }
  const seeds: Seed[] = [];
  for (const seed of [1, 2, 3]) seeds.push(await once(`seed ${seed}`, () => compared(seed, pictures, context)));
  return { nets, seeds };
}

/** τ of a measure against the accuracy of training, with its bootstrap interval over networks. */
function tauOf(nets: readonly Net[], measure: (net: Net) => number) {
  const of = (sample: ArrayLike<number>): number => {
    const drawn = Array.from(sample, (i) => nets[i]!);
    return kendallTau(
      drawn.map(measure),
      drawn.map(({ trained }) => trained),
    );
  };
  const places = nets.map((_, i) => i);
  return { tau: of(places), interval: bootstrapInterval(places, of, { resamples: 2000 }) };
}

const gains = (seeds: readonly Seed[]) => seeds.map(({ searched, uniform }) => searched.test - uniform.test);

export const metaPruningExperiment: Experiment<Result> = {
  name: "meta-pruning",
  claim:
    "Accuracies with generated weights put networks in the order of their accuracies after training, and the widths that evolution finds by them beat one share of every width at as many multiply-accumulates.",
  source: "Liu et al. (2019), arXiv:1903.10258",
  workload: `A network of four convolutions (16, 32, 32, 64 channels) on Fashion-MNIST: ${SAMPLES.toLocaleString("en")} training pictures, of which ${HELD.toLocaleString("en")} choose widths and train no supernet; 8 scales of each width; ${supernetTraining.epochs} epochs of the supernet, ${training.epochs} of each network from scratch, AdamW; ${evolution.population} candidates drawn, then ${evolution.generations} generations of ${evolution.mutations} mutations and ${evolution.crossovers} crossovers (the paper: 50, and 19 of 25 and 25). ${TESTED.toLocaleString("en")} test pictures, seen once per network. 1 thread.`,
  seeds: [1, 2, 3],
  criterion: `Kendall's τ between the accuracy with generated weights and that after training from scratch is at least ${LEAST_TAU} over ${NETS} networks (95 % bootstrap interval over networks); without recalibration it is below that; the searched network is more accurate than the uniform one (share ${UNIFORM}) at no more multiply-accumulates, paired over seeds.`,
  run,
  judge({ nets, seeds }) {
    const [measured, unmeasured] = [tauOf(nets, (net) => net.generated), tauOf(nets, (net) => net.unmeasured)];
    const figure = ({ tau, interval }: ReturnType<typeof tauOf>) =>
      `τ ${ratio(tau)} (${intervalText(interval, ratio)})`;
    return [
      {
        what: `τ between generated and trained accuracy is at least ${LEAST_TAU}`,
        holds: isAtLeast(measured.interval, LEAST_TAU),
        figure: figure(measured),
      },
      {
        what: `without recalibration τ is below ${LEAST_TAU}`,
        holds: isAtMost(unmeasured.interval, LEAST_TAU),
        figure: figure(unmeasured),
      },
      {
        what: "searched widths beat uniform ones at no more multiply-accumulates",
        holds: isAbove(meanInterval(gains(seeds)), 0),
        figure: overSeeds(gains(seeds), points),
      },
      {
        what: "no searched network has more multiply-accumulates than the uniform one",
        holds: seeds.every(({ searched, uniform }) => searched.macs <= uniform.macs),
        figure: seeds.map(({ searched, uniform }) => `${ratio(searched.macs / uniform.macs)}×`).join(", "),
      },
    ];
  },
  page({ nets, seeds }) {
    const control = tauOf(nets, ({ macs }) => macs);
    const drawn = nets
      .toSorted((a, b) => b.trained - a.trained)
      .map(({ widths, macs, generated, unmeasured, trained }) => [
        widths.join(", "),
        macs.toLocaleString("en"),
        ...[generated, unmeasured, trained].map(percentage),
      ]);
    const rows = seeds.map(({ seed, searched, uniform, candidates }) => [
      seed,
      candidates,
      searched.widths.join(", "),
      ratio(searched.macs / uniform.macs),
      percentage(searched.test),
      percentage(uniform.test),
    ]);
    return [
      markdownTable(
        ["channels", "multiply-accumulates", "generated weights, held out", "without recalibration", "trained, test"],
        drawn,
      ),
      `τ against the accuracy after training: of generated weights ${ratio(tauOf(nets, (net) => net.generated).tau)}, without recalibration ${ratio(tauOf(nets, (net) => net.unmeasured).tau)}, of the multiply-accumulates alone, the control, ${ratio(control.tau)} (${intervalText(control.interval, ratio)}).`,
      markdownTable(
        [
          "seed",
          "candidates",
          "searched channels",
          "multiply-accumulates of the uniform",
          "searched, test",
          "uniform, test",
        ],
        rows,
      ),
    ].join("\n\n");
  },
};
