/** @file Training that is killed again and again, and whether it ends with the same bits. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "../src/data/index.ts";
import { bytesOfTensor, isSparse, type Model } from "../src/ir/index.ts";
import { fit } from "../src/train/index.ts";
import { killedAt } from "../test/killed.ts";
import { network, options } from "../test/moons.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";

const KILLS = 10;
const STEPS = 30;
const SEED = 1;

interface Killed {
  /** The process told of this step, and so many milliseconds later it was killed. */
  readonly step: number;
  readonly delay: number;
  /** The step of the checkpoint that the second process went on from. */
  readonly resumedFrom: number;
  readonly differing: number;
}

interface Result {
  readonly parameters: number;
  readonly runs: readonly Killed[];
}

type Bits = ReadonlyMap<string, Uint8Array>;

function bitsOf({ graph }: Model): Bits {
  return new Map(
    [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, bytesOfTensor(data)]])),
  );
}

/** How many tensors differ in any bit. */
function differing(a: Bits, b: Bits): number {
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return names.filter((name) => Buffer.compare(a.get(name) ?? Buffer.of(), b.get(name) ?? Buffer.of()) !== 0).length;
}

async function trained(folder?: string) {
  const checkpoint = folder === undefined ? {} : { checkpoint: { folder, everySteps: 2 }, resume: true };
  const run = fit(network(), { ...options(), ...checkpoint });
  let resumedFrom = 0;
  for await (const event of run) if (event.type === "start") resumedFrom = event.resumedFrom;
  const { model, report } = await run.result;
  return { bits: bitsOf(model), resumedFrom, parameters: report.parameters };
}

async function killedRun(expected: Bits, step: number, delay: number): Promise<Killed> {
  const folder = await mkdtemp(join(tmpdir(), "lithe-resume-"));
  try {
    await killedAt(step, folder, delay);
    const facts = await readFile(join(folder, "checkpoint.json"), "utf8").catch(() => undefined);
    const { bits, resumedFrom } = await trained(folder);
    if (facts !== undefined && JSON.parse(facts).step !== resumedFrom) throw new Error("the checkpoint was not used");
    return { step, delay, resumedFrom, differing: differing(bits, expected) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const resume: Experiment<Result> = {
  name: "resume",
  claim: "A training process may be killed at any moment: resumed, it ends with the same parameters bit for bit.",
  source: "lithe",
  workload: `A network with BatchNormalization and dropout, AdamW with averaged parameters, clipping and accumulation, ${STEPS} batches with a checkpoint after every second (\`test/moons.ts\`), CPU provider, 1 thread. ${KILLS} processes get SIGKILL at a random step and a random time of up to 5 ms behind it, so that some die while they write; each run is resumed in another process and compared with one that nobody disturbed.`,
  seeds: [SEED],
  criterion: `in ${KILLS} of ${KILLS} runs no tensor differs in any bit.`,
  async run({ once, log }) {
    const { bits, parameters } = await trained();
    const source = random(SEED);
    const runs: Killed[] = [];
    for (let i = 0; i < KILLS; i++) {
      const step = 1 + source.below(STEPS - 2);
      const delay = source.below(6);
      runs.push(await once(`kill ${i}`, () => killedRun(bits, step, delay)));
      log(JSON.stringify(runs.at(-1)));
    }
    return { parameters, runs };
  },
  judge: ({ runs }) => [
    everyOne(
      "no tensor differs in any bit",
      runs,
      ({ differing: count }) => count === 0,
      ({ step, differing: count }) => `killed behind step ${step}: ${count} tensors`,
    ),
  ],
  page({ runs, parameters }) {
    const table = markdownTable(
      ["killed behind step", "ms later", "resumed from step", "tensors that differ"],
      runs.map(({ step, delay, resumedFrom, differing: count }) => [step, delay, resumedFrom, count]),
    );
    const equal = runs.filter(({ differing: count }) => count === 0).length;
    return `${table}\n\n${equal} of ${runs.length} runs end with the same bits (${parameters} trained parameters, running statistics and averages included).`;
  },
};
