/** @file Training on several ranks of one process: each has its part of a batch, and what they make of their gradients is the update. */
import { certain, must, nth } from "../src/checked.ts";
import { type Dataset, horizontalFlip, inlineLoader, permutation, random, randomCrop } from "../src/data/index.ts";
import {
  type GradientExchange,
  type LocalGradient,
  localTransports,
  openCommunicator,
} from "../src/distributed/index.ts";
import { floatsOf, type Model, numbersOf, type Tensor, tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { crossEntropy, evaluateModel, sgd, splitStep, withParameters } from "../src/train/index.ts";

export interface ExchangedTraining {
  readonly model: Model;
  readonly data: Dataset;
  readonly test: Dataset;
  /** One for each rank. */
  readonly exchanges: readonly GradientExchange[];
  /** Of the optimizer, after the exchange. */
  readonly momentum: number;
  readonly learningRate: number;
  readonly epochs: number;
  /** Samples of each rank in an update. */
  readonly batch: number;
  readonly seed: number;
  /** Updates after which bytes are counted. */
  readonly steadyFrom: number;
  readonly log: (line: string) => void;
}

export interface Exchanged {
  readonly test: number;
  readonly loss: number;
  readonly updates: number;
  /** Bytes of rank 0 in an update, the mean from `steadyFrom` on. */
  readonly upload: number;
  readonly download: number;
}

const LINE_EVERY = 20;

/** Momentum w ← w − η·u, u ← m·u + mean; a learning rate that falls from `learningRate` to 0 along a cosine. */
export async function trainExchanged(training: ExchangedTraining): Promise<Exchanged> {
  const { model, data, exchanges, momentum, learningRate, epochs, batch, seed, steadyFrom, log } = training;
  const { gradients: step, update: apply } = splitStep(model, { optimizer: sgd(), loss: crossEntropy() });
  const parameters = new Map(apply.state.map(({ name, initial }) => [name, floatsOf(initial).slice()]));
  const speeds = new Map([...parameters].map(([name, { length }]) => [name, new Float32Array(length)]));
  const statistics = exchanges.map(() => new Map(step.state.map(({ name, initial }) => [name, initial])));
  const ranks = localTransports(exchanges.length).map(openCommunicator);
  const together = batch * exchanges.length;
  const updates = Math.floor(data.size / together) * epochs;
  const dimsOf = new Map(apply.state.map(({ name, initial }) => [name, initial.dims]));
  const tensors = (): [string, Tensor][] =>
    [...parameters].map(([name, values]) => [name, tensor("float32", must(dimsOf, name), values)]);
  await using session = await openSession(step.model);

  const gradientsOf = async (rank: number, feeds: ReadonlyMap<string, Tensor>) => {
    const own = nth(statistics, rank);
    const results = await session.run(new Map([...tensors(), ...own, ...feeds]));
    for (const { name, output } of step.state) own.set(name, must(results, output));
    const gradients = step.gradients.map(
      ({ name, of, dims }): LocalGradient => ({ name: of, dims, values: floatsOf(must(results, name)).slice() }),
    );
    return { gradients, loss: certain(numbersOf(must(results, step.loss))[0]) };
  };

  let done = 0;
  let loss = 0;
  let before = { ...nth(ranks, 0).traffic };
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = permutation(data.size, random(seed, epoch));
    const [input = "input"] = step.batch;
    const port = { name: input, dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
    const loader = inlineLoader(data, { port, augment: [randomCrop({ padding: 4 }), horizontalFlip()] });
    for (let start = 0; start + together <= order.length; start += together) {
      const requests = ranks.map((_, rank) => ({
        positions: order.slice(start + rank * batch, start + (rank + 1) * batch),
        seed,
        epoch,
      }));
      const own: LocalGradient[][] = [];
      loss = 0;
      for await (const { feeds, labels = [] } of loader.load(requests)) {
        const named = tensorFromNumbers("int64", [batch], labels);
        const { gradients, loss: part } = await gradientsOf(
          own.length,
          new Map([...feeds, [certain(step.labels), named]]),
        );
        own.push(gradients);
        loss += part / ranks.length;
      }
      done++;
      await Promise.all(ranks.map((rank, i) => nth(exchanges, i).average(rank, nth(own, i), done)));
      const rate = (learningRate * (1 + Math.cos((Math.PI * (done - 1)) / updates))) / 2;
      for (const { name, values } of nth(own, 0)) {
        const [w, u] = [must(parameters, name), must(speeds, name)];
        u.set(values.map((g, i) => momentum * (u[i] ?? 0) + g));
        w.set(w.map((value, i) => value - rate * (u[i] ?? 0)));
      }
      if (done === steadyFrom) before = { ...nth(ranks, 0).traffic };
      if (done % LINE_EVERY === 0) log(`update ${done} of ${updates}, loss ${loss.toFixed(3)}`);
    }
  }
  const { sentBytes, receivedBytes } = nth(ranks, 0).traffic;
  await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  const counted = updates - steadyFrom;
  const named = step.state.map(({ name, of }): [string, Tensor] => [certain(of), must(nth(statistics, 0), name)]);
  const options = { data: training.test, loss: "crossEntropy", metrics: ["accuracy"], batch: 250 } as const;
  const { accuracy } = await evaluateModel(withParameters(model, new Map([...tensors(), ...named])), options);
  return {
    test: certain(accuracy),
    loss,
    updates,
    upload: (sentBytes - before.sentBytes) / counted,
    download: (receivedBytes - before.receivedBytes) / counted,
  };
}
