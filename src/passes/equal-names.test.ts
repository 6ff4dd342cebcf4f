import { describe, expect, it } from "vitest";
import { type Dims, graphBuilder, type Model, model, numbersOf, sizeOf, tensorFromNumbers } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { cleanup } from "./index.ts";

/** x, as wide as y. */
function expanded(x: Dims, y: Dims): Model {
  const g = graphBuilder();
  const like = g.op("Shape", [g.input("y", "float32", y)]);
  g.output(g.op("Expand", [g.input("x", "float32", x), like]), "z");
  return model(g.build());
}

/** A reshape that changes nothing only when both axes of x are equally long. */
function reshaped(x: Dims): Model {
  const g = graphBuilder();
  const input = g.input("x", "float32", x);
  const [rows, columns] = [0, 1].map((start) => g.op("Shape", [input], { start, end: start + 1 }));
  g.output(g.op("Reshape", [input, g.op("Concat", [columns, rows], { axis: 0 })]), "z");
  return model(g.build());
}

const cases: readonly (readonly [string, Model, ReadonlyMap<string, readonly number[]>])[] = [
  [
    "two inputs",
    expanded(["?"], ["?"]),
    new Map([
      ["x", [1]],
      ["y", [3]],
    ]),
  ],
  [
    "two inputs of the name None",
    expanded(["None", 2], ["None", 2]),
    new Map([
      ["x", [1, 2]],
      ["y", [4, 2]],
    ]),
  ],
  ["height and width", reshaped(["?", "?"]), new Map([["x", [2, 3]]])],
];

describe("equal names of dims", () => {
  it.each(cases)("are a hint only: %s", async (_, before, dims) => {
    const { model: after } = await cleanup({ evaluate: async (of, feeds) => evaluate(of, feeds) }).run(before);
    const feeds = new Map(
      [...dims].map(([name, list]) => [
        name,
        tensorFromNumbers(
          "float32",
          list,
          new Float64Array(sizeOf(list)).map((_, i) => i),
        ),
      ]),
    );
    const [right, got] = [before, after].map((of) => evaluate(of, feeds).get("z")!);
    expect(got!.dims).toEqual(right!.dims);
    expect(numbersOf(got!)).toEqual(numbersOf(right!));
  });
});
