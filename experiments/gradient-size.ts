/** @file What training costs the thread that asks for it: building the gradient of a large graph, and standing still during fit. */
import { performance } from "node:perf_hooks";
import { differentiateGraph } from "../src/autodiff/index.ts";
import { type Dataset, datasetOf, random } from "../src/data/index.ts";
import { type Graph, graphBuilder, tensorFromNumbers, type Value } from "../src/ir/index.ts";
import { median } from "../src/measure/index.ts";
import { mlp } from "../src/models/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { adamw, fit } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import type { Judgement } from "./judgement.ts";
import { longestGap } from "./longest-gap.ts";

const NODES = 20_000;
const ROUNDS = 3;
const MOST_SECONDS = 3;
const MOST_GAP = 50;
const SAMPLES = 4096;

interface Result {
  readonly nodes: number;
  readonly weights: number;
  readonly gradientNodes: number;
  /** Of building the gradient, per round: by the clock, and of the processor with garbage collection. */
  readonly seconds: readonly number[];
  readonly cpuSeconds: readonly number[];
  /** The longest gaps in milliseconds: from the first step to the last, the same time idle. */
  readonly gap: number;
  readonly idleGap: number;
  /** The share of that time in which the main thread was busy. */
  readonly busy: number;
  readonly steps: number;
  readonly msPerStep: number;
}

export const gradientSize: Experiment<Result> = {
  name: "gradient-size",
  claim: "The gradient of a large graph is built in seconds, and training leaves the main thread free.",
  source: "lithe",
  workload: `The gradient of ${NODES.toLocaleString("en")} nodes, residual blocks of 20 with attention-like products, with respect to all weights (${ROUNDS} rounds). Then \`fit\` on an MLP (784-1024-1024-10, AdamW, batch 64) for an epoch of ${SAMPLES} samples, CPU provider, one thread, beside a 1 ms timer on the main thread.`,
  seeds: [1],
  criterion: `building takes less than ${MOST_SECONDS} s of the processor, and between the first step and the last the timer never waits longer than ${MOST_GAP} ms.`,
  async run({ once }) {
    const built = await once("gradient", async () => gradientTimes(deepGraph(NODES)));
    return { ...built, ...(await once("fit", fitGaps)) };
  },
  judge: ({ cpuSeconds, gap }): readonly Judgement[] => [
    {
      what: `building takes less than ${MOST_SECONDS} s of the processor`,
      holds: Math.max(...cpuSeconds) < MOST_SECONDS || (Math.min(...cpuSeconds) >= MOST_SECONDS ? false : undefined),
      figure: `${cpuSeconds.map((seconds) => seconds.toFixed(2)).join(", ")} s in ${cpuSeconds.length} rounds`,
    },
    {
      what: `the timer never waits longer than ${MOST_GAP} ms`,
      holds: gap <= MOST_GAP,
      figure: `${gap.toFixed(1)} ms at the most`,
    },
  ],
  page(result) {
    const { nodes, weights, gradientNodes, seconds, cpuSeconds, gap, idleGap, busy, steps, msPerStep } = result;
    const cpu = median(cpuSeconds);
    const table = markdownTable(
      ["what", "measured", "bound"],
      [
        [
          `gradient of ${nodes} nodes and ${weights} weights: ${gradientNodes} more nodes`,
          `${cpu.toFixed(2)} s of the processor, ${median(seconds).toFixed(2)} s by the clock`,
          `${MOST_SECONDS} s`,
        ],
        [
          `longest stand-still during ${steps} steps of ${msPerStep.toFixed(1)} ms`,
          `${gap.toFixed(1)} ms (${idleGap.toFixed(1)} ms with nothing to do)`,
          `${MOST_GAP} ms`,
        ],
        ["share of that time in which the main thread is busy", `${(100 * busy).toFixed(1)} %`, ""],
      ],
    );
    return table;
  },
};

function gradientTimes(graph: Graph) {
  const wrt = [...graph.initializers.keys()].filter(({ name }) => name.startsWith("weight"));
  const rounds = Array.from({ length: ROUNDS }, () => {
    const [began, used] = [performance.now(), process.cpuUsage()];
    const { graph: whole, forward } = differentiateGraph(graph, { of: graph.outputs[0]!, wrt, opset: 21 });
    const [ms, { user, system }] = [performance.now() - began, process.cpuUsage(used)];
    return { seconds: ms / 1e3, cpuSeconds: (user + system) / 1e6, gradientNodes: whole.nodes.length - forward };
  });
  return {
    nodes: graph.nodes.length,
    weights: wrt.length,
    gradientNodes: rounds[0]!.gradientNodes,
    seconds: rounds.map((round) => round.seconds),
    cpuSeconds: rounds.map((round) => round.cpuSeconds),
  };
}

/** A chain of normalisation, attention-like products and activations on [batch, 8, 16]. */
function deepGraph(count: number): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  let x = g.input("x", "float32", ["batch", 8, 16]);
  const weight = (...dims: number[]): Value =>
    g.constant("weight", tensorFromNumbers("float32", dims, new Array(dims.reduce((n, d) => n * d, 1)).fill(0.1)));
  while (g.nodes.length < count - 4) {
    const y = g.op("LayerNormalization", [x, weight(16), weight(16)], { axis: -1 });
    const [q, k, v] = [0, 1, 2].map(() => g.op("Add", [g.op("MatMul", [y, weight(16, 16)]), weight(16)]));
    const scores = g.op("MatMul", [q, g.op("Transpose", [k], { perm: [0, 2, 1] })]);
    const mixed = g.op("MatMul", [g.op("Softmax", [scores], { axis: -1 }), v]);
    const first = g.op("Add", [x, g.op("MatMul", [mixed, weight(16, 16)])]);
    const hidden = g.op("Gelu", [g.op("Add", [g.op("MatMul", [first, weight(16, 32)]), weight(32)])]);
    x = g.op("Add", [first, g.op("MatMul", [hidden, weight(32, 16)])]);
    x = g.op("Sigmoid", [g.op("Reshape", [x, g.op("Shape", [x])])]);
  }
  g.output(g.op("ReduceMean", [g.op("Mul", [x, x])], { keepdims: 0 }), "loss");
  return g.build();
}

async function fitGaps(): Promise<Pick<Result, "gap" | "idleGap" | "busy" | "steps" | "msPerStep">> {
  const run = fit(mlp(random(1), { input: [784], hidden: [1024, 1024], classes: 10 }), {
    data: noise(),
    epochs: 1,
    batch: 64,
    loss: "crossEntropy",
    optimizer: adamw(),
    learningRate: 3e-4,
    seed: 1,
  });
  const events = run[Symbol.asyncIterator]();
  const isStep = async (): Promise<boolean | undefined> => {
    const { value, done } = await events.next();
    return done ? undefined : value.type === "step";
  };
  while ((await isStep()) === false);
  let steps = 0;
  const [began, before] = [performance.now(), performance.eventLoopUtilization()];
  const gap = await longestGap(async () => {
    for (let found = await isStep(); found !== undefined && steps < SAMPLES / 64 - 1; found = await isStep()) {
      if (found) steps++;
    }
  });
  const { utilization } = performance.eventLoopUtilization(before);
  const ms = performance.now() - began;
  await run.result;
  const idleGap = await longestGap(() => new Promise((resolve) => setTimeout(resolve, ms)));
  return { gap, idleGap, busy: utilization, steps, msPerStep: ms / steps };
}

/** Pictures of noise, made once. */
function noise(): Dataset {
  const source = random(1, 2);
  const samples = Array.from({ length: SAMPLES }, (_, i) => ({
    label: i % 10,
    source: `${i}`,
    inputs: new Map([
      [
        "input",
        tensorFromNumbers(
          "float32",
          [784],
          Float32Array.from({ length: 784 }, () => source.normal()),
        ),
      ],
    ]),
  }));
  const labels = samples.map(({ label }) => label);
  return datasetOf({ size: SAMPLES, labels: async () => labels, open: () => ({ read: (i) => samples[i]! }) });
}
