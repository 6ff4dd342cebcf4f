import { describe, expect, it } from "vitest";
import { LimitError, UnsupportedError } from "../errors.ts";
import {
  allGraphs,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  makeNode,
  model,
  numbersOf,
  scalar,
  tensor,
  verify,
} from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import type { Evaluate } from "../rewrite/index.ts";
import { foldConstants } from "./index.ts";
import { storeConstants } from "./store-constants.ts";

function build(make: (g: GraphBuilder) => void): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build());
}

/** Knows the sum of two constants, and nothing else. */
const adds: Evaluate = async ({ graph }) => {
  const results = new Map();
  for (const { opType, inputs, outputs } of graph.nodes) {
    if (opType !== "Add") throw new UnsupportedError(`no ${opType} here`);
    const [a, b] = inputs.map((value) => graph.initializers.get(value!));
    if (!a || !b || "indices" in a || "indices" in b) throw new UnsupportedError("only two dense constants");
    const sum = numbersOf(a).map((x, i) => x + numbersOf(b)[i]!);
    results.set(outputs[0]!.name, tensor(a.dtype, a.dims, Float32Array.from(sum)));
  }
  return results;
};

const refuses: Evaluate = async () => {
  throw new UnsupportedError("nothing here");
};

describe("fold-constants", () => {
  it("keeps what the evaluator refuses, and folds the rest", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", [2]);
      const [a, b] = ["a", "b"].map((name) => g.constant(name, tensor("float32", [2], [1, 2])));
      const strange = g.unchecked("Unheard", [a], 1)[0];
      g.output(g.op("Mul", [g.op("Mul", [x, g.op("Add", [a, b])]), strange]));
    });
    const { model: after, notes = [] } = await foldConstants({ evaluate: adds }).run(before);
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(["Unheard", "Mul", "Mul"]);
    const sum = [...after.graph.initializers].find(([value]) => value.name === "add")?.[1];
    expect(sum && !("indices" in sum) && [...numbersOf(sum)]).toEqual([2, 4]);
    expect(notes.filter(({ kind }) => kind === "declined")).toMatchObject([
      { reason: expect.stringContaining("no Unheard here"), nodes: ["unheard"] },
    ]);
  });

  it("gives up what has cost a limit once, instead of trying its halves", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", [2]);
      const [a, b] = ["a", "b"].map((name) => g.constant(name, tensor("float32", [2], [1, 2])));
      g.output(g.op("Mul", [g.op("Mul", [x, g.op("Add", [a, b])]), g.op("Sub", [a, b])]));
    });
    let tried = 0;
    const evaluate: Evaluate = async () => {
      tried++;
      throw new LimitError("the model took too long");
    };
    const { model: after, notes = [] } = await foldConstants({ evaluate }).run(before);
    expect(tried).toBe(1);
    expect(after.graph.nodes).toHaveLength(4);
    expect(notes.filter(({ kind }) => kind === "declined")).toHaveLength(2);
  });

  it("never folds quantization, random numbers or results larger than the limit", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", [4]);
      const scale = g.constant("scale", scalar("float32", 0.5));
      const w = g.op("DequantizeLinear", [g.constant("w", tensor("int8", [4], [1, 2, 3, 4])), scale]);
      const noise = g.op("RandomUniform", [], { shape: [4], dtype: 1 });
      const wide = g.op("Expand", [scale, g.constant("dims", int64s([1000, 4]))]);
      g.output(g.op("Sum", [x, w, noise, wide]));
    });
    const asked: string[] = [];
    const evaluate: Evaluate = async ({ graph }) => {
      asked.push(...graph.nodes.map(({ opType }) => opType));
      return new Map();
    };
    const { model: after } = await foldConstants({ evaluate, maxBytes: 1000 }).run(before);
    expect(after).toBe(before);
    expect(asked).toEqual([]);
  });

  it("takes integers from known shapes without an evaluator", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", ["n", 3]);
      const columns = g.op("Gather", [g.op("Shape", [x]), g.constant("one", scalar("int64", 1))]);
      g.output(
        g.op("Range", [g.constant("zero", scalar("int64", 0)), columns, g.constant("step", scalar("int64", 1))]),
      );
    });
    const { model: after } = await foldConstants({ evaluate: refuses }).run(before);
    const range = after.graph.nodes.find(({ opType }) => opType === "Range");
    const count = after.graph.initializers.get(range!.inputs[1]!);
    expect(count && !("indices" in count) && [...numbersOf(count)]).toEqual([3]);
  });

  it("turns Constant nodes of every form into initializers", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", [2]);
      const whole = g.op("Constant", [], { value_int: 2 });
      const list = g.op("Constant", [], { value_floats: { type: "floats", value: [1, 2] } });
      g.output(g.op("Mul", [g.op("Mul", [x, list]), g.op("Cast", [whole], { to: 1 })]));
    });
    const { model: after } = await foldConstants({ evaluate: refuses }).run(before);
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(["Mul", "Cast", "Mul"]);
    const stored = [...after.graph.initializers.values()].map((t) =>
      "indices" in t ? [] : [t.dtype, ...numbersOf(t)],
    );
    expect(stored).toEqual([
      ["int64", 2],
      ["float32", 1, 2],
    ]);
  });

  it("leaves a Constant alone that claims a second output, which nothing gives", async () => {
    const g = graphBuilder();
    const [one, two] = [{ name: "one" }, { name: "two" }];
    g.output(g.op("Add", [g.op("Mul", [g.input("x", "float32", [2]), one]), two]));
    const built = g.build();
    const attributes = { value: tensor("float32", [2], [1, 2]) };
    const before = model({ ...built, nodes: [makeNode("Constant", [], [one, two], { attributes }), ...built.nodes] });
    for (const pass of [foldConstants({ evaluate: adds }), storeConstants()]) {
      const { model: after } = await pass.run(before);
      expect(after.graph.nodes.map(({ opType }) => opType)).toContain("Constant");
      expect(verify(after)).toEqual(verify(before));
    }
  });

  it.each([
    { length: 1024, around: ["a", "b", "sum_1"], inside: [] },
    { length: 1023, around: ["a", "b"], inside: ["sum", "sum"] },
  ])("holds a result of $length elements that branches have in common: $around", async ({ length, around, inside }) => {
    const numbers = (step: number) =>
      tensor(
        "float32",
        [length],
        new Float32Array(length).map((_, i) => i * step),
      );
    const before = build((g) => {
      const x = g.input("x", "float32", [length]);
      const [a, b] = [g.constant("a", numbers(1)), g.constant("b", numbers(2))];
      const branch = (opType: string) => {
        const inner = g.subgraph();
        const sum = { name: "sum" };
        const nodes = [makeNode("Add", [a, b], [sum]), makeNode(opType, [x, sum], [{ name: "y" }])];
        return { ...inner.build(), nodes, outputs: [nodes[1]!.outputs[0]!] };
      };
      const branches = { then_branch: graphAttribute(branch("Mul")), else_branch: graphAttribute(branch("Sub")) };
      g.output(g.op("If", [g.input("go", "bool", [])], branches), "chosen");
    });
    const { model: after } = await foldConstants({ evaluate: adds }).run(before);
    expect(verify(after)).toEqual([]);
    const [main, ...inner] = [...allGraphs(after.graph)].map(({ initializers }) => [...initializers.keys()]);
    expect(main!.map(({ name }) => name)).toEqual(around);
    expect(inner.flat().map(({ name }) => name)).toEqual(inside);
    for (const go of [true, false]) {
      const feeds = new Map([
        ["x", numbers(0.5)],
        ["go", tensor("bool", [], [go ? 1 : 0])],
      ]);
      expect(evaluate(after, feeds)).toEqual(evaluate(before, feeds));
    }
  });

  it("stores what is no larger than the constants behind it, however small what lies between is", async () => {
    const before = build((g) => {
      const w = g.constant("w", tensor("float32", [400], new Float32Array(400).fill(-2)));
      const zero = g.constant("zero", scalar("float32", 0));
      const [low, high] = [-1, 1].map((level) => g.constant("level", scalar("float32", level)));
      g.output(g.op("Add", [g.input("x", "float32", [400]), g.op("Where", [g.op("Less", [w, zero]), low, high])]), "y");
    });
    const { model: after } = await foldConstants({
      evaluate: async (part, feeds) => evaluate(part, feeds, { precision: "declared" }),
      maxBytes: 1000,
    }).run(before);
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(["Add", "Identity"]);
  });

  it("lets errors through that are no refusals", async () => {
    const before = build((g) => {
      const a = g.constant("a", scalar("float32", 1));
      g.output(g.op("Add", [g.input("x", "float32"), g.op("Exp", [a])]));
    });
    const evaluate: Evaluate = async () => {
      throw new TypeError("a mistake in the evaluator");
    };
    await expect(foldConstants({ evaluate }).run(before)).rejects.toThrow("a mistake in the evaluator");
  });
});
