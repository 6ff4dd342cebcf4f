/** @file The facts about models on which the rules decide; what the rules prevent is shown by the laws. */
import { describe, expect, it } from "vitest";
import { denseModel } from "../../../test/models.ts";
import {
  allGraphs,
  floatsOf,
  type Graph,
  graphAttribute,
  graphBuilder,
  type Model,
  makeNode,
  model,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
} from "../../ir/index.ts";
import { decodeModel, encodeModel } from "../../onnx/index.ts";
import { externalValue, splitLargeModel } from "../external-data.ts";
import { resolveOptions } from "../options.ts";
import { applyRules } from "./apply.ts";
import { hasFullRangeWeights } from "./full-range-weights.ts";
import { hasMovedCapture } from "./moved-captures.ts";
import { hasUniqueIndices } from "./unique-indices.ts";

describe("hasUniqueIndices", () => {
  function scatter(indices: Tensor | "computed" | "nonzero", reduction = "add"): boolean {
    const g = graphBuilder();
    const x = g.input("x", "float32", [4, 2]);
    const places = {
      computed: () => g.input("i", "int64", ["n", 1]),
      nonzero: () => g.op("Transpose", [g.op("NonZero", [x])]),
    };
    const value = typeof indices === "string" ? places[indices]() : g.constant("i", indices);
    g.output(g.op("ScatterND", [x, value, g.input("u", "float32", ["n", 2])], { reduction }));
    const graph: Graph = g.build();
    return hasUniqueIndices(graph, graph.nodes.at(-1)!);
  }

  it("proves it for distinct constants and positions of nonzeros alone", () => {
    expect(scatter(tensor("int64", [3, 1], [0, 1, 3]))).toBe(true);
    expect(scatter(tensor("int64", [2, 2], [0, 1, 1, 0]))).toBe(true);
    expect(scatter("nonzero")).toBe(true);
    expect(scatter(tensor("int64", [3, 1], [0, 1, 0]))).toBe(false);
    expect(scatter(tensor("int64", [2, 1], [3, -1]))).toBe(false);
    expect(scatter("computed")).toBe(false);
  });

  it("does not matter without a reduction", () => {
    expect(scatter("computed", "none")).toBe(true);
  });
});

describe("external data", () => {
  const reference: Tensor = { dtype: "float32", dims: [], data: { location: "weights.bin", offset: 0 } };

  function within(outer: Tensor, inner: Tensor): Model {
    const g = graphBuilder();
    const go = g.input("go", "bool", []);
    const branch = (value: Tensor): ReturnType<typeof graphAttribute> => {
      const body = g.subgraph();
      body.output(body.op("Constant", [], { value }));
      return graphAttribute(body.build("branch"));
    };
    const chosen = g.op("If", [go], { then_branch: branch(inner), else_branch: branch(scalar("float32", 2)) });
    g.output(g.op("Add", [chosen, g.constant("w", outer)]), "y");
    return model(g.build());
  }

  it("is found in initializers and in attributes of inner graphs", () => {
    expect(externalValue(within(scalar("float32", 1), scalar("float32", 1)))).toBeUndefined();
    expect(externalValue(within(reference, scalar("float32", 1)))).toContain("initializer");
    expect(externalValue(within(scalar("float32", 1), reference))).toContain("Constant");
  });

  it("is made of large tensors when together they pass the limit", () => {
    const built = denseModel();
    expect(splitLargeModel(built, { limit: 1000, small: 1 }).model).toBe(built);
    const { model: split, external } = splitLargeModel(built, { limit: 10, small: 5 });
    expect(external.map(({ data }) => data.byteLength)).toEqual([48]);
    expect(decodeModel(encodeModel(split)).graph.nodes).toHaveLength(built.graph.nodes.length);
    expect(floatsOf({ dtype: "float32", dims: [4, 3], data: external[0]!.data })).toHaveLength(12);
  });
});

describe("hasFullRangeWeights", () => {
  function quantized(weight: number): Model {
    const g = graphBuilder();
    const w = g.constant("w", tensorFromNumbers("int8", [2, 2], [weight, 0, 0, 0]));
    g.output(g.op("MatMulInteger", [g.input("a", "uint8", [2, 2]), w]), "y");
    return model(g.build());
  }

  it("is about the eighth bit", () => {
    expect([63, -64].map((weight) => hasFullRangeWeights(quantized(weight)))).toEqual([false, false]);
    expect([64, -65].map((weight) => hasFullRangeWeights(quantized(weight)))).toEqual([true, true]);
    expect(hasFullRangeWeights(denseModel())).toBe(false);
  });

  /** Two branches that multiply by one weight, which stands around them with its zero point. */
  function captured(weight: number): Model {
    const g = graphBuilder();
    const w = g.constant("w", tensorFromNumbers("int8", [2, 2], [weight, 0, 0, 0]));
    const zero = g.op("Identity", [g.constant("zero", scalar("int8", 0))]);
    const a = g.input("a", "uint8", [2, 2]);
    const branch = (name: string) => {
      const body = g.subgraph();
      body.output(body.op("MatMulInteger", [a, w, undefined, zero]));
      return graphAttribute(body.build(name));
    };
    const branches = { then_branch: branch("then"), else_branch: branch("else") };
    g.output(g.op("If", [g.input("go", "bool", [])], branches), "y");
    return model(g.build());
  }

  it("sees weights and zero points that branches read from around them", () => {
    expect(hasFullRangeWeights(captured(63))).toBe(false);
    expect(hasFullRangeWeights(captured(64))).toBe(true);
    const target = { ...resolveOptions({}), saturates: true, reduced: false };
    const { model: safe, config } = applyRules(captured(64), target);
    expect(config.get("session.x64quantprecision")).toBe("1");
    const zeros = [...allGraphs(safe.graph)].slice(1).map(({ nodes }) => nodes[0]!.inputs[3]);
    expect(new Set(zeros).size).toBe(2);
    // A zero point each; the second branch has its own weight too, since the runtime turns each reader's to uint8.
    expect([...allGraphs(safe.graph)].slice(1).map(({ initializers }) => initializers.size)).toEqual([1, 2]);
  });
});

/** A branch that reads x behind its quantization and an operator; with a Dropout in training mode beside it. */
function capturing(opType: string, withDropout = false): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [4, 4]);
  const scheme = [g.constant("scale", scalar("float32", 1)), g.constant("zero", scalar("uint8", 0))];
  const rounded = g.op("DequantizeLinear", [g.op("QuantizeLinear", [x, ...scheme]), ...scheme]);
  const moved = g.op("Identity", [g.unchecked(opType, [rounded], 1)[0]]);
  const branch = (name: string) => {
    const body = g.subgraph();
    body.output(body.op("Neg", [moved]));
    return graphAttribute(body.build(name));
  };
  g.output(g.op("If", [g.input("go", "bool", [])], { then_branch: branch("then"), else_branch: branch("else") }), "y");
  const training = [g.constant("ratio", scalar("float32", 0.5)), g.constant("training", scalar("bool", 1))];
  if (withDropout) g.output(g.op("Dropout", [x, ...training]), "dropped");
  return model(g.build());
}

describe("hasMovedCapture", () => {
  it("is about operators that only move", () => {
    expect(hasMovedCapture(capturing("Transpose"))).toBe(true);
    expect(hasMovedCapture(capturing("Relu"))).toBe(false);
    expect(hasMovedCapture(denseModel())).toBe(false);
  });
});

describe("applyRules", () => {
  it("leaves out the optimisers of several rules", () => {
    const target = { ...resolveOptions({}), saturates: false, reduced: false };
    const { config } = applyRules(capturing("Transpose", true), target);
    const left = config.get("optimization.disable_specified_optimizers")!.split(";");
    expect(left.sort()).toEqual(["EliminateDropout", "QDQPropagationTransformer"]);
  });

  it("gives the nodes that stay off the GPU a name of their own", () => {
    const g = graphBuilder();
    const pool = (x: ReturnType<typeof g.input>): ReturnType<typeof g.input> =>
      g.ops("MaxPool", [x], 2, { kernel_shape: [1, 1] })[0];
    g.output(pool(pool(g.input("x", "float32", [1, 1, 2, 2]))), "y");
    const graph = g.build();
    const nameless = {
      ...graph,
      nodes: graph.nodes.map((node) =>
        makeNode(node.opType, node.inputs, node.outputs, { attributes: node.attributes }),
      ),
    };
    const target = { ...resolveOptions({ ep: "webgpu" }), saturates: false, reduced: false };
    const { cpuNodes } = applyRules(model(nameless), target);
    expect(cpuNodes).toHaveLength(2);
    expect(new Set(cpuNodes).size).toBe(2);
    expect(cpuNodes.every((name) => name !== "")).toBe(true);
  });

  it("lets the caller's configuration win", () => {
    const config = new Map([["session.qdq_matmulnbits_accuracy_level", "4"]]);
    const target = { ...resolveOptions({ config }), saturates: false, reduced: false };
    expect(applyRules(denseModel(), target).config).toEqual(config);
  });
});
