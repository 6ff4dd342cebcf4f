/** @file What changes a network's structure answers with the dims of the original, or is refused. */
import { describe, expect, it } from "vitest";
import {
  type DispatchName,
  type Expert,
  exportEarlyExit,
  exportSkipping,
  gates,
  moeLayer,
  skippable,
  smallFirst,
  withoutSideOutputs,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { ShapeError, UnsupportedError, UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { conv, type Layers, lengthOf, linear, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";

function drawn(dims: readonly number[]): Tensor {
  const source = random(5);
  const size = dims.reduce((a, b) => a * b, 1);
  return tensorFromNumbers(
    "float32",
    dims,
    Array.from({ length: size }, () => source.normal()),
  );
}

/** A convolution whose maps are flattened by `view(-1, 4·8·8)`, which a picture of half the side fills to a quarter. */
function viewed(): Model {
  return network(random(1), (n) => {
    const x = n.input("input", "float32", ["batch", 1, 8, 8]);
    const maps = n.op("Relu", [conv(n.scope("conv"), x, 4, { kernel: 3, padding: 1 })]);
    n.output(linear(n.scope("head"), n.op("Reshape", [maps, n.ints([-1, 4 * 8 * 8])]), 10), "logits");
  });
}

function mixture(dispatch: DispatchName, expert: Expert): Promise<Model> {
  return withoutSideOutputs(
    network(random(3), (n) => {
      const x = n.input("x", "float32", ["batch", 16]);
      n.output(moeLayer(n.scope("moe"), x, { gate: gates["top-k"]({ k: 1 }), expert, experts: 4, dispatch }), "y");
    }),
  );
}

describe("structures", () => {
  it("a small picture first is refused where a reshape makes other batches of it", () => {
    expect(() => smallFirst(viewed(), { size: 4 })).toThrow(UnsupportedError);
  });

  it("a small picture first is refused where such a reshape hides behind another one", () => {
    const twice = network(random(1), (n) => {
      const x = n.input("input", "float32", ["batch", 1, 8, 8]);
      const maps = n.op("Relu", [conv(n.scope("conv"), x, 4, { kernel: 3, padding: 1 })]);
      const short = n.op("Reshape", [maps, n.ints([-1, 32])]);
      n.output(linear(n.scope("head"), n.op("Reshape", [short, n.ints([-1, 4 * 8 * 8])]), 10), "logits");
    });
    // Of 60 pictures of a quarter the size there are 15 rows.
    expect(() => smallFirst(twice, { size: 4 })).toThrow(/other dims.*\[60, 10\].*\[15, 10\]/);
  });

  it.each([1, 8])("experts that answer with %i numbers do so under every dispatch", async (width) => {
    const expert: Expert = (n, rows) => linear(n, rows, width);
    const feeds = new Map([["x", drawn([2, 16])]]);
    const answers = await Promise.all(
      (["dropless", "skipping", "dense", "capacity"] as const).map(async (dispatch) => {
        const y = evaluate(await mixture(dispatch, expert), feeds).get("y")!;
        return { dims: y.dims, values: Array.from(numbersOf(y), (value) => value.toFixed(5)) };
      }),
    );
    expect(answers[0]!.dims).toEqual([2, width]);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  const wrong: readonly (readonly [string, Expert])[] = [
    ["halve the rows", (n, rows) => n.op("Reshape", [rows, n.ints([-1, 32])])],
    ["take a mean over the rows", (n, rows) => n.op("ReduceMean", [rows, n.ints([0])], { keepdims: 1 })],
    ["turn the rows", (n, rows) => n.op("Transpose", [rows], { perm: [1, 0] })],
    ["differ in width", (n, rows, index) => linear(n, rows, 1 + index)],
  ];
  it.each(wrong)("experts that %s are refused", async (_, expert) => {
    for (const dispatch of ["dropless", "skipping", "dense"] as const) {
      await expect(async () => await mixture(dispatch, expert)).rejects.toThrow(ShapeError);
    }
  });

  it("a layer that may be skipped keeps the dims of its input", () => {
    const build = (n: Layers) => {
      const x = n.input("x", "float32", ["batch", 1]);
      n.output(
        skippable(n.scope("layer"), x, (inner, value) => linear(inner, value, 16)),
        "y",
      );
    };
    expect(() => network(random(1), build)).toThrow(ShapeError);
  });

  it("a gate before a sum that spreads its input is not exported", async () => {
    const spread = network(random(1), (n) => {
      const x = n.input("x", "float32", ["batch", 16]);
      const narrow = n.op("ReduceMean", [x, n.ints([1])], { keepdims: 1 });
      const gate = n.op("Round", [n.op("Sigmoid", [narrow])]);
      n.output(gate, "layer/gate");
      n.output(n.op("Add", [narrow, n.op("Mul", [linear(n, x, 16), gate])]), "y");
    });
    await expect(exportSkipping(spread)).rejects.toThrow(UnsupportedError);
  });

  it("the whole network's logits are found behind other outputs, and exits of other dims are refused", async () => {
    const exited = (sideWidth: number, exitWidth: number) =>
      network(random(2), (n) => {
        const x = n.input("x", "float32", ["batch", 6]);
        const hidden = n.op("Relu", [linear(n.scope("hidden"), x, sideWidth)]);
        n.output(n.op("Neg", [hidden]), "side");
        n.output(linear(n.scope("exit"), hidden, exitWidth), "exit/0");
        n.output(linear(n.scope("last"), hidden, 3), "logits");
        expect(lengthOf(hidden, 1)).toBe(sideWidth);
      });
    const model = exited(7, 3);
    const exported = await exportEarlyExit(model, { exits: ["exit/0"], thresholds: [1.1] });
    const feeds = new Map([["x", drawn([4, 6])]]);
    expect(exported.graph.outputs.map(({ name }) => name)).toEqual(["logits", "exit"]);
    expect(Array.from(numbersOf(evaluate(exported, feeds).get("logits")!))).toEqual(
      Array.from(numbersOf(evaluate(model, feeds).get("logits")!)),
    );
    await expect(exportEarlyExit(exited(7, 5), { exits: ["exit/0"], thresholds: [1.1] })).rejects.toThrow(UsageError);
  });
});
