import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  makeNode,
  model,
  numbersOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { evaluate } from "../reference/index.ts";
import { openSession } from "../runtime/index.ts";
import { differentiateGraph } from "./gradient.ts";
import { gradient } from "./model-gradient.ts";
import { expand, type GradientRule } from "./rule.ts";

/** loss = mean(relu(x·w + b)²), x: [batch, 3]. */
function layer(batch: number | string = "batch"): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [batch, 3]);
  const w = g.constant("w", tensor("float32", [3, 2], [0.5, -1, 2, 0.25, -0.75, 1.5]));
  const b = g.constant("b", tensor("float32", [2], [0.1, -0.2]));
  const y = g.op("Relu", [g.op("Add", [g.op("MatMul", [x, w], {}, { name: "product" }), b])], {}, { name: "y" });
  g.output(g.op("ReduceMean", [g.op("Mul", [y, y])], { keepdims: 0 }), "loss");
  return inferShapes(model(g.build()));
}

function rows(count: number): Map<string, Tensor> {
  return new Map([
    [
      "x",
      tensorFromNumbers(
        "float32",
        [count, 3],
        Array.from({ length: 3 * count }, (_, i) => Math.sin(i)),
      ),
    ],
  ]);
}

function run(source: Model, feeds: ReadonlyMap<string, Tensor>): Map<string, number[]> {
  return new Map([...evaluate(source, feeds)].map(([name, t]) => [name, [...numbersOf(t)]]));
}

describe("gradient", () => {
  it("names its outputs after the values", async () => {
    const result = await gradient(layer(), { of: "loss", wrt: ["w", "x"] });
    expect(result.graph.outputs.map(({ name }) => name)).toEqual(["w_grad", "x_grad"]);
  });

  it("keeps the model's own outputs in front when asked", async () => {
    const result = await gradient(layer(), { of: "loss", wrt: ["b"], keepOutputs: true });
    expect(result.graph.outputs.map(({ name }) => name)).toEqual(["loss", "b_grad"]);
  });

  it("holds for every batch when the batch is symbolic", async () => {
    const open = await gradient(layer(), { of: "loss", wrt: ["w", "b", "x"] });
    for (const count of [1, 2, 5]) {
      const fixed = await gradient(layer(count), { of: "loss", wrt: ["w", "b", "x"] });
      const [a, b] = [run(open, rows(count)), run(fixed, rows(count))];
      for (const [name, values] of b) values.forEach((x, i) => void expect(a.get(name)![i]).toBeCloseTo(x, 10));
    }
  });

  it("takes a seed as a new input, and then differentiates tensors", async () => {
    const result = await gradient(layer(2), { of: "y", wrt: ["b"], seed: "dy" });
    const feeds = rows(2).set("dy", tensorFromNumbers("float32", [2, 2], [1, 10, 100, 1000]));
    const y = run({ ...layer(2), graph: { ...layer(2).graph } }, rows(2));
    expect(y.size).toBe(1);
    const [first = 0, second = 0] = run(result, feeds).get("b_grad")!;
    expect([0, 1, 100, 101]).toContain(first);
    expect([0, 10, 1000, 1010]).toContain(second);
  });

  it("needs a seed for more than one number", async () => {
    await expect(gradient(layer(2), { of: "y", wrt: ["b"] })).rejects.toThrow(/seed.*\[2, 2\]/s);
  });

  it("stops where it is told to", async () => {
    const result = await gradient(layer(2), { of: "loss", wrt: ["w", "b"], stopAt: ["product"] });
    const gradients = run(result, rows(2));
    expect(gradients.get("w_grad")).toEqual([0, 0, 0, 0, 0, 0]);
    expect(gradients.get("b_grad")).not.toEqual([0, 0]);
  });

  it("refuses names that are not there", async () => {
    await expect(gradient(layer(), { of: "loss", wrt: ["weights"] })).rejects.toThrow(/"weights"/);
  });

  it("names the node that has no gradient, with the reason", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [2, 2]);
    g.output(g.op("Det", [x], {}, { name: "determinant" }));
    await expect(gradient(model(g.build()), { of: "determinant", wrt: ["x"] })).rejects.toThrow(
      /Det .*inverse.*determinant/s,
    );
  });

  it("names an operator that it does not know", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", []);
    const y = { name: "y", type: x.type! };
    const graph = { ...g.build(), nodes: [makeNode("Mystery", [x], [y], { domain: "elsewhere" })], outputs: [y] };
    await expect(gradient(model(graph), { of: "y", wrt: ["x"] })).rejects.toThrow(/elsewhere::Mystery/);
  });

  it("names the node whose rule needs an output that it does not have", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", []);
    const y = { name: "y", type: x.type! };
    const graph = { ...g.build(), nodes: [makeNode("Neg", [x], [undefined, y], { name: "odd" })], outputs: [y] };
    const reads: GradientRule = (builder, node) => [builder.number(builder.rank(node.outputs[0]!), node.outputs[0]!)];
    for (const find of [() => reads, () => expand((builder, node) => reads(builder, node, [], []))])
      expect(() => differentiateGraph(graph, { of: y, wrt: [x], opset: 21, find })).toThrow(/does not have.*"odd"/s);
  });

  it("names the node for whose gradient a claimed dim would take all memory", async () => {
    const claims: ((g: GraphBuilder) => Value)[] = [
      (g) =>
        g.op(
          "Resize",
          [g.input("x", "float32", [1, 1, 2 ** 31]), undefined, g.constant("s", tensor("float32", [3], [1, 1, 2]))],
          {},
          { name: "claims" },
        ),
      (g) =>
        g.op(
          "Pad",
          [g.input("x", "float32", [2 ** 40]), g.constant("p", int64s([1, 1]))],
          { mode: "edge" },
          { name: "claims" },
        ),
    ];
    for (const claim of claims) {
      const g = graphBuilder();
      g.output(g.op("ReduceSum", [claim(g)], { keepdims: 0 }), "loss");
      await expect(gradient(inferShapes(model(g.build())), { of: "loss", wrt: ["x"] })).rejects.toThrow(
        /too large.*"claims"/s,
      );
    }
  });

  it.each([0, -3, 2 ** 40])("names the normalisation over a window of %d channels", async (size) => {
    const g = graphBuilder();
    const y = g.op("LRN", [g.input("x", "float32", [1, 4, 2, 2])], { size }, { name: "claims" });
    g.output(g.op("ReduceSum", [y], { keepdims: 0 }), "loss");
    await expect(gradient(inferShapes(model(g.build())), { of: "loss", wrt: ["x"] })).rejects.toThrow(
      /window.*from 1 to.*"claims"/s,
    );
  });

  it("names the batch normalisation of what has no channels", async () => {
    const g = graphBuilder();
    const one = (name: string) => g.constant(name, tensor("float32", [1], [1]));
    const inputs = [g.input("x", "float32", [4]), one("s"), one("b"), one("m"), one("v")];
    const [y] = g.ops("BatchNormalization", inputs, 3, { training_mode: 1 }, { name: "claims" });
    g.output(g.op("ReduceSum", [y], { keepdims: 0 }), "loss");
    await expect(gradient(inferShapes(model(g.build())), { of: "loss", wrt: ["x"] })).rejects.toThrow(
      /channels.*"claims"/s,
    );
  });

  it("goes through the functions of a model", async () => {
    const [a, factor, out] = [{ name: "a" }, { name: "factor" }, { name: "out" }];
    const functions = [
      {
        name: "Scaled",
        domain: "own",
        inputs: [a],
        outputs: [out],
        attributes: ["by"],
        attributeDefaults: new Map(),
        opsets: new Map([["", 18]]),
        nodes: [
          makeNode("Constant", [], [factor], {
            attributes: new Map([["value_float", { type: "reference", to: "by", of: "float" }]]),
          }),
          makeNode("Mul", [a, factor], [out]),
        ],
      },
    ];
    const g = graphBuilder();
    const x = g.input("x", "float32", []);
    const twice = g.unchecked("own::Scaled", [g.unchecked("own::Scaled", [x], 1, { by: 2.5 })[0]], 1, { by: -1.5 })[0];
    const source = model(
      { ...g.build(), outputs: [twice] },
      {
        functions,
        opsets: new Map([
          ["", 18],
          ["own", 1],
        ]),
      },
    );
    const result = await gradient(source, { of: twice.name, wrt: ["x"] });
    expect(run(result, new Map([["x", tensorFromNumbers("float32", [], [3])]])).get("x_grad")).toEqual([-3.75]);
  });
});

type Scalar = (g: GraphBuilder, x: Value) => Value;

/** Functions of x: [2, 4] whose second derivatives are checked. */
const functions: Readonly<Record<string, Scalar>> = {
  "x³": (g, x) => g.op("Mul", [x, g.op("Mul", [x, x])]),
  tanh: (g, x) => g.op("Tanh", [x]),
  gelu: (g, x) => g.op("Gelu", [x]),
  softmax: (g, x) => g.op("Softmax", [x], { axis: -1 }),
  "log-softmax": (g, x) => g.op("LogSoftmax", [x], { axis: -1 }),
  "layer normalisation": (g, x) => g.op("LayerNormalization", [x, fixed(g, [4])], { axis: -1 }),
  product: (g, x) => g.op("MatMul", [g.op("Sin", [x]), g.op("Transpose", [x])]),
  convolution: (g, x) =>
    g.op("Conv", [image(g, x), g.op("Reshape", [x, shape(g, [2, 1, 2, 2])])], { pads: [1, 0, 0, 1] }),
  "average pool": (g, x) => g.op("AveragePool", [g.op("Exp", [image(g, x)])], { kernel_shape: [2, 2] }),
  gather: (g, x) => g.op("Gather", [g.op("Mul", [x, x]), shape(g, [1, 0, 1])]),
  norm: (g, x) => g.op("ReduceL2", [x], { keepdims: 0 }),
  conditional: (g, x) => {
    const branch = (name: string) => {
      const inner = g.subgraph();
      inner.output(inner.op("Mul", [x, inner.op("Sin", [x])]));
      return graphAttribute(inner.build(name));
    };
    const condition = g.constant("condition", tensorFromNumbers("bool", [], [1]));
    return g.op("If", [condition], { then_branch: branch("yes"), else_branch: branch("no") });
  },
  scan: (g, x) => {
    const step = g.subgraph();
    const [state, slice] = [step.input("state", "float32", [4]), step.input("slice", "float32", [4])];
    step.output(step.op("Mul", [step.op("Sin", [state]), slice]));
    const first = g.op("Squeeze", [g.op("Slice", [x, shape(g, [0]), shape(g, [1])]), shape(g, [0])]);
    return g.op("Scan", [first, x], { body: graphAttribute(step.build("step")), num_scan_inputs: 1 });
  },
};

function shape(g: GraphBuilder, dims: readonly number[]): Value {
  return g.constant("shape", tensorFromNumbers("int64", [dims.length], dims));
}

function fixed(g: GraphBuilder, dims: readonly number[], name = "fixed"): Value {
  const count = dims.reduce((n, d) => n * d, 1);
  const phase = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const values = Array.from({ length: count }, (_, i) => 0.7 + Math.sin(1.3 * i + phase) / 2);
  return g.constant(name, tensorFromNumbers("float32", dims, values));
}

function image(g: GraphBuilder, x: Value): Value {
  return g.op("Reshape", [x, shape(g, [1, 1, 2, 4])]);
}

describe("gradient of a gradient", () => {
  const at = Array.from({ length: 8 }, (_, i) => Math.sin(3 * i + 1));
  const along = Array.from({ length: 8 }, (_, i) => Math.cos(5 * i));

  /** d/dx of ⟨∇f, v⟩, as a model of x. */
  async function secondOrder(build: Scalar): Promise<{ first: Model; second: Model }> {
    const g = graphBuilder();
    const x = g.input("x", "float32", [2, 4]);
    const y = build(g, x);
    g.output(g.op("ReduceSum", [g.op("Mul", [y, g.op("Sin", [y])])], { keepdims: 0 }), "f");
    const first = await gradient(model(g.build()), { of: "f", wrt: ["x"] });
    const outer = graphBuilder();
    const v = outer.constant("v", tensorFromNumbers("float32", [2, 4], along));
    const product = outer.op(
      "ReduceSum",
      [outer.op("Mul", [first.graph.outputs[0]!, v])],
      { keepdims: 0 },
      { name: "slope" },
    );
    const graph = {
      ...first.graph,
      nodes: [...first.graph.nodes, ...outer.nodes],
      initializers: new Map([...first.graph.initializers, ...outer.initializers]),
      outputs: [product],
    };
    return { first, second: await gradient({ ...first, graph }, { of: product.name, wrt: ["x"] }) };
  }

  for (const [name, build] of Object.entries(functions)) {
    it(`of ${name}`, async () => {
      const { first, second } = await secondOrder(build);
      const gradientAt = (step: number) =>
        run(
          first,
          new Map([
            [
              "x",
              tensorFromNumbers(
                "float64",
                [2, 4],
                at.map((x, i) => x + step * along[i]!),
              ),
            ],
          ]),
        ).get("x_grad")!;
      const [ahead, behind] = [gradientAt(1e-5), gradientAt(-1e-5)];
      const product = run(second, new Map([["x", tensorFromNumbers("float64", [2, 4], at)]])).get(
        second.graph.outputs[0]!.name,
      )!;
      product.forEach((x, i) => void expect(x).toBeCloseTo((ahead[i]! - behind[i]!) / 2e-5, 6));
    });
  }
});

describe("emitted graphs", () => {
  const types = (source: Model): string[] => source.graph.nodes.map(({ opType }) => opType);

  it("broadcasts instead of expanding", async () => {
    expect(types(await gradient(layer(), { of: "loss", wrt: ["w", "b"] }))).not.toContain("Expand");
  });

  it("adds where a value is used twice, and shares constants", async () => {
    const result = await gradient(layer(2), { of: "loss", wrt: ["w", "b"] });
    expect(types(result)).not.toContain("Sum");
    const texts = [...result.graph.initializers.values()].map((data) => JSON.stringify(data));
    expect(new Set(texts).size).toBe(texts.length);
  });

  it("shares the cotangent of equal maxima, or gives it to the first, and loses nothing", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1, 1, 4, 4]);
    const y = g.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
    const z = g.op("MaxPool", [x], { kernel_shape: [3, 3] });
    g.output(g.op("ReduceSum", [g.op("Concat", [flat(g, y), flat(g, z)], { axis: 0 })], { keepdims: 0 }), "sum");
    const result = await gradient(model(g.build()), { of: "sum", wrt: ["x"] });
    const ones = run(result, new Map([["x", tensorFromNumbers("float32", [1, 1, 4, 4], new Array(16).fill(1))]]));
    expect(ones.get("x_grad")!.reduce((a, b) => a + b)).toBeCloseTo(8, 10);
  });
});

/**
 * A small convolutional network with a loss; `batch` may be symbolic. No two constants are equal: ONNX Runtime would merge them,
 * and BatchNormalization in training mode writes running statistics that nothing reads into the constants that it reads.
 */
function network(batch: number | string): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [batch, 2, 8, 8]);
  const labels = g.input("labels", "int64", [batch]);
  const stem = g.op("Conv", [x, fixed(g, [8, 2, 3, 3], "w1"), fixed(g, [8], "b1")], { pads: [1, 1, 1, 1] });
  const one = (name: string) => fixed(g, [8], name);
  const [normal] = g.ops("BatchNormalization", [stem, one("s"), one("t"), one("m"), one("v")], 3, { training_mode: 1 });
  const pooled = g.op("MaxPool", [g.op("Relu", [normal])], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  });
  const mixed = g.op("Conv", [pooled, fixed(g, [8, 2, 3, 3], "w2")], { group: 4, pads: [1, 1, 1, 1] });
  const small = g.op("AveragePool", [g.op("Add", [mixed, pooled])], { kernel_shape: [2, 2], strides: [2, 2] });
  const tokens = g.op("Transpose", [g.op("Reshape", [small, shape(g, [0, 8, -1])])], { perm: [0, 2, 1] });
  const gathered = g.op("Gather", [tokens, g.constant("first", tensorFromNumbers("int64", [], [0]))], { axis: 1 });
  const attended = g.op("LayerNormalization", [g.op("MatMul", [tokens, fixed(g, [8, 8], "w3")]), fixed(g, [8], "g")]);
  const summed = g.op("Add", [g.op("ReduceMean", [attended, shape(g, [1])], { keepdims: 0 }), gathered]);
  const scores = g.op("Gemm", [g.op("Flatten", [summed]), fixed(g, [8, 5], "w4"), fixed(g, [5], "b4")]);
  g.output(g.op("SoftmaxCrossEntropyLoss", [scores, labels]), "loss");
  return model(g.build());
}

describe("a network whose batch is symbolic", () => {
  it("has the gradients that it has for each batch, on the reference and on ONNX Runtime", async () => {
    const open = network("batch");
    const parameters = [...open.graph.initializers].filter(([, data]) => "dtype" in data && data.dtype === "float32");
    const wrt = parameters.map(([{ name }]) => name).filter((name) => name !== "m" && name !== "v");
    const symbolic = await gradient(open, { of: "loss", wrt, keepOutputs: true });
    await using session = await openSession(symbolic, { threads: 2 });
    for (const batch of [1, 3]) {
      const pixels = Array.from({ length: batch * 128 }, (_, i) => Math.sin(i * i));
      const feeds = new Map([
        ["x", tensorFromNumbers("float32", [batch, 2, 8, 8], pixels)],
        [
          "labels",
          tensorFromNumbers(
            "int64",
            [batch],
            Array.from({ length: batch }, (_, i) => (2 * i) % 5),
          ),
        ],
      ]);
      const expected = run(await gradient(network(batch), { of: "loss", wrt, keepOutputs: true }), feeds);
      const onRuntime = await session.run(feeds);
      for (const [name, values] of run(symbolic, feeds)) {
        values.forEach((x, i) => void expect(x, name).toBeCloseTo(expected.get(name)![i]!, 9));
        numbersOf(onRuntime.get(name)!).forEach((x, i) => void expect(x, name).toBeCloseTo(values[i]!, 3));
      }
    }
  });
});

describe("Dropout in training", () => {
  it("passes the cotangent where the runtime's mask lets elements through, divided by what is kept", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [64]);
    const [ratio, training] = [tensorFromNumbers("float32", [], [0.25]), tensorFromNumbers("bool", [], [1])];
    const y = g.op(
      "Dropout",
      [x, g.constant("ratio", ratio), g.constant("training", training)],
      { seed: 7 },
      { name: "y" },
    );
    g.output(y);
    const result = await gradient(model(g.build()), { of: "y", wrt: ["x"], seed: "dy", keepOutputs: true });
    await using session = await openSession(result);
    const ones = tensorFromNumbers("float32", [64], new Array(64).fill(1));
    const results = await session.run(
      new Map([
        ["x", ones],
        ["dy", ones],
      ]),
    );
    const [passed, slopes] = [numbersOf(results.get("y")!), numbersOf(results.get("x_grad")!)];
    slopes.forEach((slope, i) => void expect(slope).toBeCloseTo(passed[i]!, 5));
    expect(new Set([...slopes].map((slope) => slope.toFixed(4)))).toEqual(new Set(["0.0000", "1.3333"]));
  });
});

function flat(g: GraphBuilder, x: Value): Value {
  return g.op("Reshape", [x, shape(g, [-1])]);
}
