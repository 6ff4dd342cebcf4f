import { describe, expect, it } from "vitest";
import { syntheticFeeds } from "../data/index.ts";
import { RuntimeError } from "../errors.ts";
import {
  type DataType,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { openSession } from "../runtime/index.ts";
import { withDataHint } from "./data-hint.ts";
import { inputPorts } from "./model-file.ts";
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
    build: (g, i, x) => g.ops("TopK", [x, i], 2)[0]!,
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

  it("are blamed when the runtime refuses them, and only then", () => {
    const refused = new RuntimeError("the runtime failed", { got: "out of range" });
    const hinted = withDataHint(refused, { isRandom: true });
    expect(String(hinted)).toMatch(/random inputs; got out of range.*--data/);
    expect(withDataHint(refused, { isRandom: false })).toBe(refused);
    const other = new Error("of another kind");
    expect(withDataHint(other, { isRandom: true })).toBe(other);
  });
});
