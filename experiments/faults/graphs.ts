/** @file Faults of rewritten graphs: 64-bit integers, types, ranges, shapes and names. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  bigintsOf,
  type GraphBuilder,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  opsetOf,
  scalar,
  sizeOf,
  type Tensor,
  tensor,
  typedArray,
} from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { cleanup, convertFloat16, foldConstants, upgradeOpset } from "../../src/passes/index.ts";
import { quantize } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import type { Evaluate } from "../../src/rewrite/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import type { Answer, Fault } from "./fault.ts";

type Tried = (model: Model) => Promise<Answer>;

const byReference: Evaluate = async (of, feeds) => evaluate(of, feeds, { precision: "declared" });

const byRuntime: Evaluate = async (of, feeds) => {
  await using session = await openSession(of);
  return session.run(feeds);
};

/** Tries a file of the small inputs. */
function onCase(name: string, tried: Tried): Fault["try"] {
  return async ({ shared }) =>
    tried(decodeModel(new Uint8Array(await readFile(join(shared, "cases", `${name}.onnx`)))));
}

/** Tries a model that is built here. */
function onModel(opset: number, make: (g: GraphBuilder) => void, tried: Tried): Fault["try"] {
  return async () => {
    const g = graphBuilder();
    make(g);
    return tried(model(g.build(), { opsets: new Map([["", opset]]), irVersion: 8 }));
  };
}

async function answer(of: Model, feeds: Feeds): Promise<Float64Array> {
  await using session = await openSession(of);
  return numbersOf([...(await session.run(feeds)).values()][0]!);
}

async function answerOrError(of: Model, feeds: Feeds): Promise<string> {
  try {
    return `[${[...(await answer(of, feeds))].join(", ")}]`;
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 160) : "no error";
  }
}

async function loaded(of: Model): Promise<Answer> {
  try {
    await (await openSession(of)).release();
    return { got: "loads", ok: true };
  } catch (error) {
    return { got: error instanceof Error ? error.message.slice(0, 160) : "no error", ok: false };
  }
}

function expectText(got: string, right: string): Answer {
  return { got, ok: got === right };
}

/** The float16 form against the model itself: whether the runtime loads and runs it, and what it computes where every node really rounds. */
async function halfError(before: Model, feeds: Feeds, bound: number): Promise<Answer> {
  const { model: after } = await convertFloat16().run(before);
  try {
    await answer(after, feeds);
    const [right, got] = [before, after].map((of) =>
      numbersOf([...evaluate(of, feeds, { precision: "declared" }).values()][0]!),
    );
    const [worst, scale] = [worstOf(right!, got!), worstOf(right!, new Float64Array(right!.length))];
    return { got: `relative error ${(worst / scale).toExponential(1)}`, ok: worst / scale < bound };
  } catch (error) {
    return { got: error instanceof Error ? error.message.slice(0, 160) : "no error", ok: false };
  }
}

function worstOf(right: Float64Array, got: Float64Array): number {
  return got.reduce((most, x, i) => Math.max(most, Number.isNaN(x) ? Infinity : Math.abs(x - right[i]!)), 0);
}

function wave(dims: readonly number[], change: (x: number) => number): Tensor {
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => change(Math.sin(1 + 7.3 * i))),
  );
}

const integers = "64-bit integers";
const types = "Types";
const ranges = "Ranges";
const shapes = "Shapes";
const names = "Names";
const ramp = tensor("float32", [1, 4], [1, 2, 3, 4]);

export const graphFaults: readonly Fault[] = [
  {
    kind: integers,
    name: "upgrade-slice-to-end: upgradeOpset",
    right: "[7]",
    before: "[0]: INT64_MAX became negative",
    try: onCase("upgrade-slice-to-end", async (before) => {
      const { model: after } = await upgradeOpset().run(before);
      return expectText(await answerOrError(after, new Map([["x", ramp]])), "[7]");
    }),
  },
  {
    kind: integers,
    name: "foldConstants of a Constant with the list [INT64_MAX, 2^53 + 1]",
    right: "9223372036854775807,9007199254740993",
    before: "-9223372036854775808,9007199254740992",
    try: onModel(
      17,
      (g) => {
        const value = { type: "ints", value: [2n ** 63n - 1n, 2n ** 53n + 1n] } as const;
        g.output(g.op("Identity", [g.op("Constant", [], { value_ints: value })]), "y");
      },
      async (before) => {
        const { model: after } = await foldConstants({ evaluate: byReference }).run(before);
        const [stored] = [...after.graph.initializers.values()].filter((data): data is Tensor => "dtype" in data);
        const list = after.graph.nodes.flatMap((node) => bigintsOf(node, "value_ints") ?? []);
        const got = stored ? [...typedArray(stored)].join() : list.join();
        return expectText(got, "9223372036854775807,9007199254740993");
      },
    ),
  },
  {
    kind: types,
    name: "upgrade-types: upgradeOpset",
    right: "opset 28, with a note",
    before: "opset 21, which does not allow float16 there",
    try: onCase("upgrade-types", async (before) => {
      const { model: after, notes = [] } = await upgradeOpset().run(before);
      const got = `opset ${opsetOf(after)}; ${notes.map(({ reason }) => reason).join()}`;
      return { got, ok: after === before && /float16 .* not allowed by Celu at opset 21/.test(got) };
    }),
  },
  {
    kind: types,
    name: "float16-constantofshape: float16",
    right: "relative error below 2e-3",
    before: "Type (tensor(float)) of output arg does not match expected type (tensor(float16))",
    try: onCase("float16-constantofshape", (before) =>
      halfError(before, new Map([["x", wave([2, 8], (x) => x)]]), 2e-3),
    ),
  },
  {
    kind: types,
    name: "float16-scatter-reduction: float16",
    right: "relative error below 2e-3",
    before: "CPU execution provider: MLFloat16 data type is not supported with ScatterElements reduction",
    try: onCase("float16-scatter-reduction", (before) =>
      halfError(
        before,
        new Map([
          ["data", wave([1, 5], (x) => x)],
          ["indices", tensor("int64", [1, 2], [1, 3])],
          ["updates", wave([1, 2], (x) => x)],
        ]),
        2e-3,
      ),
    ),
  },
  {
    kind: ranges,
    name: "float16-mask: float16, a row of the mask all false",
    right: "relative error below 5e-3",
    before: "NaN",
    try: onCase("float16-mask", (before) => {
      const seen = Uint8Array.from({ length: 24 }, (_, i) => (i < 18 && i % 6 <= 3 ? 1 : 0));
      const feeds = new Map([
        ["q", wave([1, 4, 8], (x) => -Math.abs(x) - 8)],
        ["mask", tensor("bool", [1, 4, 6], seen)],
      ]);
      return halfError(before, feeds, 5e-3);
    }),
  },
  {
    kind: ranges,
    name: "x · 1e-9 · 1e9: float16",
    right: "relative error below 2e-3",
    before: "relative error 1: constants became 6e-8 and 65504",
    try: onModel(
      17,
      (g) => {
        const number = (x: number) => g.constant("number", scalar("float32", x));
        const small = g.op("Mul", [g.input("x", "float32", [1, 4]), number(1e-9)]);
        g.output(g.op("Mul", [small, number(1e9)]), "y");
      },
      (before) => halfError(before, new Map([["x", ramp]]), 2e-3),
    ),
  },
  {
    kind: ranges,
    name: "a spelled-out norm of values around 2000: float16",
    right: "relative error below 5e-3",
    before: "0 for every element: squares became infinite",
    try: onModel(
      17,
      (g) => {
        const x = g.input("x", "float32", [1, 4]);
        const number = (value: number) => g.constant("number", scalar("float32", value));
        const centred = g.op("Sub", [x, g.unchecked("ReduceMean", [x], 1, { axes: [-1] })[0]]);
        const variance = g.unchecked("ReduceMean", [g.op("Pow", [centred, number(2)])], 1, { axes: [-1] })[0];
        g.output(g.op("Div", [centred, g.op("Sqrt", [g.op("Add", [variance, number(1e-12)])])]), "y");
      },
      (before) => halfError(before, new Map([["x", wave([1, 4], (x) => 2000 * x)]]), 5e-3),
    ),
  },
  {
    kind: shapes,
    name: "range-rank1: clean",
    right: "[1, 3, 5, 7]",
    before: "Input to 'Range' op should be scalars",
    try: onCase("range-rank1", async (before) => {
      const { model: after } = await cleanup({ evaluate: byRuntime }).run(before);
      return expectText(await answerOrError(after, new Map([["x", ramp]])), "[1, 3, 5, 7]");
    }),
  },
  {
    kind: shapes,
    name: "GroupNormalization of opset 18 with a computed scale: upgradeOpset",
    right: "opset 21, the same numbers",
    before: "opset 18, and the gradient took the scale of a group for that of a channel",
    try: onModel(
      18,
      (g) => {
        const scale = g.op("Abs", [g.input("scale", "float32", [2])]);
        const bias = g.constant("bias", tensor("float32", [2], [0.5, -0.5]));
        g.output(g.op("GroupNormalization", [g.input("x", "float32", [1, 4, 3]), scale, bias], { num_groups: 2 }), "y");
      },
      async (before) => {
        const { model: after } = await upgradeOpset().run(before);
        const feeds = new Map([
          ["x", wave([1, 4, 3], (x) => x)],
          ["scale", tensor("float32", [2], [1, 2])],
        ]);
        const [right, got] = [evaluate(before, feeds).get("y")!, await answer(after, feeds)];
        const worst = numbersOf(right).reduce((most, x, i) => Math.max(most, Math.abs(x - got[i]!)), 0);
        return {
          got: `opset ${opsetOf(after)}, difference ${worst.toExponential(1)}`,
          ok: opsetOf(after) === 21 && worst < 1e-5,
        };
      },
    ),
  },
  {
    kind: names,
    name: "shared-weight: weight-only, 8 bits, as DequantizeLinear",
    right: "loads",
    before: "two nodes with same node name (k_DequantizeLinear)",
    try: onCase("shared-weight", async (before) => {
      const { model: cleaned } = await cleanup({ evaluate: byReference }).run(before);
      const { model: after } = await quantize(cleaned, {
        form: "weight-only",
        bits: 8,
        format: "dequantize",
        convolutions: true,
      });
      return loaded(after);
    }),
  },
  {
    kind: names,
    name: "Softmax of opset 11 over a matrix: upgradeOpset",
    right: "loads",
    before: "two nodes with same node name (softmax)",
    try: onModel(
      11,
      (g) => g.output(g.op("Softmax", [g.input("x", "float32", [2, 3, 4])], { axis: 1 }), "y"),
      async (before) => {
        return loaded((await upgradeOpset().run(before)).model);
      },
    ),
  },
];
