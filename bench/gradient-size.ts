/**
 * @file How long the gradient of a large graph takes to build: residual blocks of 20 nodes, 20,000 nodes in all.
 *
 *     node --import ./scripts/typescript.mjs bench/gradient-size.ts [NODES]
 */
import { differentiateGraph } from "../src/autodiff/index.ts";
import { graphBuilder, type Model, model, tensorFromNumbers, type Value } from "../src/ir/index.ts";
import { builderInference } from "../src/ops/index.ts";

const wanted = Number(process.argv[2] ?? 20_000);
const built = deepModel(wanted);
const weights = [...built.graph.initializers.keys()].filter(({ name }) => name.startsWith("weight"));
const loss = built.graph.outputs[0]!;
for (let round = 1; round <= 3; round++) {
  const start = performance.now();
  const { graph, forward } = differentiateGraph(built.graph, { of: loss, wrt: weights, opset: 21 });
  const seconds = (performance.now() - start) / 1000;
  const added = graph.nodes.length - forward;
  console.log(
    `${forward} nodes, ${weights.length} weights: ${added} gradient nodes in ${seconds.toFixed(2)} s (run ${round})`,
  );
}

/** A chain of normalisation, attention-like products and activations on [batch, 8, 16]. */
function deepModel(count: number): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  let x = g.input("x", "float32", ["batch", 8, 16]);
  const weight = (...dims: number[]): Value =>
    g.constant("weight", tensorFromNumbers("float32", dims, new Array(dims.reduce((n, d) => n * d, 1)).fill(0.1)));
  while (g.nodes.length < count - 4) {
    const y = g.op("LayerNormalization", [x, weight(16), weight(16)], { axis: -1 });
    const [q, k, v] = [0, 1, 2].map(() => g.op("Add", [g.op("MatMul", [y, weight(16, 16)]), weight(16)]));
    const scores = g.op("MatMul", [q, g.op("Transpose", [k], { perm: [0, 2, 1] })]);
    const mixed = g.op("MatMul", [g.op("Softmax", [scores], { axis: -1 }), v]);
    const first = g.op("Add", [x, g.op("MatMul", [mixed, weight(16, 16)])]);
    const hidden = g.op("Gelu", [g.op("Add", [g.op("MatMul", [first, weight(16, 32)]), weight(32)])]);
    x = g.op("Add", [first, g.op("MatMul", [hidden, weight(32, 16)])]);
    x = g.op("Sigmoid", [g.op("Reshape", [x, g.op("Shape", [x])])]);
  }
  g.output(g.op("ReduceMean", [g.op("Mul", [x, x])], { keepdims: 0 }), "loss");
  return model(g.build());
}
