import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { evaluate } from "../../reference/index.ts";
import { openSession } from "../../runtime/index.ts";
import { convertFloat16 } from "../convert-float16.ts";

function build(make: (g: GraphBuilder) => void): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build(), { opsets: new Map([["", 17]]), irVersion: 8 });
}

function wave(dims: readonly number[], size: number): Tensor {
  const count = dims.reduce((a, b) => a * b, 1);
  return tensorFromNumbers(
    "float32",
    dims,
    Float64Array.from({ length: count }, (_, i) => size * Math.sin(1 + i * 7.3)),
  );
}

/** Every node rounds to its declared dtype; the runtime's processor computes most of a float16 model in float32. */
function run(of: Model, feeds: ReadonlyMap<string, Tensor>): Float64Array {
  return numbersOf([...evaluate(of, feeds, { precision: "declared" }).values()][0]!);
}

/** Largest difference, relative to the largest number. */
async function errorOf(before: Model, feeds: ReadonlyMap<string, Tensor>): Promise<number> {
  const { model: after } = await convertFloat16().run(before);
  const [right, got] = [run(before, feeds), run(after, feeds)];
  const scale = right.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return got.reduce((worst, x, i) => Math.max(worst, Math.abs(x - right[i]!) / scale || (Number.isNaN(x) ? 1 : 0)), 0);
}

const one = (g: GraphBuilder, x: number): Value => g.constant("number", scalar("float32", x));
const weights = (g: GraphBuilder): Value => g.constant("w", wave([8, 6], 1));

/** Masked attention whose last row may look at nothing: there the softmax is uniform. */
function attention(mask: (g: GraphBuilder) => Value): Model {
  return build((g) => {
    const scores = g.op("MatMul", [g.input("x", "float32", [4, 8]), weights(g)]);
    const p = g.op("Softmax", [g.op("Add", [scores, mask(g)])], { axis: -1 });
    g.output(g.op("MatMul", [p, g.constant("v", wave([6, 5], 1))]), "y");
  });
}

const seen = tensor(
  "bool",
  [4, 6],
  new Uint8Array(24).map((_, i) => (i < 18 ? Number(i % 6 <= i / 6) : 0)),
);
const x = wave([4, 8], 9);
const lowest = -3.4028234663852886e38;

const cases: readonly (readonly [string, Model, ReadonlyMap<string, Tensor>])[] = [
  ...[lowest, -65504, -1e9, -1e4].map((far) => {
    const where = (g: GraphBuilder): Value => g.op("Where", [g.input("seen", "bool", [4, 6]), one(g, 0), one(g, far)]);
    return [
      `a mask of ${far}`,
      attention(where),
      new Map([
        ["x", x],
        ["seen", seen],
      ]),
    ] as const;
  }),
  [
    "a mask by a product with what is not seen",
    attention((g) => {
      const float = g.op("Cast", [g.input("seen", "bool", [4, 6])], { to: 1 });
      return g.op("Mul", [g.op("Sub", [one(g, 1), float]), one(g, lowest)]);
    }),
    new Map([
      ["x", x],
      ["seen", seen],
    ]),
  ],
  [
    "a mask that is fed",
    attention((g) => g.input("mask", "float32", [4, 6])),
    new Map([
      ["x", x],
      [
        "mask",
        tensorFromNumbers(
          "float32",
          [4, 6],
          numbersOf(seen).map((yes) => (yes ? 0 : lowest)),
        ),
      ],
    ]),
  ],
  [
    "a mask made by ConstantOfShape",
    attention((g) => {
      const value = tensor("float32", [1], [lowest]);
      return g.op("Trilu", [g.op("ConstantOfShape", [g.constant("dims", int64s([4, 6]))], { value })], { upper: 0 });
    }),
    new Map([["x", x]]),
  ],
  ...[2e3, 1e-3].map((size) => {
    const norm = build((g) => {
      const input = g.input("x", "float32", [4, 8]);
      const centred = g.op("Sub", [input, g.unchecked("ReduceMean", [input], 1, { axes: [-1] })[0]]);
      const variance = g.unchecked("ReduceMean", [g.op("Pow", [centred, one(g, 2)])], 1, { axes: [-1] })[0];
      const deviation = g.op("Sqrt", [g.op("Add", [variance, one(g, 1e-12)])]);
      g.output(g.op("MatMul", [g.op("Div", [centred, deviation]), weights(g)]), "y");
    });
    return [`a spelled-out norm of values of ${size}`, norm, new Map([["x", wave([4, 8], size)]])] as const;
  }),
  [
    "a root mean square with the product of an inverse root",
    build((g) => {
      const input = g.input("x", "float32", [4, 8]);
      const mean = g.unchecked("ReduceMean", [g.op("Mul", [input, input])], 1, { axes: [-1] })[0];
      const inverse = g.op("Div", [one(g, 1), g.op("Sqrt", [g.op("Add", [mean, one(g, 1e-9)])])]);
      g.output(g.op("MatMul", [g.op("Mul", [input, inverse]), weights(g)]), "y");
    }),
    new Map([["x", wave([4, 8], 1e3)]]),
  ],
  [
    "factors that cancel",
    build((g) => {
      const small = g.op("Mul", [g.input("x", "float32", [4, 8]), one(g, 1e-9)]);
      g.output(g.op("MatMul", [g.op("Mul", [small, one(g, 1e9)]), weights(g)]), "y");
    }),
    new Map([["x", x]]),
  ],
  [
    "weights that are too small",
    build((g) => {
      const tiny = g.constant("tiny", wave([8, 6], 1e-8));
      g.output(g.op("Div", [g.op("MatMul", [g.input("x", "float32", [4, 8]), tiny]), one(g, 1e-8)]), "y");
    }),
    new Map([["x", x]]),
  ],
  [
    "a norm whose bound is tiny",
    build((g) => {
      const input = g.input("x", "float32", [4, 8]);
      const norm = g.unchecked("ReduceL2", [input], 1, { axes: [-1] })[0];
      g.output(g.op("MatMul", [g.op("Div", [input, g.op("Clip", [norm, one(g, 1e-12)])]), weights(g)]), "y");
    }),
    new Map([["x", wave([4, 8], 1e-7)]]),
  ],
  [
    "positions in a sine",
    build((g) => {
      const ids = g.op("Cast", [g.input("ids", "int64", [4])], { to: 1 });
      g.output(g.op("Sin", [g.op("Mul", [ids, one(g, 0.73)])]), "y");
    }),
    new Map([["ids", int64s([1, 3001, 40_003, 70_001])]]),
  ],
  [
    "a softmax that is spelled out",
    build((g) => {
      const e = g.op("Exp", [g.input("x", "float32", [4, 8])]);
      const axes = g.constant("axes", int64s([-1]));
      g.output(g.op("Div", [e, g.op("ReduceSum", [e, axes])]), "y");
    }),
    new Map([["x", wave([4, 8], 14)]]),
  ],
];

describe("numbers out of the range of float16", () => {
  it.each(cases)("%s", async (_, before, feeds) => {
    expect(await errorOf(before, feeds)).toBeLessThan(5e-3);
  });

  it.each(cases.filter((_, i) => i % 5 === 0))("%s: the runtime loads and runs it", async (_, before, feeds) => {
    const { model: after } = await convertFloat16().run(before);
    await using session = await openSession(after);
    expect((await session.run(feeds)).size).toBe(1);
  });

  it("are named in the notes, and the products around them still become float16", async () => {
    const { model: after, notes = [] } = await convertFloat16().run(cases[0]![1]);
    expect(notes.map(({ rule }) => rule)).toEqual(["Where", "Add", "Softmax"]);
    expect(notes[0]!.reason).toMatch(/constant of 3.40/);
    const stored = [...after.graph.initializers].filter(([, data]) => "dtype" in data && data.dtype === "float16");
    expect(stored.map(([{ name }]) => name)).toEqual(["w", "v"]);
  });
});
