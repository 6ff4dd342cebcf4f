/** @file Operators that reshape, repeat, cut and move elements. */
import { distinct } from "../../laws/gradient-cases/case.ts";
import { family, fixed, list, type PairInput, plain } from "../family.ts";

const pad = family(
  "Pad",
  {
    mode: [undefined, "constant", "reflect", "edge", "wrap"],
    dims: [[4], [3, 4], [1, 3, 4], [2, 3, 3, 4]],
    before: [0, 1, 2, -1],
    after: [0, 1, 2, -1, -2],
    axes: ["absent", "all", "last", "negative", "reversed"],
    value: ["absent", "constant", "fed"],
    opset: [7, 11, 13, 18, 19, 21, 24],
  },
  ({ mode, dims, before, after, axes, value, opset }) => {
    const rank = dims.length;
    if (axes !== "absent" && opset < 18) return undefined;
    if (mode === "wrap" && opset < 19) return undefined;
    const listed = {
      absent: undefined,
      all: [...Array(rank).keys()],
      last: [rank - 1],
      negative: [-1],
      reversed: [...Array(rank).keys()].reverse(),
    }[axes];
    const touched = listed ? listed.map((axis) => (axis + rank) % rank) : [...Array(rank).keys()];
    const amount = (axis: number, n: number): number => (dims[axis]! < 3 ? Math.min(0, Math.max(n, 0)) : n);
    const begin = touched.map((axis) => amount(axis, before));
    const end = touched.map((axis) => amount(axis, after));
    if (touched.some((axis, i) => dims[axis]! + Math.min(0, begin[i]!) + Math.min(0, end[i]!) < 1)) return undefined;
    const isShort = touched.some((axis, i) => {
      const kept = dims[axis]! + Math.min(0, begin[i]!) + Math.min(0, end[i]!);
      return Math.max(begin[i]!, end[i]!) >= kept;
    });
    if (mode === "reflect" && isShort) return undefined;
    if (opset < 11) {
      if (value === "fed") return undefined;
      return {
        inputs: [plain(...dims)],
        attributes: { mode, pads: [...begin, ...end], value: value === "constant" ? 1.5 : undefined },
        opset,
      };
    }
    const constants: Record<typeof value, PairInput | undefined> = {
      absent: undefined,
      constant: fixed([], [1.5]),
      fed: plain(),
    };
    return {
      inputs: [plain(...dims), list(...begin, ...end), constants[value], listed && list(...listed)],
      attributes: { mode },
      opset,
    };
  },
);

const shapings = [
  family(
    "Reshape",
    {
      dims: [[2, 3, 4], [6, 4], [24], [1, 24], [2, 1, 12]],
      to: [[24], [4, -1], [0, -1], [2, 3, 4], [0, 2, -1], [-1, 1, 6]],
      fed: [false, true],
      allowzero: [undefined, 0],
    },
    ({ dims, to, fed, allowzero }) => {
      const shape = list(...to);
      const { constant: _, ...asFed } = shape;
      const known = to.reduce<number>((n, dim, i) => n * (dim === 0 ? (dims[i] ?? 0) : dim === -1 ? 1 : dim), 1);
      if (known === 0 || 24 % known !== 0) return undefined;
      return { inputs: [plain(...dims), fed ? asFed : shape], attributes: { allowzero } };
    },
  ),
  family(
    "empty Reshape",
    {
      to: [
        [0, 3],
        [3, 0],
        [0, 0, 5],
      ],
    },
    ({ to }) => ({ op: "Reshape", inputs: [plain(0, 4), list(...to)], attributes: { allowzero: 1 } }),
    { operators: ["Reshape"] },
  ),
  family(
    "Flatten",
    { dims: [[2, 3, 4], [5], [1, 2, 1, 3], [0, 3]], axis: [undefined, 0, 1, 2, -1, -2], opset: [9, 13, 21] },
    ({ dims, axis, opset }) => {
      if (Math.abs(axis ?? 1) > dims.length || ((axis ?? 0) < 0 && opset < 11)) return undefined;
      return { inputs: [plain(...dims)], attributes: { axis }, opset };
    },
  ),
  family(
    "Squeeze",
    {
      dims: [[1, 2, 1], [1], [2, 1], [1, 1, 3, 1], [0, 1]],
      axes: [undefined, [0], [1], [-1], [0, 2], [-1, 0]],
      opset: [11, 13, 21],
    },
    ({ dims, axes, opset }) => {
      const rank = dims.length;
      if (axes?.some((axis) => axis >= rank || axis < -rank || dims[(axis + rank) % rank] !== 1)) return undefined;
      if (axes && new Set(axes.map((axis) => (axis + rank) % rank)).size < axes.length) return undefined;
      return opset < 13
        ? { inputs: [plain(...dims)], attributes: { axes }, opset }
        : { inputs: [plain(...dims), axes && list(...axes)], opset };
    },
  ),
  family(
    "Unsqueeze",
    {
      dims: [[2, 3], [4], [], [0, 2], [1, 2, 3]],
      axes: [[0], [1], [-1], [0, 2], [2, 0], [-1, 0], [-2]],
      opset: [11, 13, 21],
    },
    ({ dims, axes, opset }) => {
      const rank = dims.length + axes.length;
      if (axes.some((axis) => axis >= rank || axis < -rank)) return undefined;
      if (new Set(axes.map((axis) => (axis + rank) % rank)).size < axes.length) return undefined;
      return opset < 13
        ? { inputs: [plain(...dims)], attributes: { axes }, opset }
        : { inputs: [plain(...dims), list(...axes)], opset };
    },
  ),
  family(
    "Transpose",
    { dims: [[2, 3, 4], [3], [], [2, 1, 3], [0, 2, 3]], perm: [undefined, [0, 1, 2], [2, 0, 1], [1, 0, 2], [0]] },
    ({ dims, perm }) =>
      perm && perm.length !== dims.length ? undefined : { inputs: [plain(...dims)], attributes: { perm } },
  ),
  family(
    "Expand",
    {
      dims: [[3, 1], [3], [1], [], [2, 1, 3], [1, 0]],
      to: [[3, 4], [2, 3, 4], [1], [2, 3, 3], [3, 3], [2, 1, 3], [4, 0]],
      fed: [false, true],
    },
    ({ dims, to, fed }) => {
      const [long, short] = dims.length > to.length ? [dims, to] : [to, dims];
      const gap = long.length - short.length;
      if (short.some((n, i) => n !== 1 && long[gap + i] !== 1 && n !== long[gap + i])) return undefined;
      const { constant: _, ...asFed } = list(...to);
      return { inputs: [plain(...dims), fed ? asFed : list(...to)] };
    },
  ),
  family(
    "Tile",
    { dims: [[2, 3], [3], [1, 2, 2], [0, 2]], repeats: [1, 2, 3, 0], mixed: [false, true], fed: [false, true] },
    ({ dims, repeats, mixed, fed }) => {
      const counts = list(...dims.map((_, i) => (mixed && i % 2 === 0 ? 1 : repeats)));
      const { constant: _, ...asFed } = counts;
      return { inputs: [plain(...dims), fed ? asFed : counts] };
    },
  ),
  family(
    "Concat",
    { count: [1, 2, 3], axis: [0, 1, -1, -2], lengths: ["equal", "unequal", "with empty"], rank: [1, 2, 3] },
    ({ count, axis, lengths, rank }) => {
      if (axis >= rank || axis < -rank) return undefined;
      const at = (axis + rank) % rank;
      const length = (i: number): number =>
        lengths === "equal" ? 2 : lengths === "unequal" ? i + 1 : i % 2 === 0 ? 2 : 0;
      return {
        inputs: Array.from({ length: count }, (_, i) =>
          plain(...Array.from({ length: rank }, (_, k) => (k === at ? length(i) : 2 + k))),
        ),
        attributes: { axis },
      };
    },
  ),
  family(
    "Split",
    {
      axis: [undefined, 0, 1, -1, -2],
      sizes: ["equal", "unequal", "with empty", "num_outputs", "uneven num_outputs"],
      opset: [7, 11, 13, 18, 21],
    },
    ({ axis, sizes, opset }) => {
      if ((axis ?? 0) < 0 && opset < 11) return undefined;
      const parts = {
        equal: [2, 2, 2],
        unequal: [1, 2, 3],
        "with empty": [0, 4, 2],
        num_outputs: undefined,
        "uneven num_outputs": undefined,
      }[sizes];
      const isNumbered = parts === undefined;
      if (isNumbered && opset < 18)
        return sizes === "num_outputs" ? { inputs: [plain(6, 6)], attributes: { axis }, outputs: 3, opset } : undefined;
      const dims = sizes === "uneven num_outputs" ? [5, 5] : [6, 6];
      if (isNumbered)
        return {
          inputs: [plain(...dims)],
          attributes: { axis, num_outputs: sizes === "num_outputs" ? 3 : 2 },
          outputs: sizes === "num_outputs" ? 3 : 2,
          opset,
        };
      return opset < 13
        ? { inputs: [plain(...dims)], attributes: { axis, split: parts }, outputs: 3, opset }
        : { inputs: [plain(...dims), list(...parts)], attributes: { axis }, outputs: 3, opset };
    },
  ),
  family(
    "Slice",
    {
      dims: [[5], [3, 5], [2, 5, 4], [1, 5]],
      start: [0, 1, -2, -9, 9, 4],
      end: [9, 3, -1, 0, -9, 2 ** 53 - 1],
      step: [undefined, 1, 2, -1, -2],
      axes: ["absent", "last", "negative", "reversed"],
      opset: [9, 10, 13, 21],
      fed: [false, true],
    },
    ({ dims, start, end, step, axes, opset, fed }) => {
      const rank = dims.length;
      const listed = {
        absent: undefined,
        last: [rank - 1],
        negative: [-1],
        reversed: [...Array(rank).keys()].reverse(),
      }[axes];
      const count = listed?.length ?? rank;
      const [starts, ends, steps] = [start, end, step].map((n) => new Array<number>(count).fill(n ?? 1)) as [
        number[],
        number[],
        number[],
      ];
      if (opset < 10)
        return step === undefined && !fed
          ? { inputs: [plain(...dims)], attributes: { starts, ends, axes: listed }, opset }
          : undefined;
      const position = (values: number[]): PairInput => {
        const { constant: _, ...asFed } = list(...values);
        return fed ? asFed : list(...values);
      };
      return {
        inputs: [
          plain(...dims),
          position(starts),
          position(ends),
          listed || step !== undefined ? list(...(listed ?? [...Array(rank).keys()])) : undefined,
          step === undefined ? undefined : list(...steps),
        ],
        opset,
      };
    },
  ),
  family(
    "DepthToSpace",
    {
      dims: [
        [1, 8, 2, 3],
        [2, 4, 1, 2],
        [1, 16, 1, 1],
      ],
      blocksize: [1, 2, 4],
      mode: [undefined, "DCR", "CRD"],
      opset: [11, 13, 21],
    },
    ({ dims, blocksize, mode, opset }) =>
      dims[1] % (blocksize * blocksize)
        ? undefined
        : { inputs: [plain(...dims)], attributes: { blocksize, mode }, opset },
  ),
  family(
    "SpaceToDepth",
    {
      dims: [
        [1, 2, 4, 6],
        [2, 1, 4, 4],
        [1, 3, 2, 2],
      ],
      blocksize: [1, 2],
    },
    ({ dims, blocksize }) => ({ inputs: [plain(...dims)], attributes: { blocksize } }),
  ),
  family(
    "Trilu",
    {
      dims: [
        [3, 4],
        [2, 4, 3],
        [1, 1],
        [2, 0, 3],
      ],
      upper: [undefined, 0, 1],
      k: [undefined, 0, 1, -1, 5, -5],
      fed: [false, true],
    },
    ({ dims, upper, k, fed }) => {
      const { constant: _, ...asFed } = fixed([], [k ?? 0], "int64");
      return {
        inputs: [plain(...dims), k === undefined ? undefined : fed ? asFed : fixed([], [k], "int64")],
        attributes: { upper },
      };
    },
  ),
  family(
    "ReverseSequence",
    { time_axis: [0, 1], batch_axis: [0, 1], rank: [2, 3], lengths: ["full", "one", "mixed"] },
    ({ time_axis, batch_axis, rank, lengths }) => {
      if (time_axis === batch_axis) return undefined;
      const dims = [0, 1].map((axis): number => (axis === time_axis ? 4 : 3)).concat(rank === 3 ? [2] : []);
      const { constant: _, ...counts } = list(...{ full: [4, 4, 4], one: [1, 1, 1], mixed: [4, 2, 1] }[lengths]);
      return { inputs: [plain(...dims), counts], attributes: { time_axis, batch_axis } };
    },
  ),
  family(
    "CenterCropPad",
    {
      dims: [
        [5, 4],
        [2, 3, 4],
      ],
      to: [2, 3, 6],
      axes: [undefined, [0], [1], [-1, 0]],
    },
    ({ dims, to, axes }) => ({
      inputs: [plain(...dims), list(...new Array<number>(axes?.length ?? dims.length).fill(to))],
      attributes: { axes },
    }),
  ),
  family("Identity", { dims: [[2, 3], [], [0, 2]], opset: [7, 13, 21] }, ({ dims, opset }) => ({
    inputs: [plain(...dims)],
    opset,
  })),
  family(
    "Shape",
    { dims: [[2, 3, 4], [5], [], [0, 1]], start: [undefined, 0, 1, -1, -9], end: [undefined, 2, -1, 9] },
    ({ dims, start, end }) => ({ inputs: [plain(...dims)], attributes: { start, end } }),
  ),
  family("Size", { dims: [[2, 3, 4], [5], [], [0, 1]], opset: [7, 13, 21] }, ({ dims, opset }) => ({
    inputs: [plain(...dims)],
    opset,
  })),
  family(
    "EyeLike",
    {
      dims: [
        [3, 4],
        [4, 2],
        [1, 1],
      ],
      k: [undefined, 0, 1, -2],
      dtype: [undefined, 1, 7],
    },
    ({ dims, k, dtype }) => ({ inputs: [plain(...dims)], attributes: { k, dtype } }),
  ),
  family(
    "Compress",
    { dims: [[4], [3, 4], [2, 4, 4]], axis: [undefined, 0, 1, -1], count: [2, 4] },
    ({ dims, axis, count }) => {
      if ((axis ?? 0) >= dims.length) return undefined;
      const bits = [1, 0, 1, 1].slice(0, Math.min(count, axis === undefined ? 4 : dims.at(axis)!));
      return { inputs: [plain(...dims), { ...fixed([bits.length], bits, "bool") }], attributes: { axis } };
    },
  ),
  family("NonZero", { dims: [[4], [2, 3], [1], [0, 2]] }, ({ dims }) => ({ inputs: [{ ...distinct(...dims) }] })),
];

export const shapeFamilies = [pad, ...shapings];
