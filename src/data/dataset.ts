/** @file Samples and how they are iterated. */
import { nth } from "../checked.ts";
import { DataError, ensure } from "../errors.ts";
import type { DataType, Dim, Tensor } from "../ir/index.ts";
import { ownRecipe, type Recipe } from "./recipe.ts";

/** One input without its batch axis, with its label when there is one. */
export interface Sample {
  readonly inputs: ReadonlyMap<string, Tensor>;
  readonly label?: number;
  /** The probability of each class, where labels were mixed. */
  readonly target?: Float32Array;
  /** Where it came from, for reports: a file name or an index. */
  readonly source: string;
}

/** Samples in a fixed order; every iteration starts anew. */
export interface Dataset extends AsyncIterable<Sample> {
  /** Number of samples. */
  readonly size: number;
  /** Names of the classes, where the source has them. */
  readonly classes?: readonly string[];
  /** What was decided without being told, in sentences, for reports. */
  readonly assumptions?: readonly string[];
  /** How another thread opens the same data; absent where it cannot. */
  readonly recipe?: Recipe;
  /** The samples at the given positions, in that order. */
  pick(positions: readonly number[]): AsyncIterable<Sample>;
  /** The labels in order, read without the inputs; absent where the source has none. */
  labels?(): Promise<ArrayLike<number>>;
}

/** A model's input, as a session or a graph states it: the part of a port that data has to fit. */
export interface InputPort {
  readonly name: string;
  readonly dtype: DataType | undefined;
  /** With the batch axis. Absent when the rank is unknown. */
  readonly dims?: readonly Dim[];
}

/** Access to samples by position while a source is open. */
export interface Reader<T> {
  read(position: number): T | Promise<T>;
  close?(): Promise<void>;
}

/** A source of `size` items; `open` is called once per iteration and its reader closed after it. */
export interface Source<T> {
  readonly size: number;
  readonly classes?: readonly string[];
  readonly assumptions?: readonly string[];
  open(): Reader<T> | Promise<Reader<T>>;
  labels?(): Promise<ArrayLike<number>>;
}

/** A dataset over a source of samples. Positions outside it are a `DataError`. */
export function datasetOf(source: Source<Sample>): Dataset {
  const { size, classes, assumptions } = source;
  async function* pick(positions: Iterable<number>): AsyncGenerator<Sample> {
    const reader = await source.open();
    try {
      for (const position of positions) yield await reader.read(checked(position, size));
    } finally {
      await reader.close?.();
    }
  }
  return {
    size,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(source.labels && { labels: () => source.labels!() }),
    pick,
    [Symbol.asyncIterator]: () => pick(range(size)),
  };
}

/** The samples of `dataset` at `positions`, as a dataset of its own. */
export function subset(dataset: Dataset, positions: readonly number[]): Dataset {
  for (const position of positions) checked(position, dataset.size);
  const { classes, assumptions } = dataset;
  const at = (position: number) => nth(positions, checked(position, positions.length));
  return {
    size: positions.length,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(dataset.recipe && { recipe: ownRecipe("subset", dataset.recipe, positions) }),
    ...(dataset.labels && { labels: async () => gather(await dataset.labels!(), positions) }),
    pick: (inner) => dataset.pick(inner.map(at)),
    [Symbol.asyncIterator]: () => dataset.pick(positions)[Symbol.asyncIterator](),
  };
}

/** The same source with every item passed through `transform`. */
export function mapSource<A, B>(source: Source<A>, transform: (item: A, position: number) => B): Source<B> {
  return {
    ...source,
    async open() {
      const reader = await source.open();
      return {
        read: async (position) => transform(await reader.read(position), position),
        close: async () => reader.close?.(),
      };
    },
  };
}

function gather(values: ArrayLike<number>, positions: readonly number[]): Float64Array {
  return new Float64Array(positions.length).map((_, i) => values[nth(positions, i)]!);
}

function checked(position: number, size: number): number {
  ensure(
    Number.isInteger(position) && position >= 0 && position < size,
    () =>
      new DataError("there is no sample at this position", {
        expected: `an integer from 0 to ${size - 1}`,
        got: `${position}`,
      }),
  );
  return position;
}

function* range(size: number): Generator<number> {
  for (let i = 0; i < size; i++) yield i;
}
