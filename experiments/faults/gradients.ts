/** @file Gradients that were wrong, did not load, or stopped where nothing has to stop them. */
import { readFileSync } from "node:fs";
import { gradient } from "../../src/autodiff/index.ts";
import {
  type BuilderAttributes,
  type Dims,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
} from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { type Feeds, openSession, type Session } from "../../src/runtime/index.ts";
import type { Answer, Fault } from "./fault.ts";

const rightGradient = "loads on ONNX Runtime and equals central differences through ONNX Runtime";

/** The gradient of the first output against differences of plain runs, element by element. */
async function gradientAnswer(subject: Model, feeds: Feeds, wrt: readonly string[]): Promise<Answer> {
  const of = subject.graph.outputs[0]!.name;
  try {
    await using forward = await openSession(subject, { optimization: "disabled", stock: true });
    await using backward = await openSession(await gradient(subject, { of, wrt }), { stock: true });
    const own = await backward.run(
      new Map([...feeds].filter(([name]) => backward.inputs.some((input) => input.name === name))),
    );
    let worst = 0;
    for (const name of wrt) {
      const values = numbersOf(own.get(`${name}_grad`)!);
      const expected = await differences(forward, of, feeds, name);
      if (values.length !== expected.length)
        return { got: `${values.length} elements for ${expected.length}`, ok: false };
      expected.forEach((x, i) => {
        worst = Math.max(worst, Math.abs(x - values[i]!) / Math.max(1, Math.abs(x)));
      });
    }
    return { got: `differs by ${worst.toExponential(0)}`, ok: worst < 1e-2 };
  } catch (error) {
    return { got: `${(error as Error).name}: ${(error as Error).message}`.slice(0, 160), ok: false };
  }
}

async function differences(session: Session, of: string, feeds: Feeds, name: string): Promise<number[]> {
  const at = feeds.get(name)!;
  const step = 1 / 128;
  const loss = async (i: number, by: number): Promise<number> => {
    const values = numbersOf(at).map((x, k) => (k === i ? x + by : x));
    const results = await session.run(new Map([...feeds, [name, tensorFromNumbers("float32", at.dims, values)]]));
    return numbersOf(results.get(of)!)[0]!;
  };
  const slopes: number[] = [];
  for (let i = 0; i < sizeOf(at.dims); i++) slopes.push(((await loss(i, step)) - (await loss(i, -step))) / (2 * step));
  return slopes;
}

/** Spread-out numbers without ties. */
function spread(dims: readonly number[]): Tensor {
  const count = sizeOf(dims);
  const values = Array.from({ length: count }, (_, i) => 0.05 * (((i * 7919 + 13) % count) - count / 2) + 0.013);
  return tensorFromNumbers("float32", dims, values);
}

function ofCase(file: string, kind: string, before: string, dims: readonly number[]): Fault {
  return {
    kind,
    name: `\`${file}\`, gradient of \`loss\` to \`x\``,
    right: rightGradient,
    before,
    try({ shared }) {
      const subject = decodeModel(readFileSync(`${shared}/cases/${file}`));
      return gradientAnswer(subject, new Map([["x", spread(dims)]]), ["x"]);
    },
  };
}

interface Subject {
  readonly op: string;
  /** Real dims of the inputs, and the declared ones where they differ. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly declared?: Readonly<Record<string, Dims>>;
  /** Integer inputs behind the others; without a name in `inputs` they are constants. */
  readonly integers?: readonly (readonly number[] | undefined)[];
  readonly attributes?: BuilderAttributes;
}

/** Σ y·sin(y) of one node. */
function modelOf({ op, inputs, declared = {}, integers = [], attributes = {} }: Subject): Model {
  const g = graphBuilder();
  const fed = Object.entries(inputs).map(([name, dims]) => g.input(name, "float32", declared[name] ?? dims));
  const [first, ...others] = fed;
  const ints = integers.map((values) => values && g.constant("ints", int64s(values)));
  const y = g.unchecked(op, [first, ...ints, ...others], 1, attributes)[0];
  const loss = g.op("ReduceSum", [g.op("Mul", [y, g.op("Sin", [y])])], { keepdims: 0 });
  g.output(loss, "loss");
  return model(g.build(), { opsets: new Map([["", 21]]) });
}

function ofNode(kind: string, name: string, before: string, subject: Subject): Fault {
  return {
    kind,
    name,
    right: rightGradient,
    before,
    try: () => {
      const feeds = new Map(Object.entries(subject.inputs).map(([key, dims]) => [key, spread(dims)]));
      return gradientAnswer(modelOf(subject), feeds, Object.keys(subject.inputs));
    },
  };
}

const combined = "attributes in combination";
const open = "lengths that only a run knows";
const unknown = { x: ["n", "c", "h", "w"] };

export const gradientFaults: readonly Fault[] = [
  ofCase("gradient-pad-negative.onnx", combined, "[2, 2, 4, 6]: 96 elements for 120", [2, 2, 5, 6]),
  ofCase("gradient-maxpool-ceil.onnx", combined, "does not load: Incompatible dimensions", [2, 2, 5, 6]),
  ofCase("gradient-clip-reversed.onnx", combined, "nonzero", [3, 5]),
  ofNode(combined, "Pad in mode `wrap` with a cut and a copy", "wrong values: differs by 1", {
    op: "Pad",
    inputs: { x: [3, 4] },
    integers: [[1, -1, 0, 2]],
    attributes: { mode: "wrap" },
  }),
  ofNode(combined, "Pad, gradient of its constant", "0: differs by 0.07", {
    op: "Pad",
    inputs: { x: [4], value: [] },
    integers: [[2, 1]],
  }),
  ofNode(combined, "Slice from before the first element backwards", "0: differs by 0.3", {
    op: "Slice",
    inputs: { x: [2, 5] },
    integers: [[-9], [-9], [1], [-1]],
  }),
  ofNode(
    combined,
    "AveragePool that rounds up on one axis, leaves a window out on the other and counts padding",
    "right there too: differs by 9e-6",
    {
      op: "AveragePool",
      inputs: { x: [1, 2, 5, 5] },
      attributes: { kernel_shape: [2, 2], strides: [3, 2], pads: [0, 1, 1, 0], ceil_mode: 1, count_include_pad: 1 },
    },
  ),
  ofNode(combined, "ConvTranspose whose SAME padding is below none", "right there too: differs by 1e-6", {
    op: "ConvTranspose",
    inputs: { x: [1, 2, 3, 4], w: [2, 3, 1, 1] },
    attributes: { auto_pad: "SAME_UPPER", strides: [3, 3] },
  }),
  ofNode(combined, "Tile of nothing", "RuntimeError: a reshape changes the number of elements", {
    op: "Tile",
    inputs: { x: [0, 2] },
    integers: [[3, 3]],
  }),
  ofNode(open, "Slice along a symbolic axis", "UnsupportedError", {
    op: "Slice",
    inputs: { x: [2, 5] },
    declared: { x: ["n", "t"] },
    integers: [[-3], [-1], [1]],
  }),
  ofNode(open, "Conv, no length of x and w known", "UnsupportedError", {
    op: "Conv",
    inputs: { x: [1, 2, 6, 5], w: [4, 1, 3, 2] },
    declared: { ...unknown, w: ["o", "i", "k", "l"] },
    attributes: { strides: [2, 1], auto_pad: "SAME_UPPER", group: 2 },
  }),
  ofNode(open, "MaxPool that counts by columns, no length known", "UnsupportedError", {
    op: "MaxPool",
    inputs: { x: [1, 2, 6, 5] },
    declared: unknown,
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], ceil_mode: 1 },
  }),
  ofNode(open, "AveragePool, no length known", "UnsupportedError", {
    op: "AveragePool",
    inputs: { x: [1, 2, 6, 5] },
    declared: unknown,
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 1, 1, 0], ceil_mode: 1 },
  }),
  ofNode(open, "Pad in mode `reflect` along a symbolic axis", "UnsupportedError", {
    op: "Pad",
    inputs: { x: [2, 5] },
    declared: { x: ["n", "t"] },
    integers: [[0, 2, 0, 1]],
    attributes: { mode: "reflect" },
  }),
];
