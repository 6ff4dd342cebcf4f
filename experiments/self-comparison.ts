/** @file Whether intervals of latency hold what they promise, on an idle and on a busy machine. */
import { FEWEST_ROUNDS } from "../src/accelerate/choose.ts";
import { random } from "../src/data/index.ts";
import { graphBuilder, type Model, model, tensor } from "../src/ir/index.ts";
import {
  compareLatency,
  HORIZON,
  type LatencyComparison,
  median,
  openReplicated,
  type Verdict,
  wilsonInterval,
} from "../src/measure/index.ts";
import { vit } from "../src/models/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { besideBusy } from "./busy.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";

const TRIALS = 200;
const BUSY = [0, 1, 4] as const;

/** As `lithe accelerate` times a form while choosing. */
const TIMING = { rounds: 30, seconds: 3, horizon: HORIZON };

interface Pair {
  readonly name: string;
  /** Time of A over time of B. */
  readonly ratio: number;
  load(context: ExperimentContext): Promise<{ readonly a: Model; readonly b: Model; readonly feeds: Feeds }>;
}

const noise = (name: string, dims: readonly number[]): Feeds =>
  new Map([[name, tensor("float32", dims, numbers(dims, 1))]]);

function numbers(dims: readonly number[], spread: number): Float32Array {
  const draws = random(5);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Float32Array.from({ length: size }, () => spread * draws.normal());
}

/** A model with itself. */
const itself = (name: string, dims: readonly number[], load: (shared: string) => Promise<Model> | Model): Pair => ({
  name,
  ratio: 1,
  async load({ shared }) {
    const loaded = await load(shared);
    return { a: loaded, b: loaded, feeds: noise(loaded.graph.inputs[0]!.name, dims) };
  },
});

const WIDTH = 256;
const ROWS = 64;
const LAYERS = 50;

/** Layers of equal cost, all of one matrix that stays in the cache: the time is proportional to their number. */
function layers(count: number): Model {
  const g = graphBuilder();
  const weight = tensor("float32", [WIDTH, WIDTH], numbers([WIDTH, WIDTH], Math.sqrt(2 / WIDTH)));
  const matrix = g.constant("weight", weight);
  let value = g.input("x", "float32", [ROWS, WIDTH]);
  for (let layer = 0; layer < count; layer++) value = g.op("Relu", [g.op("MatMul", [value, matrix])]);
  g.output(value, "y");
  return model(g.build());
}

const known = (more: number): Pair => ({
  name: `${LAYERS + more} layers against ${LAYERS}`,
  ratio: (LAYERS + more) / LAYERS,
  load: async () => ({ a: layers(LAYERS + more), b: layers(LAYERS), feeds: noise("x", [ROWS, WIDTH]) }),
});

const selves: readonly Pair[] = [
  itself("ResNet-20", [1, 3, 32, 32], (shared) => loadModel(`${shared}/models/cifar10-resnet20.onnx`)),
  itself("SqueezeNet 1.1", [1, 3, 224, 224], (shared) => loadModel(`${shared}/models/squeezenet1.1.onnx`)),
  itself("ViT, 6 blocks of width 192", [1, 3, 32, 32], () =>
    vit(random(1), { size: 32, patch: 4, classes: 10, width: 192, heads: 3, depth: 6 }),
  ),
];
const pairs: readonly Pair[] = [known(0), known(1), known(5)];

interface Trial extends Pick<LatencyComparison, "ratio" | "spread" | "verdict" | "rounds"> {
  /** Milliseconds of A. */
  readonly p50: number;
}

interface Cell {
  readonly name: string;
  readonly ratio: number;
  readonly busy: number;
  readonly trials: readonly Trial[];
}

interface Result {
  readonly selves: readonly Cell[];
  readonly pairs: readonly Cell[];
}

async function cell(context: ExperimentContext, pair: Pair, busy: number): Promise<Cell> {
  const { name, ratio } = pair;
  const trials = await context.once(`${name}, ${busy} busy`, async () => {
    context.log(`${name}, ${busy} busy`);
    const { a, b, feeds } = await pair.load(context);
    return await besideBusy(busy, async () => {
      const found: Trial[] = [];
      while (found.length < TRIALS) found.push(await trial(a, b, feeds, found.length));
      return found;
    });
  });
  return { name, ratio, busy, trials };
}

/** With sessions of its own, since where they lie in memory is part of what varies. */
async function trial(a: Model, b: Model, feeds: Feeds, seed: number): Promise<Trial> {
  await using first = await openReplicated(openSession, a, 0, { stock: true });
  await using second = await openReplicated(openSession, b, 0, { stock: true });
  const sides = [first, second].map(({ session, replicas }) => [session, ...replicas]);
  const found = await compareLatency(sides[0]!, sides[1]!, feeds, { ...TIMING, seed });
  const { ratio, spread, verdict, rounds } = found;
  return { ratio, spread, verdict, rounds, p50: found.a.p50 };
}

async function cells(context: ExperimentContext, of: readonly Pair[]): Promise<Cell[]> {
  const found: Cell[] = [];
  for (const busy of BUSY) for (const pair of of) found.push(await cell(context, pair, busy));
  return found;
}

const covers = ({ ratio, trials }: Cell): number =>
  trials.filter(({ spread: [low, high] }) => low <= ratio && ratio <= high).length;
const saying = ({ trials }: Cell, verdict: Verdict): number =>
  trials.filter((each) => each.verdict === verdict && each.rounds >= FEWEST_ROUNDS).length;

function share(count: number, of: number): string {
  const [low, high] = wilsonInterval(count, of);
  return `${count} of ${of} (${percent(low)} to ${percent(high)})`;
}

const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;

function width({ trials }: Cell): string {
  const halves = trials.map(({ spread: [low, high] }) => (high / low) ** 0.5 - 1);
  return `± ${(100 * median(halves)).toFixed(1)} %`;
}

function rows(found: readonly Cell[]): (string | number)[][] {
  return found.map((each) => {
    const { name, ratio, busy, trials } = each;
    const middles = trials.map((one) => one.ratio);
    return [
      ...[name, busy, ratio.toFixed(2), share(covers(each), trials.length), width(each)],
      `${median(middles).toFixed(3)} (${Math.min(...middles).toFixed(2)} to ${Math.max(...middles).toFixed(2)})`,
      ...(["faster", "slower", "same", "unclear"] as const).map((verdict) => saying(each, verdict)),
      median(trials.map(({ rounds }) => rounds)),
    ];
  });
}

const headings = [
  ...["pair", "busy processes", "true ratio", "interval holds it", "half width", "ratios measured"],
  ...["faster", "slower", "same", "too noisy", "rounds"],
];

const WANTED = 0.95;

export const selfComparison: Experiment<Result> = {
  name: "self-comparison",
  claim:
    "An interval of a latency ratio holds the true ratio in 95 % of comparisons, on a busy machine too, and what is called faster is.",
  source: "what `accelerate`, `compare` and every bound promise",
  workload: `${TRIALS} comparisons each of three models with themselves, beside ${BUSY.join(", ")} busy processes on two cores, and of networks of equal layers, whose ratio is that of their numbers; new sessions for each comparison, one thread, timed as \`accelerate\` times a form.`,
  seeds: [],
  criterion:
    "the interval holds 1 in 95 % of the comparisons of a model with itself, beside any number of busy processes, and of two equal networks one is called certainly faster in at most 5 %.",
  async run(context) {
    const found = await cells(context, [...selves, ...pairs]);
    const isPair = ({ name }: Cell) => pairs.some((pair) => pair.name === name);
    return { selves: found.filter((each) => !isPair(each)), pairs: found.filter(isPair) };
  },
  judge: (result) => [
    everyOne(
      `the interval holds 1 in ${percent(WANTED)} of the comparisons of a model with itself`,
      result.selves,
      (each) => covers(each) >= WANTED * each.trials.length,
      (each) => `${each.name} beside ${each.busy}: ${share(covers(each), each.trials.length)}`,
    ),
    everyOne(
      `of two equal networks one is called certainly faster in at most ${percent(1 - WANTED)}`,
      result.pairs.filter(({ ratio }) => ratio === 1),
      (each) => saying(each, "faster") <= (1 - WANTED) * each.trials.length,
      (each) => `${each.name} beside ${each.busy}: ${share(saying(each, "faster"), each.trials.length)}`,
    ),
  ],
  page: (result) => markdownTable(headings, rows([...result.selves, ...result.pairs])),
};
