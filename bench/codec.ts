/**
 * @file Decoding, verifying and encoding a model of 100 MB and a graph of 20,000 nodes; medians in milliseconds, as JSON.
 *
 *     node --import ./scripts/typescript.mjs bench/codec.ts
 */
import { cpus } from "node:os";
import { float, graphBuilder, type Model, model, tensor, verify } from "../src/ir/index.ts";
import { decodeModel, encodeModel } from "../src/onnx/index.ts";

const RUNS = 5;

/** 25 matrices of 1024 × 1024 float32. */
function heavyModel(): Model {
  const g = graphBuilder();
  let x = g.input("x", "float32", ["n", 1024]);
  for (let i = 0; i < 25; i++) {
    const w = g.constant("w", tensor("float32", [1024, 1024], new Float32Array(2 ** 20).fill(i)));
    x = g.op("Relu", [g.op("MatMul", [x, w])]);
  }
  g.output(x, "y");
  return model(g.build());
}

/** Residual blocks of four nodes with a bias each, types on every value, until there are 20,000 nodes. */
function longModel(): Model {
  const g = graphBuilder({ infer: () => [{ kind: "tensor", dtype: "float32", dims: ["n", 16] }] });
  const w = g.constant("w", tensor("float32", [16, 16], new Float32Array(256)));
  let x = g.input("x", "float32", ["n", 16]);
  for (let i = 0; i < 5000; i++) {
    const b = g.constant("b", tensor("float32", [16], new Float32Array(16)));
    const y = g.op("LeakyRelu", [g.op("Add", [g.op("MatMul", [x, w]), b])], { alpha: float(0.5) });
    x = g.op("Add", [x, y]);
  }
  g.output(x, "y");
  return model(g.build());
}

function median(run: () => void): number {
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return Math.round(10 * (times[Math.floor(RUNS / 2)] as number)) / 10;
}

function measure(subject: Model): Record<string, number> {
  const bytes = encodeModel(subject);
  const decode = median(() => decodeModel(bytes));
  const check = median(() => verify(decodeModel(bytes))) - decode;
  const encode = median(() => encodeModel(subject));
  return {
    bytes: bytes.length,
    nodes: subject.graph.nodes.length,
    decodeMs: decode,
    verifyMs: Math.max(0, Math.round(10 * check) / 10),
    encodeMs: encode,
    totalMs: median(() => {
      const decoded = decodeModel(bytes);
      if (verify(decoded).length > 0) throw new Error("the generated model is wrong");
      encodeModel(decoded);
    }),
  };
}

const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
console.log(
  JSON.stringify({ machine, runs: RUNS, heavy: measure(heavyModel()), long: measure(longModel()) }, undefined, 2),
);
