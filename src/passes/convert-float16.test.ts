import { describe, expect, it } from "vitest";
import {
  formatType,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  scalar,
  tensor,
  verify,
} from "../ir/index.ts";
import { inferModel } from "../ops/index.ts";
import { evaluate } from "../reference/index.ts";
import { convertFloat16, type Float16Options } from "./index.ts";

function build(make: (g: GraphBuilder) => void): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build());
}

async function convert(before: Model, options: Float16Options = {}): Promise<Model> {
  const { model: after } = await convertFloat16(options).run(before);
  expect(verify(after)).toEqual([]);
  expect(inferModel(after).problems).toEqual([]);
  return after;
}

function opTypes({ graph }: Model): string[] {
  return graph.nodes.map(({ opType }) => opType);
}

const network = build((g) => {
  const x = g.input("x", "float32", [2, 2]);
  const w = g.constant("w", tensor("float32", [2, 2], [1e-9, -6e4, 0, Number.POSITIVE_INFINITY]));
  const product = g.op("MatMul", [x, w]);
  const top = g.op("CumSum", [product, g.constant("axis", scalar("int64", 0))]);
  g.output(g.op("Neg", [top]), "y");
});

describe("convert-float16", () => {
  it("keeps inputs, outputs and blocked operators in float32 behind casts", async () => {
    const after = await convert(network);
    expect(opTypes(after)).toEqual(["Cast", "MatMul", "Cast", "CumSum", "Cast", "Neg", "Identity", "Cast"]);
    expect([...after.graph.inputs, ...after.graph.outputs].map(({ type }) => formatType(type))).toEqual([
      "float32[2, 2]",
      "?",
    ]);
    const sum = after.graph.nodes.find(({ opType }) => opType === "CumSum");
    expect(inferModel(after).facts(sum!).input(0)).toMatchObject({ dtype: "float32" });
  });

  it("keeps constants from becoming 0, under their own names", async () => {
    const after = await convert(network);
    const [w, data] = [...after.graph.initializers].find(([value]) => value.name === "w")!;
    expect(formatType(w.type)).toBe("float16[2, 2]");
    const values = "indices" in data ? [] : [...numbersOf(data)];
    expect(values[0]).toBeCloseTo(5.96e-8, 10);
    expect(values.slice(1)).toEqual([-60000, 0, Number.POSITIVE_INFINITY]);
  });

  it("converts inputs and outputs when asked", async () => {
    const typed = build((g) => {
      const x = g.input("x", "float32", [2]);
      const y = g.op("Neg", [g.op("Abs", [x])]);
      g.output(y);
    });
    const after = await convert(typed, { io: "float16" });
    expect(opTypes(after)).toEqual(["Abs", "Neg"]);
    expect([...after.graph.inputs, ...after.graph.outputs].map(({ type }) => formatType(type))).toEqual([
      "float16[2]",
      "float16[2]",
    ]);
  });

  it("leaves what is beside a quantization, and nodes that the caller keeps", async () => {
    const before = build((g) => {
      const scale = g.constant("scale", scalar("float32", 0.1));
      const w = g.op("DequantizeLinear", [g.constant("w", tensor("int8", [2, 2], [1, 2, 3, 4])), scale]);
      g.output(g.op("MatMul", [g.input("x", "float32", [2, 2]), w]), "y");
    });
    expect(opTypes(await convert(before)).slice(0, 2)).toEqual(["DequantizeLinear", "MatMul"]);
    const kept = await convert(before, { keeps: ({ opType }) => opType === "Identity" });
    expect(kept).toBe(before);
  });

  it("converts inside branches, whose outputs stay float32", async () => {
    const before = build((g) => {
      const x = g.op("Abs", [g.input("x", "float32", [2])]);
      const w = g.constant("w", tensor("float32", [2], [1, 2]));
      const branch = (op: string) => {
        const inner = g.subgraph();
        inner.output(inner.unchecked(op, [x, w], 1)[0]);
        return graphAttribute(inner.build());
      };
      const condition = g.input("condition", "bool", []);
      g.output(g.op("If", [condition], { then_branch: branch("Add"), else_branch: branch("Mul") }), "y");
    });
    const after = await convert(before);
    const held = after.graph.nodes.find(({ opType }) => opType === "If")?.attributes.get("then_branch");
    if (held?.type !== "graph") throw new Error("the branch is gone");
    expect(held.value.nodes.map(({ opType }) => opType)).toEqual(["Add", "Cast"]);
    expect(formatType(inferModel(after).types.get(held.value.nodes[0]!.outputs[0]!))).toBe("float16[2]");
    expect([...after.graph.initializers.keys()].map(({ name }) => name)).toEqual(["w"]);
  });

  it("takes MatMulNBits along, with its scales, and leaves other operators of its domain", async () => {
    const product = build((g) => {
      const x = g.op("Abs", [g.input("x", "float32", [1, 32])]);
      const codes = g.constant("codes", tensor("uint8", [2, 1, 16], new Array<number>(32).fill(0x98)));
      const scales = g.constant("scales", tensor("float32", [2], [0.5, 0.25]));
      const attributes = { K: 32, N: 2, bits: 4, block_size: 32 };
      g.output(g.op("com.microsoft::Gelu", [g.op("com.microsoft::MatMulNBits", [x, codes, scales], attributes)]), "y");
    });
    const before = { ...product, opsets: new Map([...product.opsets, ["com.microsoft", 1]]) };
    const after = await convert(before);
    const { types } = inferModel(after);
    const typesOf = (opType: string) => {
      const node = after.graph.nodes.find((each) => each.opType === opType)!;
      return node.inputs.map((value) => formatType(types.get(value!)).replace(/\[.*/, ""));
    };
    expect(typesOf("MatMulNBits")).toEqual(["float16", "uint8", "float16"]);
    expect(typesOf("Gelu")).toEqual(["float32"]);
  });

  it("gives a branch a value of its own where it returns one of the graph around it", async () => {
    const before = build((g) => {
      const x = g.op("Abs", [g.input("x", "float32", [2])]);
      const branch = (op: string | undefined) => {
        const inner = g.subgraph();
        const y = op === undefined ? x : inner.unchecked(op, [x], 1)[0];
        return graphAttribute({ ...inner.build(), outputs: [y] });
      };
      const branches = { then_branch: branch(undefined), else_branch: branch("Neg") };
      g.output(g.op("If", [g.input("condition", "bool", [])], branches), "y");
    });
    const after = await convert(before);
    expect(verify(after)).toEqual([]);
    const inputs = (condition: number) =>
      new Map([
        ["x", tensor("float32", [2], [1, -2])],
        ["condition", tensor("bool", [], [condition])],
      ]);
    for (const condition of [0, 1])
      expect(evaluate(after, inputs(condition))).toEqual(evaluate(before, inputs(condition)));
  });

  it.each([
    { title: "queries that share keys", queries: 4, outputs: 1, reason: /before 1\.25/ },
    { title: "returned products", queries: 2, outputs: 4, reason: /up to 1\.26/ },
    { title: "neither", queries: 2, outputs: 1, reason: undefined },
  ])(
    "keeps an Attention that older runtimes compute wrongly or refuse: $title",
    async ({ queries, outputs, reason }) => {
      const g = graphBuilder();
      const q = g.op("Abs", [g.input("q", "float32", [1, 3, queries * 8])]);
      const [k, v] = ["k", "v"].map((name) => g.op("Abs", [g.input(name, "float32", [1, 3, 16])]));
      const heads = { q_num_heads: queries, kv_num_heads: 2 };
      const made = g.ops("Attention", [q, k, v], outputs, heads);
      g.output(made[0]!, "y");
      if (outputs === 4) g.output(made[3]!, "products");
      const before = model(g.build(), { opsets: new Map([["", 23]]) });
      const { model: after, notes = [] } = await convertFloat16().run(before);
      const attention = after.graph.nodes.find(({ opType }) => opType === "Attention")!;
      const expected = reason ? "float32" : "float16";
      expect(inferModel(after).facts(attention).input(0)).toMatchObject({ dtype: expected });
      const reasons = notes.map((note) => note.reason).join();
      if (reason) expect(reasons).toMatch(reason);
      else expect(reasons).toBe("");
    },
  );
});
