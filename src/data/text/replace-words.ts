/** @file More text from little: words replaced by near ones, as Jiao et al. (2019), arXiv:1909.10351, algorithm 1. */
import { must, nth } from "../../checked.ts";
import { DataError, UsageError } from "../../errors.ts";
import { numbersOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type Dataset, datasetOf, type Sample } from "../dataset.ts";
import { random } from "../random.ts";

export interface WordReplacementOptions {
  /** The input that holds the tokens. */
  readonly input: string;
  /** What may stand in the place of a token. A token without candidates stays. */
  readonly candidates: (token: number) => readonly number[];
  /** Nₐ: changed copies of each sample, beside itself; 20 by default, as published. */
  readonly copies?: number;
  /** pₜ: the chance of a token to be replaced; 0.4 by default. */
  readonly probability?: number;
  readonly seed: number;
}

const wordReplacementOptionsNames: OptionNames<WordReplacementOptions> = {
  input: true,
  candidates: true,
  copies: true,
  probability: true,
  seed: true,
};

/** Of random numbers. */
const STREAM = 0x77;

/** Each sample, then its copies, which keep its label. They depend on the seed, the sample and the number of the copy alone. */
export function replaceWords(data: Dataset, options: WordReplacementOptions): Dataset {
  const {
    input,
    candidates,
    copies = 20,
    probability = 0.4,
    seed,
  } = checkOptions(options, wordReplacementOptionsNames);
  checkReplacement(copies, probability);
  const each = copies + 1;
  const read = async (position: number): Promise<Sample> => {
    const [sample, copy] = [Math.floor(position / each), position % each];
    for await (const own of data.pick([sample])) {
      return copy === 0 ? own : changed(own, input, (tokens) => replaced(tokens, copy, sample));
    }
    throw new DataError("a data set handed out nothing", { where: `sample ${sample}` });
  };
  const replaced = (tokens: Float64Array, copy: number, sample: number): Float64Array => {
    const draw = random(seed, STREAM, sample, copy);
    return tokens.map((token) => {
      const found = draw.uniform() < probability ? candidates(token) : [];
      return found.length === 0 ? token : nth(found, draw.below(found.length));
    });
  };
  const { classes, assumptions } = data;
  return datasetOf({
    size: data.size * each,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(data.labels && { labels: async () => repeated(await data.labels!(), each) }),
    open: () => ({ read }),
  });
}

function checkReplacement(copies: number, probability: number): void {
  if (!Number.isSafeInteger(copies) || copies < 0) {
    throw new UsageError("copies of a sample are counted", { expected: "0 or more", got: String(copies) });
  }
  if (probability >= 0 && probability <= 1) return;
  throw new UsageError("the chance of a word is out of range", { expected: "0 to 1", got: String(probability) });
}

function changed(sample: Sample, input: string, change: (tokens: Float64Array) => Float64Array): Sample {
  const tokens = sample.inputs.get(input);
  if (!tokens) throw new DataError("a sample has no such tokens", { got: JSON.stringify(input), where: sample.source });
  const next = tensorFromNumbers(tokens.dtype, tokens.dims, change(numbersOf(tokens)));
  return { ...sample, inputs: new Map([...sample.inputs, [input, next]]) };
}

function repeated(labels: ArrayLike<number>, times: number): Float64Array {
  return new Float64Array(labels.length * times).map((_, i) => labels[Math.floor(i / times)]!);
}

/** The rows of a table [vocabulary, width] that are nearest to each by their cosine, itself left out; found when they are asked for. */
export function nearestRows(table: Tensor, count: number): (row: number) => readonly number[] {
  const [rows = 0, width = 0] = table.dims;
  const values = numbersOf(table);
  const lengths = Array.from({ length: rows }, (_, i) => lengthOf(values.subarray(i * width, (i + 1) * width)));
  const known = new Map<number, readonly number[]>();
  const find = (row: number): readonly number[] => {
    const own = values.subarray(row * width, (row + 1) * width);
    const cosines = lengths.map((length, i) => {
      const product = own.reduce((sum, x, k) => sum + x * values[i * width + k]!, 0);
      return product / Math.max(length, 1e-12);
    });
    const order = lengths.map((_, i) => i).filter((i) => i !== row);
    return order.sort((a, b) => cosines[b]! - cosines[a]! || a - b).slice(0, count);
  };
  return (row) => {
    if (!known.has(row)) known.set(row, row >= 0 && row < rows ? find(row) : []);
    return must(known, row);
  };
}

function lengthOf(row: Float64Array): number {
  return Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
}
