import { describe, expect, it } from "vitest";
import { graphBuilder, int64s, type Model, model, numbersOf, tensorFromNumbers, type Value } from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { evaluate } from "../reference/index.ts";
import { openSession } from "../runtime/index.ts";
import { type Differentiated, differentiateGraph } from "./gradient.ts";
import { memoryEstimate } from "./memory-estimate.ts";
import { everyBoundary, rematerialise, withinBytes } from "./rematerialise.ts";

const WIDTH = 8;
const symbols = new Map([["batch", 64]]);

/** A chain of `depth` blocks Tanh(x·w + b) and its gradient with respect to all parameters. */
function chain(depth: number): Differentiated & { readonly loss: Value } {
  const g = graphBuilder({ infer: builderInference(21) });
  let x = g.input("x", "float32", ["batch", WIDTH]);
  const wrt: Value[] = [];
  for (let i = 0; i < depth; i++) {
    const values = Array.from({ length: WIDTH * WIDTH }, (_, k) => Math.sin(k + i) / 3);
    wrt.push(g.constant("w", tensorFromNumbers("float32", [WIDTH, WIDTH], values)));
    wrt.push(g.constant("b", tensorFromNumbers("float32", [WIDTH], values.slice(0, WIDTH))));
    x = g.op("Tanh", [g.op("Add", [g.op("MatMul", [x, wrt.at(-2)]), wrt.at(-1)])]);
  }
  const loss = g.op("ReduceMean", [g.op("Mul", [x, x])], { keepdims: 0 });
  const built = { ...g.build(), outputs: [loss] };
  const differentiated = differentiateGraph(built, { of: loss, wrt, opset: 21 });
  const outputs = [loss, ...wrt.map((value) => differentiated.gradients.get(value)!)];
  return { ...differentiated, graph: { ...differentiated.graph, outputs }, loss };
}

function asModel({ graph }: Differentiated): Model {
  return model(graph);
}

const feeds = new Map([
  [
    "x",
    tensorFromNumbers(
      "float32",
      [64, WIDTH],
      Array.from({ length: 64 * WIDTH }, (_, i) => Math.cos(i)),
    ),
  ],
]);

describe("rematerialise", () => {
  for (const k of [1, 2, 5, 100]) {
    it(`gives the same gradients when every ${k}th boundary is kept`, () => {
      const plain = chain(8);
      const [a, b] = [plain, rematerialise(plain, everyBoundary(k))].map((item) => evaluate(asModel(item), feeds));
      for (const [name, values] of a!) expect([...numbersOf(b!.get(name)!)]).toEqual([...numbersOf(values)]);
    });
  }

  it("takes less memory by the estimate, for more nodes", () => {
    const plain = chain(32);
    const less = rematerialise(plain, everyBoundary(12));
    const [before, after] = [plain, less].map(({ graph }) => memoryEstimate(graph, { symbols }).peak);
    expect(after).toBeLessThan(0.6 * before!);
    expect(less.graph.nodes.length).toBeGreaterThan(plain.graph.nodes.length);
  });

  it("chooses the densest checkpoints that fit", () => {
    const plain = chain(32);
    const { peak } = memoryEstimate(plain.graph, { symbols });
    const fitted = rematerialise(plain, withinBytes(0.6 * peak, { symbols }));
    expect(memoryEstimate(fitted.graph, { symbols }).peak).toBeLessThanOrEqual(0.6 * peak);
    expect(() => rematerialise(plain, withinBytes(1000, { symbols }))).toThrow(/1000 bytes.*at best/s);
  });

  it("is not undone by ONNX Runtime, which merges equal nodes, and gives the same results there", async () => {
    const plain = chain(6);
    const onRuntime = async (item: Differentiated) => {
      await using session = await openSession(asModel(item), { profile: true });
      const results = await session.run(feeds);
      const nodes = await session.profile();
      return {
        tanhs: nodes.filter(({ opType }) => /Tanh|FusedGemm/.test(opType)).length,
        results: [...results.values()],
      };
    };
    const before = await onRuntime(plain);
    const after = await onRuntime(rematerialise(plain, everyBoundary(6)));
    expect(before.tanhs).toBe(6);
    expect(after.tanhs).toBe(9);
    expect(after.results.map((t) => [...numbersOf(t)])).toEqual(before.results.map((t) => [...numbersOf(t)]));
  });
});

describe("memoryEstimate", () => {
  it("counts what lives at one time, and no view", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["n", 4]);
    const a = g.op("Exp", [x]);
    const b = g.op("Exp", [g.op("Unsqueeze", [a, g.constant("axes", int64s([0]))])]);
    g.output(g.op("Exp", [b]), "y");
    const { peak, held, unknown } = memoryEstimate(g.build(), { symbols: new Map([["n", 10]]) });
    expect([peak, held, unknown]).toEqual([2 * 160, 160 + 8, []]);
  });

  it("says which lengths it does not know", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    g.output(g.op("Exp", [g.input("x", "float32", ["n"])]), "y");
    expect(memoryEstimate(g.build()).unknown).toContain("x");
  });
});
