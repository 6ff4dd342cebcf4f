/** @file One rank of a pipeline: its stage, in the order of a schedule, and what it says to its neighbours. */
import { must, nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { bytesOfTensor, floatsOf, int64s, scalar, type Tensor, tensor } from "../../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import type { Feeds, OpenSession, Session, SessionOptions } from "../../runtime/index.ts";
import { allReduce } from "../collectives/all-reduce/index.ts";
import { broadcast } from "../collectives/broadcast.ts";
import type { Communicator } from "../communicator/communicator.ts";
import { lineAmong } from "../communicator/line-among.ts";
import { type PipelineOrder, pipelineOrders, stageOrder } from "../simulator/training-step.ts";
import { microBatchesOf } from "./micro-batches.ts";
import type { Carried, PipelineStage } from "./stages.ts";
import { messageOf, tensorFrom } from "./tensor-message.ts";

export interface PipelineRankOptions {
  readonly open: OpenSession;
  readonly session?: SessionOptions;
  /** Parts of a batch; default as many as stages. */
  readonly microBatches?: number;
  /** Default `1f1b`. */
  readonly order?: PipelineOrder;
}

const pipelineRankOptionsNames: OptionNames<PipelineRankOptions> = {
  open: true,
  session: true,
  microBatches: true,
  order: true,
};

/** The same on every rank. */
export interface PipelineBatch {
  /** The model's inputs, all samples along their first axes. */
  readonly inputs: Feeds;
  /** Of the loss. */
  readonly labels?: Tensor;
  readonly learningRate: number;
}

export interface PipelineRank extends AsyncDisposable {
  /** One update of this stage's parameters by the gradients' means over micro-batches. Returns the mean loss, on every rank. */
  step(batch: PipelineBatch): Promise<number>;
  /** This stage's parameters as they are now. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** The most micro-batches of which it has kept what it took over. */
  readonly mostKept: number;
}

/**
 * Opens the graphs of a stage on the rank of its number. What a micro-batch took over is kept until its backward pass, in which the stage is computed
 * again; nothing else of it is.
 */
export async function openPipelineRank(
  communicator: Communicator,
  stage: PipelineStage,
  options: PipelineRankOptions,
): Promise<PipelineRank> {
  const {
    open,
    session = {},
    microBatches = stage.stages,
    order = "1f1b",
  } = checkOptions(options, pipelineRankOptionsNames);
  checkCount("microBatches", microBatches);
  checkRank(communicator, stage);
  const opened: Session[] = [];
  const openOne = async (model: Parameters<OpenSession>[0], step: string): Promise<Session> => {
    const one = await open(model, { step, ...session });
    opened.push(one);
    return one;
  };
  const close = async () => void (await Promise.all(opened.map((one) => one.release())));
  try {
    const sessions = {
      forward: stage.forward && (await openOne(stage.forward, "the forward pass of a stage")),
      gradients: await openOne(stage.step.gradients.model, "the gradients of a stage"),
      update: await openOne(stage.step.update.model, "the update of a stage"),
    };
    return rankOf({ communicator, stage, microBatches, order, sessions }, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function checkRank({ rank, size }: Communicator, { stage, stages }: PipelineStage): void {
  if (rank === stage && size === stages) return;
  throw new UsageError("every rank runs the stage of its number", {
    expected: `stage ${rank} of ${size}`,
    got: `stage ${stage} of ${stages}`,
  });
}

interface Context {
  readonly communicator: Communicator;
  readonly stage: PipelineStage;
  readonly microBatches: number;
  readonly order: PipelineOrder;
  readonly sessions: { readonly forward: Session | undefined; readonly gradients: Session; readonly update: Session };
}

function rankOf(context: Context, close: () => Promise<void>): PipelineRank {
  const { communicator, stage, microBatches, order } = context;
  const { update } = stage.step;
  const state = new Map(update.state.map(({ name, initial }) => [name, initial]));
  const turns = stageOrder(pipelineOrders[order](stage.stage, stage.stages, microBatches), microBatches);
  let [updates, mostKept] = [0, 0];
  return {
    get mostKept() {
      return mostKept;
    },
    parameters: () => new Map(update.gradients.map(({ of }) => [of, must(state, of)])),
    async step({ inputs, labels, learningRate }) {
      const parts = microBatchesOf(batchOf(stage, inputs, labels), microBatches);
      const kept = new Map<number, Feeds>();
      const sums = sumsOf(stage);
      let loss = 0;
      for (const { pass, batch } of turns) {
        if (pass === "forward") {
          kept.set(batch, await forward(context, new Map([...state, ...nth(parts, batch)])));
          mostKept = Math.max(mostKept, kept.size);
          continue;
        }
        const fed = new Map([...state, ...nth(parts, batch), ...must(kept, batch)]);
        loss += (await backward(context, fed, sums)) / microBatches;
        kept.delete(batch);
      }
      const gradients = await averaged(context, sums);
      const controls: Feeds = new Map([
        [update.learningRate, scalar("float32", learningRate)],
        [update.step, { ...int64s([++updates]), dims: [] }],
      ]);
      const results = await context.sessions.update.run(
        picked(update.model, new Map([...state, ...gradients, ...controls])),
      );
      for (const { name, output } of update.state) state.set(name, must(results, output));
      const [mean = Number.NaN] = await broadcast(communicator.begin(), Float64Array.of(loss), stage.stages - 1);
      return mean;
    },
    [Symbol.asyncDispose]: close,
  };
}

/** What the graphs of a stage read of a batch. */
function batchOf({ step }: PipelineStage, inputs: Feeds, labels: Tensor | undefined): Feeds {
  const { gradients } = step;
  const fed = new Map(inputs);
  if (gradients.labels === undefined) return fed;
  if (!labels) throw new UsageError("the loss takes labels", { got: "a batch without" });
  return fed.set(gradients.labels, labels);
}

function picked(
  model: { readonly graph: { readonly inputs: readonly { readonly name: string }[] } },
  all: Feeds,
): Feeds {
  return new Map(model.graph.inputs.map(({ name }) => [name, must(all, name)]));
}

/** Takes over, computes and hands on. Gives what was taken over. */
async function forward({ communicator, stage, sessions }: Context, all: Feeds): Promise<Feeds> {
  const line = communicator.tagged("pipeline forward");
  const taken = new Map<string, Tensor>();
  for (const { input } of stage.receives) taken.set(input, tensorFrom(await line.receive(stage.stage - 1)));
  if (!sessions.forward || !stage.forward) return taken;
  const results = await sessions.forward.run(picked(stage.forward, new Map([...all, ...taken])));
  for (const { name } of stage.sends) await line.send(stage.stage + 1, messageOf(must(results, name)));
  return taken;
}

/** Takes cotangents, adds this micro-batch's gradients to the sums, hands cotangents back. Gives its loss, 0 before the last stage. */
async function backward(context: Context, all: Feeds, sums: Sums): Promise<number> {
  const { communicator, stage, sessions } = context;
  const { gradients } = stage.step;
  const line = communicator.tagged("pipeline backward");
  const cotangents = new Map<string, Tensor>();
  for (const { cotangent } of stage.sends) {
    if (cotangent !== undefined) cotangents.set(cotangent, tensorFrom(await line.receive(stage.stage + 1)));
  }
  const fed = new Map([...all, ...cotangents]);
  const fetches = [gradients.loss, ...gradients.gradients, ...gradients.inputGradients].map((each) =>
    typeof each === "string" ? each : each.name,
  );
  const results = await sessions.gradients.run(picked(gradients.model, fed), { fetches });
  for (const { name, of } of gradients.gradients) {
    const [sum, values] = [must(sums, of), floatsOf(must(results, name))];
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (values[i] ?? 0);
  }
  for (const carried of stage.receives) {
    const back = cotangentOf(carried, stage, results, fed);
    if (back) await line.send(stage.stage - 1, messageOf(back));
  }
  return stage.forward ? 0 : nth([...floatsOf(must(results, gradients.loss))], 0);
}

/** Zeros where no gradient reaches what was taken over. */
function cotangentOf(
  { input, hasGradient }: Carried,
  { step }: PipelineStage,
  results: Feeds,
  fed: Feeds,
): Tensor | undefined {
  if (!hasGradient) return undefined;
  const found = step.gradients.inputGradients.find((each) => each.input === input);
  if (found) return must(results, found.name);
  const taken = must(fed, input);
  return { dtype: taken.dtype, dims: taken.dims, data: new Uint8Array(bytesOfTensor(taken).length) };
}

type Sums = ReadonlyMap<string, Float32Array>;

function sumsOf({ step }: PipelineStage): Sums {
  return new Map(step.update.gradients.map(({ of, dims }) => [of, new Float32Array(dims.reduce((a, b) => a * b, 1))]));
}

/** The gradients that the update takes: those of parameters of several stages added up, all divided by the micro-batches. */
async function averaged({ communicator, stage, microBatches }: Context, sums: Sums): Promise<Feeds> {
  for (const { name, stages } of stage.shared) {
    await allReduce(lineAmong(communicator.tagged(`pipeline shared ${name}`), stages), must(sums, name));
  }
  return new Map(
    stage.step.update.gradients.map(({ name, of, dims }) => [
      name,
      tensor(
        "float32",
        dims,
        must(sums, of).map((value) => value / microBatches),
      ),
    ]),
  );
}
