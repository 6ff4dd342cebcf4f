/** @file Random feeds for a model when there is no data. */
import { lastOf } from "../checked.ts";
import { DataError, ensure, LimitError, UnsupportedError } from "../errors.ts";
import {
  type DataKind,
  type DataType,
  type Dim,
  dataTypes,
  strings,
  type Tensor,
  tensorFromNumbers,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { InputPort } from "./dataset.ts";
import { limits } from "./limits.ts";
import { type Random, random } from "./random.ts";

export interface SyntheticOptions {
  readonly seed: number;
  /** The first dim where it is not fixed; default 1. */
  readonly batch?: number;
  /** Sizes of symbolic dims by name. */
  readonly dims?: ReadonlyMap<string, number>;
  /** The size of other unknown dims; default 16, and 224 for the sides of a three- or one-channel image. */
  readonly unknown?: number;
  /** Integers are drawn from [0, vocabulary); default 100, which embeddings of language models hold. */
  readonly vocabulary?: number;
  /** By input: what its numbers have to be instead, whatever its dtype. */
  readonly ranges?: ReadonlyMap<string, NumberRange>;
}

/** Whole numbers from `low` to `high`, both included, or one number for each element. */
export type NumberRange = { readonly low: number; readonly high: number } | { readonly values: readonly number[] };

export interface SyntheticFeeds {
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** Which sizes and bounds were chosen, in sentences. */
  readonly assumptions: readonly string[];
}

const syntheticOptionsNames: OptionNames<SyntheticOptions> = {
  seed: true,
  batch: true,
  dims: true,
  unknown: true,
  vocabulary: true,
  ranges: true,
};

/**
 * One tensor per input: floats standard normal, integers uniform below `vocabulary`, booleans and inputs whose name
 * says "mask" true but for a few at the end of a row. Equal symbolic dims get equal sizes, except where one input has a name twice, as "?"
 * often is. The same seed gives the same feeds.
 */
export function syntheticFeeds(ports: readonly InputPort[], options: SyntheticOptions): SyntheticFeeds {
  checkOptions(options, syntheticOptionsNames);
  const notes: string[] = [];
  const bound = new Map(options.dims);
  const feeds = new Map<string, Tensor>();
  for (const [i, port] of ports.entries()) {
    const dtype = numericType(port);
    const dims = bindDims(port, bound, options, notes);
    feeds.set(port.name, filled(port.name, dtype, dims, options, random(options.seed, i)));
  }
  return { feeds, assumptions: notes };
}

function numericType(port: InputPort): DataType {
  if (port.dtype === undefined) {
    throw new UnsupportedError("random data cannot be made for an input that is no tensor", {
      where: `input "${port.name}"`,
    });
  }
  return port.dtype;
}

function bindDims(
  port: InputPort,
  bound: Map<string, number>,
  options: SyntheticOptions,
  notes: string[],
): readonly number[] {
  if (!port.dims) {
    throw new DataError("random data needs to know the rank of every input", {
      where: `input "${port.name}"`,
      hint: "Give data with --data.",
    });
  }
  const dims = port.dims.map((dim, axis) => bindDim(port, dim, axis, bound, options, notes));
  const count = dims.reduce((total, dim) => total * dim, 1);
  ensure(
    count <= limits.memory / 16,
    () =>
      new LimitError("an input is too large for random data", { got: dims.join("×"), where: `input "${port.name}"` }),
  );
  return dims;
}

function bindDim(
  port: InputPort,
  dim: Dim,
  axis: number,
  bound: Map<string, number>,
  { batch = 1, unknown }: SyntheticOptions,
  notes: string[],
): number {
  if (typeof dim === "number" && dim >= 0) return dim;
  const name = typeof dim === "string" ? dim : "";
  const isShared = name !== "" && port.dims!.filter((other) => other === name).length === 1;
  const known = isShared ? bound.get(name) : undefined;
  if (known !== undefined) return known;
  const chosen = axis === 0 ? batch : (unknown ?? (isImageSide(port, axis) ? 224 : 16));
  notes.push(`dim ${axis}${name && ` ("${name}")`} of input "${port.name}" is ${chosen}`);
  if (isShared) bound.set(name, chosen);
  return chosen;
}

function isImageSide({ dims = [] }: InputPort, axis: number): boolean {
  if (dims.length !== 4) return false;
  const channelsFirst = dims[1] === 1 || dims[1] === 3;
  const channelsLast = dims[3] === 1 || dims[3] === 3;
  return (channelsFirst && axis >= 2) || (channelsLast && axis >= 1 && axis <= 2);
}

function filled(
  name: string,
  dtype: DataType,
  dims: readonly number[],
  { vocabulary = 100, ranges }: SyntheticOptions,
  source: Random,
): Tensor {
  const count = dims.reduce((total, dim) => total * dim, 1);
  const { kind, bits } = dataTypes[dtype];
  const range = kind === "string" || kind === "complex" ? undefined : ranges?.get(name);
  if (range)
    return tensorFromNumbers(
      dtype,
      dims,
      new Float64Array(count).map((_, i) => within(range, i, source)),
    );
  if (/mask/i.test(name) || kind === "bool") return masked(dtype, dims, count, source);
  const draw = drawers(Math.min(vocabulary, 2 ** (kind === "int" ? bits - 1 : bits)))[kind];
  if (!draw) {
    if (kind === "string") return strings(dims, new Array<string>(count).fill(""));
    throw new UnsupportedError(`random data cannot be made for ${dtype}`, { where: `input "${name}"` });
  }
  return tensorFromNumbers(
    dtype,
    dims,
    new Float64Array(count).map(() => draw(source)),
  );
}

function within(range: NumberRange, position: number, source: Random): number {
  if ("values" in range) return range.values[position] ?? 0;
  return range.low + source.below(Math.min(range.high - range.low, 2 ** 31) + 1);
}

/** What a mask hides are a few elements at the end of each row, as padding is; a row keeps at least half. */
function masked(dtype: DataType, dims: readonly number[], count: number, source: Random): Tensor {
  const length = dims.length < 2 ? 1 : lastOf(dims);
  const values = new Float64Array(count).fill(1);
  for (let end = length; end <= count && length > 1; end += length) {
    values.fill(0, end - source.below(Math.floor(length / 2) + 1), end);
  }
  return tensorFromNumbers(dtype, dims, values);
}

function drawers(bound: number): Readonly<Record<DataKind, ((source: Random) => number) | undefined>> {
  const integer = (source: Random) => source.below(bound);
  return {
    float: (source) => source.normal(),
    int: integer,
    uint: integer,
    bool: undefined,
    string: undefined,
    complex: undefined,
  };
}
