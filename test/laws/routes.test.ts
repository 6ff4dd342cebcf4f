/** @file Every way from a dense block to a mixture: the same function where it must be, gradients for the router, named errors. */
import { describe, expect, it } from "vitest";
import {
  measureActivity,
  moeTraining,
  type RouteMethodName,
  type RouteOptions,
  routeMethods,
  routeModel,
  surveyRoute,
  withoutSideOutputs,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { gpt } from "../../src/models/index.ts";
import { type Layers, linear, network } from "../../src/nn/index.ts";
import { costOf } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const WIDTH = 6;
const HIDDEN = 12;

const source = random(5);
const x = tensorFromNumbers(
  "float32",
  [4, 3, WIDTH],
  Array.from({ length: 12 * WIDTH }, () => source.normal()),
);
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));
const answer = (model: Model, input = x) => list(evaluate(model, new Map([["x", input]])).get("y"));

type Activation = (n: Layers, h: ReturnType<Layers["input"]>) => ReturnType<Layers["input"]>;

/** Activations as exporters write them. */
const activations: Record<string, Activation> = {
  Relu: (n, h) => n.op("Relu", [h]),
  Gelu: (n, h) => n.op("Gelu", [h]),
  "Gelu of Erf": (n, h) => {
    const erf = n.op("Erf", [n.op("Div", [h, n.number(Math.SQRT2)])]);
    return n.op("Mul", [n.op("Mul", [h, n.op("Add", [erf, n.number(1)])]), n.number(0.5)]);
  },
  SiLU: (n, h) => n.op("Mul", [h, n.op("Sigmoid", [h])]),
};

function dense(activation: Activation = activations.Gelu!, layer = linear): Model {
  return network(random(3), (n) => {
    const input = n.input("x", "float32", ["batch", 3, WIDTH]);
    const h = activation(n, layer(n.scope("in"), input, HIDDEN));
    n.output(n.op("Add", [input, layer(n.scope("out"), h, WIDTH)]), "y");
  });
}

/** Rows through Gemm with a turned matrix, as PyTorch writes linear layers. */
function gemms(): Model {
  return network(random(3), (n) => {
    const gemm = (inner: Layers, value: ReturnType<Layers["input"]>, from: number, to: number) => {
      const draw = (dims: readonly number[], s: { normal(): number }) =>
        Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => s.normal());
      const inputs = [value, inner.parameter("weight", [to, from], draw), inner.parameter("bias", [to], draw)];
      return inner.op("Gemm", inputs, { transB: 1 });
    };
    const h = n.op("Relu", [gemm(n.scope("in"), n.input("x", "float32", ["batch", WIDTH]), WIDTH, HIDDEN)]);
    n.output(gemm(n.scope("out"), h, HIDDEN, 5), "y");
  });
}

/** Settings under which a method must not change the function. */
const same: Record<RouteMethodName, readonly RouteOptions[]> = {
  copy: [
    { experts: 4, topK: 1 },
    { experts: 4, topK: 2 },
    { experts: 3, topK: 3 },
  ],
  split: [
    { experts: 4, topK: 4 },
    { experts: 1, topK: 1 },
  ],
};

function expectClose(got: readonly number[], expected: readonly number[], digits = 5): void {
  expect(got.length).toBe(expected.length);
  got.forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, digits));
}

describe.each(Object.keys(routeMethods) as RouteMethodName[])("%s", (method) => {
  it.each(Object.entries(activations))("keeps the function with %s", (_, activation) => {
    for (const options of same[method]) {
      const { model, blocks } = routeModel(dense(activation), { ...options, method });
      expect(verify(model)).toEqual([]);
      expect(blocks.map(({ widths }) => widths)).toEqual([[WIDTH, HIDDEN, WIDTH]]);
      expectClose(answer(model), answer(dense(activation)));
    }
  });

  it("keeps the function of Gemm, and of layers without biases", () => {
    const rows = tensorFromNumbers("float32", [12, WIDTH], list(x));
    const bare = dense(activations.Relu, (n, value, features) => linear(n, value, features, { bias: false }));
    for (const options of same[method]) {
      expectClose(answer(routeModel(gemms(), { ...options, method }).model, rows), answer(gemms(), rows), 4);
      expectClose(answer(routeModel(bare, { ...options, method }).model), answer(bare));
    }
  });

  it("gives the router and the chosen experts a gradient, with one expert per token too", () => {
    const { model } = routeModel(dense(), { experts: 3, topK: 1, method, balance: 0, zWeight: 0 });
    const step = trainingStep(model, {
      loss: "meanSquaredError",
      ...moeTraining(model),
      optimizer: sgd(),
      output: "y",
    });
    const feeds = new Map<string, Tensor>([
      ["x", x],
      [step.labels!, tensorFromNumbers("float32", x.dims, list(x).map(Math.sin))],
      [step.learningRate, tensorFromNumbers("float32", [], [1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
      ...step.state.map(({ name, initial }): [string, Tensor] => [name, initial]),
    ]);
    const next = evaluate(step.model, feeds);
    const moved = step.state.filter(({ initial, output }) => list(next.get(output)).join() !== list(initial).join());
    const names = moved.map(({ name }) => name);
    expect(names.some((name) => name.includes("gate/weight"))).toBe(true);
    expect(names.some((name) => name.includes("/in/weight"))).toBe(true);
  });

  it("runs on ONNX Runtime without what only training reads", async () => {
    const { model } = routeModel(dense(), { experts: 4, topK: 2, method });
    const bare = await withoutSideOutputs(model);
    expect(bare.graph.outputs.map(({ name }) => name)).toEqual(["y"]);
    await using session = await openSession(bare, { threads: 1, stock: true });
    expectClose(list((await session.run(new Map([["x", x]]))).get("y")), answer(model), 4);
  });

  it("refuses more choices than experts", () => {
    expect(() => routeModel(dense(), { experts: 4, topK: 5, method })).toThrow(/1 to 4/);
    expect(() => routeModel(dense(), { experts: 0, method })).toThrow(UsageError);
  });
});

describe("routing", () => {
  it("has methods that bear their names, of which copying is the default with one of the experts", () => {
    expect(Object.values(routeMethods).map(({ name }) => name)).toEqual(Object.keys(routeMethods));
    const [given, copied] = [{}, { method: "copy", topK: 1, balance: 0.01, zWeight: 0.001, seed: 0 } as const].map(
      (options) => routeModel(dense(), { experts: 3, ...options }),
    );
    expect(given!.blocks).toEqual(copied!.blocks);
    expect(given!.blocks.map(({ work }) => work)).toEqual([1]);
    expect(surveyRoute(dense(), { experts: 3 })).toEqual(given!.blocks);
    const numbersIn = ({ graph }: Model) =>
      [...graph.initializers].map(([{ name }, data]) => [name, list(data as Tensor)] as const);
    expect(numbersIn(given!.model)).toEqual(numbersIn(copied!.model));
    expect([...evaluate(given!.model, new Map([["x", x]]))]).toEqual([...evaluate(copied!.model, new Map([["x", x]]))]);
    expect(() => routeModel(dense(), { experts: 3, method: "move" as never })).toThrow(/no such method.*copy, split/);
  });

  it("takes a product without a bias whose activation reads it twice", () => {
    const bare = dense(activations.SiLU, (n, value, features) => linear(n, value, features, { bias: false }));
    const { model, blocks } = routeModel(bare, { experts: 3 });
    expect(blocks.map(({ widths }) => widths)).toEqual([[WIDTH, HIDDEN, WIDTH]]);
    expectClose(answer(model), answer(bare));
  });

  it("leaves a block alone whose hidden units something else reads, and activations of more than 32 nodes", () => {
    const read = (others: number, nodes = 1) =>
      network(random(1), (n) => {
        let h = linear(n.scope("in"), n.input("x", "float32", ["batch", WIDTH]), HIDDEN);
        for (let i = 0; i < nodes; i++) h = n.op("Relu", [h]);
        n.output(linear(n.scope("out"), h, WIDTH), "y");
        for (let i = 0; i < others; i++) n.output(linear(n.scope(`other${i}`), h, 2), `z${i}`);
      });
    const found = (model: Model) => surveyRoute(model, { experts: 2 }).map(({ widths }) => widths);
    expect([found(read(0)), found(read(0, 32))]).toEqual([[[WIDTH, HIDDEN, WIDTH]], [[WIDTH, HIDDEN, WIDTH]]]);
    for (const model of [read(1), read(2), read(0, 33)]) expect(() => found(model)).toThrow(/no feed-forward block/);
  });

  it("measures 512 tokens unless told otherwise, one at least", async () => {
    const model = network(random(1), (n) => {
      const h = n.op("Relu", [linear(n.scope("in"), n.input("x", "float32", ["batch", 2]), 3)]);
      n.output(linear(n.scope("out"), h, 2), "y");
    });
    const values = Array.from({ length: 2 * 700 }, (_, i) => Math.sin(i));
    const feeds = [new Map([["x", tensorFromNumbers("float32", [700, 2], values)]])];
    const length = async (tokens?: number) => {
      const measured = await measureActivity(model, feeds, openReference, tokens === undefined ? {} : { tokens });
      return [...measured.values()].map((activity) => activity.length);
    };
    expect([await length(), await length(1), await length(900)]).toEqual([[3 * 512], [3], [3 * 700]]);
    await expect(length(0)).rejects.toThrow(UsageError);
    await expect(length(1.5)).rejects.toThrow(UsageError);
  });

  it("finds every block of a transformer", () => {
    const model = gpt(random(1), { vocabulary: 11, context: 5, width: 8, depth: 2, heads: 2 });
    const { blocks, model: routed } = routeModel(model, { experts: 4, topK: 1, method: "split" });
    expect(blocks.map(({ widths, work }) => [...widths, work])).toEqual([
      [8, 32, 8, 0.25],
      [8, 32, 8, 0.25],
    ]);
    expect(costOf(routed).params).toBeLessThan(costOf(model).params + 2 * (8 * 4 + 4) + 200);
    expect(verify(routed)).toEqual([]);
  });

  it("puts units that are active together into one expert", async () => {
    // Units 0, 2, 4, … follow the first number of a row, the others the second one.
    const model = network(random(1), (n) => {
      const input = n.input("x", "float32", ["batch", 2]);
      const given = Float32Array.from({ length: 16 }, (_, i) => ((i % 8) % 2 === Math.floor(i / 8) ? 1 + (i % 8) : 0));
      const h = n.op("Relu", [n.op("MatMul", [input, n.parameter("weight", [2, 8], () => given)])]);
      n.output(linear(n.scope("out"), h, 2, { bias: false }), "y");
    });
    const rows = tensorFromNumbers("float32", [6, 2], [3, 0, 0, 2, 1, 0, 0, 5, 4, 0, 0, 1]);
    const feeds = [new Map([["x", rows]])];
    const activity = await measureActivity(model, feeds, openSession, { tokens: 5 });
    expect([...activity.values()].map(({ length }) => length)).toEqual([8 * 5]);
    for (const measured of [{ activity }, {}]) {
      const routed = routeModel(model, { experts: 2, topK: 1, method: "split", ...measured });
      expectClose(answer(routed.model, rows), answer(model, rows), 4);
    }
  });

  it("divides units whose weights are no numbers too", () => {
    const { model, blocks } = routeModel(
      network(random(1), (n) => {
        const broken = () => new Float32Array(WIDTH * HIDDEN).fill(Number.NaN);
        const h = n.op("Relu", [
          linear(n.scope("in"), n.input("x", "float32", ["batch", WIDTH]), HIDDEN, { weight: broken }),
        ]);
        n.output(linear(n.scope("out"), h, WIDTH), "y");
      }),
      { experts: 3, method: "split" },
    );
    expect([verify(model), blocks.length]).toEqual([[], 1]);
  });

  it("refuses what cannot be routed", () => {
    expect(() => routeModel(dense(), { experts: 5, method: "split" })).toThrow(/divides 12/);
    const straight = dense((_, h) => h);
    expect(() => routeModel(straight, { experts: 2 })).toThrow(UnsupportedError);
    expect(() => routeModel(straight, { experts: 2 })).toThrow(/no feed-forward block/);
    const vector = network(random(1), (n) => {
      const input = n.input("x", "float32", [WIDTH]);
      const weight = (name: string, dims: readonly number[]) =>
        n.parameter(name, dims, () => new Float32Array(WIDTH * HIDDEN));
      const h = n.op("Relu", [n.op("MatMul", [input, weight("in", [WIDTH, HIDDEN])])]);
      n.output(n.op("MatMul", [h, weight("out", [HIDDEN, WIDTH])]), "y");
    });
    expect(() => routeModel(vector, { experts: 2 })).toThrow(/no feed-forward block/);
    const old: Model = { ...dense(), opsets: new Map([["", 17]]) };
    expect(() => routeModel(old, { experts: 2 })).toThrow(/opset 21/);
  });
});
