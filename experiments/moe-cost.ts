/** @file What experts cost: time of a step and of inference against their number, time against routed tokens, what capacity drops. */
import {
  capacity,
  gates,
  measureMixture,
  mlpExpert,
  moeLayer,
  moeTraining,
  withoutSideOutputs,
} from "../src/conditional/index.ts";
import { random } from "../src/data/index.ts";
import { type Model, type Tensor, tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { type Contender, raceLatency } from "../src/measure/index.ts";
import { network } from "../src/nn/index.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { sgd, trainingStep } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { type Judgement, ratio as shown } from "./judgement.ts";

export interface CostSize {
  readonly width: number;
  readonly hidden: number;
  readonly k: number;
  readonly experts: readonly number[];
  /** Tokens per expert and choice at the largest number of experts, the fewest first. */
  readonly perExpert: readonly number[];
  /** Seconds per race. */
  readonly seconds: number;
}

const full: CostSize = {
  width: 128,
  hidden: 256,
  k: 1,
  experts: [2, 4, 8, 16, 32, 64],
  perExpert: [64, 512],
  seconds: 40,
};

interface Time {
  readonly perExpert: number;
  readonly experts: number;
  /** Milliseconds, medians. */
  readonly step: number;
  readonly inference: number;
  /** Over the smallest number of experts, measured in turns. */
  readonly stepRatio: number;
  readonly inferenceRatio: number;
}

interface Proportion {
  readonly tokens: number;
  readonly inference: number;
  /** Over the fewest tokens, measured in turns. */
  readonly ratio: number;
}

interface Drop {
  readonly tokensPerExpert: number;
  readonly factor: number;
  readonly dropped: number;
  /** Expected with routes drawn uniformly: E[max(0, B − C)] / λ for a binomial B with mean λ. */
  readonly floor: number;
}

interface Result {
  readonly times: readonly Time[];
  readonly proportions: readonly Proportion[];
  readonly drops: readonly Drop[];
}

function layer(experts: number, { width, hidden, k }: CostSize): Model {
  return network(random(1), (n) => {
    const x = n.input("x", "float32", ["tokens", width]);
    const gate = k === 1 ? gates.switch({ jitter: 0 }) : gates["top-k"]({ k });
    n.output(moeLayer(n.scope("moe"), x, { gate, expert: mlpExpert({ hidden, activation: "Relu" }), experts }), "y");
  });
}

function tokens(count: number, width: number, seed = 2): Tensor {
  const source = random(seed);
  return tensor(
    "float32",
    [count, width],
    Float32Array.from({ length: count * width }, () => source.normal()),
  );
}

/** One step of training: the same rows and targets every time, state fed anew. */
async function stepContender(experts: number, x: Tensor, size: CostSize): Promise<Contender> {
  const model = layer(experts, size);
  const step = trainingStep(model, { loss: "meanSquaredError", ...moeTraining(model), optimizer: sgd(), output: "y" });
  const feeds: Feeds = new Map<string, Tensor>([
    ["x", x],
    [step.labels!, x],
    [step.learningRate, tensorFromNumbers("float32", [], [0])],
    [step.step, tensorFromNumbers("int64", [], [1])],
    ...step.state.map(({ name, initial }): [string, Tensor] => [name, initial]),
  ]);
  return { session: await openSession(step.model, { threads: 1 }), feeds };
}

async function inferenceContender(experts: number, x: Tensor, size: CostSize): Promise<Contender> {
  const model = await withoutSideOutputs(layer(experts, size));
  return { session: await openSession(model, { threads: 1 }), feeds: new Map([["x", x]]) };
}

async function raced(contenders: readonly Contender[], seconds: number) {
  try {
    return await raceLatency(contenders, { seconds, rounds: 200 });
  } finally {
    for (const { session } of contenders) await session.release();
  }
}

async function timesOf(size: CostSize, perExpert: number): Promise<Time[]> {
  const { experts, width, k, seconds } = size;
  const x = tokens((perExpert * Math.max(...experts)) / k, width);
  const steps = await raced(await Promise.all(experts.map((count) => stepContender(count, x, size))), seconds);
  const runs = await raced(await Promise.all(experts.map((count) => inferenceContender(count, x, size))), seconds);
  return experts.map((count, i) => ({
    perExpert,
    experts: count,
    step: steps[i]!.p50,
    inference: runs[i]!.p50,
    stepRatio: 1 / steps[i]!.ratio,
    inferenceRatio: 1 / runs[i]!.ratio,
  }));
}

async function timesAtAll(size: CostSize, once: ExperimentContext["once"]): Promise<Time[]> {
  const times: Time[] = [];
  for (const perExpert of size.perExpert) {
    times.push(...(await once(`times ${perExpert}`, () => timesOf(size, perExpert))));
  }
  return times;
}

async function proportionsOf(size: CostSize): Promise<Proportion[]> {
  const { experts, perExpert, width, seconds } = size;
  const middle = experts[experts.length >> 1]!;
  const counts = [1, 2, 4, 8].map((factor) => factor * perExpert[0]! * middle);
  const all = counts.map((count) => inferenceContender(middle, tokens(count, width), size));
  const standings = await raced(await Promise.all(all), seconds);
  return counts.map((count, i) => ({ tokens: count, inference: standings[i]!.p50, ratio: 1 / standings[i]!.ratio }));
}

/** The largest ratio that counts as the same time. */
const FLAT = 1.15;

const FACTORS = [1, 1.25, 2] as const;
const DROP_EXPERTS = 16;

const DRAWS = 50;

/** Every token to an expert drawn at random, by its id; the mean of several batches. */
async function dropsOf(): Promise<Drop[]> {
  const drops: Drop[] = [];
  for (const tokensPerExpert of [4, 16, 64, 256]) {
    const count = tokensPerExpert * DROP_EXPERTS;
    const source = random(tokensPerExpert);
    const drawn = Array.from({ length: DRAWS }, () => drawnIds(count, source));
    for (const factor of FACTORS) {
      const [measured] = await measureMixture(hashed(factor), drawn, openSession, { threads: 1 });
      const room = Math.max(4, Math.ceil(tokensPerExpert * factor));
      drops.push({ tokensPerExpert, factor, dropped: measured!.dropped!, floor: binomialFloor(count, room) });
    }
  }
  return drops;
}

function drawnIds(count: number, source: { uniform(): number }): Feeds {
  const ids = Array.from({ length: count }, () => Math.floor(2 ** 30 * source.uniform()));
  return new Map([
    ["x", tokens(count, 2)],
    ["ids", tensorFromNumbers("int64", [count], ids)],
  ]);
}

function hashed(factor: number): Model {
  return network(random(1), (n) => {
    const x = n.input("x", "float32", ["tokens", 2]);
    const options = { gate: gates["token-hash"](), expert: mlpExpert({ hidden: 1 }), experts: DROP_EXPERTS };
    const ids = n.input("ids", "int64", ["tokens"]);
    n.output(moeLayer(n.scope("moe"), x, { ...options, ids, dispatch: capacity({ factor }) }), "y");
  });
}

function binomialFloor(count: number, room: number): number {
  const chance = 1 / DROP_EXPERTS;
  let log = count * Math.log1p(-chance);
  let over = 0;
  for (let b = 0; b <= count; b++) {
    if (b > room) over += (b - room) * Math.exp(log);
    log += Math.log((count - b) / (b + 1)) + Math.log(chance / (1 - chance));
  }
  return over / (count * chance);
}

export function moeCostAt(size: CostSize): Experiment<Result> {
  return {
    name: "moe-cost",
    claim: "With the experts per token fixed, time hardly depends on the number of experts, and goes with the tokens.",
    source: "arXiv:1701.06538, arXiv:2101.03961; lithe",
    workload: `one mixture over rows of width ${size.width}, experts of ${size.hidden} hidden units, k = ${size.k}, dropless, ${size.perExpert.join(" and ")} tokens per expert at the most experts; step = forward, backward and update; timed in turns on the cpu provider, 1 thread. Drops: ${DROP_EXPERTS} experts, routes by a hash of random ids, mean of ${DRAWS} batches.`,
    seeds: [],
    criterion: `from ${size.experts[0]} to ${size.experts.at(-1)} experts step and inference take at most ${FLAT} times as long, with ${size.perExpert[0]} tokens per expert and more.`,
    run: async ({ once }) => ({
      times: await timesAtAll(size, once),
      proportions: await once("proportions", () => proportionsOf(size)),
      drops: await once("drops", dropsOf),
    }),
    judge: ({ times }) =>
      times
        .filter(({ experts }) => experts === size.experts.at(-1))
        .flatMap(({ perExpert, stepRatio, inferenceRatio }) =>
          Object.entries({ step: stepRatio, inference: inferenceRatio }).map(
            ([name, ratio]): Judgement => ({
              what: `with ${perExpert} tokens per expert, ${name} takes at most ${FLAT} times as long with ${size.experts.at(-1)} experts as with ${size.experts[0]}`,
              holds: ratio <= FLAT,
              figure: `${shown(ratio)} times; no spread was recorded`,
              ...(ratio > FLAT && {
                why: "the gradient and the update move every expert's weights whatever the tokens: with few tokens per expert the memory decides.",
              }),
            }),
          ),
        ),
    page({ times, proportions, drops }) {
      const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
      return [
        markdownTable(
          ["tokens per expert at the most", "experts", "step, ms", "ratio", "inference, ms", "ratio"],
          times.map((t) => [
            t.perExpert,
            t.experts,
            t.step.toFixed(2),
            t.stepRatio.toFixed(2),
            t.inference.toFixed(2),
            t.inferenceRatio.toFixed(2),
          ]),
        ),
        `A step computes 6 operations per weight of an expert and token, and moves some 20 bytes per weight for the gradient and the update, whatever the tokens: with few tokens per expert the memory decides.`,
        markdownTable(
          ["tokens", "inference, ms", "ratio"],
          proportions.map((p) => [p.tokens, p.inference.toFixed(2), p.ratio.toFixed(2)]),
        ),
        "What capacity leaves out when routes are drawn uniformly, against what a binomial distribution makes unavoidable:",
        markdownTable(
          ["tokens per expert", "capacity factor", "dropped", "binomial floor"],
          drops.map((d) => [d.tokensPerExpert, d.factor, percent(d.dropped), percent(d.floor)]),
        ),
      ].join("\n\n");
    },
  };
}

export const moeCost = moeCostAt(full);
