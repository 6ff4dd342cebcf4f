/** @file What pruning costs in accuracy, and what wins it back: the original as a teacher, labels alone, or the narrow network from scratch. */
import { type Dataset, horizontalFlip, inMemory, openData, random, randomCrop, split } from "../src/data/index.ts";
import { distill, recoveryFrom } from "../src/distill/index.ts";
import { type Model, tensor } from "../src/ir/index.ts";
import { compareLatency, HORIZON, type LatencyComparison, openReplicated } from "../src/measure/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { upgradeOpset } from "../src/passes/index.ts";
import { type PruneReport, pruneModel, untrained } from "../src/prune/index.ts";
import { openSession, type Run } from "../src/runtime/index.ts";
import { evaluateModel, type FitOptions, fit, sgd, type TrainEvent, type TrainResult } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { isAbove, isAtLeast, type Judgement, meanInterval, overSeeds, percentage, points, ratio } from "./judgement.ts";
import { meanAndDeviation, trainResumably } from "./training-folder.ts";

const HELD = 2000;
const TESTED = 5000;
const BATCH = 128;

interface Subject {
  readonly name: string;
  readonly file: string;
  /** Of distillation; the others take as many more as the teacher's share of the work pays for. */
  readonly epochs: number;
  /** Points that recovery may leave lost. */
  readonly bound: number;
}

const subjects: readonly Subject[] = [
  { name: "ResNet-20", file: "cifar10-resnet20", epochs: 12, bound: 0.015 },
  { name: "ResNet-56", file: "cifar10-resnet56", epochs: 8, bound: 0.005 },
];

const arms = ["teacher", "labels", "scratch"] as const;
type Arm = (typeof arms)[number];

const armNames: Readonly<Record<Arm, string>> = {
  teacher: "distilled from the original",
  labels: "trained on, labels alone",
  scratch: "from scratch, labels alone",
};

interface Outcome {
  readonly seed: number;
  readonly epochs: number;
  readonly validation: number;
  readonly test: number;
  readonly cpuMinutes: number;
}

interface Row {
  readonly name: string;
  readonly macs: PruneReport["macs"];
  readonly parameters: PruneReport["parameters"];
  /** Test accuracy of the original, and of the pruned network before any training. */
  readonly original: number;
  readonly untouched: number;
  readonly latency: Pick<LatencyComparison, "ratio" | "spread" | "verdict">;
  readonly outcomes: Readonly<Record<Arm, readonly Outcome[]>>;
}

interface Sets {
  readonly data: Dataset;
  readonly test: Dataset;
}

interface Pruned {
  readonly original: Model;
  readonly model: Model;
  readonly report: PruneReport;
}

const session = { threads: 1 };

const accuracyOf = async (model: Model, data: Dataset): Promise<number> =>
  (await evaluateModel(model, { data, loss: "crossEntropy", metrics: ["accuracy"], batch: 250, session })).accuracy!;

/** Epochs that cost what those of a distillation do: a step is three times a forward pass of the student, and one of the teacher. */
function epochsOf(arm: Arm, { epochs }: Subject, { macs }: PruneReport): number {
  return arm === "teacher" ? epochs : Math.round(epochs * (1 + macs.before / (3 * macs.after)));
}

function start(arm: Arm, pruned: Pruned, options: FitOptions): Run<TrainEvent, TrainResult> {
  if (arm === "teacher") {
    const { loss: _, ...own } = options;
    return distill(pruned.model, { ...own, ...recoveryFrom(pruned.original, [], { ...own, temperature: 4 }) });
  }
  return fit(arm === "labels" ? pruned.model : untrained(pruned.model, options.seed ?? 1), options);
}

async function train(
  arm: Arm,
  subject: Subject,
  pruned: Pruned,
  seed: number,
  { data, test }: Sets,
  log: (line: string) => void,
): Promise<Outcome> {
  const parts = await split(data, { calibration: data.size - HELD, evaluation: HELD, seed });
  const epochs = epochsOf(arm, subject, pruned.report);
  const { model, cpuMinutes } = await trainResumably(
    `prune-recovery-${subject.file}-${arm}-${seed}`,
    (folder) =>
      start(arm, pruned, {
        data: parts.calibration,
        augment: [randomCrop({ padding: 4 }), horizontalFlip()],
        epochs,
        batch: BATCH,
        loss: "crossEntropy",
        optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
        learningRate: arm === "scratch" ? 0.1 : 0.05,
        schedule: "warmup",
        seed,
        session,
        checkpoint: { folder, everySteps: 70 },
        resume: true,
      }),
    log,
  );
  return {
    seed,
    epochs,
    validation: await accuracyOf(model, parts.evaluation),
    test: await accuracyOf(model, test),
    cpuMinutes,
  };
}

async function latencyOf({ original, model }: Pruned): Promise<Row["latency"]> {
  const draws = random(3);
  const feeds = new Map([
    [
      "input",
      tensor(
        "float32",
        [1, 3, 32, 32],
        Float32Array.from({ length: 3072 }, () => draws.normal()),
      ),
    ],
  ]);
  await using first = await openReplicated(openSession, original, 0, session);
  await using second = await openReplicated(openSession, model, 0, session);
  const [before, after] = [first, second].map((each) => [each.session, ...each.replicas]);
  const found = await compareLatency(before!, after!, feeds, { rounds: 60, seconds: 30, horizon: HORIZON });
  return { ratio: found.ratio, spread: found.spread, verdict: found.verdict };
}

async function prunedFrom(path: string): Promise<Pruned> {
  const original = (await upgradeOpset().run(await loadModel(path))).model;
  return { original, ...pruneModel(original, { macs: 0.5 }) };
}

async function rowOf(subject: Subject, sets: Sets, seeds: readonly number[], context: ExperimentContext): Promise<Row> {
  const { shared, once, log } = context;
  const { name, file } = subject;
  const pruned = await prunedFrom(`${shared}/models/${file}.onnx`);
  const outcomes = { teacher: [], labels: [], scratch: [] } as Record<Arm, Outcome[]>;
  for (const seed of seeds) {
    for (const arm of arms) {
      const key = `${name}, ${arm}, seed ${seed}`;
      outcomes[arm].push(await once(key, () => train(arm, subject, pruned, seed, sets, log)));
    }
  }
  const { macs, parameters } = pruned.report;
  return {
    ...{ name, macs, parameters, outcomes },
    original: await once(`${name}, original`, () => accuracyOf(pruned.original, sets.test)),
    untouched: await once(`${name}, untouched`, () => accuracyOf(pruned.model, sets.test)),
    latency: await once(`${name}, latency`, () => latencyOf(pruned)),
  };
}

const lost = ({ original, outcomes }: Row, arm: Arm): number[] => outcomes[arm].map(({ test }) => original - test);
const gained = ({ outcomes }: Row, arm: Arm, over: Arm): number[] =>
  outcomes[arm].map(({ test }, i) => test - outcomes[over][i]!.test);

export const pruneRecovery: Experiment<readonly Row[]> = {
  name: "prune-recovery",
  claim: "A network of half the multiply-accumulates, distilled from the original, answers nearly as well as that.",
  source:
    "lithe; the control from scratch as in Liu et al. (2018), arXiv:1810.05270, who found that it does as well at equal compute",
  workload: `ResNet-20 and ResNet-56, trained on all of CIFAR-10 by others, cut to half their multiply-accumulates (L2, local); recovery on ${20_000 - HELD} training pictures with random crops and mirrored pictures, batches of ${BATCH}, SGD with momentum, warm-up and cosine, the epochs of labels alone and from scratch chosen for equal multiply-accumulates; ${TESTED} test pictures, seen once per network; latency of batch 1, one thread, in turns.`,
  seeds: [1, 2, 3],
  criterion: "at most 1.5 points lost by ResNet-20 and 0.5 by ResNet-56, and at least 1.4 times lower latency.",
  async run(context) {
    const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
    const open = (name: string) =>
      openData(`${context.shared}/data/cifar10/${name}.bin`, { preprocess: "cifar10", port });
    const sets = { data: await inMemory(await open("train-20000")), test: await inMemory(await open("test-5000")) };
    const rows: Row[] = [];
    for (const subject of subjects) rows.push(await rowOf(subject, sets, this.seeds, context));
    return rows;
  },
  judge: (rows) =>
    rows.flatMap((row): Judgement[] => {
      const { bound } = subjects.find(({ name }) => name === row.name)!;
      const costs = lost(row, "teacher");
      const [low, high] = meanInterval(costs);
      return [
        {
          what: `${row.name}: at most ${(100 * bound).toFixed(1)} points lost`,
          holds: isAtLeast([-high, -low], -bound),
          figure: overSeeds(costs, points),
        },
        {
          what: `${row.name}: at least 1.4 times lower latency`,
          holds: isAtLeast(row.latency.spread, 1.4),
          figure: `${ratio(row.latency.ratio)} (${row.latency.spread.map(ratio).join(" to ")})`,
        },
        ...(["labels", "scratch"] as const).map(
          (arm): Judgement => ({
            what: `${row.name}: the teacher above ${armNames[arm]}`,
            holds: isAbove(meanInterval(gained(row, "teacher", arm)), 0),
            figure: overSeeds(gained(row, "teacher", arm), points),
          }),
        ),
      ];
    }),
  page(rows) {
    const cells = rows.flatMap((row) =>
      arms.map((arm) => {
        const outcomes = row.outcomes[arm];
        const { mean, deviation } = meanAndDeviation(outcomes.map(({ test }) => test));
        return [
          row.name,
          `${(row.macs.before / row.macs.after).toFixed(2)}×`,
          `${(row.parameters.before / row.parameters.after).toFixed(2)}×`,
          `${ratio(row.latency.ratio)} (${row.latency.spread.map(ratio).join(" to ")})`,
          armNames[arm],
          outcomes[0]!.epochs,
          percentage(row.original),
          percentage(row.untouched),
          `${percentage(mean)} ± ${percentage(deviation)}`,
          (outcomes.reduce((sum, { cpuMinutes }) => sum + cpuMinutes, 0) / outcomes.length).toFixed(0),
        ];
      }),
    );
    const headings = [
      ...["network", "fewer MACs", "fewer parameters", "times lower latency", "recovery", "epochs"],
      ...["original, test", "pruned, test", "recovered, test", "CPU minutes"],
    ];
    return markdownTable(headings, cells);
  },
};
