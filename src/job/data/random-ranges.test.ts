import { describe, expect, it } from "vitest";
import { withDataHint } from "../../cli/data-hint.ts";
import { syntheticFeeds } from "../../data/index.ts";
import { RuntimeError } from "../../errors.ts";
import {
  type DataType,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { openSession } from "../../runtime/index.ts";
import { inputPorts } from "../model/model-file.ts";
import { inputRanges } from "./random-ranges.ts";

type Builder = ReturnType<typeof graphBuilder>;

const zeros = (g: Builder, name: string, dims: readonly number[]) =>
  g.constant(name, tensor("float32", dims, new Float32Array(dims.reduce((a, b) => a * b, 1))));
const number = (g: Builder, name: string, value: number) => g.constant(name, tensorFromNumbers("int64", [], [value]));

/** A model whose input "i" has to lie within bounds; `x` is [batch, 6, 4]. */
interface Case {
  readonly dtype?: DataType;
  readonly dims: readonly (number | string)[];
  readonly low: number;
  readonly high: number;
  build(g: Builder, i: Value, x: Value): Value;
}

const cases: Readonly<Record<string, Case>> = {
  "rows of a table": { dims: ["n"], low: 0, high: 6, build: (g, i) => g.op("Gather", [zeros(g, "t", [7, 2]), i]) },
  "rows of a table, as floats": {
    dtype: "float32",
    dims: ["n"],
    low: 0,
    high: 6,
    build: (g, i) => g.op("Gather", [zeros(g, "t", [7, 2]), g.op("Cast", [i], { to: 7 })]),
  },
  "rows after an offset": {
    dims: ["n"],
    low: -2,
    high: 4,
    build: (g, i) => g.op("Gather", [zeros(g, "t", [7, 2]), g.op("Add", [i, number(g, "two", 2)])]),
  },
  "rows of the shorter of two tables": {
    dims: ["n"],
    low: 0,
    high: 2,
    build: (g, i) =>
      g.op("Add", [g.op("Gather", [zeros(g, "s", [9, 2]), i]), g.op("Gather", [zeros(g, "t", [3, 2]), i])]),
  },
  "elements of an input of symbolic length": {
    dims: ["batch", 6, 4],
    low: 0,
    high: 0,
    build: (g, i, x) => g.op("GatherElements", [x, i], { axis: 0 }),
  },
  "how many are the greatest": {
    dims: [1],
    low: 1,
    high: 4,
    build: (g, i, x) => g.ops("TopK", [x, i], 2)[0],
  },
  "ends of a slice": {
    dims: [3],
    low: 6,
    high: 6,
    build: (g, i, x) => g.op("Slice", [x, g.constant("starts", tensorFromNumbers("int64", [3], [0, 0, 0])), i]),
  },
  "a shape": { dims: [3], low: 1, high: 6, build: (g, i, x) => g.op("Reshape", [x, i]) },
  "a divisor": { dims: [4], low: 1, high: 9, build: (g, i) => g.op("Div", [number(g, "seven", 7), i]) },
  "lengths of reversed sequences": {
    dims: [6],
    low: 1,
    high: 1,
    build: (g, i, x) => g.op("ReverseSequence", [x, i], { time_axis: 0, batch_axis: 1 }),
  },
};

function built({ dtype = "int64", dims, build }: Case): Model {
  const g = graphBuilder();
  const i = g.input("i", dtype, dims);
  const x = g.input("x", "float32", ["batch", 6, 4]);
  g.output(build(g, i, x), "y");
  return model(g.build());
}

describe("random inputs", () => {
  it.each(Object.entries(cases))("hold %s", async (_, one) => {
    const tried = built(one);
    const ports = inputPorts(tried);
    const ranges = inputRanges(tried, syntheticFeeds(ports, { seed: 1 }).feeds);
    const { feeds } = syntheticFeeds(ports, { seed: 1, ranges });
    for (const value of numbersOf(feeds.get("i")!)) {
      expect(value).toBeGreaterThanOrEqual(one.low);
      expect(value).toBeLessThanOrEqual(one.high);
    }
    await using session = await openSession(tried);
    await session.run(feeds);
  });

  const ranges = (dtype: DataType, dims: readonly (number | string)[], build: Case["build"]) => {
    const tried = built({ dtype, dims, build, low: 0, high: 0 });
    return inputRanges(tried, syntheticFeeds(inputPorts(tried), { seed: 1 }).feeds).get("i");
  };
  const table = (g: Builder, rows: number) => zeros(g, `t${rows}`, [rows, 2]);

  it.each<[string, DataType, readonly (number | string)[], Case["build"], object | undefined]>([
    ["the last row of a table", "int64", ["n"], (g, i) => g.op("Gather", [table(g, 7), i]), { low: 0, high: 6 }],
    ["as many as an axis is long", "int64", [1], (g, i, x) => g.ops("TopK", [x, i], 2)[0], { low: 1, high: 4 }],
    ["all ends of a slice", "int64", [1], (g, i, x) => g.op("Slice", [x, number(g, "s", 0), i]), { low: 6, high: 6 }],
    ["axes of length one", "int64", [1], (g, i) => g.op("Squeeze", [zeros(g, "t", [3, 1, 2]), i]), { values: [1] }],
    ["no axis where none has length one", "int64", [1], (g, i, x) => g.op("Squeeze", [x, i]), { values: [0] }],
    ["the first axis of a sum", "int64", [], (g, i, x) => g.op("CumSum", [x, i]), { low: 0, high: 0 }],
    [
      "rows behind copies",
      "int64",
      [1],
      (g, i) =>
        g.op("Gather", [table(g, 7), g.op("Expand", [i, g.constant("d", tensorFromNumbers("int64", [1], [3]))])]),
      { low: 0, high: 6 },
    ],
    [
      "rows before a constant is taken away",
      "int64",
      ["n"],
      (g, i) => g.op("Gather", [table(g, 7), g.op("Sub", [i, number(g, "two", 2)])]),
      { low: 2, high: 8 },
    ],
    [
      "any number where it is taken from a constant",
      "int64",
      ["n"],
      (g, i) => g.op("Gather", [table(g, 7), g.op("Sub", [number(g, "two", 2), i])]),
      undefined,
    ],
    [
      "rows of the shorter of two tables, whichever comes first",
      "int64",
      ["n"],
      (g, i) => g.op("Add", [g.op("Gather", [table(g, 3), i]), g.op("Gather", [table(g, 9), i])]),
      { low: 0, high: 2 },
    ],
    [
      "what the first reader takes where no number suits all",
      "int64",
      ["n"],
      (g, i) => {
        const first = g.op("Gather", [table(g, 5), i]);
        return g.op("Add", [first, g.op("Gather", [table(g, 3), g.op("Sub", [i, number(g, "ten", 10)])])]);
      },
      { low: 0, high: 4 },
    ],
    ["any float as a divisor", "float32", [4], (g, i) => g.op("Div", [zeros(g, "t", [4]), i]), undefined],
  ])("are %s", (_, dtype, dims, build, range) => {
    expect(ranges(dtype, dims, build)).toEqual(range);
  });

  it("are the first positions of which the whole step is in the table", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1, 3, 4]);
    const i = g.input("i", "int64", [1]);
    const rows = (name: string) => zeros(g, name, [10, 2]);
    g.output(g.op("com.microsoft::RotaryEmbedding", [x, i, rows("cos"), rows("sin")], { num_heads: 1 }), "y");
    const tried = model(g.build());
    const { feeds } = syntheticFeeds(inputPorts(tried), { seed: 1 });
    // The step has 3 positions, the table 10.
    expect(inputRanges(tried, feeds).get("i")).toEqual({ low: 0, high: 7 });
  });

  it("count the keys of a step and those before it", () => {
    const range = (position: number) => {
      const g = graphBuilder();
      const float = (name: string, dims: readonly number[]) => g.input(name, "float32", dims);
      const step = ["q", "k", "v"].map((name) => float(name, [1, 3, 4]));
      const past = ["pastK", "pastV"].map((name) => float(name, [1, 1, 5, 4]));
      const counts = [g.input("last", "int32", [1]), g.input("all", "int32", [])];
      const attributes = { num_heads: 1, kv_num_heads: 1 };
      g.output(g.ops("com.microsoft::GroupQueryAttention", [...step, ...past, ...counts], 3, attributes)[0], "y");
      const tried = model(g.build());
      return inputRanges(tried, syntheticFeeds(inputPorts(tried), { seed: 1 }).feeds).get(
        position === 5 ? "last" : "all",
      );
    };
    // 3 keys of the step behind 5.
    expect([range(5), range(6)]).toEqual([
      { low: 7, high: 7 },
      { low: 8, high: 8 },
    ]);
  });

  it("are the first place of a sequence", () => {
    const range = (opType: string, operands: (g: Builder, i: Value, x: Value) => Value[]) =>
      ranges("int64", [], (g, i, x) => g.op("SequenceLength", [g.unchecked(opType, operands(g, i, x), 1)[0]]));
    const made = (g: Builder, x: Value) => g.op("SequenceConstruct", [x, x]);
    expect(range("SequenceErase", (g, i, x) => [made(g, x), i])).toEqual({ low: 0, high: 0 });
    expect(range("SequenceInsert", (g, i, x) => [made(g, x), x, i])).toEqual({ low: 0, high: 0 });
  });

  it("suit every way to a table, with what is added on each", () => {
    const both = (g: Builder, i: Value) => {
      const before = g.op("Sub", [i, number(g, "two", 2)]);
      const rows = g.op("Identity", [g.op("Concat", [i, before], { axis: 0 })]);
      return g.op("Gather", [table(g, 7), rows]);
    };
    // i and i − 2 are rows of 0 to 6.
    expect(ranges("int64", ["n"], both)).toEqual({ low: 2, high: 6 });
  });

  it("are blamed when the runtime refuses them, and only then", () => {
    const refused = new RuntimeError("the runtime failed", { got: "out of range" });
    const hinted = withDataHint(refused, { isRandom: true });
    expect(String(hinted)).toMatch(/random inputs; got out of range.*--data/);
    expect(withDataHint(refused, { isRandom: false })).toBe(refused);
    const other = new Error("of another kind");
    expect(withDataHint(other, { isRandom: true })).toBe(other);
  });
});
