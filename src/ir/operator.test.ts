/** @file What the compiler refuses: a line below `@ts-expect-error` that compiles is an error of `npm run types`. */
import { describe, expect, it } from "vitest";
import { type BuilderAttributes, float, floats, graphBuilder, int64s, type Node, scalar, tensor } from "./index.ts";

function operators() {
  const g = graphBuilder();
  return { g, x: g.input("x", "float32", [1, 2, 4, 4]), axes: g.constant("axes", int64s([1])) };
}

describe("operators as types", () => {
  it("refuse a name that no operator has", () => {
    const { g, x } = operators();
    // @ts-expect-error
    g.op("Rleu", [x]);
    // @ts-expect-error
    g.ops("Splitt", [x], 2, { axis: 1 });
    // @ts-expect-error
    g.op("MoE", [x], { k: 1 });
    // @ts-expect-error
    g.op("com.microsoft::MoEs", [x], { k: 1 });
    g.op("com.microsoft::MoE", [x], { k: 1 });
    expect(g.nodes.map(({ domain, opType }) => [domain, opType])).toEqual([
      ["", "Rleu"],
      ["", "Splitt"],
      ["", "MoE"],
      ["com.microsoft", "MoEs"],
      ["com.microsoft", "MoE"],
    ]);
  });

  it("refuse an attribute that the operator does not have", () => {
    const { g, x } = operators();
    // @ts-expect-error
    g.op("Conv", [x, x], { stride: [2, 2] });
    // @ts-expect-error
    g.op("Relu", [x], { alpha: float(1) });
    // @ts-expect-error
    g.op("ReduceSum", [x], { axes: [1] });
    expect(g.nodes.map(({ attributes }) => [...attributes.keys()])).toEqual([["stride"], ["alpha"], ["axes"]]);
  });

  it("refuse an attribute of another kind", () => {
    const { g, x } = operators();
    // @ts-expect-error
    g.op("Conv", [x, x], { strides: 2 });
    // @ts-expect-error
    g.op("Elu", [x], { alpha: 1 });
    // @ts-expect-error
    g.op("Softmax", [x], { axis: "last" });
    // @ts-expect-error
    g.op("Upsample", [x], { scales: floats([1, 1]) });
    g.op("Elu", [x], { alpha: float(1) });
    expect(g.nodes.flatMap(({ attributes }) => [...attributes.values()].map(({ type }) => type))).toEqual([
      "int",
      "int",
      "string",
      "floats",
      "float",
    ]);
  });

  it("ask for the attributes that the operator requires", () => {
    const { g, x } = operators();
    // @ts-expect-error
    g.op("Cast", [x]);
    // @ts-expect-error
    g.op("Concat", [x, x], {});
    // @ts-expect-error
    g.op("Cast", [x], { to: undefined });
    g.op("Gather", [x, x], { axis: undefined });
    expect(g.nodes.map(({ attributes }) => attributes.size)).toEqual([0, 0, 0, 0]);
  });

  it("give as many outputs as a literal says", () => {
    const { g, x, axes } = operators();
    const [left, right] = g.ops("Split", [x, axes], 2, { axis: 1 });
    const made = g.op("Add", [left, right]);
    const names: [string, string] = [left.name, right.name];
    const many = g.ops("Split", [x, axes], names.length as number, { axis: 1 });
    // @ts-expect-error
    const [third]: [unknown, unknown, unknown] = g.ops("Split", [x, axes], 2, { axis: 1 });
    expect([names, made.name, many.length, third]).toEqual([["split", "split:1"], "add", 2, expect.anything()]);
  });
});

describe("a node like another", () => {
  const relu = (attributes: BuilderAttributes = {}): Node => {
    const { g, x } = operators();
    g.unchecked("own::Scaled", [x], 2, attributes);
    return g.nodes[0] as Node;
  };

  it("has its operator, attributes and number of outputs, over other inputs", () => {
    const { g, x, axes } = operators();
    const made = g.like(relu({ axis: 1, alpha: float(2), mode: "linear" }), [axes, x], { axis: 3, mode: undefined });
    expect(made).toHaveLength(2);
    expect(g.nodes[0]).toMatchObject({ opType: "Scaled", domain: "own", inputs: [axes, x], name: "scaled" });
    expect(g.nodes[0]?.attributes).toEqual(
      new Map<string, unknown>([
        ["axis", { type: "int", value: 3n }],
        ["alpha", { type: "float", value: 2 }],
      ]),
    );
  });

  it("takes no attribute that no operator has", () => {
    const { g, x } = operators();
    // @ts-expect-error
    g.like(relu(), [x], { axsi: 1 });
    expect(g.nodes[0]?.attributes.has("axsi")).toBe(true);
  });

  it("has an output, or there is nothing to give", () => {
    const { g, x } = operators();
    expect(() => g.like({ ...relu(), outputs: [] }, [x])).toThrow(/no outputs.*Scaled/s);
  });
});

it("a constant is a node of its own", () => {
  const { g } = operators();
  g.op("Constant", [], { value: tensor("float32", [2], [1, 2]) });
  g.op("Constant", [], { value: scalar("int64", 3), value_int: undefined });
  expect(g.nodes.map(({ attributes }) => [...attributes.keys()])).toEqual([["value"], ["value"]]);
});
