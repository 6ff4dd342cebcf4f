/** @file The work that a model does on data, counted while it runs. */
import { type Model, numbersOf } from "../../ir/index.ts";
import { type CountedWork, countWork } from "../../ops/index.ts";
import { type Feeds, openSession, type Session } from "../../runtime/index.ts";
import type { LabelledFeeds } from "../data/loaded-data.ts";

/** Multiply-accumulates of runs, in which a batch of samples is one. */
export interface MeasuredWork {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
  readonly samples: number;
  /** Nodes whose work is in none of the figures. */
  readonly uncountedNodes: number;
}

/** Runs the model on every batch and counts. */
export async function measuredWork(
  model: Model,
  batches: AsyncIterable<LabelledFeeds>,
  signal?: AbortSignal,
): Promise<MeasuredWork> {
  await using counter = new WorkCounter(model);
  const runs: number[] = [];
  let samples = 0;
  for await (const { feeds, count } of batches) {
    runs.push(await counter.run(feeds, signal));
    samples += count;
  }
  return {
    mean: runs.reduce((sum, work) => sum + work, 0) / runs.length,
    least: runs.reduce((least, work) => Math.min(least, work), Number.POSITIVE_INFINITY),
    most: runs.reduce((most, work) => Math.max(most, work), 0),
    runs: runs.length,
    samples,
    uncountedNodes: counter.uncounted,
  };
}

/** A session that counts, for inputs of some dims; those of other dims get another. */
class WorkCounter implements AsyncDisposable {
  readonly #model: Model;
  #dims = "";
  #counted: CountedWork | undefined;
  #session: Session | undefined;
  uncounted = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  async run(feeds: Feeds, signal: AbortSignal | undefined): Promise<number> {
    const { fixed, each } = await this.#for(feeds);
    if (!this.#session) return fixed;
    const [counts] = (await this.#session.run(feeds, signal && { signal })).values();
    return numbersOf(counts!).reduce((sum, count, i) => sum + count * each[i]!, fixed);
  }

  async #for(feeds: Feeds): Promise<CountedWork> {
    const dims = new Map([...feeds].map(([name, { dims }]) => [name, dims]));
    const key = JSON.stringify([...dims]);
    if (this.#counted && key === this.#dims) return this.#counted;
    await this[Symbol.asyncDispose]();
    this.#dims = key;
    this.#counted = countWork(this.#model, { feeds: dims });
    this.uncounted = Math.max(this.uncounted, this.#counted.uncounted.length);
    const { model } = this.#counted;
    this.#session = model && (await openSession(model, { step: "counting work" }));
    return this.#counted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.release();
    this.#session = undefined;
  }
}
