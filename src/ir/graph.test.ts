import { describe, expect, it } from "vitest";
import { InvalidModelError } from "../errors.ts";
import { graphAttribute, intOf, stringOf } from "./attribute.ts";
import { graphBuilder } from "./builder.ts";
import { equalModels } from "./compare.ts";
import { editAllGraphs, editGraph, editModel, makeNode } from "./edit.ts";
import { type Graph, type Model, model, type Value } from "./graph.ts";
import { names } from "./names.ts";
import { tensor } from "./tensor.ts";
import { capturesOf, constantOf, indexOf, producerOf, readsOf, soleConsumer, usesOf } from "./traverse.ts";
import { verify } from "./verify.ts";

/** y = |−x| + x, and an If whose branches capture the sum. */
function sample(): Model {
  const g = graphBuilder();
  const c = g.input("c", "bool", []);
  const x = g.input("x", "float32", [2]);
  const sum = g.op("Add", [g.op("Abs", [g.op("Neg", [x])]), x]);
  const branch = (opType: string): Graph => {
    const inner = g.subgraph();
    inner.output(inner.unchecked(opType, [sum], 1)[0]);
    return inner.build(opType);
  };
  const attributes = { then_branch: graphAttribute(branch("Neg")), else_branch: graphAttribute(branch("Exp")) };
  g.output(g.op("If", [c], attributes), "y");
  return model(g.build());
}

const messages = (subject: Model): string[] => verify(subject).map(({ message }) => message);
const opTypes = (graph: Graph): string[] => graph.nodes.map(({ opType }) => opType);

describe("names", () => {
  it("are made unique, also against names like those they make", () => {
    const scope = names(["a", "a_1", "__proto__"]);
    expect(["a", "a", "b", "", "__proto__"].map((name) => scope.fresh(name))).toEqual([
      "a_2",
      "a_3",
      "b",
      "_1",
      "__proto___1",
    ]);
  });
});

describe("graphBuilder", () => {
  it("builds a valid model with unique names and typed constants", () => {
    const built = sample();
    expect(verify(built)).toEqual([]);
    expect(opTypes(built.graph)).toEqual(["Neg", "Abs", "Add", "If", "Identity"]);
  });

  it("takes literals as attributes and leaves out what is undefined", () => {
    const g = graphBuilder({ prefix: "block/" });
    const y = g.unchecked("Pad", [g.input("x", "float32")], 1, { mode: "edge", axis: 3, none: undefined })[0];
    const [node] = g.build().nodes;
    expect(y.name).toBe("block/pad");
    expect(node && [intOf(node, "axis"), stringOf(node, "mode"), node.attributes.has("none")]).toEqual([
      3,
      "edge",
      false,
    ]);
    expect(() => node && intOf(node, "mode")).toThrow(InvalidModelError);
  });

  it("refuses an output name that is taken", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32");
    expect(() => g.output(g.op("Neg", [x]), "x")).toThrow(InvalidModelError);
  });
});

describe("traverse", () => {
  it("finds producers, uses inside branches, and captures", () => {
    const { graph } = sample();
    const [neg, abs, add, branch] = graph.nodes;
    const sum = add?.outputs[0] as Value;
    expect(producerOf(graph, sum)).toBe(add);
    expect(usesOf(graph, sum).map(({ node }) => node?.opType)).toEqual(["Neg", "Exp"]);
    expect(soleConsumer(graph, neg?.outputs[0] as Value)).toBe(abs);
    expect(branch && readsOf(branch)).toEqual([graph.inputs[0], sum, sum]);
    const then = branch?.attributes.get("then_branch");
    expect(then?.type === "graph" && capturesOf(then.value)).toEqual([sum]);
    expect(indexOf(graph)).toBe(indexOf(graph));
  });

  it("reads constants from initializers and Constant nodes", () => {
    const g = graphBuilder();
    const one = tensor("float32", [], [1]);
    const a = g.constant("a", one);
    const b = g.op("Constant", [], { value: one });
    g.output(g.op("Add", [a, b]));
    const graph = g.build();
    expect([constantOf(graph, a), constantOf(graph, b), constantOf(graph, graph.outputs[0])]).toEqual([
      one,
      one,
      undefined,
    ]);
  });
});

describe("editGraph", () => {
  it("returns the same graph when nothing changes", () => {
    const { graph } = sample();
    expect(editGraph(graph, () => undefined)).toBe(graph);
  });

  it("replaces nodes in their place and shares the others", () => {
    const before = sample().graph;
    const [neg, abs] = before.nodes;
    const after = editGraph(before, (draft) => {
      const middle = draft.value("middle");
      const inputs = abs?.inputs ?? [];
      draft.replaceNode(abs!, makeNode("Relu", inputs, [middle]), makeNode("Sqrt", [middle], abs!.outputs));
    });
    expect(opTypes(after)).toEqual(["Neg", "Relu", "Sqrt", "Add", "If", "Identity"]);
    expect(after.nodes[0]).toBe(neg);
    expect(verify(model(after))).toEqual([]);
  });

  it("redirects uses inside branches too", () => {
    const before = sample();
    const [, abs, add] = before.graph.nodes;
    const after = editModel(before, (draft) => {
      draft.replaceValue(add!.outputs[0]!, abs!.outputs[0]!);
      draft.remove(add!);
    });
    expect(verify(after)).toEqual([]);
    const branch = after.graph.nodes.find(({ opType }) => opType === "If");
    expect(branch && readsOf(branch).slice(1)).toEqual([abs!.outputs[0], abs!.outputs[0]]);
  });

  it("substitutes a value everywhere, initializers and outputs included", () => {
    const g = graphBuilder();
    const w = g.constant("w", tensor("float32", [1], [1]));
    g.output(w);
    g.output(g.op("Neg", [w]));
    const other: Value = { name: "w", type: { kind: "tensor", dtype: "float32", dims: ["k"] } };
    const after = editGraph(g.build(), (draft) => draft.substitute(w, other));
    expect([after.outputs[0], after.nodes[0]?.inputs[0], [...after.initializers.keys()][0]]).toEqual([
      other,
      other,
      other,
    ]);
  });

  it("refuses nodes of other graphs and circles", () => {
    const { graph } = sample();
    const stranger = makeNode("Neg", [], []);
    expect(() => editGraph(graph, (draft) => draft.remove(stranger))).toThrow(InvalidModelError);
    const [a, b] = [graph.nodes[0]!.outputs[0]!, graph.nodes[1]!.outputs[0]!];
    expect(() =>
      editGraph(graph, (draft) => {
        draft.replaceValue(a, b);
        draft.replaceValue(b, a);
      }),
    ).toThrow(InvalidModelError);
  });

  it("visits every subgraph", () => {
    const seen: string[] = [];
    const before = sample();
    expect(editAllGraphs(before, (draft) => void seen.push(draft.graph.name))).toBe(before);
    expect(seen).toEqual(["Neg", "Exp", "main"]);
  });
});

describe("verify", () => {
  const x: Value = { name: "x" };
  const y: Value = { name: "y" };
  const graph = (parts: Partial<Graph>): Model =>
    model({
      name: "g",
      inputs: [x],
      outputs: [y],
      nodes: [makeNode("Neg", [x], [y])],
      initializers: new Map(),
      ...parts,
    });

  it("finds nothing in a valid model", () => {
    expect(messages(graph({}))).toEqual([]);
  });

  it.each([
    ["an undefined input", graph({ inputs: [] }), /"x" is used before it is defined/],
    ["an undefined output", graph({ nodes: [] }), /"y" is never defined/],
    [
      "a value defined twice",
      graph({ nodes: [makeNode("A", [], [y]), makeNode("B", [], [y])] }),
      /"y" is defined twice/,
    ],
    ["an input listed twice", graph({ inputs: [x, x] }), /"x" is listed twice/],
    ["a name for two values", graph({ inputs: [x, { name: "x" }] }), /"x" is empty or stands for two/],
    ["an empty name", graph({ inputs: [x, { name: "" }] }), /"" is empty or stands for two/],
    [
      "a wrong size",
      graph({ initializers: new Map([[{ name: "w" }, { dtype: "int4", dims: [3], data: new Uint8Array(3) }]]) }),
      /has 3 bytes or strings where its dims need 2/,
    ],
    [
      "dims that are none",
      graph({ initializers: new Map([[{ name: "w" }, { dtype: "int8", dims: [-1], data: new Uint8Array() }]]) }),
      /are not lengths/,
    ],
    [
      "a domain without import",
      graph({ nodes: [makeNode("A", [x], [y], { domain: "d" })] }),
      /domain "d" has no opset import/,
    ],
    [
      "a reference outside of a function",
      graph({ nodes: [makeNode("A", [x], [y], { attributes: { a: { type: "reference", to: "b", of: "int" } } })] }),
      /outside of a function/,
    ],
  ])("finds %s", (_name, subject, expected) => {
    expect(messages(subject)).toEqual([expect.stringMatching(expected)]);
  });

  it("looks into branches and functions", () => {
    const inner: Graph = {
      name: "i",
      inputs: [],
      outputs: [y],
      nodes: [makeNode("Neg", [{ name: "lost" }], [y])],
      initializers: new Map(),
    };
    const outer = graph({
      outputs: [x],
      nodes: [makeNode("If", [x], [{ name: "z" }], { attributes: { b: graphAttribute(inner) } })],
    });
    expect(messages(outer)).toEqual([expect.stringMatching(/"lost" is used before/)]);
    const f = {
      name: "f",
      domain: "d",
      inputs: [x, { name: "x" }],
      outputs: [x],
      nodes: [],
      attributes: [],
      attributeDefaults: new Map(),
      opsets: new Map(),
    };
    expect(messages({ ...graph({}), functions: [f] })).toEqual([expect.stringMatching(/stands for two/)]);
  });
});

describe("equalModels", () => {
  it("finds what differs and says where", () => {
    expect(equalModels(sample(), sample())).toBeUndefined();
    const renamed = editModel(sample(), (draft) => draft.setOutputs([draft.graph.inputs[1]!]));
    expect(equalModels(sample(), renamed)).toMatch(/graph "main", outputs\[0\]/);
    expect(equalModels(sample(), { ...sample(), irVersion: 7 })).toBe("model, irVersion: 10 and 7");
  });

  it("tells one value used twice from two of one name", () => {
    const x: Value = { name: "x" };
    const make = (inputs: Value[]): Model =>
      model({ name: "g", inputs: [x], outputs: [], nodes: [makeNode("A", inputs, [])], initializers: new Map() });
    expect(equalModels(make([x, x]), make([x, { name: "x" }]))).toMatch(/shared differently/);
  });
});
