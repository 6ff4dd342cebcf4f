/** @file Latency against the number of branches: serial, unrolled, fused, over worker threads, and simulated on k devices. */
import { measureCosts, measureLink } from "../src/accelerate/index.ts";
import { fuseBranches } from "../src/branches/index.ts";
import { random } from "../src/data/index.ts";
import { type Link, type NetworkCost, simulate } from "../src/distributed/index.ts";
import { type Model, tensor } from "../src/ir/index.ts";
import { type Interval, median, raceLatency, type Standing } from "../src/measure/index.ts";
import { paraFormer, vit } from "../src/models/index.ts";
import { partitionBranches } from "../src/parallel/index.ts";
import { type Feeds, openPartition, openSession, type Session } from "../src/runtime/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, isAbove, isAtLeast, type Judgement, ratio as shown } from "./judgement.ts";

const WIDTHS = [192, 64] as const;
const BATCHES = [1, 8, 32] as const;
const BRANCHES = [1, 2, 4, 8, 12] as const;
const DEVICES = [1, 2, 4, 8, 16, 32, 64] as const;
const MOST = BRANCHES.at(-1)!;
const SECONDS = 5;

const forms = [
  "serial",
  "serial, 2 threads",
  "unrolled",
  "fused",
  "fused, 2 threads",
  "1 worker",
  "2 workers",
] as const;
type Form = (typeof forms)[number];

interface Cell {
  readonly width: number;
  readonly batch: number;
  readonly n: number;
  readonly standings: Partial<Record<Form, Standing>>;
}

interface Calibration {
  readonly width: number;
  readonly batch: number;
  readonly cost: NetworkCost;
}

interface Pair {
  readonly width: number;
  readonly batch: number;
  /** Milliseconds of the serial network with four blocks by itself, and while a second session does the same. */
  readonly alone: number;
  readonly together: number;
}

interface Result {
  readonly cells: readonly Cell[];
  readonly calibrations: readonly Calibration[];
  readonly pairs: readonly Pair[];
  readonly link: Link;
}

const size = { size: 32, patch: 4, classes: 10 } as const;

function networkOf(width: number, n: number): Model {
  return paraFormer(random(1), { ...size, width, heads: width / 64, depth: 1, branches: n, combine: "residualSum" });
}

const open: Readonly<Record<Form, (width: number, n: number) => Promise<Session>>> = {
  serial: (width, n) => openSession(vit(random(1), { ...size, width, heads: width / 64, depth: n })),
  "serial, 2 threads": (width, n) =>
    openSession(vit(random(1), { ...size, width, heads: width / 64, depth: n }), { threads: 2 }),
  unrolled: (width, n) => openSession(networkOf(width, n)),
  fused: async (width, n) => openSession((await fuseBranches().run(networkOf(width, n))).model),
  "fused, 2 threads": async (width, n) =>
    openSession((await fuseBranches().run(networkOf(width, n))).model, { threads: 2 }),
  "1 worker": (width, n) => openPartition(partitionBranches(networkOf(width, n), 1)),
  "2 workers": (width, n) => openPartition(partitionBranches(networkOf(width, n), 2)),
};

/** One branch is the serial network, whatever runs it. */
function formsOf(n: number): readonly Form[] {
  return n === 1 ? ["serial", "serial, 2 threads"] : forms;
}

function feedsOf(batch: number): Feeds {
  const source = random(2);
  const values = Float32Array.from({ length: batch * 3 * size.size ** 2 }, () => source.normal());
  return new Map([["input", tensor("float32", [batch, 3, size.size, size.size], values)]]);
}

async function measured(width: number, batch: number, n: number): Promise<Cell> {
  const names = formsOf(n);
  const sessions: Session[] = [];
  try {
    for (const name of names) sessions.push(await open[name](width, n));
    const feeds = feedsOf(batch);
    const contenders = sessions.map((session) => ({ session, feeds }));
    const standings = await raceLatency(contenders, { seconds: SECONDS, rounds: 40, warmup: 2, slot: 20 });
    return { width, batch, n, standings: Object.fromEntries(names.map((name, i) => [name, standings[i]!])) };
  } finally {
    await Promise.all(sessions.map((session) => session.release()));
  }
}

/** Costs were measured with the most branches; a branch costs the same among fewer. */
function predicted({ cost }: Calibration, n: number, devices: number, link: Link): ReturnType<typeof simulate> {
  const steps = cost.steps.map((step) => (step.kind === "run" && step.branches > 0 ? { ...step, branches: n } : step));
  return simulate({ ...cost, steps }, devices, { link, reduction: devices > 2 ? "doubling" : "direct" });
}

/** Two sessions at once: what two cores give that share memory, and the machine with other programs. */
async function pairOf(width: number, batch: number): Promise<Pair> {
  await using first = await open.serial(width, 4);
  await using second = await open.serial(width, 4);
  const feeds = feedsOf(batch);
  const rounds = 2 + Math.round(200 / batch / (width / 64));
  const alone: number[] = [];
  const together: number[] = [];
  for (let round = 0; round < 5; round++) {
    alone.push(...(await first.time(feeds, rounds)).times);
    const both = await Promise.all([first.time(feeds, rounds), second.time(feeds, rounds)]);
    together.push(...both.flatMap(({ times }) => times));
  }
  return { width, batch, alone: median(alone), together: median(together) };
}

const kilo = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;
const ms = (time: number): string => time.toPrecision(3);
const times = (ratio: number): string => ratio.toFixed(2);

function standingText(standing: Standing | undefined): string {
  if (!standing) return "–";
  const { ratio, spread } = standing;
  return `${times(ratio)} (${times(spread[0])}–${times(spread[1])})`;
}

function latencyTable(cells: readonly Cell[]): string {
  return markdownTable(
    ["width", "batch", "n", "serial ms", ...forms.slice(1)],
    cells.map(({ width, batch, n, standings }) => [
      width,
      batch,
      isDisturbed({ width, batch, n, standings }) ? `${n} †` : n,
      ms(standings.serial!.p50),
      ...forms.slice(1).map((form) => standingText(standings[form])),
    ]),
  );
}

/** One worker runs the very model of the unrolled form: where the two differ, other programs held the cores. */
function isDisturbed({ standings }: Cell): boolean {
  const [one, other] = [standings.unrolled, standings["1 worker"]];
  return one !== undefined && other !== undefined && Math.abs(Math.log(one.ratio / other.ratio)) > Math.log(1.15);
}

interface Check {
  readonly cell: Cell;
  readonly devices: 1 | 2;
  readonly measured: number;
  readonly predicted: number;
}

function checksOf({ cells, calibrations, link }: Result): Check[] {
  return cells.flatMap((cell) => {
    const calibration = calibrations.find(({ width, batch }) => width === cell.width && batch === cell.batch);
    const workers = { 1: cell.standings["1 worker"], 2: cell.standings["2 workers"] };
    return ([1, 2] as const).flatMap((devices) => {
      const standing = workers[devices];
      if (!standing || !calibration) return [];
      const { latency } = predicted(calibration, cell.n, devices, link);
      return [{ cell, devices, measured: standing.p50, predicted: latency }];
    });
  });
}

function checkTable(checks: readonly Check[]): string {
  const cells = [...new Set(checks.map(({ cell }) => cell))];
  const text = (cell: Cell, devices: 1 | 2): string => {
    const check = checks.find((each) => each.cell === cell && each.devices === devices)!;
    const error = (100 * (check.predicted - check.measured)) / check.measured;
    return `${ms(check.predicted)} / ${ms(check.measured)} (${error > 0 ? "+" : ""}${error.toFixed(0)} %)`;
  };
  return markdownTable(
    ["width", "batch", "n", "k = 1, predicted / measured ms", "k = 2"],
    cells.map((cell) => [cell.width, cell.batch, cell.n, text(cell, 1), text(cell, 2)]),
  );
}

function simulationTable({ calibrations, link }: Result): string {
  return markdownTable(
    ["width", "batch", ...DEVICES.map((k) => `k = ${k}`), "work at k = 12, k = 1 = 1"],
    calibrations.map((calibration) => {
      const { width, batch } = calibration;
      const simulations = DEVICES.map((k) => predicted(calibration, MOST, k, link));
      const alone = simulations[0]!;
      const busy = predicted(calibration, MOST, MOST, link).work / alone.work;
      return [width, batch, ...simulations.map(({ latency }) => ms(latency)), times(busy)];
    }),
  );
}

/** Cells in which one form is certainly faster than another, in words. */
function where(cells: readonly Cell[], holds: (cell: Cell) => boolean): string {
  const found = cells.filter((cell) => cell.n > 1 && holds(cell));
  if (found.length === 0) return "nowhere";
  return found.map(({ width, batch, n }) => `${width}/${batch}/${n}`).join(", ");
}

const paysOverSerial = ({ standings }: Cell): boolean => (standings["2 workers"]?.spread[0] ?? 0) > 1;

/** Against the best that one session makes of two cores. */
const paysOverThreads = ({ standings }: Cell): boolean => {
  const others = ["serial, 2 threads", "fused, 2 threads"] as const;
  const best = Math.max(...others.map((form) => standings[form]?.spread[1] ?? 0));
  return (standings["2 workers"]?.spread[0] ?? 0) > best;
};

export const branchLatency: Experiment<Result> = {
  name: "branch-latency",
  claim:
    "With a device for every branch, the latency of Para-Former-1-n does not grow with n, while that of a serial network of as many blocks does.",
  source: "Wang et al. (2024), arXiv:2407.21670, which gives no latencies; the simulator is lithe's",
  workload:
    "Para-Former-1-n (x + Σ fⱼ(x)) of ViT blocks with 64 tokens, widths 192 (ViT-Tiny, 3 heads) and 64 (1 head), n = 1, 2, 4, 8, 12, batches 1, 8, 32, `cpu` provider, one thread for each session and worker unless said; against `vit` of depth n, its parameters the same in number. All forms of a cell run in one race, in turn. Each k-worker form is `partitionBranches(model, k)` over worker threads. The simulator has the costs of the parts at n = 12 and a sum between two threads, and devices of their own beyond k = 2 (recursive doubling).",
  seeds: [1],
  criterion:
    "for width 192 and n ≥ 4, two workers at batch 1 are at least 1.5 times as fast as the serial network on one thread and, on equal cores, at every batch faster than either network in one session with two threads; the simulator is within 20 % of what is measured at k = 1 and 2; latency does not grow with n on as many devices.",
  async run({ once, log }) {
    const link = await once("link", () => measureLink({ seconds: 5 }));
    log(`a sum: ${(1000 * link.latency).toFixed(0)} µs + bytes / ${(link.bandwidth / 2 ** 20).toFixed(1)} MiB per ms`);
    const cells: Cell[] = [];
    const calibrations: Calibration[] = [];
    const pairs: Pair[] = [];
    for (const width of WIDTHS) {
      for (const batch of BATCHES) {
        const key = `width ${width}, batch ${batch}`;
        pairs.push(await once(`${key}, pair`, () => pairOf(width, batch)));
        calibrations.push(
          await once(key, async () => {
            const options = { seconds: SECONDS, rounds: 40, warmup: 2, slot: 20 };
            return { width, batch, cost: await measureCosts(networkOf(width, MOST), feedsOf(batch), options) };
          }),
        );
        for (const n of BRANCHES) {
          const cell = await once(`${key}, n ${n}`, () => measured(width, batch, n));
          cells.push(cell);
          log(`${key}, n ${n}: ${forms.map((form) => `${form} ${standingText(cell.standings[form])}`).join(", ")}`);
        }
      }
    }
    return { cells, calibrations, pairs, link };
  },
  judge: judgeCells,
  page(result) {
    const { pairs, link } = result;
    const cells = result.cells.filter((cell) => !isDisturbed(cell));
    const checks = checksOf({ ...result, cells });
    const within = checks.filter(({ measured, predicted }) => Math.abs(predicted / measured - 1) <= 0.2);
    const wide = cells.filter(({ width, batch, n }) => width === 192 && batch === 1 && n >= 4);
    const fast = wide.filter(({ standings }) => standings["2 workers"]!.ratio >= 1.5);
    const slowdowns = pairs.map(({ width, batch, alone, together }) => `${width}/${batch} ${times(together / alone)}`);
    return [
      "Times faster than the serial network of n blocks on one thread (95 % interval); above 1 is faster:",
      "",
      latencyTable(result.cells),
      "",
      `† does not count (${result.cells.length - cells.length} rows): one worker and the unrolled form are the same model in one thread, and differed by more than 15 %, so other programs held the cores.`,
      "",
      `At width 192 and batch 1, two workers are at least 1.5 times as fast in ${fast.length} of ${wide.length} rows with n ≥ 4. As width/batch/n: two workers are certainly faster than the serial network at ${where(cells, paysOverSerial)}; certainly faster than either network in one session with two threads at ${where(cells, paysOverThreads)}.`,
      "",
      `Two sessions that run at once, with nothing in common but the machine, take longer than one by itself by these factors (width/batch): ${slowdowns.join(", ")}. Two workers cannot do better than that leaves.`,
      "",
      `The simulator at n = 12, ms; a sum takes ${(1000 * link.latency).toFixed(0)} µs and ${kilo(link.bandwidth)} more in every ms:`,
      "",
      simulationTable(result),
      "",
      `Its validation, with the costs of n = 12 for every n: ${within.length} of ${checks.length} predictions are within 20 %.`,
      "",
      checkTable(checks),
      "",
      "WebGPU: not measured, since the machine has no GPU.",
    ].join("\n");
  },
};

const within = ({ measured, predicted }: Check): boolean => Math.abs(predicted / measured - 1) <= 0.2;

function judgeCells(result: Result): readonly Judgement[] {
  const cells = result.cells.filter((cell) => !isDisturbed(cell) && cell.width === 192 && cell.n >= 4);
  const named = ({ batch, n }: Cell) => `batch ${batch}, n = ${n}`;
  return [
    everyOne(
      "at width 192 and batch 1 two workers are at least 1.5 times as fast as the serial network on one thread",
      cells.filter(({ batch }) => batch === 1),
      ({ standings }) => standings["2 workers"] && isAtLeast(standings["2 workers"].spread, 1.5),
      (cell) => `${named(cell)} ${standingText(cell.standings["2 workers"])}`,
    ),
    {
      ...everyOne(
        "on equal cores, at any batch, two workers are faster than either network in one session with two threads",
        cells.map((cell) => ({ cell, over: overThreads(cell) })),
        ({ over }) => isAbove(over.spread, 1),
        ({ cell, over }) => `${named(cell)} ${shown(over.ratio)} (${intervalText(over.spread, shown)})`,
      ),
      why: "a session with two threads shares out every operator, which pays the more the larger the batch; workers pay for sums and copies.",
    },
    everyOne(
      "the simulator is within 20 % at k = 1 and 2",
      checksOf({ ...result, cells: result.cells.filter((cell) => !isDisturbed(cell)) }),
      within,
      ({ cell, devices, measured, predicted }) =>
        `${cell.width}/${cell.batch}/${cell.n}, k = ${devices}: ${ms(predicted)} / ${ms(measured)} ms`,
    ),
    {
      what: "with a device for every branch latency does not grow with n",
      holds: undefined,
      figure: `only simulated, at batch 1 from n = 1 to ${MOST}: ${simulatedGrowth(result)}`,
      why: "there was no machine with a core for every branch; the simulator says that the sums between them make it grow.",
    },
  ];
}

/** Two workers over the best that one session makes of two cores; the interval is the widest that both intervals allow. */
function overThreads({ standings }: Cell): { readonly ratio: number; readonly spread: Interval } {
  const workers = standings["2 workers"]!;
  const threads = [standings["serial, 2 threads"]!, standings["fused, 2 threads"]!];
  const best = (of: (standing: Standing) => number) => Math.max(...threads.map(of));
  return {
    ratio: workers.ratio / best(({ ratio }) => ratio),
    spread: [workers.spread[0] / best(({ spread }) => spread[1]), workers.spread[1] / best(({ spread }) => spread[0])],
  };
}

function simulatedGrowth({ calibrations, link }: Result): string {
  const lines = calibrations
    .filter(({ batch }) => batch === 1)
    .map((calibration) => {
      const [one, all] = [1, MOST].map((n) => predicted(calibration, n, n, link).latency);
      return `width ${calibration.width} ${ms(one!)} to ${ms(all!)} ms`;
    });
  return lines.join(", ");
}
