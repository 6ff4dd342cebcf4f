import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphBuilder,
  int64s,
  model,
  numbersOf,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { overriddenIn, weightsIn } from "./weights.ts";

const six = tensor("float32", [2, 3], [1, 2, 3, 4, 5, 6]);

function seen(build: (g: GraphBuilder, source: Value) => Value, source: Tensor = six) {
  const g = graphBuilder();
  const value = build(g, g.constant("w", source));
  const found = weightsIn(g.build())(value);
  return found && { dtype: found.dtype, dims: found.dims, values: [...numbersOf(found)] };
}

const axes = (g: GraphBuilder, ...values: number[]) => g.constant("axes", int64s(values));

describe("a weight is seen", () => {
  const values = [1, 2, 3, 4, 5, 6];

  it.each<[string, (g: GraphBuilder, w: Value) => Value, readonly number[]]>([
    ["itself", (_, w) => w, [2, 3]],
    ["behind Identity", (g, w) => g.op("Identity", [w]), [2, 3]],
    ["behind Reshape", (g, w) => g.op("Reshape", [w, axes(g, 3, 2)]), [3, 2]],
    ["behind Reshape with a rest", (g, w) => g.op("Reshape", [w, axes(g, 0, 1, -1)]), [2, 1, 3]],
    ["behind Flatten", (g, w) => g.op("Flatten", [w], { axis: 0 }), [1, 6]],
    ["behind Flatten from behind", (g, w) => g.op("Flatten", [w], { axis: -1 }), [2, 3]],
    ["behind Unsqueeze", (g, w) => g.op("Unsqueeze", [w, axes(g, 0, 2)]), [1, 2, 1, 3]],
    ["behind Unsqueeze from behind", (g, w) => g.op("Unsqueeze", [w, axes(g, -1)]), [2, 3, 1]],
    ["behind Unsqueeze of old opsets", (g, w) => g.unchecked("Unsqueeze", [w], 1, { axes: [1] })[0], [2, 1, 3]],
    ["behind Squeeze of all ones", (g, w) => g.op("Squeeze", [g.op("Reshape", [w, axes(g, 1, 2, 1, 3)])]), [2, 3]],
    [
      "behind Squeeze of one of them",
      (g, w) => g.op("Squeeze", [g.op("Reshape", [w, axes(g, 1, 2, 1, 3)]), axes(g, -2)]),
      [1, 2, 3],
    ],
    [
      "behind Squeeze of old opsets",
      (g, w) => g.unchecked("Squeeze", [g.op("Reshape", [w, axes(g, 1, 2, 1, 3)])], 1, { axes: [0] })[0],
      [2, 1, 3],
    ],
  ])("%s", (_, build, dims) => {
    expect(seen(build)).toEqual({ dtype: "float32", dims, values });
  });

  it("behind Transpose, in its order", () => {
    const turned = { dtype: "float32", dims: [3, 2], values: [1, 4, 2, 5, 3, 6] };
    expect(seen((g, w) => g.op("Transpose", [w]))).toEqual(turned);
    expect(seen((g, w) => g.op("Transpose", [w], { perm: [1, 0] }))).toEqual(turned);
  });

  it("behind Cast from floats to float32, and behind no other", () => {
    const half = tensorFromNumbers("float16", [2], [0.5, -3]);
    const cast = (to: number) => (g: GraphBuilder, w: Value) => g.op("Cast", [w], { to });
    expect(seen(cast(1), half)).toEqual({ dtype: "float32", dims: [2], values: [0.5, -3] });
    expect(seen(cast(10), half)).toBeUndefined();
    expect(seen(cast(1), tensorFromNumbers("int8", [2], [1, 2]))).toBeUndefined();
  });

  it("not where an input decides", () => {
    const fed = (opType: string) => (g: GraphBuilder, w: Value) =>
      g.unchecked(opType, [w, g.input("n", "int64", [1])], 1)[0];
    for (const opType of ["Reshape", "Squeeze", "Unsqueeze"]) expect(seen(fed(opType)), opType).toBeUndefined();
    expect(seen((g, w) => g.op("Unsqueeze", [w]))).toBeUndefined();
    expect(seen((g, w) => g.op("Neg", [w]))).toBeUndefined();
    expect(seen((g, w) => g.unchecked("com.example::Identity", [w], 1)[0])).toBeUndefined();
  });
});

describe("a constant among the inputs", () => {
  const override = (irVersion: number) => {
    const g = graphBuilder();
    const w = g.input("w", "float32", []);
    const x = g.input("x", "float32", []);
    g.output(g.op("Mul", [x, w]), "y");
    g.output(g.op("Neg", [x]), "z");
    const graph = g.build();
    const initializers = new Map([[w, scalar("float32", 2)]]);
    const source = model({ ...graph, initializers }, { irVersion });
    return source.graph.nodes.filter(({ opType }) => opType !== "Identity").map(overriddenIn(source));
  };

  it("can be overridden by a caller", () => {
    expect(override(4)).toEqual(['a caller can override "w"', undefined]);
    expect(override(10)).toEqual(['a caller can override "w"', undefined]);
  });

  it("had to stand there before IR version 4, and cannot", () => {
    expect(override(3)).toEqual([undefined, undefined]);
  });
});
