/** @file Constants of the branches laid together: parameters become one stacked parameter, others one constant. */
import { nth } from "../checked.ts";
import { type Dims, int64s, type Tensor, type Value } from "../ir/index.ts";
import type { FusionOptions } from "./fusion-options.ts";
import { joinTensors } from "./stacking.ts";

export interface OwnConstants {
  /** With a new axis of length n at `axis`. */
  stacked(values: readonly Value[], axis: number): Value;
  /** One after another along `axis`. */
  joined(values: readonly Value[], axis: number): Value;
}

/** How the constants of the branches lie: one after another along `axis` of theirs, in `value` of `dims`. */
interface Laid {
  readonly value: Value;
  readonly axis: number;
  readonly dims: readonly number[];
}

type Options = Pick<FusionOptions, "count" | "g" | "constantOf" | "isParameter" | "record">;

/**
 * The first use decides how a parameter lies, others reshape and transpose it. Vectors stay vectors, since vectors are
 * what weight decay leaves alone.
 */
export function ownConstants(options: Options): OwnConstants {
  const { count, g } = options;
  const laid = new Map<Value, Laid>();
  const made = new Map<string, Value>();

  function once(key: string, make: () => Value): Value {
    const known = made.get(key) ?? make();
    made.set(key, known);
    return known;
  }

  function layOf(values: readonly Value[], axis: number, dims: readonly number[]): Laid {
    const known = laid.get(nth(values, 0));
    if (known) return known;
    const fresh = { value: laidTogether(options, values, axis, dims), axis, dims };
    laid.set(nth(values, 0), fresh);
    return fresh;
  }

  function reshaped(value: Value, from: readonly number[], to: readonly number[]): Value {
    if (from.join() === to.join()) return value;
    const key = `${value.name} as ${to}`;
    return once(key, () => g.op("Reshape", [value, g.constant("ints", int64s(to))]));
  }

  function moved({ value, axis, dims }: Laid, part: readonly number[], to: number): Value {
    const apart = reshaped(value, dims, part.toSpliced(axis, 0, count));
    if (axis === to) return apart;
    const perm = [...part.keys(), part.length].toSpliced(axis, 1).toSpliced(to, 0, axis);
    return once(`${value.name} moved to ${to}`, () => g.op("Transpose", [apart], { perm }));
  }

  function partOf(values: readonly Value[]): readonly number[] {
    return options.constantOf(values[0])!.dims;
  }

  return {
    stacked(values, axis) {
      const part = partOf(values);
      const dims = part.length < 2 ? joinedDims(part, 0, count) : part.toSpliced(axis, 0, count);
      const lay = layOf(values, part.length < 2 ? 0 : axis, dims);
      return moved(lay, part, axis);
    },
    joined(values, axis) {
      const part = partOf(values);
      const dims = joinedDims(part, axis, count);
      const lay = layOf(values, axis, dims);
      return lay.axis === axis ? reshaped(lay.value, lay.dims, dims) : reshaped(moved(lay, part, axis), [], dims);
    },
  };
}

function joinedDims(part: readonly number[], axis: number, count: number): readonly number[] {
  return part.length === 0 ? [count] : part.map((dim, i) => (i === axis ? dim * count : dim));
}

function laidTogether(options: Options, values: readonly Value[], axis: number, dims: readonly number[]): Value {
  const { g, constantOf, isParameter, record } = options;
  const tensors = values.map((value) => constantOf(value)!);
  const part = nth(tensors, 0).dims;
  const joined: Tensor = { ...joinTensors(tensors, axis), dims };
  const name = nth(values, 0).name;
  if (!isParameter(values)) return tied(options, values, axis, dims);
  if (part.length === 0) return g.op("Constant", [], { value: joined }, { name });
  const value = g.constant(`stacked/${name}`, joined);
  record.push({ name: value.name, parts: values.map((entry) => entry.name), dims: part, axis });
  return value;
}

/** Something else reads the constants too, or they are part of the formula: they stay, and are joined in the graph. */
function tied({ g, constantOf }: Options, values: readonly Value[], axis: number, dims: Dims): Value {
  const part = constantOf(values[0])!.dims;
  const least =
    part.length === 0 ? values.map((value) => g.op("Reshape", [value, g.constant("ints", int64s([1]))])) : values;
  const joined = g.op("Concat", least, { axis });
  const target = dims as readonly number[];
  return joinedDims(part, axis, values.length).join() === target.join()
    ? joined
    : g.op("Reshape", [joined, g.constant("ints", int64s(target))]);
}
