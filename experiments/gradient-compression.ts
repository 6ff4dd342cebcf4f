/** @file Whether gradients compressed hundreds of times train as well as whole ones, and what each trick of Deep Gradient Compression is worth. */
import { type Dataset, inMemory, openData, random, subset } from "../src/data/index.ts";
import {
  compressedExchange,
  compressors,
  type DgcOptions,
  deepGradientCompression,
  denseExchange,
  type GradientExchange,
} from "../src/distributed/index.ts";
import { type Model, sizeOf } from "../src/ir/index.ts";
import { batchNorm, conv, globalAveragePool, linear, maxPool, network } from "../src/nn/index.ts";
import { type Exchanged, trainExchanged } from "./exchanged-training.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { isAtLeast, meanInterval, overSeeds, percentage, points, ratio } from "./judgement.ts";

const RANKS = 4;
const BATCH = 32;
const EPOCHS = 12;
const WARMUP = 2;
const MOMENTUM = 0.9;
const RATE = 0.05;
const CLIP = 4;
const LEAST_RATIO = 270;
const MOST_LOST = 0.005;
const SAMPLES = 20_000;

/** How gradients are exchanged, and the optimizer's momentum after that. */
interface Variant {
  readonly name: string;
  readonly momentum: number;
  /** Whether a rank's bytes go to all others, or are reduced on the way. */
  readonly route: "gathered" | "reduced";
  make(warmupUpdates: number): GradientExchange;
}

const dgc = (name: string, change: (warmupUpdates: number) => DgcOptions = () => ({}), momentum = 0): Variant => ({
  name,
  momentum,
  route: "gathered",
  make: (warmupUpdates) =>
    deepGradientCompression({ momentum: MOMENTUM, clip: CLIP, warmupUpdates, ...change(warmupUpdates) }),
});

const DENSE = "dense";
const DGC = "DGC";

/** Options whose value is undefined count as left out. */
const withoutClip = (warmupUpdates: number): GradientExchange =>
  deepGradientCompression({ momentum: MOMENTUM, warmupUpdates });

const variants: readonly Variant[] = [
  { name: DENSE, momentum: MOMENTUM, route: "reduced", make: () => denseExchange() },
  dgc(DGC),
  dgc("DGC without momentum correction", () => ({ momentum: 0 }), MOMENTUM),
  dgc("DGC without factor masking", () => ({ factorMasking: false })),
  dgc("DGC without warm-up", () => ({ warmupUpdates: 0 })),
  { ...dgc("DGC without clipping"), make: withoutClip },
  dgc("DGC, exact thresholds", () => ({ sample: 1 })),
  {
    name: "top-k (0.1 %)",
    momentum: MOMENTUM,
    route: "gathered",
    make: () => compressedExchange({ compressor: compressors["top-k"]({ density: 0.001 }) }),
  },
  {
    name: "signs",
    momentum: MOMENTUM,
    route: "gathered",
    make: () => compressedExchange({ compressor: compressors.sign() }),
  },
  {
    name: "PowerSGD (rank 2)",
    momentum: MOMENTUM,
    route: "reduced",
    make: () => compressedExchange({ compressor: compressors.powersgd({ rank: 2 }) }),
  },
];

interface Row extends Exchanged {
  readonly variant: string;
  readonly seed: number;
  /** What a rank has to tell of one gradient, bytes: what it sends, less what it passes on for others. */
  readonly message: number;
}

interface Result {
  readonly parameters: number;
  /** Those in tensors of one dim, which are never compressed. */
  readonly whole: number;
  readonly rows: readonly Row[];
}

/** Five convolutions with norms, 16 × 16 to 4 × 4, the mean over places, a linear head: a million parameters. */
function convNet(seed: number): Model {
  return network(random(seed), (n) => {
    let y = n.input("input", "float32", ["batch", 3, 32, 32]);
    for (const [i, channels] of [32, 64, 128, 256, 288].entries()) {
      const stage = n.scope(`conv${i}`);
      const stride = i === 0 ? 2 : 1;
      y = n.relu(batchNorm(stage, conv(stage, y, channels, { kernel: 3, stride, bias: false })));
      if (i === 1 || i === 2) y = maxPool(n, y, { kernel: 2 });
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), 10), "logits");
  });
}

/** Parameters, and those of them in tensors of one dim; running statistics are none. */
function countsOf(model: Model): { readonly parameters: number; readonly whole: number } {
  const trained = [...model.graph.initializers].filter(([{ name }]) => !/mean|var/.test(name));
  const sizes = trained.map(([, { dims }]) => ({ size: sizeOf(dims), isWhole: dims.length < 2 }));
  const sum = (some: typeof sizes) => some.reduce((total, { size }) => total + size, 0);
  return { parameters: sum(sizes), whole: sum(sizes.filter(({ isWhole }) => isWhole)) };
}

/** A ring carries 2 (N−1)/N of what is reduced, and N−1 times what is gathered. */
function messageOf({ upload }: Exchanged, route: Variant["route"], whole: number): number {
  const reduced = (2 * (RANKS - 1)) / RANKS;
  if (route === "reduced") return upload / reduced;
  return (upload - reduced * 4 * whole) / (RANKS - 1) + 4 * whole;
}

async function trained(
  variant: Variant,
  seed: number,
  { data, test }: { readonly data: Dataset; readonly test: Dataset },
  log: ExperimentContext["log"],
): Promise<Row> {
  const model = convNet(seed);
  const perEpoch = Math.floor(data.size / (RANKS * BATCH));
  const warmupUpdates = WARMUP * perEpoch;
  const exchanged = await trainExchanged({
    ...{ model, data, test, seed, epochs: EPOCHS, batch: BATCH, learningRate: RATE, momentum: variant.momentum },
    exchanges: Array.from({ length: RANKS }, () => variant.make(warmupUpdates)),
    steadyFrom: warmupUpdates,
    log: (line) => log(`${variant.name}, seed ${seed}: ${line}`),
  });
  const message = messageOf(exchanged, variant.route, countsOf(model).whole);
  return { variant: variant.name, seed, ...exchanged, message };
}

async function run({ shared, once, log }: ExperimentContext): Promise<Result> {
  const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
  const open = (name: string) => openData(`${shared}/data/cifar10/${name}.bin`, { preprocess: "cifar10", port });
  const [all, test] = [await inMemory(await open("train-20000")), await inMemory(await open("test-5000"))];
  const data = subset(
    all,
    Array.from({ length: Math.min(SAMPLES, all.size) }, (_, i) => i),
  );
  const rows: Row[] = [];
  for (const seed of gradientCompression.seeds) {
    for (const variant of variants) {
      rows.push(await once(`${variant.name} ${seed}`, () => trained(variant, seed, { data, test }, log)));
    }
  }
  return { ...countsOf(convNet(1)), rows };
}

const rowsOf = ({ rows }: Result, variant: string) => rows.filter((row) => row.variant === variant);

/** Paired with the dense exchange of the same seed. */
function differences(result: Result, variant: string): number[] {
  return rowsOf(result, variant).flatMap(({ seed, test }) =>
    rowsOf(result, DENSE)
      .filter((row) => row.seed === seed)
      .map((row) => test - row.test),
  );
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** How many times more a dense exchange sends. */
function ratioOf(result: Result, variant: string, of: "message" | "upload" | "download"): number {
  const mean = (name: string) => meanOf(rowsOf(result, name).map((row) => row[of]));
  return mean(DENSE) / mean(variant);
}

export const gradientCompression: Experiment<Result> = {
  name: "gradient-compression",
  claim:
    "Deep Gradient Compression sends 270 to 600 times less than whole gradients and loses no accuracy; each of its tricks is needed.",
  source:
    "Lin et al. (2018), arXiv:1712.01887; Vogels et al. (2019), arXiv:1905.13727 for PowerSGD; Karimireddy et al. (2019), arXiv:1901.09847 for signs",
  workload: `A network of five convolutions with norms (32, 64, 128, 256, 288 channels) on 20,000 pictures of CIFAR-10 with random crops and mirrored ones; ${RANKS} ranks in one process, ${BATCH} pictures each in an update; ${EPOCHS} epochs, ${WARMUP} of them warm-up of the density; momentum ${MOMENTUM}, learning rate ${RATE} falling along a cosine, clipping at ${CLIP}, density 0.1 %; norms' statistics are those of each rank, rank 0's are tested; 5,000 test pictures, seen once per network. Bytes are counted by the communicator after the warm-up.`,
  seeds: [1, 2, 3],
  criterion: `The test accuracy of DGC is at most ${100 * MOST_LOST} points below that of whole gradients (95 % interval over seeds, paired), and what a rank tells of a gradient has at least ${LEAST_RATIO} times fewer bytes.`,
  run,
  judge(result) {
    const lost = differences(result, DGC);
    const message = ratioOf(result, DGC, "message");
    return [
      {
        what: `DGC loses at most ${100 * MOST_LOST} points`,
        holds: isAtLeast(meanInterval(lost), -MOST_LOST),
        figure: overSeeds(lost, points),
      },
      {
        what: `a rank's message is at least ${LEAST_RATIO} times smaller`,
        holds: message >= LEAST_RATIO,
        figure: `${ratio(message)}×`,
      },
    ];
  },
  page(result) {
    const { parameters, whole } = result;
    const density = whole / parameters;
    const formula = 32 / (32 * density + 48 * 0.001 * (1 - density));
    const rows = variants.map(({ name }) => [
      name,
      percentage(meanOf(rowsOf(result, name).map(({ test }) => test))),
      name === DENSE ? "" : overSeeds(differences(result, name), points),
      ...(["message", "upload", "download"] as const).map((of) => `${ratio(ratioOf(result, name, of))}×`),
    ]);
    return [
      markdownTable(
        ["exchange", "test accuracy", "against dense", "message smaller", "upload smaller", "download smaller"],
        rows,
      ),
      `${parameters.toLocaleString("en")} parameters, ${whole.toLocaleString("en")} of them in tensors of one dim, which stay whole: 48 bits for 0.1 % of the others make ${ratio(formula)}×. "Message" is what a rank has to tell of its gradient, the figure that the paper gives. Upload and download are all bytes that rank 0 sends and receives: with ${RANKS} ranks on a ring a message passes ${RANKS - 1} times, where an all-reduce carries ${ratio((2 * (RANKS - 1)) / RANKS)} gradients.`,
    ].join("\n\n");
  },
};
