/** @file Models with shared initializers, values that are used many times and hostile names stay valid through every pass and quantizer. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  type Value,
  verify,
  withGraph,
} from "../../src/ir/index.ts";
import { type QuantizeOptions, quantize } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { Evaluate } from "../../src/rewrite/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { type EveryPassName, everyPass } from "../every-pass.ts";
import { floats } from "./pass-graphs.ts";

const byReference: Evaluate = async (of, feeds) => evaluate(of, feeds, { precision: "declared" });

/** Words that objects have. The runtime's Node binding gives no outputs of such names, so that only nodes bear them here. */
const words = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"];

/** Names with other letters, and names that lithe or the runtime makes itself. */
const hostile = [
  ...["wéight/β", "a/b c", '"quoted"', "line\nbreak"],
  ...["w_quantized", "w_scale", "w_zero_point", "w_DequantizeLinear", "w_DequantizeLinear_Output", "w_fp16"],
  ...["x_QuantizeLinear", "x_fp16", "x_fp16_cast", "b_quantized", "y_fp16", "y_cast", "w_1", "conv", "conv_1", "y_1"],
];

interface Built {
  readonly g: GraphBuilder;
  readonly name: () => string;
  readonly parameters: Readonly<Record<"w" | "b" | "matrix" | "row" | "scale", Value>>;
}

type Step = (built: Built, x: Value) => Value;

/** Each keeps [1, 4, 6, 6]. Weights are the same objects wherever they are used. */
const steps: Readonly<Record<string, Step>> = {
  conv: ({ g, name, parameters: { w, b } }, x) =>
    g.op("Conv", [x, w, b], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: name() }),
  "conv without bias": ({ g, name, parameters: { w } }, x) =>
    g.op("Conv", [x, w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: name() }),
  product: ({ g, name, parameters: { matrix } }, x) => g.op("MatMul", [x, matrix], {}, { name: name() }),
  "product with a bias": ({ g, name, parameters: { matrix, row } }, x) =>
    g.op("Add", [g.op("MatMul", [x, matrix]), row], {}, { name: name() }),
  relu: ({ g, name }, x) => g.op("Relu", [x], {}, { name: name() }),
  twice: ({ g, name }, x) => g.op("Add", [x, g.op("Tanh", [x])], {}, { name: name() }),
  scaled: ({ g, name, parameters: { scale } }, x) => g.op("Mul", [x, scale], {}, { name: name() }),
  idle: ({ g, name }, x) => g.op("Identity", [x], {}, { name: name() }),
  reshaped: ({ g, name }, x) => {
    const flat = g.op("Reshape", [x, g.constant(name(), int64s([1, 4, 36]))], {}, { name: name() });
    return g.op("Reshape", [flat, g.constant(name(), int64s([1, 4, 6, 6]))]);
  },
  branch: ({ g, name, parameters: { w, b } }, x) => {
    const arm = (op: string) => {
      const inner = g.subgraph();
      const conv = inner.op("Conv", [x, w, b], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: name() });
      inner.output(inner.unchecked(op, [conv], 1, {}, { name: name() })[0]);
      return graphAttribute(inner.build(name()));
    };
    const condition = g.op("Greater", [
      g.op("ReduceMax", [x], { keepdims: 0 }),
      g.op("ReduceMin", [x], { keepdims: 0 }),
    ]);
    return g.op("If", [condition], { then_branch: arm("Relu"), else_branch: arm("Neg") }, { name: name() });
  },
};

function network(chosen: readonly string[], first: number): Model {
  let next = first;
  const name = () => hostile[next++ % hostile.length]!;
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 4, 6, 6]);
  const parameters = {
    w: g.constant("w", floats([4, 4, 3, 3], 2)),
    b: g.constant("b", floats([4], 3)),
    matrix: g.constant("matrix", floats([6, 6], 4)),
    row: g.constant("row", floats([6], 5)),
    scale: g.constant("scale", floats([4, 1, 1], 6)),
  };
  const last = chosen.reduce((value, step) => steps[step]!({ g, name, parameters }, value), x);
  g.output(g.op("Tanh", [last], {}, { name: name() }), "y");
  return model(g.build());
}

/** Nodes bear the names of values that other nodes make, which is allowed. */
function withShiftedNodeNames(before: Model): Model {
  const { nodes } = before.graph;
  const shifted = nodes.map((node, i) => ({ ...node, name: words[i] ?? nodes[(i + 1) % nodes.length]!.name }));
  return withGraph(before, { ...before.graph, nodes: shifted });
}

const feeds = (seed: number): Feeds => new Map([["x", floats([1, 4, 6, 6], seed)]]);

async function* calibration(): AsyncGenerator<Feeds> {
  yield feeds(1);
}

const forms: readonly QuantizeOptions[] = [
  { form: "static", open: openSession, calibration },
  { form: "dynamic" },
  { form: "weight-only", bits: 8, convolutions: true },
  { form: "weight-only", bits: 8, convolutions: true, format: "dequantize" },
  { form: "float16" },
];

async function answersFinite(of: Model): Promise<boolean> {
  await using session = await openSession(of);
  return numbersOf((await session.run(feeds(7))).get("y")!).every(Number.isFinite);
}

describe("hostile names and shared values", () => {
  const plan = fc.array(fc.constantFrom(...Object.keys(steps)), { minLength: 3, maxLength: 7 });

  it("leave models valid through every pass and quantizer, and the runtime loads them", async () => {
    await fc.assert(
      fc.asyncProperty(plan, fc.nat(hostile.length), async (chosen, first) => {
        const before = withShiftedNodeNames(network([...chosen, "conv", "product", "conv"], first));
        expect(verify(before)).toEqual([]);
        for (const name of Object.keys(everyPass) as EveryPassName[]) {
          const { model: after } = await everyPass[name]({ evaluate: byReference }).run(before);
          expect([name, verify(after)]).toEqual([name, []]);
        }
        const { model: cleaned } = await everyPass.cleanup({ evaluate: byReference }).run(before);
        for (const form of forms) {
          const { model: after } = await quantize(cleaned, form);
          expect([form, verify(after)]).toEqual([form, []]);
          expect([form, await answersFinite(after)]).toEqual([form, true]);
        }
      }),
      { numRuns: 3, seed: 8 },
    );
  });
});
