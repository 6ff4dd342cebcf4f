/** @file Operators that select by index: gathers, scatters, TopK, OneHot. */
import { distinct, positive } from "../../laws/gradient-cases/case.ts";
import { family, fixed, list, type PairInput, plain, whole } from "../family.ts";

function places(dims: readonly number[], length: number, signs: string): number[] {
  const count = dims.reduce((n, d) => n * d, 1);
  return Array.from({ length: count }, (_, i) => {
    const at = (i * 5 + 1) % length;
    return signs === "negative" || (signs === "mixed" && i % 2 === 1) ? at - length : at;
  });
}

const gather = family(
  "Gather",
  {
    dims: [[4], [3, 4], [2, 3, 4], [4, 1]],
    axis: [undefined, 0, 1, -1, -2],
    indices: [[], [1], [3], [2, 2], [0]],
    signs: ["positive", "negative", "mixed"],
    dtype: ["int64", "int32"],
    fed: [false, true],
    opset: [7, 11, 13],
  },
  ({ dims, axis, indices, signs, dtype, fed, opset }) => {
    const at = axis ?? 0;
    if (at >= dims.length || at < -dims.length || (signs !== "positive" && opset < 11) || (at < 0 && opset < 11))
      return undefined;
    const values = places(indices, dims.at(at)!, signs);
    return {
      inputs: [plain(...dims), fed ? whole(indices, values, dtype) : fixed(indices, values, dtype)],
      attributes: { axis },
      opset,
    };
  },
);

const gatherElements = family(
  "GatherElements",
  {
    dims: [[4], [3, 4], [2, 3, 4]],
    axis: [undefined, 0, 1, -1],
    count: [1, 2, 5],
    signs: ["positive", "negative", "mixed"],
    dtype: ["int64", "int32"],
  },
  ({ dims, axis, count, signs, dtype }) => {
    const at = ((axis ?? 0) + dims.length) % dims.length;
    if ((axis ?? 0) >= dims.length) return undefined;
    const shape = dims.map((n, i) => (i === at ? count : n));
    return { inputs: [plain(...dims), whole(shape, places(shape, dims[at]!, signs), dtype)], attributes: { axis } };
  },
);

const gatherNd = family(
  "GatherND",
  {
    dims: [
      [3, 4],
      [2, 3, 4],
      [2, 2, 3, 2],
    ],
    batch_dims: [undefined, 0, 1, 2],
    depth: [1, 2],
    rows: [[2], [3], [2, 2], []],
    negative: [false, true],
    opset: [12, 13, 21],
  },
  ({ dims, batch_dims, depth, rows, negative, opset }) => {
    const batch = batch_dims ?? 0;
    if (batch + depth > dims.length) return undefined;
    const shape = [...dims.slice(0, batch), ...rows, depth];
    const count = shape.reduce<number>((n, d) => n * d, 1);
    const values = Array.from({ length: count }, (_, i) => {
      const length = dims[batch + (i % depth)]!;
      return ((i * 5 + 1) % length) - (negative ? length : 0);
    });
    return { inputs: [plain(...dims), whole(shape, values)], attributes: { batch_dims }, opset };
  },
);

const scatterElements = family(
  "ScatterElements",
  {
    dims: [[5], [3, 4], [2, 3, 4]],
    axis: [undefined, 0, 1, -1],
    reduction: [undefined, "none", "add", "mul", "max", "min"],
    count: [1, 2, 3],
    repeats: [false, true],
    negative: [false, true],
    opset: [11, 13, 16, 18, 21],
  },
  ({ dims, axis, reduction, count, repeats, negative, opset }) => {
    const at = ((axis ?? 0) + dims.length) % dims.length;
    if ((axis ?? 0) >= dims.length || count > dims[at]!) return undefined;
    if (reduction !== undefined && (opset < 16 || (opset < 18 && (reduction === "max" || reduction === "min"))))
      return undefined;
    if (repeats && (reduction === undefined || reduction === "none" || count < 2)) return undefined;
    const shape = dims.map((n, i) => (i === at ? count : Math.max(1, n - 1)));
    const inner = shape.slice(at + 1).reduce((n, d) => n * d, 1);
    const total = shape.reduce((n, d) => n * d, 1);
    const values = Array.from({ length: total }, (_, i) => {
      const along = Math.floor(i / inner) % count;
      return (repeats ? 0 : (along + 1) % dims[at]!) - (negative ? dims[at]! : 0);
    });
    const updates = distinct(...shape);
    return {
      inputs: [
        { ...positive(...dims) },
        whole(shape, values),
        { ...updates, values: updates.values!.map((x) => 1.3 + 0.31 * x) },
      ],
      attributes: { axis, reduction },
      opset,
    };
  },
);

const scatterNd = family(
  "ScatterND",
  {
    dims: [[5], [3, 4], [3, 2, 2]],
    depth: [1, 2],
    rows: [[1], [2], [2, 1]],
    reduction: [undefined, "none", "add", "mul", "max", "min"],
    negative: [false, true],
    repeats: [false, true],
    opset: [11, 13, 16, 18],
  },
  ({ dims, depth, rows, reduction, negative, repeats, opset }) => {
    if (depth > dims.length) return undefined;
    if (reduction !== undefined && (opset < 16 || (opset < 18 && (reduction === "max" || reduction === "min"))))
      return undefined;
    const count = rows.reduce<number>((n, d) => n * d, 1);
    if (repeats && (reduction === undefined || reduction === "none" || count < 2)) return undefined;
    const values = Array.from({ length: count * depth }, (_, i) => {
      const row = repeats ? 0 : Math.floor(i / depth);
      const length = dims[i % depth]!;
      return (i % depth === 0 ? row : 0) - (negative ? length : 0);
    });
    const shape = [...rows, ...dims.slice(depth)];
    const updates = distinct(...shape);
    return {
      inputs: [
        positive(...dims),
        whole([...rows, depth], values),
        { ...updates, values: updates.values!.map((x) => 1.3 + 0.31 * x) },
      ],
      attributes: { reduction },
      opset,
    };
  },
);

const topK = family(
  "TopK",
  {
    dims: [[5], [3, 5], [2, 5, 3]],
    axis: [undefined, 0, 1, -1, -2],
    k: [1, 2, 3],
    largest: [undefined, 0, 1],
    sorted: [undefined, 1],
    opset: [9, 10, 11, 21],
  },
  ({ dims, axis, k, largest, sorted, opset }) => {
    const at = axis ?? -1;
    if (at >= dims.length || at < -dims.length || k > dims.at(at)! || (at < 0 && axis !== undefined && opset < 11))
      return undefined;
    if (opset < 11 && (largest !== undefined || sorted !== undefined)) return undefined;
    if (opset < 10) return { inputs: [distinct(...dims)], attributes: { axis, k }, outputs: 2, opset };
    return { inputs: [distinct(...dims), list(k)], attributes: { axis, largest, sorted }, outputs: 2, opset };
  },
);

const oneHot = family(
  "OneHot",
  {
    dims: [[3], [2, 2], []],
    axis: [undefined, 0, 1, -1, -2],
    depth: [2, 4],
    outside: [false, true],
    dtype: ["int64", "int32", "float32"],
    values: ["float32", "int64"],
  },
  ({ dims, axis, depth, outside, dtype, values }) => {
    const at = axis ?? -1;
    if (at > dims.length || at < -dims.length - 1) return undefined;
    const count = dims.reduce<number>((n, d) => n * d, 1);
    const indices = Array.from({ length: count }, (_, i) =>
      outside && i === 0 ? 9 : (i % depth) - (i === 1 ? depth : 0),
    );
    const pair: PairInput = values === "float32" ? { dims: [2], values: [0.2, 1.7] } : whole([2], [3, 7]);
    return {
      inputs: [{ dims, dtype, values: indices, differentiable: false }, fixed([], [depth], "int64"), pair],
      attributes: { axis },
    };
  },
);

const unique = family(
  "Unique",
  { dims: [[6], [3, 2]], axis: [undefined, 0, 1, -1], sorted: [undefined, 0, 1], outputs: [1, 4] },
  ({ dims, axis, sorted, outputs }) =>
    (axis ?? 0) >= dims.length
      ? undefined
      : {
          inputs: [{ dims, values: [2, 1, 2, 1, 3, 1], differentiable: false }],
          attributes: { axis, sorted },
          outputs,
        },
);

export const indexingFamilies = [gather, gatherElements, gatherNd, scatterElements, scatterNd, topK, oneHot, unique];
