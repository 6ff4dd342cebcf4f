/**
 * @file Training steps on request, so that another process can take turns with them.
 *
 *     node --import ./scripts/typescript.mjs bench/train-speed.ts TASK.json --threads 2 [--steps-per-run 8] [--profile]
 *
 * Says `{"ready": …}` once it has warmed up. Every line on stdin is a number of runs; each is answered by
 * `{"ms": milliseconds per step, "cpu": the processor's milliseconds per step, "peak": peak resident bytes, "loss": the last
 * loss}`. Ends with stdin. With `--profile` it reads nothing and says the milliseconds per step of each operator.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import {
  networkOf,
  type OptimizerSpec,
  stepInputs,
  stepOf,
  type TrainingTask,
  taskBatches,
} from "../experiments/training-tasks.ts";
import { numbersOf, type Tensor } from "../src/ir/index.ts";
import { openSession, resideIn } from "../src/runtime/index.ts";
import { stackFeeds } from "../src/train/feeds/step-feeds.ts";
import { loopedStep } from "../src/train/index.ts";

const WARM_UP = 2;
const PROFILED = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    "steps-per-run": { type: "string", default: "1" },
    profile: { type: "boolean", default: false },
  },
});
const start = peakBytes();
const task = JSON.parse(readFileSync(positionals[0]!, "utf8")) as TrainingTask & { optimizer: OptimizerSpec };
const perRun = Number(values["steps-per-run"]);
const step = stepOf(task, networkOf(task, 1), task.optimizer);
const session = await openSession(perRun > 1 ? loopedStep(step) : step.model, {
  threads: Number(values.threads),
  profile: values.profile,
});
const state = await resideIn(
  session,
  new Map(step.state.map(({ name, initial }) => [name, initial])),
  new Map(step.state.map(({ name, output }) => [name, output])),
);
const [batch] = taskBatches(task, 1, 1);
let done = 0;

for (let i = 0; i < WARM_UP; i++) await advance();
if (values.profile) {
  for (let i = 0; i < PROFILED; i++) await advance();
  const steps = (WARM_UP + PROFILED) * perRun;
  const nodes = await session.profile();
  const byType = new Map<string, number>();
  for (const { opType, micros } of nodes) byType.set(opType, (byType.get(opType) ?? 0) + micros / 1e3 / steps);
  say({ operators: [...byType].sort(([, a], [, b]) => b - a) });
} else {
  say({ ready: true, start });
  for await (const line of createInterface({ input: process.stdin })) {
    const runs = Number(line);
    const [began, used] = [performance.now(), process.cpuUsage()];
    let loss = Number.NaN;
    for (let i = 0; i < runs; i++) loss = await advance();
    const [ms, { user, system }] = [performance.now() - began, process.cpuUsage(used)];
    const steps = runs * perRun;
    say({ ms: ms / steps, cpu: (user + system) / 1e3 / steps, peak: peakBytes(), loss });
  }
}
await session.release();

/** One call of the runtime; gives the last loss. */
async function advance(): Promise<number> {
  const feeds = Array.from({ length: perRun }, (): Map<string, Tensor> => {
    done++;
    return stepInputs(step, batch!, done, task.optimizer.settings.lr);
  });
  const [results] = await state.advance([perRun > 1 ? stackFeeds(feeds) : feeds[0]!], { fetches: [step.loss] });
  return numbersOf(results!.get(step.loss)!).at(-1)!;
}

function peakBytes(): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

function say(message: object): void {
  console.log(JSON.stringify(message));
}
