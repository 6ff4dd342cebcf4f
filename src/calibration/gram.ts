/** @file Products of patch matrices, computed by the runtime. */
import { must } from "../checked.ts";
import { floatsOf, graphBuilder, type Model, model, tensor } from "../ir/index.ts";
import type { OpenSession } from "../runtime/index.ts";

/** Matrices `groups × positions × n` in, `groups × n × n` out. */
export interface GramProduct extends AsyncDisposable {
  /** Σ over positions of `a bᵀ`, for every group. */
  multiply(a: Float32Array, b: Float32Array, groups: number, positions: number, n: number): Promise<Float32Array>;
}

export async function openGram(open: OpenSession, threads = 1): Promise<GramProduct> {
  const session = await open(gramModel(), { threads, name: "gram", step: "multiplying activations" });
  return {
    async multiply(a, b, groups, positions, n) {
      const dims = [groups, positions, n];
      const feeds = new Map([
        ["a", tensor("float32", dims, a)],
        ["b", tensor("float32", dims, b)],
      ]);
      return floatsOf(must(await session.run(feeds), "product"));
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

function gramModel(): Model {
  const g = graphBuilder();
  const [a, b] = ["a", "b"].map((name) => g.input(name, "float32", ["groups", "positions", "n"]));
  const transposed = g.op("Transpose", [a], { perm: [0, 2, 1] });
  g.output(g.op("MatMul", [transposed, b], {}, { name: "product" }));
  const graph = g.build("gram");
  return model(graph);
}
