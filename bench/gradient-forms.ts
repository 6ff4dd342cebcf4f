/**
 * @file Forms of gradients beside those of convolutions, interleaved: sums over rows as ReduceSum and as a product with ones,
 * products over all rows, and the forms of a maximum pool, forward and backward together. Medians in milliseconds and ratios to the fastest.
 *
 *     node --import ./scripts/typescript.mjs bench/gradient-forms.ts [ROUNDS]
 */
import { defaultForms, differentiateGraph, type MaxPoolFormName } from "../src/autodiff/index.ts";
import { type Graph, graphBuilder, int64s, model, type Tensor, tensor, type Value } from "../src/ir/index.ts";
import { median } from "../src/measure/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { openSession } from "../src/runtime/index.ts";

const rounds = Number(process.argv[2] ?? 9);

function noise(dims: readonly number[]): Tensor {
  const size = dims.reduce((count, d) => count * d, 1);
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898)),
  );
}

/** Σ over all axes but the last. */
function rowSum(dims: readonly number[], form: "reduce" | "product"): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", dims);
  const rows = dims.slice(0, -1).reduce((n, d) => n * d, 1);
  const axes = g.constant("axes", int64s(dims.slice(0, -1).map((_, i) => i)));
  if (form === "reduce") g.output(g.op("ReduceSum", [x, axes], { keepdims: 0 }));
  else {
    const flat = g.op("Reshape", [x, g.constant("shape", int64s([rows, dims.at(-1)!]))]);
    const ones = g.constant("ones", tensor("float32", [1, rows], new Float32Array(rows).fill(1)));
    g.output(g.op("Reshape", [g.op("MatMul", [ones, flat]), g.constant("shape", int64s([dims.at(-1)!]))]));
  }
  return g.build();
}

/** The gradient of w in x·w for a batch of matrices x. */
function rowProduct(dims: readonly number[], width: number, weightProduct: "transposed" | "fused"): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", dims);
  const w = g.constant("w", noise([dims.at(-1)!, width]));
  const y = g.op("MatMul", [x, w]);
  const seed = g.constant("seed", noise([...dims.slice(0, -1), width]));
  const forms = { ...defaultForms, weightProduct };
  const { graph, gradients } = differentiateGraph(g.build(), { of: y, wrt: [w], seed, opset: 21, forms });
  return { ...graph, outputs: [gradients.get(w)!] };
}

/** The pool, and the gradient of its sum of squares. */
function pool(dims: readonly number[], kernel: number, stride: number, form: MaxPoolFormName): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", dims);
  const pad = Math.floor((kernel - stride) / 2);
  const y = g.op("MaxPool", [x], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  });
  const loss: Value = g.op("ReduceSum", [g.op("Mul", [y, y])], { keepdims: 0 });
  const forms = { ...defaultForms, pool: { max: () => [form] } };
  const { graph, gradients } = differentiateGraph(g.build(), { of: loss, wrt: [x], opset: 21, forms });
  return { ...graph, outputs: [gradients.get(x)!] };
}

async function measure(name: string, graphs: Readonly<Record<string, Graph>>, threads: number): Promise<void> {
  const entries = [];
  for (const [form, graph] of Object.entries(graphs)) {
    const session = await openSession(model(graph), { threads });
    const dims = graph.inputs[0]!.type?.kind === "tensor" ? graph.inputs[0]!.type.dims : [];
    const held = await session.hold!(new Map([["x", noise(dims as number[])]]));
    await held.time(1);
    entries.push({ form, session, held, times: [] as number[] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const entry of round % 2 ? [...entries].reverse() : entries) {
      entry.times.push((await entry.held.time(1)).times[0]!);
    }
  }
  for (const { session } of entries) await session.release();
  const sorted = entries.map(({ form, times }) => [form, median(times)] as const).sort((a, b) => a[1] - b[1]);
  const list = sorted.map(([form, time]) => `${form} ${time.toFixed(2)} (${(time / sorted[0]![1]).toFixed(2)})`);
  console.log(`${name}, ${threads} threads: ${list.join(", ")}`);
}

for (const threads of [1, 2]) {
  for (const dims of [
    [64, 256],
    [4096, 192],
    [8192, 1024],
    [64, 64, 192],
    [512, 10],
  ]) {
    const graphs = { reduce: rowSum(dims, "reduce"), product: rowSum(dims, "product") };
    await measure(`sum over rows of [${dims}]`, graphs, threads);
  }
  for (const [dims, width] of [
    [[64, 64, 192], 768],
    [[64, 64, 768], 192],
    [[16, 128, 256], 1024],
  ] as const) {
    const graphs = { transposed: rowProduct(dims, width, "transposed"), fused: rowProduct(dims, width, "fused") };
    await measure(`gradient of weights [${dims.at(-1)}, ${width}] over [${dims}]`, graphs, threads);
  }
  const plain = { indices: 0, repeated: 0, compared: 0 };
  for (const [dims, kernel, stride] of [
    [[32, 64, 32, 32], 2, 2],
    [[32, 16, 14, 14], 2, 2],
    [[32, 64, 32, 32], 3, 2],
  ] as const) {
    const names = (Object.keys(plain) as MaxPoolFormName[]).filter((form) => form !== "repeated" || kernel === stride);
    const graphs = Object.fromEntries(names.map((form) => [form, pool(dims, kernel, stride, form)]));
    await measure(`maximum pool ${kernel}/${stride} of [${dims}]`, graphs, threads);
  }
}
