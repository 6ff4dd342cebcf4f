/** @file Operators that move, select and index elements. */
import type { GraphBuilder, Value } from "../../../src/ir/index.ts";
import { type CaseInput, distinct, type GradientCase, integers, ints, number, operator, positive, x } from "./case.ts";

const shapes: readonly GradientCase[] = [
  operator("Reshape", [x(2, 3, 4), [4, -1]]),
  operator("Flatten", [x(2, 3, 4)], { axis: 2 }),
  operator("Squeeze", [x(2, 1, 3), [1]]),
  operator("Unsqueeze", [x(2, 3), [0, 3]]),
  operator("Identity", [x(2, 3)]),
  operator("Transpose", [x(2, 3, 4)]),
  operator("Transpose", [x(2, 3, 4)], { perm: [1, 2, 0] }),
  operator("Expand", [x(3, 1), [2, 3, 4]]),
  operator("Expand", [x(3, 4), [3, 4]], {}, { name: "Expand to the same dims" }),
  operator("Tile", [x(2, 3), [2, 3]]),
  operator("Concat", [x(2, 3), x(2, 1), x(2, 2)], { axis: 1 }),
  operator("Concat", [x(2, 3)], { axis: -1 }),
  operator("Split", [x(2, 6), [1, 2, 3]], { axis: 1 }, { outputs: 3 }),
  {
    ...operator("Split", [x(6, 2)], { axis: 0, num_outputs: 3 }, { outputs: 3, name: "Split with an unused part" }),
    build: (g, input) => [g.ops("Split", [input("a")], 3, { axis: 0, num_outputs: 3 })[1]],
  },
  operator("DepthToSpace", [x(1, 8, 2, 3)], { blocksize: 2 }),
  operator("DepthToSpace", [x(1, 8, 2, 3)], { blocksize: 2, mode: "CRD" }),
  operator("SpaceToDepth", [x(1, 2, 4, 6)], { blocksize: 2 }),
  ...[0, 1].map((upper) => operator("Trilu", [x(2, 3, 4)], { upper })),
  operator("Trilu", [x(2, 3, 4)], { upper: 1 }, { domain: "com.microsoft", name: "com.microsoft Trilu" }),
  operator("ReverseSequence", [x(4, 3, 2), [4, 2, 1]], { time_axis: 0, batch_axis: 1 }),
];

const slices: readonly GradientCase[] = (
  [
    [[0], [2], [0], [1]],
    [[1], [-1], [1], [1]],
    [
      [0, 1],
      [3, 4],
      [0, 1],
      [1, 2],
    ],
    [[-1], [-5], [1], [-1]],
    [[4], [0], [1], [-2]],
    [
      [1, 0],
      [9, 9],
      [-1, 0],
      [1, 1],
    ],
    [
      [5, 2],
      [0, -9],
      [1, 0],
      [-2, -1],
    ],
  ] as const
).map((positions) => operator("Slice", [x(3, 5), ...positions], {}, { name: `Slice ${JSON.stringify(positions)}` }));

const pads: readonly GradientCase[] = [
  ...["constant", "edge", "reflect", "wrap"].flatMap((mode) => [
    operator("Pad", [x(3, 4), [1, 2, 0, 1]], { mode }),
    operator("Pad", [x(2, 3, 4), [1, 2], undefined, [-1]], { mode }),
  ]),
  operator("Pad", [x(3, 4), [-1, 2, 0, -1]], {}, { name: "Pad by negative amounts" }),
];

const gathers: readonly GradientCase[] = [
  operator("Gather", [x(4, 3), integers([5], [0, 2, 2, 3, 0])]),
  operator("Gather", [x(2, 4, 3), integers([2, 3], [0, -1, 2, 2, 1, 0])], { axis: 1 }),
  operator("Gather", [x(4, 3), integers([], [2])], {}, { name: "Gather by a fed scalar" }),
  {
    ...operator("Gather", [x(4, 3)], { axis: 1 }, { name: "Gather by a constant scalar" }),
    build: (g, input) => [g.op("Gather", [input("a"), number(g, -1, "int64")], { axis: 1 })],
  },
  operator("Gather", [x(4, 3), [2, 0]], {}, { name: "Gather by constant unique indices" }),
  operator("Gather", [x(4, 3), [2]], {}, { name: "Gather by one constant index" }),
  operator("Gather", [x(4, 3), integers([2, 2], [1, 1, 3, 1], "int32")], {}, { name: "Gather by int32" }),
  operator("GatherElements", [x(3, 3), integers([2, 3], [1, 2, 0, 1, 0, 0])]),
  operator("GatherElements", [x(3, 3), integers([3, 2], [-1, 0, 1, 1, 2, 2])], { axis: 1 }),
  operator("GatherND", [x(2, 3, 4), integers([2, 2], [0, 1, 1, -1])]),
  operator("GatherND", [x(2, 3, 4), integers([3, 1], [1, 1, 0])]),
  operator("GatherND", [x(2, 3, 4), integers([2, 3], [0, 1, 2, 0, 1, 2])]),
  operator("GatherND", [x(2, 3, 4), integers([2, 2, 1], [1, 1, 0, 2])], { batch_dims: 1 }),
  topK(distinct(2, 6), 3, { axis: 1 }),
  topK(distinct(4, 3), 2, { axis: 0, largest: 0 }),
  operator("Compress", [x(3, 4), { ...integers([3], [1, 0, 1], "bool") }], { axis: 0 }),
  operator("Compress", [x(3, 2), { ...integers([5], [0, 1, 1, 0, 1], "bool") }]),
  {
    name: "OneHot",
    covers: ["OneHot"],
    inputs: { indices: integers([3], [0, 2, 1]), values: x(2) },
    build: (g, input) => [g.op("OneHot", [input("indices"), number(g, 4, "int64"), input("values")], { axis: 0 })],
  },
  {
    name: "Range",
    covers: ["Range"],
    inputs: { start: { dims: [], values: [0.3] }, delta: { dims: [], values: [0.7] } },
    build: (g, input) => [g.op("Range", [input("start"), number(g, 3), input("delta")])],
  },
];

function topK(a: CaseInput, count: number, attributes: Readonly<Record<string, number>>): GradientCase {
  return {
    ...operator("TopK", [a, [count]], attributes),
    build: (g, input) => [g.ops("TopK", [input("a"), ints(g, [count])], 2, attributes)[0]],
  };
}

function scatter(opType: string, reduction: string, indices: readonly number[], dims: readonly number[]): GradientCase {
  const isNd = opType === "ScatterND";
  const updates = isNd ? [...dims.slice(0, -1), 3] : dims;
  const range = reduction === "mul" ? positive : distinct;
  const shifted = (input: CaseInput): CaseInput =>
    input.values ? { ...input, values: input.values.map((value) => value + 0.03) } : input;
  return {
    ...operator(opType, [range(4, 3), integers(dims, indices), shifted(range(...updates))], { reduction }),
    ...(isNd && reduction !== "none" ? { runtime: 1e-4 } : {}),
  };
}

const scatters: readonly GradientCase[] = [
  scatter("ScatterElements", "none", [0, 2, 1, 3, 0, 2], [2, 3]),
  ...["add", "mul", "max", "min"].map((how) => scatter("ScatterElements", how, [0, 2, 1, 0, 0, 2], [2, 3])),
  operator("ScatterElements", [x(2, 4), integers([2, 2], [0, -1, 2, 1]), x(2, 2)], { axis: 1 }),
  scatter("ScatterND", "none", [0, 2], [2, 1]),
  ...["add", "mul", "max", "min"].map((how) => scatter("ScatterND", how, [1, 3], [2, 1])),
  operator("ScatterND", [x(2, 3, 4), integers([2, 2], [0, 1, 1, -1]), x(2, 4)]),
  {
    ...operator("Scatter", [x(4, 3), integers([1, 3], [0, 2, 1]), x(1, 3)], { axis: 0 }),
    opset: 10,
    runtime: "its opset is older than the gradient's",
  },
];

/** Uses that meet at one value, so that cotangents are added; and reshapes that undo each other. */
const meetings: readonly GradientCase[] = [
  {
    name: "one value used three times",
    covers: [],
    inputs: { a: x(2, 3) },
    build(g: GraphBuilder, input: (name: string) => Value) {
      const a = input("a");
      const sum = g.op("Add", [g.op("Mul", [a, a]), g.op("Transpose", [g.op("Transpose", [a])])]);
      return [g.op("Reshape", [g.op("Reshape", [sum, ints(g, [6])]), ints(g, [3, 2])])];
    },
  },
];

export const movementCases: readonly GradientCase[] = [
  ...shapes,
  ...slices,
  ...pads,
  ...gathers,
  ...scatters,
  ...meetings,
];
