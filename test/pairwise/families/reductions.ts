/** @file Reductions, scans, softmaxes, norms and losses. */
import { distinct, positive } from "../../laws/gradient-cases/case.ts";
import { family, fixed, list, type PairInput, plain, whole } from "../family.ts";

const reducers = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceL1",
  "ReduceL2",
  "ReduceSumSquare",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceProd",
];

const reductions = family(
  "reductions",
  {
    op: reducers,
    dims: [[2, 3, 4], [5], [], [2, 1, 3], [3, 2]],
    axes: ["absent", "first", "last", "negative", "two", "unordered", "all", "empty"],
    keepdims: [undefined, 0, 1],
    noop: [undefined, 0, 1],
    opset: [11, 13, 18, 21],
  },
  ({ op, dims, axes, keepdims, noop, opset }) => {
    const rank = dims.length;
    const listed = {
      absent: undefined,
      first: [0],
      last: [rank - 1],
      negative: [-1],
      two: [0, 1],
      unordered: [-1, 0],
      all: [...Array(rank).keys()],
      empty: [],
    }[axes];
    if (listed?.some((axis) => axis >= rank || axis < -rank) || ((axes === "two" || axes === "unordered") && rank < 2))
      return undefined;
    const takesInput = opset >= 18 || (op === "ReduceSum" && opset >= 13);
    if (noop !== undefined && !takesInput) return undefined;
    if (axes === "empty" && !takesInput) return undefined;
    const x = op === "ReduceMax" || op === "ReduceMin" ? distinct(...dims) : positive(...dims);
    const attributes = { keepdims, noop_with_empty_axes: noop };
    if (takesInput) return { op, inputs: [x, listed && list(...listed)], attributes, opset };
    return { op, inputs: [x], attributes: { ...attributes, axes: listed }, opset };
  },
  { operators: reducers },
);

const emptyReductions = family(
  "reductions of nothing",
  {
    op: [
      "ReduceSum",
      "ReduceSumSquare",
      "ReduceProd",
      "ReduceL1",
      "ReduceL2",
      "ReduceMean",
      "ReduceLogSum",
      "ReduceLogSumExp",
    ],
    axis: [0, 1],
    keepdims: [0, 1],
  },
  ({ op, axis, keepdims }) => ({ op, inputs: [plain(2, 0), list(axis)], attributes: { keepdims } }),
  { operators: reducers },
);

const arguments_ = family(
  "ArgMax and ArgMin",
  {
    op: ["ArgMax", "ArgMin"],
    dims: [[2, 3, 4], [5], [3, 1]],
    axis: [undefined, 0, 1, -1],
    keepdims: [undefined, 0, 1],
    select_last_index: [undefined, 0, 1],
    ties: [false, true],
    opset: [11, 12, 13, 21],
  },
  ({ op, dims, axis, keepdims, select_last_index, ties, opset }) => {
    if ((axis ?? 0) >= dims.length || (select_last_index !== undefined && opset < 12)) return undefined;
    const values = distinct(...dims).values!.map((x) => (ties ? Math.round(x) : x));
    return { op, inputs: [{ dims, values }], attributes: { axis, keepdims, select_last_index }, opset };
  },
  { operators: ["ArgMax", "ArgMin"] },
);

const cumulative = family(
  "CumSum",
  {
    dims: [[5], [3, 4], [2, 3, 2], [0, 3], [3, 1]],
    axis: [0, 1, -1, -2],
    exclusive: [undefined, 0, 1],
    reverse: [undefined, 0, 1],
    fed: [false, true],
    opset: [11, 14, 21],
  },
  ({ dims, axis, exclusive, reverse, fed, opset }) => {
    if (axis >= dims.length || axis < -dims.length) return undefined;
    const { constant: _, ...asFed } = fixed([], [axis], "int64");
    return {
      inputs: [plain(...dims), fed ? asFed : fixed([], [axis], "int64")],
      attributes: { exclusive, reverse },
      opset,
    };
  },
);

const softmaxes = family(
  "softmaxes",
  {
    op: ["Softmax", "LogSoftmax", "Hardmax"],
    dims: [[2, 3, 4], [5], [3, 1], [2, 2, 2, 2], [0, 3]],
    axis: [undefined, 0, 1, -1, -2, 2],
    opset: [7, 11, 12, 13, 21],
  },
  ({ op, dims, axis, opset }) => {
    if ((axis ?? 1) >= dims.length && !(axis === undefined && opset >= 13)) return undefined;
    if ((axis ?? 0) < -dims.length || ((axis ?? 0) < 0 && opset < 11)) return undefined;
    return { op, inputs: [plain(...dims)], attributes: { axis }, opset };
  },
  { operators: ["Softmax", "LogSoftmax", "Hardmax"] },
);

const layerNorm = family(
  "LayerNormalization",
  {
    dims: [[2, 3, 4], [2, 4], [5], [2, 1, 3]],
    axis: [undefined, 0, 1, -1, -2],
    bias: [false, true],
    outputs: [1, 2, 3],
    epsilon: [undefined, 0.1],
    stash_type: [undefined, 1],
    opset: [17, 21],
  },
  ({ dims, axis, bias, outputs, epsilon, stash_type, opset }) => {
    const at = axis ?? -1;
    if (at >= dims.length || at < -dims.length) return undefined;
    const scale = dims.slice(at < 0 ? at + dims.length : at);
    return {
      inputs: [plain(...dims), plain(...scale), bias ? plain(...scale) : undefined],
      attributes: { axis, epsilon, stash_type },
      outputs,
      opset,
    };
  },
);

const rmsNorm = family(
  "RMSNormalization",
  { dims: [[2, 3, 4], [2, 4], [5]], axis: [undefined, 0, 1, -1, -2], epsilon: [undefined, 0.1] },
  ({ dims, axis, epsilon }) => {
    const at = axis ?? -1;
    if (at >= dims.length || at < -dims.length) return undefined;
    return {
      inputs: [plain(...dims), plain(...dims.slice(at < 0 ? at + dims.length : at))],
      attributes: { axis, epsilon },
      opset: 23,
    };
  },
);

const batchNorm = family(
  "BatchNormalization",
  {
    dims: [
      [3, 2, 4],
      [4, 3],
      [2, 2, 3, 3],
      [2, 3, 1, 2],
    ],
    training: [undefined, 0, 1],
    epsilon: [undefined, 0.1],
    momentum: [undefined, 0, 0.5],
    opset: [9, 14, 15, 21],
  },
  ({ dims, training, epsilon, momentum, opset }) => {
    if (training !== undefined && opset < 14) return undefined;
    const channels = plain(dims[1]);
    const variance = { ...positive(dims[1]), differentiable: false as const };
    const mean: PairInput = { ...channels, differentiable: false };
    return {
      inputs: [
        plain(...dims),
        channels,
        channels,
        training === 1 ? mean : channels,
        training === 1 ? variance : positive(dims[1]),
      ],
      attributes: { training_mode: training, epsilon, momentum },
      opset,
    };
  },
);

const spatialNorms = [
  family(
    "InstanceNormalization",
    {
      dims: [
        [2, 3, 4],
        [1, 2, 3, 3],
        [2, 1, 2, 2, 2],
        [2, 2, 1],
      ],
      epsilon: [undefined, 0.1],
      opset: [7, 21, 22],
    },
    ({ dims, epsilon, opset }) => ({
      inputs: [plain(...dims), plain(dims[1]), plain(dims[1])],
      attributes: { epsilon },
      opset,
    }),
  ),
  family(
    "GroupNormalization",
    {
      dims: [
        [2, 4, 3],
        [1, 4, 2, 3],
        [2, 2, 2, 2, 2],
      ],
      num_groups: [1, 2, 4],
      epsilon: [undefined, 0.1],
      opset: [18, 21],
    },
    ({ dims, num_groups, epsilon, opset }) => {
      if (dims[1] % num_groups) return undefined;
      const channels = plain(opset < 21 ? num_groups : dims[1]);
      return { inputs: [plain(...dims), channels, channels], attributes: { num_groups, epsilon }, opset };
    },
  ),
  family(
    "LpNormalization",
    { dims: [[2, 3], [4], [2, 3, 2]], axis: [undefined, 0, 1, -1, -2], p: [undefined, 1, 2] },
    ({ dims, axis, p }) =>
      (axis ?? -1) >= dims.length || (axis ?? -1) < -dims.length
        ? undefined
        : { inputs: [positive(...dims)], attributes: { axis, p } },
  ),
  family(
    "MeanVarianceNormalization",
    {
      dims: [
        [2, 3, 2, 2],
        [1, 2, 3, 3],
      ],
      axes: [undefined, [0, 2, 3], [2, 3], [1, 2, 3], [1, 3]],
      opset: [9, 13, 21],
    },
    ({ dims, axes, opset }) => ({ inputs: [plain(...dims)], attributes: { axes }, opset }),
  ),
  family(
    "LRN",
    {
      dims: [
        [1, 6, 2, 2],
        [2, 3, 2, 2],
        [1, 1, 3, 3],
      ],
      size: [1, 3, 5, 7],
      alpha: [undefined, 0.3],
      beta: [undefined, 0.5, 1],
      bias: [undefined, 2],
    },
    ({ dims, size, alpha, beta, bias }) => ({
      inputs: [plain(...dims)],
      attributes: { size, alpha, beta, bias },
    }),
  ),
];

const losses = family(
  "losses",
  {
    op: ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"],
    dims: [
      [3, 5],
      [2, 4, 3],
      [2, 3, 2, 2],
      [1, 2],
    ],
    reduction: [undefined, "none", "sum", "mean"],
    weight: [false, true],
    ignore: ["absent", "used", "unused", "outside"],
    dtype: ["int64", "int32"],
    outputs: [1, 2],
    opset: [12, 13, 21],
  },
  ({ op, dims, reduction, weight, ignore, dtype, outputs, opset }) => {
    if (outputs === 2 && op !== "SoftmaxCrossEntropyLoss") return undefined;
    const [n, classes, ...rest] = dims;
    const count = n * rest.reduce((a, b) => a * b, 1);
    const labels = Array.from({ length: count }, (_, i) =>
      ignore === "outside" && i === 1 ? -1 : (i * 3 + 1) % classes,
    );
    return {
      op,
      inputs: [plain(...dims), whole([n, ...rest], labels, dtype), weight ? positive(classes) : undefined],
      attributes: { reduction, ignore_index: { absent: undefined, used: 1, unused: 99, outside: -1 }[ignore] },
      outputs,
      opset,
    };
  },
  { operators: ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"] },
);

export const reductionFamilies = [
  reductions,
  emptyReductions,
  arguments_,
  cumulative,
  softmaxes,
  layerNorm,
  rmsNorm,
  batchNorm,
  ...spatialNorms,
  losses,
];
