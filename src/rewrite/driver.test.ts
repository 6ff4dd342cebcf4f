import { describe, expect, it } from "vitest";
import {
  type Graph,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  type Model,
  model,
  opsetOf,
  scalar,
  tensor,
  verify,
} from "../ir/index.ts";
import {
  applyRules,
  checked,
  declined,
  type Pass,
  type Rule,
  replaceBy,
  rulePass,
  sequential,
  traced,
  untilStable,
} from "./index.ts";

const doubleNegation: Rule = {
  name: "double-negation",
  roots: ["Neg"],
  apply(node, context) {
    const inner = context.producer(node.inputs[0]);
    if (inner?.opType !== "Neg") return declined("a single one");
    return replaceBy("two signs cancel", inner.inputs[0]);
  },
};

const squareAsProduct: Rule = {
  name: "square-as-product",
  roots: ["Pow"],
  apply({ inputs: [x, exponent] }, context) {
    if (!x || !context.constant(exponent)) return undefined;
    return replaceBy("a square is a product", context.g.op("Mul", [x, x]));
  },
};

function chainOfNegations(length: number): Model {
  const g = graphBuilder();
  let x = g.input("x", "float32", [2]);
  for (let i = 0; i < length; i++) x = g.op("Neg", [x]);
  g.output(g.op("Relu", [x]), "y");
  return model(g.build());
}

function opTypes(graph: Graph): string[] {
  return graph.nodes.map(({ opType }) => opType);
}

/** A list that counts how many of its elements are made anew, and those of what it becomes. */
class Counted<T> extends Array<T> {
  static made = 0;

  override map<U>(of: (item: T, index: number, list: T[]) => U): U[] {
    Counted.made += this.length;
    return super.map(of);
  }
}

const identity: Rule = {
  name: "identity",
  roots: ["Identity"],
  apply: ({ inputs }) => replaceBy("its output is its input", inputs[0]),
};

/** Which elements of the wide node are made anew when `count` nodes beside it go. */
function madeAnew(build: (g: GraphBuilder, count: number) => void, count: number): number {
  const g = graphBuilder();
  build(g, count);
  const made = model(g.build());
  const nodes = made.graph.nodes.map((node) => {
    if (node.opType === "Identity") return node;
    return { ...node, inputs: Counted.from(node.inputs), outputs: Counted.from(node.outputs) };
  });
  Counted.made = 0;
  const { model: after } = applyRules("p", { ...made, graph: { ...made.graph, nodes } }, [identity]);
  expect(opTypes(after.graph)).not.toContain("Identity");
  expect(verify(after)).toEqual([]);
  return Counted.made;
}

describe("applyRules", () => {
  it.each<[string, (g: GraphBuilder, count: number) => void]>([
    [
      "outputs",
      (g, count) => {
        const parts = g.ops("Split", [g.input("x", "float32", [count])], count, { num_outputs: count });
        for (const [i, part] of parts.entries()) g.output(g.op("Identity", [part]), `y${i}`);
      },
    ],
    [
      "inputs",
      (g, count) => {
        const x = g.op("Relu", [g.input("x", "float32", [1])]);
        const parts = Array.from({ length: count }, () => g.op("Identity", [x]));
        g.output(g.op("Concat", parts, { axis: 0 }), "y");
      },
    ],
  ])("swaps many %s of one node together", (_name, build) => {
    expect(madeAnew(build, 200)).toBeLessThan(10 * 200);
  });

  it("rewrites until no rule applies, and counts what it did", () => {
    const { model: after, notes = [] } = applyRules("p", chainOfNegations(7), [doubleNegation]);
    expect(opTypes(after.graph)).toEqual(["Neg", "Relu", "Identity"]);
    expect(notes.filter(({ kind }) => kind === "applied")).toHaveLength(3);
    expect(notes.filter(({ kind }) => kind === "declined")).toMatchObject([
      { rule: "double-negation", reason: "a single one" },
    ]);
  });

  it("returns the same model when no rule applies", () => {
    const before = chainOfNegations(1);
    expect(applyRules("p", before, [doubleNegation]).model).toBe(before);
  });

  it("gives a new node the output, and the name, of the one that it replaces", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [2]);
    const y = g.op("Pow", [x, g.constant("two", scalar("float32", 2))], {}, { name: "square" });
    const before = model({ ...g.build(), outputs: [y] });
    const { model: after } = applyRules("p", before, [squareAsProduct]);
    const [product] = after.graph.nodes;
    expect(product).toMatchObject({ opType: "Mul", name: "square" });
    expect(product?.outputs[0]).toBe(y);
    expect(after.graph.initializers.size).toBe(0);
  });

  it("renames the producer when an existing value becomes a graph output", () => {
    const g = graphBuilder();
    const relu = g.op("Relu", [g.input("x", "float32", [2])]);
    const y = g.op("Neg", [g.op("Neg", [relu])]);
    const before = model({ ...g.build(), outputs: [y] });
    const { model: after } = applyRules("p", before, [doubleNegation]);
    expect(opTypes(after.graph)).toEqual(["Relu"]);
    expect(after.graph.nodes[0]?.outputs).toEqual([y]);
    expect(verify(after)).toEqual([]);
  });

  it("keeps a value that goes straight from an input to an output behind an Identity", () => {
    const g = graphBuilder();
    const y = g.op("Neg", [g.op("Neg", [g.input("x", "float32", [2])])]);
    const before = model({ ...g.build(), outputs: [y] });
    const { model: after } = applyRules("p", before, [doubleNegation]);
    expect(opTypes(after.graph)).toEqual(["Identity"]);
    expect(after.graph.outputs).toEqual([y]);
  });

  it("follows captured values into subgraphs, and rewrites there too", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [2]);
    const same = g.op("Neg", [g.op("Neg", [x])]);
    const branch = () => {
      const inner = g.subgraph();
      inner.output(inner.op("Neg", [inner.op("Neg", [inner.op("Abs", [same])])]));
      return graphAttribute(inner.build());
    };
    const condition = g.constant("condition", tensor("bool", [], [1]));
    g.output(g.op("If", [condition], { then_branch: branch(), else_branch: branch() }), "y");
    const { model: after } = applyRules("p", model(g.build()), [doubleNegation]);
    expect(opTypes(after.graph)).toEqual(["If", "Identity"]);
    expect(verify(after)).toEqual([]);
    const held = after.graph.nodes[0]?.attributes.get("then_branch");
    if (held?.type !== "graph") throw new Error("the branch is gone");
    expect(opTypes(held.value)).toEqual(["Abs"]);
    expect(held.value.nodes[0]?.inputs).toEqual([x]);
  });

  it("sees no constant in an initializer that a caller may override", () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [2]);
    const two = g.constant("two", scalar("float32", 2));
    g.output(g.op("Pow", [x, two]), "y");
    const graph = { ...g.build(), inputs: [x, two] };
    expect(opTypes(applyRules("p", model(graph), [squareAsProduct]).model.graph)).toEqual(["Pow", "Identity"]);
    const old = applyRules("p", model(graph, { irVersion: 3 }), [squareAsProduct]).model;
    expect(opTypes(old.graph)).toEqual(["Mul", "Identity"]);
  });

  it("ends a table of rules that undo one another", () => {
    const back = (from: string, to: string): Rule => ({
      name: `${from}-to-${to}`,
      roots: [from],
      apply: ({ inputs }, { g }) => replaceBy("circle", g.unchecked(to, inputs, 1)[0]),
    });
    expect(() => applyRules("p", chainOfNegations(2), [back("Neg", "Abs"), back("Abs", "Neg")])).toThrow(
      /undo one another/,
    );
  });

  it("takes a long chain in one go", () => {
    const { model: after } = applyRules("p", chainOfNegations(20_000), [doubleNegation]);
    expect(opTypes(after.graph)).toEqual(["Relu", "Identity"]);
  });
});

describe("passes around passes", () => {
  const negations = rulePass("negations", "exact", [doubleNegation]);

  it("writes a line for each rewrite and one for the run", async () => {
    const lines: string[] = [];
    await traced(negations, (line) => lines.push(line)).run(chainOfNegations(4));
    const records = lines.map((line) => JSON.parse(line));
    expect(records.slice(0, -1).every(({ rule }) => rule === "double-negation")).toBe(true);
    expect(records.at(-1)).toMatchObject({ pass: "negations", changed: true, nodesBefore: 6, nodesAfter: 2 });
    expect(records.at(-1).ms).toBeGreaterThanOrEqual(0);
  });

  it("names the pass that broke a model", async () => {
    const broken: Pass = {
      name: "breaker",
      exactness: "exact",
      run: (before) => ({ model: { ...before, graph: { ...before.graph, nodes: before.graph.nodes.slice(1) } } }),
    };
    await expect(checked(broken).run(chainOfNegations(3))).rejects.toThrow(/"breaker" broke the model/);
  });

  it("promises in sequence what its weakest pass promises, and repeats until stable", async () => {
    const rounding: Pass = { name: "r", exactness: "rounding", run: (before) => ({ model: before }) };
    const both = untilStable(sequential("both", [negations, rounding]));
    expect(both.exactness).toBe("rounding");
    const { model: after } = await both.run(chainOfNegations(6));
    expect(opTypes(after.graph)).toEqual(["Relu", "Identity"]);
    expect(opsetOf(after)).toBe(21);
  });
});
