/** @file The time and memory of a training step here and in PyTorch, taking turns. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once as nextEvent } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { encodeSafetensors } from "../src/data/index.ts";
import { UsageError } from "../src/errors.ts";
import { median, quantile } from "../src/measure/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, isAtMost, ratio as shown } from "./judgement.ts";
import { networkOf, type OptimizerSpec, type TrainingTask, taskBatches, weightsOf } from "./training-tasks.ts";

/** Threads that spin at a barrier lose whole time slices to any other program; ONNX Runtime does not read this. */
const env = { ...process.env, OMP_WAIT_POLICY: "PASSIVE" };

const root = fileURLToPath(new URL("../", import.meta.url));
const THREADS = [1, 2] as const;
/** Rounds per contest: as many as fit into the time, at least the fewest. */
const FEWEST = 5;
const MOST = 30;
const MS_PER_CONTEST = 12_000;

interface Contest {
  readonly task: TrainingTask & { readonly optimizer: OptimizerSpec };
  /** Steps that our graph takes as one loop. */
  readonly perRun: number;
  readonly goal: number;
}

const adamw: OptimizerSpec = { name: "adamw", settings: { lr: 3e-4, weight_decay: 0.01 } };
const momentum: OptimizerSpec = { name: "sgd", settings: { lr: 0.02, momentum: 0.9, weight_decay: 5e-4 } };
const mlp: Contest["task"] = {
  name: "MLP",
  network: "mlp",
  options: { input: [784], hidden: [1024, 1024], classes: 10 },
  batch: 64,
  optimizer: adamw,
};

const contests: readonly Contest[] = [
  {
    task: {
      name: "ViT",
      network: "vit",
      options: { channels: 3, size: 32, patch: 4, width: 192, depth: 6, heads: 3, expansion: 4, classes: 10 },
      batch: 64,
      optimizer: adamw,
    },
    perRun: 1,
    goal: 1,
  },
  {
    task: {
      name: "GPT",
      network: "gpt",
      options: { vocabulary: 65, context: 128, width: 256, depth: 4, heads: 4 },
      batch: 16,
      optimizer: adamw,
    },
    perRun: 1,
    goal: 1,
  },
  {
    task: {
      name: "ResNet-20",
      network: "resnet",
      options: { depth: 20, width: 16, channels: 3, size: 32, classes: 10 },
      batch: 128,
      optimizer: momentum,
    },
    perRun: 1,
    goal: 1.25,
  },
  { task: mlp, perRun: 1, goal: 1 },
  { task: { ...mlp, name: "MLP, 8 steps per run" }, perRun: 8, goal: 1 },
];

interface Row {
  readonly name: string;
  readonly optimizer: string;
  readonly threads: number;
  readonly goal: number;
  readonly rounds: number;
  /** Ours / PyTorch per round: median and quartiles. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly oursMs: number;
  readonly torchMs: number;
  /** Ours / PyTorch per round in processor time, all threads together: the median. */
  readonly cpuRatio?: number;
  /** Peak resident bytes of the two processes. */
  readonly oursPeak: number;
  readonly torchPeak: number;
  /** The same before the network was made: the runtimes themselves. */
  readonly oursStart: number;
  readonly torchStart: number;
  /** Load of the machine at the end; 2 or less where nothing else runs. */
  readonly load: number;
  readonly operators: readonly (readonly [string, number])[];
}

interface Result {
  readonly torch: string;
  /** How threads of PyTorch wait for one another; the system's default when absent. */
  readonly wait?: "passive";
  readonly rows: readonly Row[];
}

interface Runner {
  readonly ready: { readonly start: number; readonly torch?: string };
  run(runs: number): Promise<{ ms: number; cpu: number; peak: number; loss: number }>;
  end(): Promise<void>;
}

async function started(command: string, args: readonly string[]): Promise<Runner> {
  const child: ChildProcess = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new UsageError("a process of the measurement ended early", { got: args.join(" ") });
    return JSON.parse(value);
  };
  return {
    ready: await answer(),
    run(runs) {
      child.stdin!.write(`${runs}\n`);
      return answer();
    },
    async end() {
      const over = nextEvent(child, "exit");
      child.stdin!.end();
      await over;
    },
  };
}

const typescript = ["--import", `${root}scripts/typescript.mjs`, `${root}bench/train-speed.ts`];

async function contest({ task, perRun, goal }: Contest, threads: number, python: string, folder: string) {
  const path = join(folder, "task.json");
  const weights = join(folder, "weights.safetensors");
  writeFileSync(path, JSON.stringify(task));
  const [batch] = taskBatches(task, 1, 1);
  const stacked = Object.entries(batch!).map(([name, tensor]): [string, typeof tensor] => [
    name,
    { ...tensor, dims: [1, ...tensor.dims] },
  ]);
  writeFileSync(weights, encodeSafetensors(new Map([...weightsOf(networkOf(task, 1)), ...stacked])));
  const ourArgs = [...typescript, path, "--threads", `${threads}`, "--steps-per-run", `${perRun}`];
  const peerScript = `${root}bench/peers/train_speed.py`;
  const torch = await started(python, [peerScript, path, weights, "--threads", `${threads}`]);
  const ours = await started(process.execPath, ourArgs);
  const times: { ours: number; torch: number; cpu: number }[] = [];
  let peaks = { ours: 0, torch: 0 };
  const began = performance.now();
  while (times.length < FEWEST || (times.length < MOST && performance.now() - began < MS_PER_CONTEST)) {
    const first = times.length % 2 === 0;
    const a = first ? await ours.run(1) : undefined;
    const b = await torch.run(perRun);
    const c = a ?? (await ours.run(1));
    times.push({ ours: c.ms, torch: b.ms, cpu: c.cpu / b.cpu });
    peaks = { ours: c.peak, torch: b.peak };
  }
  await ours.end();
  await torch.end();
  const profile = execFileSync(process.execPath, [...ourArgs, "--profile"], { encoding: "utf8" });
  const ratios = times.map((round) => round.ours / round.torch);
  const row: Row = {
    name: task.name,
    optimizer: task.optimizer.name,
    threads,
    goal,
    rounds: times.length,
    ratio: median(ratios),
    low: quantile(ratios, 0.25),
    high: quantile(ratios, 0.75),
    oursMs: median(times.map((round) => round.ours)),
    torchMs: median(times.map((round) => round.torch)),
    cpuRatio: median(times.map((round) => round.cpu)),
    oursPeak: peaks.ours,
    torchPeak: peaks.torch,
    oursStart: ours.ready.start,
    torchStart: torch.ready.start,
    load: loadavg()[0]!,
    operators: JSON.parse(profile).operators.slice(0, 5),
  };
  return { row, torch: torch.ready.torch! };
}

/**
 * Whether two threads took PyTorch longer than one does: then other programs held the cores while its threads waited for
 * one another, and the ratio says nothing about either side.
 */
function isDisturbed(row: Row, rows: readonly Row[]): boolean {
  const single = rows.find(({ name, threads }) => name === row.name && threads === 1);
  return single !== undefined && row.threads > 1 && row.torchMs > single.torchMs;
}

const mebi = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

export const trainSpeed: Experiment<Result> = {
  name: "train-speed",
  claim: "A training step takes no longer and not much more memory than in PyTorch on the same processor.",
  source: "lithe",
  workload:
    "ViT (6 × 192, 64 tokens, batch 64), GPT (4 × 256, 128 tokens, batch 16), MLP (784-1024-1024-10, batch 64) with AdamW, ResNet-20 (batch 128) with momentum. Two processes that live through the whole measurement take turns, step by step, in alternating order (`bench/train-speed.ts`, `bench/peers/train_speed.py`); PyTorch in eager mode with its default optimizer implementation, the same threads. Needs `--python` or `LITHE_PYTHON`.",
  seeds: [1],
  criterion:
    "the median ratio of step times, ours / PyTorch, is at most 1.0 for ViT, GPT and MLP and 1.25 for ResNet-20, and that of peak resident memory of the two processes at most 1.3.",
  async run({ python, once, log }) {
    if (python === undefined) {
      throw new UsageError("there is no PyTorch to compare with", {
        expected: "--python PYTHON or LITHE_PYTHON, a Python that has torch",
      });
    }
    const folder = mkdtempSync(join(tmpdir(), "lithe-speed-"));
    const found: Awaited<ReturnType<typeof contest>>[] = [];
    try {
      for (const threads of THREADS) {
        for (const entry of contests) {
          const key = `${entry.task.name}, ${threads} threads`;
          found.push(await once(key, () => contest(entry, threads, python, folder)));
          const { ratio, oursMs, torchMs } = found.at(-1)!.row;
          log(`${key}: ${ratio.toFixed(2)} (${oursMs.toFixed(1)} / ${torchMs.toFixed(1)} ms)`);
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return { torch: found[0]!.torch, wait: "passive", rows: found.map(({ row }) => row) };
  },
  judge: ({ rows }) => [
    ...[...new Set(rows.map(({ name }) => name))].map((name) =>
      everyOne(
        `${name}: a step takes at most ${rows.find((row) => row.name === name)!.goal} times PyTorch's time, with as many threads`,
        rows.filter((row) => row.name === name),
        (row) => (isDisturbed(row, rows) ? undefined : isAtMost([row.low, row.high], row.goal)),
        ({ threads, ratio, low, high }) =>
          `${threads} thread${threads > 1 ? "s" : ""} ${shown(ratio)} (quartiles ${intervalText([low, high], shown)})`,
      ),
    ),
    everyOne(
      "peak memory is at most 1.3 times PyTorch's",
      rows,
      ({ oursPeak, torchPeak }) => oursPeak <= 1.3 * torchPeak,
      ({ name, threads, oursPeak, torchPeak }) => `${name}, ${threads} threads: ${shown(oursPeak / torchPeak)}`,
    ),
  ],
  page({ rows, torch, wait }) {
    const table = markdownTable(
      [
        "network",
        "threads",
        "ours / PyTorch (quartiles)",
        "goal",
        "in processor time",
        "ours ms",
        "PyTorch ms",
        "peak MiB, ours / PyTorch",
        "rounds",
        "load",
      ],
      rows.map((row) => [
        row.name,
        row.threads,
        `${row.ratio.toFixed(2)} (${row.low.toFixed(2)}–${row.high.toFixed(2)})${isDisturbed(row, rows) ? " †" : ""}`,
        row.goal,
        row.cpuRatio?.toFixed(2) ?? "",
        row.oursMs.toFixed(1),
        row.torchMs.toFixed(1),
        `${mebi(row.oursPeak)} / ${mebi(row.torchPeak)} = ${(row.oursPeak / row.torchPeak).toFixed(2)}`,
        row.rounds,
        row.load.toFixed(1),
      ]),
    );
    const disturbed = rows.filter((row) => isDisturbed(row, rows));
    const short = rows.filter((row) => row.ratio > row.goal && !isDisturbed(row, rows));
    const memory = rows.filter(({ oursPeak, torchPeak }) => oursPeak > 1.3 * torchPeak).length;
    const verdict = `${rows.length - disturbed.length - short.length} of ${rows.length} rows reach their goal, ${short.length} miss it, ${disturbed.length} do not count; ${rows.length - memory} of ${rows.length} stay within 1.3 times the memory.`;
    const where = short.map(
      ({ name, threads, operators }) =>
        `- ${name}, ${threads} thread${threads > 1 ? "s" : ""}: ${operators.map(([type, ms]) => `${type} ${ms.toFixed(1)}`).join(", ")}`,
    );
    const starts = rows.map(({ oursStart, torchStart }) => [oursStart, torchStart] as const)[0]!;
    return [
      table,
      "",
      verdict,
      ...(disturbed.length > 0
        ? [
            "",
            "† does not count: two threads took PyTorch longer than one, since other programs held the cores while its threads waited for one another. To be measured again on an idle machine.",
          ]
        : []),
      "",
      `PyTorch ${torch}, its threads waiting ${wait === "passive" ? "passively" : "by spinning, the default"}. Before any network, the process takes ${mebi(starts[0])} MiB here and ${mebi(starts[1])} MiB with PyTorch; peaks include that. A load above the threads means that other programs ran at the same time; they lengthen the steps of both sides unevenly, and the ratio in processor time much less.`,
      ...(where.length > 0
        ? ["", "Where ours is slower than the goal, its five largest operators in ms per step:", "", ...where]
        : []),
    ].join("\n");
  },
};
