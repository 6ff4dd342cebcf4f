import { describe, expect, it } from "vitest";
import { RuntimeError, UnsupportedError } from "../errors.ts";
import {
  type Graph,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  scalar,
  tensor,
  tensorFromNumbers,
  typedArray,
  type Value,
} from "../ir/index.ts";
import { evaluate } from "./evaluate.ts";

function modelOf(build: (g: ReturnType<typeof graphBuilder>) => void): Model {
  const g = graphBuilder();
  build(g);
  return model(g.build());
}

const feeds = (x: number[]) => new Map([["x", tensor("float32", [x.length], x)]]);

describe("evaluate", () => {
  it("computes in float64 by default and rounds each result when asked", () => {
    const third = modelOf((g) => {
      const x = g.input("x", "float32", [1]);
      g.output(g.op("Div", [x, g.constant("three", tensor("float32", [], [3]))]), "y");
    });
    const exact = evaluate(third, feeds([1])).get("y")!;
    expect(exact.dtype).toBe("float64");
    expect(numbersOf(exact)[0]).toBe(1 / 3);
    const rounded = evaluate(third, feeds([1]), { precision: "declared" }).get("y")!;
    expect(rounded.dtype).toBe("float32");
    expect(numbersOf(rounded)[0]).toBe(Math.fround(1 / 3));
  });

  it("keeps 64-bit integers exact and wraps them", () => {
    const sum = modelOf((g) => {
      const x = g.input("x", "int64", [2]);
      g.output(g.op("Add", [x, x]), "y");
    });
    const x = tensor("int64", [2], BigInt64Array.of(2n ** 53n + 1n, 2n ** 62n));
    const y = typedArray(evaluate(sum, new Map([["x", x]])).get("y")!);
    expect([...y]).toEqual([2n ** 54n + 2n, -(2n ** 63n)]);
  });

  it("wraps small integers", () => {
    const sum = modelOf((g) => {
      const x = g.input("x", "uint8", [1]);
      g.output(g.op("Add", [x, x]), "y");
    });
    const y = evaluate(sum, new Map([["x", tensor("uint8", [1], [200])]])).get("y")!;
    expect([...numbersOf(y)]).toEqual([144]);
  });

  it("returns inner values on request and lets a feed replace an initializer", () => {
    const scaled = modelOf((g) => {
      const x = g.input("x", "float32", [2]);
      const inner = g.op("Mul", [x, g.constant("w", tensor("float32", [], [2]))], {}, { name: "inner" });
      g.output(g.op("Neg", [inner]), "y");
    });
    const results = evaluate(scaled, new Map([...feeds([1, 2]), ["w", tensor("float64", [], [0.5])]]), {
      fetches: ["inner"],
    });
    expect([...results.keys()]).toEqual(["inner"]);
    expect([...numbersOf(results.get("inner")!)]).toEqual([0.5, 1]);
  });

  it("runs subgraphs that capture values from around them", () => {
    const body = (scale: number, x: Parameters<ReturnType<typeof graphBuilder>["op"]>[1][0]): Graph => {
      const g = graphBuilder();
      g.output(g.op("Mul", [x, g.constant("c", tensor("float32", [], [scale]))]), `y${scale}`);
      return g.build();
    };
    const branching = modelOf((g) => {
      const condition = g.input("condition", "bool", []);
      const x = g.input("x", "float32", [1]);
      const branches = { then_branch: graphAttribute(body(2, x)), else_branch: graphAttribute(body(3, x)) };
      g.output(g.op("If", [condition], branches), "y");
    });
    const run = (flag: number) =>
      numbersOf(evaluate(branching, new Map([...feeds([5]), ["condition", tensor("bool", [], [flag])]])).get("y")!)[0];
    expect([run(1), run(0)]).toEqual([10, 15]);
  });

  it("expands the model's functions with their attributes and omitted inputs", () => {
    const [a, b, y] = [{ name: "a" }, { name: "b" }, { name: "y" }];
    const leaky = {
      ...modelOf((g) => {
        const x = g.input("x", "float32", [2]);
        g.output(g.unchecked("own::Leaky", [x], 1, { slope: 0.25 })[0], "y");
      }),
      functions: [
        {
          name: "Leaky",
          domain: "own",
          inputs: [a, b],
          outputs: [y],
          attributes: ["slope"],
          attributeDefaults: new Map(),
          opsets: new Map([["", 21]]),
          nodes: [
            {
              opType: "LeakyRelu",
              domain: "",
              name: "",
              inputs: [a],
              outputs: [y],
              attributes: new Map([["alpha", { type: "reference", to: "slope", of: "float" } as const]]),
            },
          ],
        },
      ],
    };
    expect([...numbersOf(evaluate(leaky, feeds([-4, 4])).get("y")!)]).toEqual([-1, 4]);
  });

  it("names an operator that it does not know, and where it stands", () => {
    const odd = modelOf((g) => {
      const x = g.input("x", "float32", [1]);
      g.output(g.unchecked("odd::Frobnicate", [x], 1, {}, { name: "f" })[0], "y");
    });
    expect(() => evaluate(odd, feeds([1]))).toThrow(UnsupportedError);
    expect(() => evaluate(odd, feeds([1]))).toThrow(/odd::Frobnicate.*graph "main", node "f"/);
  });

  it("says where a kernel failed", () => {
    const wrong = modelOf((g) => {
      const x = g.input("x", "float32", [2]);
      g.output(g.op("Add", [x, g.constant("c", tensor("float32", [3], [1, 2, 3]))]), "y");
    });
    expect(() => evaluate(wrong, feeds([1, 2]))).toThrow(/do not broadcast.*node "add" \(Add\)/);
  });

  it("refuses unknown and missing feeds", () => {
    const identity = modelOf((g) => g.output(g.op("Neg", [g.input("x", "float32", [1])]), "y"));
    expect(() => evaluate(identity, new Map())).toThrow(/"x" is missing/);
    expect(() => evaluate(identity, new Map([...feeds([1]), ["z", int64s([1])]]))).toThrow(/no input "z"/);
  });

  it("refuses an array that is too large before it is allocated", () => {
    const huge = modelOf((g) => {
      const x = g.input("x", "float32", [1]);
      g.output(g.op("Expand", [x, g.constant("dims", int64s([2 ** 20, 2 ** 20]))]), "y");
    });
    expect(() => evaluate(huge, feeds([1]))).toThrow(/too large/);
  });

  it("refuses what attributes and scalars claim before it is allocated", () => {
    const claims: ((g: GraphBuilder, x: Value) => Value)[] = [
      (g, x) => g.op("ConvTranspose", [x, x], { output_padding: [2 ** 40] }),
      (g, x) => g.op("MaxUnpool", [x, g.op("Cast", [x], { to: 7 })], { kernel_shape: [2 ** 40] }),
      (g) => g.op("HannWindow", [g.constant("size", scalar("int64", 2 ** 40))]),
      (g, x) => g.unchecked("DFT", [x, g.constant("length", scalar("int64", 2 ** 40))], 1, { axis: 1 })[0],
    ];
    for (const claim of claims) {
      const model = modelOf((g) => g.output(claim(g, g.input("x", "float32", [1, 1, 1])), "y"));
      expect(() => evaluate(model, new Map([["x", tensor("float32", [1, 1, 1], [1])]]))).toThrow(/too large/);
    }
  });

  it("refuses a result whose lengths a kernel read from fractions", () => {
    const model = modelOf((g) => {
      const size = g.constant("size", tensor("float32", [4], [1, 1, 0.5, 2]));
      g.output(g.op("AffineGrid", [g.input("theta", "float32", [1, 2, 3]), size]), "y");
    });
    const theta = new Map([["theta", tensor("float32", [1, 2, 3], [1, 0, 0, 0, 1, 0])]]);
    expect(() => evaluate(model, theta)).toThrow(RuntimeError);
  });

  it("ends a loop that never stops", () => {
    const inner = graphBuilder();
    inner.input("i", "int64", []);
    const going = inner.input("going", "bool", []);
    inner.output(inner.op("Identity", [going]));
    const endless = modelOf((g) => {
      g.op("Loop", [undefined, g.constant("true", tensor("bool", [], [1]))], { body: graphAttribute(inner.build()) });
    });
    expect(() => evaluate(endless, new Map(), { maxNodes: 1000 })).toThrow(/too many steps/);
  });
});

describe("quantization", () => {
  it("rounds half to even, saturates, and takes blocks of an axis", () => {
    const blocked = modelOf((g) => {
      const x = g.input("x", "float32", [1, 4]);
      const scale = g.constant("scale", tensor("float32", [1, 2], [1, 0.5]));
      const zero = g.constant("zero", tensorFromNumbers("int4", [1, 2], [0, 1]));
      const attributes = { axis: 1, block_size: 2 };
      const q = g.op("QuantizeLinear", [x, scale, zero], attributes, { name: "q" });
      g.output(g.op("DequantizeLinear", [q, scale, zero], attributes), "y");
    });
    const x = tensor("float32", [1, 4], [2.5, 100, 0.5, -10]);
    const results = evaluate(blocked, new Map([["x", x]]), { fetches: ["q", "y"] });
    expect([...numbersOf(results.get("q")!)]).toEqual([2, 7, 2, -8]);
    expect([...numbersOf(results.get("y")!)]).toEqual([2, 7, 0.5, -4.5]);
  });

  it("multiplies integers around their zero points", () => {
    const product = modelOf((g) => {
      const a = g.input("x", "uint8", [1, 2]);
      const b = g.constant("b", tensor("uint8", [2, 2], [1, 2, 3, 4]));
      const zeroA = g.constant("za", tensor("uint8", [], [10]));
      const zeroB = g.constant("zb", tensor("uint8", [2], [1, 2]));
      g.output(g.op("MatMulInteger", [a, b, zeroA, zeroB]), "y");
    });
    const y = evaluate(product, new Map([["x", tensor("uint8", [1, 2], [12, 7])]])).get("y")!;
    expect(y.dtype).toBe("int32");
    expect([...numbersOf(y)]).toEqual([2 * 0 + -3 * 2, 2 * 0 + -3 * 2]);
  });
});

describe("convolution", () => {
  const image = tensorFromNumbers("float32", [1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]);

  it("correlates with pads, strides and dilations", () => {
    const conv = modelOf((g) => {
      const x = g.input("x", "float32", [1, 1, 3, 3]);
      const w = g.constant("w", tensor("float32", [1, 1, 2, 2], [1, 0, 0, 1]));
      g.output(g.op("Conv", [x, w], { pads: [1, 1, 1, 1], dilations: [2, 2] }), "y");
    });
    const y = evaluate(conv, new Map([["x", image]])).get("y")!;
    expect(y.dims).toEqual([1, 1, 3, 3]);
    expect([...numbersOf(y)]).toEqual([5, 6, 0, 8, 1 + 9, 2, 0, 4, 5]);
  });

  it("is the adjoint of the transposed convolution", () => {
    const attributes = { strides: [2, 2], pads: [1, 0, 0, 1], group: 1 };
    const weights = tensorFromNumbers("float32", [2, 1, 2, 2], [1, -2, 3, 0.5, 2, 1, -1, 4]);
    const forward = modelOf((g) => {
      g.output(g.op("Conv", [g.input("x", "float32"), g.constant("w", weights)], attributes), "y");
    });
    const backward = modelOf((g) => {
      g.output(g.op("ConvTranspose", [g.input("x", "float32"), g.constant("w", weights)], attributes), "y");
    });
    const x = tensorFromNumbers(
      "float64",
      [1, 1, 5, 5],
      Array.from({ length: 25 }, (_, i) => Math.sin(i)),
    );
    const y = evaluate(forward, new Map([["x", x]])).get("y")!;
    const dy = tensorFromNumbers(
      "float64",
      y.dims,
      Array.from(numbersOf(y), (_, i) => Math.cos(3 * i)),
    );
    const dx = evaluate(backward, new Map([["x", dy]])).get("y")!;
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const [left, right] = [numbersOf(x), numbersOf(dx)];
    expect(dx.dims).toEqual([1, 1, ...y.dims.slice(2).map((length) => (length - 1) * 2 + 2 - 1)]);
    const cropped = left.filter((_, i) => Math.floor(i / 5) < dx.dims[2]! && i % 5 < dx.dims[3]!);
    expect(right.length).toBe(cropped.length);
    expect(dot(numbersOf(y), numbersOf(dy))).toBeCloseTo(dot(cropped, right), 10);
  });
});

it("attributes that a builder makes reach the kernels", () => {
  const reduce = modelOf((g) => {
    const x = g.input("x", "float32", [2, 2]);
    g.output(g.op("ReduceSum", [x, g.constant("axes", int64s([1]))], { keepdims: { type: "int", value: 0n } }), "y");
  });
  const y = evaluate(reduce, new Map([["x", tensor("float32", [2, 2], [1, 2, 3, 4])]])).get("y")!;
  expect(y.dims).toEqual([2]);
  expect([...numbersOf(y)]).toEqual([3, 7]);
});
