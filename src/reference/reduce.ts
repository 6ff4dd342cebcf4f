/** @file Reductions over axes, arg-reductions and running sums. */
import { nth } from "../checked.ts";
import { type DataType, intOf, intsOf, sizeOf } from "../ir/index.ts";
import { bigints, type Dense, dense, isBig, isFloat, largerOf, numbers, smallerOf } from "./dense.ts";
import { forEachLine, grid, linesOf, normalAxis, stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, listInput, scalarInput } from "./kernel.ts";

/** Reduces the cells of each group to one number. */
export type Reduction = (values: Float64Array) => number;

/** Axes from the second input or, before it existed, the attribute; none means all (or nothing, when asked). */
function axesOf(call: Call, rank: number): number[] {
  const given = listInput(call, 1) ?? intsOf(call.node, "axes");
  if (given && given.length > 0) return given.map((axis) => normalAxis(axis, rank));
  return intOf(call.node, "noop_with_empty_axes", 0) === 1 ? [] : [...Array(rank).keys()];
}

/** The dims after reducing, with the reduced axes kept as 1 or dropped. */
export function reducedDims(dims: readonly number[], axes: readonly number[], keep: boolean): number[] {
  return dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)).filter((_, axis) => keep || !axes.includes(axis));
}

/** For each cell of the result, the flat indices of the cells that reduce to it. */
function groups(dims: readonly number[], axes: readonly number[]): { starts: Int32Array; inside: Int32Array } {
  const strides = stridesOf(dims);
  const kept = [...dims.keys()].filter((axis) => !axes.includes(axis));
  const part = (chosen: readonly number[]): Int32Array =>
    grid(
      chosen.map((axis) => nth(dims, axis)),
      chosen.map((axis) => nth(strides, axis)),
    );
  return { starts: part(kept), inside: part([...axes].sort((a, b) => a - b)) };
}

/** Reduces over `axes`, which are counted from 0. */
export function reduced(x: Dense, axes: readonly number[], keep: boolean, reduce: Reduction): Dense {
  const { starts, inside } = groups(x.dims, axes);
  const values = numbers(x);
  const cells = new Float64Array(inside.length);
  const result = new Float64Array(starts.length);
  starts.forEach((start, i) => {
    for (let k = 0; k < inside.length; k++) cells[k] = values[start + inside[k]!]!;
    result[i] = reduce(cells);
  });
  return dense(x.dtype, reducedDims(x.dims, axes, keep), result);
}

function reducedBig(x: Dense, axes: readonly number[], keep: boolean, step: (a: bigint, b: bigint) => bigint): Dense {
  const { starts, inside } = groups(x.dims, axes);
  const values = bigints(x);
  const data = x.dtype === "uint64" ? new BigUint64Array(starts.length) : new BigInt64Array(starts.length);
  starts.forEach((start, i) => {
    let total = values[start + inside[0]!]!;
    for (const offset of inside.subarray(1)) total = step(total, values[start + offset]!);
    data[i] = total;
  });
  return { dtype: x.dtype, dims: reducedDims(x.dims, axes, keep), data };
}

function reduction(reduce: Reduction, big?: (a: bigint, b: bigint) => bigint): Kernel {
  return (call) => {
    const x = inputOf(call, 0);
    const axes = axesOf(call, x.dims.length);
    const keep = intOf(call.node, "keepdims", 1) === 1;
    const empty = axes.some((axis) => x.dims[axis] === 0);
    return big && isBig(x.dtype) && !empty
      ? reducedBig(x, axes, keep, big)
      : reduced(x, axes, keep, reduceAs(x.dtype, reduce));
  };
}

/** The largest and smallest of nothing are the ends of the dtype's range. */
function reduceAs(dtype: DataType, reduce: Reduction): Reduction {
  return (values) => {
    const result = reduce(values);
    if (values.length > 0 || Number.isFinite(result) || isFloat(dtype)) return result;
    if (dtype === "bool") return result > 0 ? 1 : 0;
    return result > 0 ? 2 ** 31 - 1 : -(2 ** 31);
  };
}

export const total: Reduction = (values) => {
  let result = 0;
  for (const value of values) result += value;
  return result;
};
export const average: Reduction = (values) => total(values) / values.length;
export const largest: Reduction = (values) => {
  let result = Number.NEGATIVE_INFINITY;
  for (const value of values) result = value > result || Number.isNaN(value) ? value : result;
  return result;
};
export const smallest: Reduction = (values) => -largest(values.map((value) => -value));
const squares: Reduction = (values) => total(values.map((value) => value * value));
/** log Σ exp, shifted by the largest so that nothing overflows. */
export const logSumExp: Reduction = (values) => {
  const top = largest(values);
  return Number.isFinite(top) ? top + Math.log(total(values.map((value) => Math.exp(value - top)))) : top;
};

/** The position of the best along an axis: the first of equals, or the last when asked. */
function argReduction(sign: number): Kernel {
  return (call) => {
    const x = inputOf(call, 0);
    const axis = normalAxis(intOf(call.node, "axis", 0), x.dims.length);
    const last = intOf(call.node, "select_last_index", 0) === 1;
    const keep = intOf(call.node, "keepdims", 1) === 1;
    const best: Reduction = (values) => {
      let at = 0;
      values.forEach((value, i) => {
        const difference = sign * (value - values[at]!);
        if (difference > 0 || (last && difference === 0)) at = i;
      });
      return at;
    };
    return dense(
      "int64",
      reducedDims(x.dims, [axis], keep),
      numbers(reduced({ ...x, dtype: "float64" }, [axis], keep, best)),
    );
  };
}

/** Running totals along an axis, forwards or backwards, with or without the cell itself. */
function running(step: (a: number, b: number) => number, start: number): Kernel {
  return (call) => {
    const x = inputOf(call, 0);
    const axis = normalAxis(scalarInput(call, 1, 0), x.dims.length);
    const reverse = intOf(call.node, "reverse", 0) === 1;
    const exclusive = intOf(call.node, "exclusive", 0) === 1;
    const { length } = linesOf(x.dims, axis);
    const values = numbers(x);
    const result = new Float64Array(values.length);
    forEachLine(x.dims, axis, (first, stride) => {
      let so = start;
      for (let i = 0; i < length; i++) {
        const at = first + (reverse ? length - 1 - i : i) * stride;
        const next = step(so, values[at]!);
        result[at] = exclusive ? so : next;
        so = next;
      }
    });
    return dense(x.dtype, x.dims, result);
  };
}

export function sumTo(x: Dense, dims: readonly number[]): Dense {
  const shift = x.dims.length - dims.length;
  const axes = [...x.dims.keys()].filter((axis) => axis < shift || dims[axis - shift] === 1);
  return { ...reduced(x, axes, true, total), dims: sizeOf(dims) === 1 && dims.length === 0 ? [] : dims };
}

export const reductions = {
  ReduceSum: reduction(total, (a, b) => a + b),
  ReduceMean: reduction(average),
  ReduceMax: reduction(largest, largerOf),
  ReduceMin: reduction(smallest, smallerOf),
  ReduceProd: reduction(
    (values) => values.reduce((a, b) => a * b, 1),
    (a, b) => a * b,
  ),
  ReduceL1: reduction((values) => total(values.map(Math.abs))),
  ReduceL2: reduction((values) => Math.sqrt(squares(values))),
  ReduceSumSquare: reduction(squares),
  ReduceLogSum: reduction((values) => Math.log(total(values))),
  ReduceLogSumExp: reduction(logSumExp),
  ArgMax: argReduction(1),
  ArgMin: argReduction(-1),
  CumSum: running((a, b) => a + b, 0),
  CumProd: running((a, b) => a * b, 1),
} satisfies Kernels;
