import { describe, expect, it } from "vitest";
import { smallNetworks } from "../../../test/small-networks.ts";
import { random } from "../../data/index.ts";
import { type Model, maxOf, numbersOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import { gpt, mlp, vit } from "../../models/index.ts";
import { type OpenSession, openSession } from "../../runtime/index.ts";
import { crossEntropy, trainingStep } from "../../train/index.ts";
import {
  type Communicator,
  localTransports,
  openCommunicator,
  openPipelineRank,
  type PipelineBatch,
  type PipelineOptions,
  type PipelineRankOptions,
  pipelineStages,
  portsBetween,
  portTransport,
  type Transport,
} from "../index.ts";
import { balancedCuts } from "./balanced-cuts.ts";
import { balancedStages, rowOf } from "./cut-model.ts";

const STEPS = 20;
const open: OpenSession = (model, options) => openSession(model, { ...options, isolate: "thread" });

interface Task {
  readonly model: Model;
  readonly options: Omit<PipelineOptions, "stages">;
  readonly batch: (step: number) => PipelineBatch;
}

function wave(count: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.sin(1 + step * 12.9898 + i * 78.233));
}

const image = (model: Model, dims: readonly number[], classes: number): Task => ({
  model,
  options: { loss: "crossEntropy", optimizer: "adamw" },
  batch: (step) => ({
    inputs: new Map([
      ["input", tensorFromNumbers("float32", [8, ...dims], wave(8 * dims.reduce((a, b) => a * b, 1), step))],
    ]),
    labels: tensorFromNumbers(
      "int64",
      [8],
      wave(8, step + 0.5).map((x) => Math.floor(((x + 1) / 2) * classes)),
    ),
    learningRate: 0.01,
  }),
});

const tasks: Readonly<Record<string, () => Task>> = {
  mlp: () => image(mlp(random(1), { input: [1, 4, 4], hidden: [24, 24, 24], classes: 3 }), [1, 4, 4], 3),
  // Not by Adam: the gradient of a bias of keys is 0 but for rounding, which Adam makes steps of full size of.
  vit: () => ({
    ...image(vit(random(2), { size: 8, patch: 4, width: 16, heads: 2, depth: 3, classes: 4 }), [3, 8, 8], 4),
    options: { loss: "crossEntropy", optimizer: "sgd" },
  }),
  "gpt, whose first and last stage share a table": () => ({
    model: gpt(random(3), { vocabulary: 11, context: 6, width: 16, heads: 2, depth: 3 }),
    options: { loss: crossEntropy({ axis: 2 }), optimizer: "sgd" },
    batch: (step) => ({
      inputs: new Map([
        [
          "ids",
          tensorFromNumbers(
            "int64",
            [8, 6],
            wave(48, step).map((x) => Math.floor((x + 1) * 5)),
          ),
        ],
      ]),
      labels: tensorFromNumbers(
        "int64",
        [8, 6],
        wave(48, step + 0.5).map((x) => Math.floor((x + 1) * 5)),
      ),
      learningRate: 0.05,
    }),
  }),
};

/** Parameters after so many steps of the whole model on whole batches, and the losses. */
async function serially({ model, options, batch }: Task) {
  const step = trainingStep(model, options);
  await using session = await open(step.model);
  const state = new Map(step.state.map(({ name, initial }) => [name, initial]));
  const losses: number[] = [];
  for (let i = 1; i <= STEPS; i++) {
    const { inputs, labels, learningRate } = batch(i);
    const results = await session.run(
      new Map([
        ...inputs,
        ...state,
        [step.labels!, labels!],
        [step.learningRate, tensorFromNumbers("float32", [], [learningRate])],
        [step.step, tensorFromNumbers("int64", [], [i])],
      ]),
    );
    for (const { name, output } of step.state) state.set(name, results.get(output)!);
    losses.push(numbersOf(results.get(step.loss)!)[0]!);
  }
  const parameters = step.state.filter(({ kind }) => kind === "parameter").map(({ name }) => name);
  return { parameters: new Map(parameters.map((name) => [name, state.get(name)!])), losses };
}

async function asRanks<T>(ends: readonly Transport[], work: (rank: Communicator) => Promise<T>): Promise<T[]> {
  const ranks = ends.map(openCommunicator);
  try {
    return await Promise.all(ranks.map(work));
  } finally {
    await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  }
}

async function inStages(
  { model, options, batch }: Task,
  ends: readonly Transport[],
  more: Partial<PipelineRankOptions>,
) {
  const all = pipelineStages(model, { ...options, stages: ends.length });
  return asRanks(ends, async (communicator) => {
    await using rank = await openPipelineRank(communicator, all[communicator.rank]!, { open, ...more });
    const losses: number[] = [];
    for (let i = 1; i <= STEPS; i++) losses.push(await rank.step(batch(i)));
    return { losses, parameters: rank.parameters(), kept: rank.mostKept };
  });
}

/** ‖a − b‖ / ‖b‖. */
function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [numbersOf(a), numbersOf(b)];
  return Math.sqrt(
    x.reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0) / y.reduce((sum, value) => sum + value ** 2, 1e-12),
  );
}

const ports = (size: number) => portsBetween(size).map((own, rank) => portTransport(rank, own));

describe.each(Object.keys(tasks))("a pipeline of stages of %s", (name) => {
  it("has the parameters and losses of the whole, by either order", async () => {
    const task = tasks[name]!();
    const serial = await serially(task);
    const forms = [
      [localTransports(2), { order: "gpipe", microBatches: 4 }],
      [ports(2), { order: "1f1b", microBatches: 4 }],
      [localTransports(4), { order: "1f1b", microBatches: 8 }],
    ] as const;
    for (const [ends, options] of forms) {
      const ranks = await inStages(task, ends, options);
      const found = new Map(ranks.flatMap(({ parameters }) => [...parameters]));
      expect([...found.keys()].sort()).toEqual([...serial.parameters.keys()].sort());
      const apart = [...found].map(([parameter, value]) => distance(value, serial.parameters.get(parameter)!));
      expect(maxOf(apart)).toBeLessThan(1e-5);
      for (const { losses } of ranks) {
        expect(maxOf(losses.map((loss, i) => Math.abs(loss - serial.losses[i]!)))).toBeLessThan(1e-5);
      }
      const most = options.order === "gpipe" ? ranks.map(() => 4) : ranks.map((_, stage) => ranks.length - stage);
      expect(ranks.map(({ kept }) => kept)).toEqual(most);
    }
  });
});

describe("stages", () => {
  it("are cut where the dearest is cheapest, as trying every cut finds", () => {
    const costs = wave(12, 1).map((x) => Math.round(5 + 4 * x));
    const boundaries = [0, ...wave(11, 2).map((x) => Math.round(3 + 3 * x)), 0];
    const costOf = (cuts: readonly number[]) => {
      const ends = [0, ...cuts, 12];
      return maxOf(
        ends.slice(1).map((end, i) => {
          const work = costs.slice(ends[i], end).reduce((a, b) => a + b, 0);
          return work + boundaries[ends[i]!]! + boundaries[end]!;
        }),
      );
    };
    const all: number[] = [];
    for (let a = 1; a < 12; a++)
      for (let b = a + 1; b < 12; b++) for (let c = b + 1; c < 12; c++) all.push(costOf([a, b, c]));
    const found = balancedCuts({ costs, boundaries, needed: costs.map(() => true) }, 4);
    expect(found).toHaveLength(3);
    expect(costOf(found)).toBe(Math.min(...all));
  });

  it("of a ViT are cut between blocks, where one tensor goes on", () => {
    const row = rowOf(vit(random(2), { size: 8, patch: 4, width: 16, heads: 2, depth: 4, classes: 4 }));
    const ranges = balancedStages(row, 4);
    expect(ranges.slice(1).map(({ first }) => row.crossing[first]!.length)).toEqual([1, 1, 1]);
  });

  it("are at most as many as nodes with weights", () => {
    const model = mlp(random(1), { input: [1, 4, 4], hidden: [4], classes: 3 });
    expect(() => pipelineStages(model, { loss: "crossEntropy", optimizer: "sgd", stages: 9 })).toThrow(
      "at most 4, as many as nodes with weights; got 9",
    );
  });

  it("take no statistics of batches, and no dropout", () => {
    const cut = (name: "resnet" | "mlp") => () =>
      pipelineStages(smallNetworks[name].make(1), { loss: "crossEntropy", optimizer: "sgd", stages: 2 });
    expect(cut("resnet")).toThrow("statistics of batches");
    expect(cut("mlp")).toThrow("do not drop");
  });

  it("run on ranks of their number, on batches that divide", async () => {
    const { model, options, batch } = tasks.mlp!();
    const all = pipelineStages(model, { ...options, stages: 2 });
    const refused = asRanks(localTransports(2), (communicator) =>
      openPipelineRank(communicator, all[1 - communicator.rank]!, { open }),
    );
    await expect(refused).rejects.toThrow("every rank runs the stage of its number");
    const uneven = asRanks(localTransports(2), async (communicator) => {
      await using rank = await openPipelineRank(communicator, all[communicator.rank]!, { open, microBatches: 3 });
      return await rank.step(batch(1));
    });
    await expect(uneven).rejects.toThrow("a multiple of 3; got 8");
  });
});
