/**
 * @file What rematerialisation saves and costs: estimated and resident peak memory and time per run of a deep network's gradient,
 * each in a process of its own.
 *
 *     node --import ./scripts/typescript.mjs bench/rematerialisation.ts
 */
import {
  type Differentiated,
  differentiateGraph,
  everyBoundary,
  memoryEstimate,
  rematerialise,
} from "../src/autodiff/index.ts";
import { graphBuilder, model, tensor, type Value } from "../src/ir/index.ts";
import { median } from "../src/measure/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { openSession } from "../src/runtime/index.ts";

const [DEPTH, WIDTH, BATCH] = [32, 64, 16384];

function chain(): Differentiated {
  const g = graphBuilder({ infer: builderInference(21) });
  let x = g.input("x", "float32", [BATCH, WIDTH]);
  const wrt: Value[] = [];
  for (let i = 0; i < DEPTH; i++) {
    const values = Float32Array.from({ length: WIDTH * WIDTH }, (_, k) => Math.sin(k * 12.9 + i) / 16);
    const w = g.constant("w", tensor("float32", [WIDTH, WIDTH], values));
    wrt.push(w);
    x = g.op("Tanh", [g.op("MatMul", [x, w])]);
  }
  const loss = g.op("ReduceMean", [g.op("Mul", [x, x])], { keepdims: 0 });
  const result = differentiateGraph({ ...g.build(), outputs: [loss] }, { of: loss, wrt, opset: 21 });
  const outputs = [loss, ...wrt.map((value) => result.gradients.get(value)!)];
  return { ...result, graph: { ...result.graph, outputs } };
}

const plain = chain();
const feeds = new Map([["x", tensor("float32", [BATCH, WIDTH], new Float32Array(BATCH * WIDTH).fill(0.5))]]);
for (const k of [0, 4, 10]) {
  const { graph } = k === 0 ? plain : rematerialise(plain, everyBoundary(k));
  const { peak } = memoryEstimate(graph);
  await using session = await openSession(model(graph), { isolate: "process", threads: 2 });
  const before = (await session.memory?.())?.resident ?? 0;
  await session.run(feeds, { fetches: [graph.outputs[0]!.name] });
  const { times } = await session.time(feeds, 2);
  const resident = ((await session.memory?.())?.peak ?? 0) - before;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  const label = k === 0 ? "all kept" : `every ${k}th kept`;
  console.log(
    `${label}: estimate ${megabytes(peak)}, resident ${megabytes(resident)}, ${median(times).toFixed(0)} ms, ${graph.nodes.length} nodes`,
  );
}
