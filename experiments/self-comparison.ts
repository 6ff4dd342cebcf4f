/** @file Whether intervals of latency hold what they promise, on an idle and on a busy machine. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FEWEST_ROUNDS } from "../src/accelerate/choose.ts";
import { median, type Verdict, wilsonInterval } from "../src/measure/index.ts";
import { besideBusy } from "./busy.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";
import { type Pair, pairs, selves } from "./self-comparison/pairs.ts";
import type { Trial } from "./self-comparison/trials.ts";

const TRIALS = 200;
const IN_A_PROCESS = 25;
const BUSY = [0, 1, 4] as const;

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

async function cell({ once, log, shared }: ExperimentContext, { name, ratio }: Pair, busy: number): Promise<Cell> {
  const trials: Trial[] = [];
  for (let first = 0; first < TRIALS; first += IN_A_PROCESS) {
    const found = await once(`${name}, ${busy} busy, from ${first}`, () => {
      log(`${name}, ${busy} busy, from ${first}`);
      return besideBusy(busy, () => trialsOf(shared, name, first));
    });
    trials.push(...found);
  }
  return { name, ratio, busy, trials };
}

/** Made in a process of their own. */
async function trialsOf(shared: string, name: string, first: number): Promise<readonly Trial[]> {
  const script = fileURLToPath(new URL("self-comparison/trials.ts", import.meta.url));
  const args = [...process.execArgv, script, shared, name, String(first), String(IN_A_PROCESS)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout);
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
      ofProcesses(middles),
      ...(["faster", "slower", "same", "unclear"] as const).map((verdict) => saying(each, verdict)),
      median(trials.map(({ rounds }) => rounds)),
    ];
  });
}

/** The lowest and the highest of the processes' medians. */
function ofProcesses(ratios: readonly number[]): string {
  const firsts = [...ratios.keys()].filter((i) => i % IN_A_PROCESS === 0);
  const medians = firsts.map((first) => median(ratios.slice(first, first + IN_A_PROCESS)));
  return `${Math.min(...medians).toFixed(3)} to ${Math.max(...medians).toFixed(3)}`;
}

const headings = [
  ...[
    "pair",
    "busy processes",
    "true ratio",
    "interval holds it",
    "half width",
    "ratios measured",
    "medians of processes",
  ],
  ...["faster", "slower", "same", "too noisy", "rounds"],
];

const WANTED = 0.95;

export const selfComparison: Experiment<Result> = {
  name: "self-comparison",
  claim:
    "An interval of a latency ratio holds the true ratio in 95 % of comparisons, on a busy machine too, and what is called faster is.",
  source: "what `accelerate`, `compare` and every bound promise",
  workload: `${TRIALS} comparisons each of three models with themselves, beside ${BUSY.join(", ")} busy processes on two cores, and of networks of equal layers, whose ratio is that of their numbers; new sessions for each comparison and a new process for each ${IN_A_PROCESS}, one thread, timed as \`accelerate\` times a form.`,
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
