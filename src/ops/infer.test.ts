import { describe, expect, it } from "vitest";
import { LimitError } from "../errors.ts";
import {
  type BuilderAttributes,
  type Dims,
  floats,
  formatType,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  int64s,
  type Model,
  type ModelFunction,
  makeNode,
  model,
  scalar,
  type Tensor,
  tensor,
  tensorType,
  type Value,
} from "../ir/index.ts";
import { builderInference, inferModel, inferShapes } from "./index.ts";

type Build = (g: GraphBuilder) => Value | Value[];

function built(build: Build, opset = 21, parts: Partial<Model> = {}): Model {
  const g = graphBuilder();
  for (const value of [build(g)].flat()) g.output(value);
  return model(g.build(), { opsets: new Map([["", opset]]), ...parts });
}

/** The inferred types of the outputs. */
function typesOf(build: Build, opset = 21): string[] {
  const made = built(build, opset);
  const { types, problems } = inferModel(made);
  expect(problems).toEqual([]);
  return made.graph.outputs.map((output) => formatType(types.get(output)));
}

/** The problem that a model has. */
function problemOf(build: Build): string {
  const { problems } = inferModel(built(build));
  expect(problems).toHaveLength(1);
  return problems[0]!.message;
}

/** One operator over float inputs of the given dims and int64 constants. */
function dimsAfter(
  opType: string,
  inputs: readonly (Dims | readonly [number[]])[],
  attributes: BuilderAttributes = {},
  opset = 21,
): string {
  const [type] = typesOf((g) => {
    const values = inputs.map((given, i) => {
      const [first] = given;
      return Array.isArray(first) ? g.constant(`c${i}`, int64s(first)) : g.input(`x${i}`, "float32", given as Dims);
    });
    return g.unchecked(opType, values, 1, attributes)[0];
  }, opset);
  return type!.replace("float32", "");
}

describe("Reshape", () => {
  it.each([
    [["batch", 3, 4], [0, -1], "[batch, 12]"],
    [["batch", 3, 4], [-1, 12], "[batch, 12]"],
    [["batch", 3, 4], [-1, 6], "[?, 6]"],
    [["batch", "time", 8], [0, 0, 2, 4], "[batch, time, 2, 4]"],
    [[2, 3, 4], [4, -1], "[4, 6]"],
    [["", 4], [-1], "[?]"],
  ] as const)("of %j to %j", (dims, target, expected) => {
    expect(dimsAfter("Reshape", [dims, [[...target]]])).toBe(expected);
  });

  it("keeps zeros with allowzero", () => {
    expect(dimsAfter("Reshape", [[0, 3], [[3, 0]]], { allowzero: 1 })).toBe("[3, 0]");
  });

  it("complains about another number of elements", () => {
    const reshape: Build = (g) => g.op("Reshape", [g.input("x", "float32", [2, 3]), g.constant("s", int64s([5]))]);
    expect(problemOf(reshape)).toContain("number of elements; expected 6; got 5");
  });

  it("resolves what is computed from shapes", () => {
    const chain: Build = (g) => {
      const x = g.input("x", "float32", ["batch", 3, 4, 5]);
      const pick = g.op("Gather", [g.op("Shape", [x]), g.constant("i", scalar("int64", 0))]);
      const first = g.op("Unsqueeze", [pick, g.constant("axis", int64s([0]))]);
      const target = g.op("Concat", [first, g.constant("rest", int64s([-1]))], { axis: 0 });
      return g.op("Reshape", [x, target]);
    };
    expect(typesOf(chain)).toEqual(["float32[batch, 60]"]);
  });

  it("follows pads that an exporter turns round in a matrix", () => {
    const chain: Build = (g) => {
      const c = (name: string, values: number[]): Value => g.constant(name, int64s(values));
      const rows = g.op("Reshape", [c("pads", [1, 2, 3, 4]), c("two", [-1, 2])]);
      const turned = g.op("Slice", [rows, c("s", [-1]), c("e", [-(2 ** 31)]), c("a", [0]), c("d", [-1])]);
      const pads = g.op("Reshape", [g.op("Transpose", [turned], { perm: [1, 0] }), c("flat", [-1])]);
      return g.op("Pad", [g.input("x", "float32", [10, 20]), g.op("Cast", [pads], { to: 7 })]);
    };
    expect(typesOf(chain)).toEqual(["float32[17, 23]"]);
  });
});

describe("slices, pads, joins", () => {
  it.each([
    [[10], [-3], [-1], [1], "[2]"],
    [[10], [9], [-(2 ** 40)], [-3], "[4]"],
    [[10], [20], [30], [1], "[0]"],
    [["n"], [0], [2 ** 40], [1], "[n]"],
    [["n"], [1], [5], [1], "[?]"],
    [["n"], [-1], [2 ** 40], [1], "[1]"],
  ] as const)("slices %j from %j to %j by %j", (dims, start, stop, step, expected) => {
    expect(dimsAfter("Slice", [dims, [[...start]], [[...stop]], [[0]], [[...step]]])).toBe(expected);
  });

  it("cuts no more axes than there are, however many bounds are declared", () => {
    const declared: Build = (g) => {
      const [x, starts, ends] = [
        g.input("x", "float32", [4]),
        ...["s", "e"].map((n) => g.input(n, "int64", [2 ** 31])),
      ];
      return g.op("Slice", [x, starts, ends]);
    };
    expect(problemOf(declared)).toMatch(/more axes than there are/);
  });

  it("reads the attributes of the first opset", () => {
    expect(dimsAfter("Slice", [[4, 6]], { starts: [1, 0], ends: [3, 2], axes: [0, 1] }, 7)).toBe("[2, 2]");
    expect(dimsAfter("Pad", [[4, 6]], { pads: [1, 0, 0, 2] }, 7)).toBe("[5, 8]");
    expect(dimsAfter("Squeeze", [[1, 6, 1]], { axes: [0] }, 7)).toBe("[6, 1]");
    expect(dimsAfter("Upsample", [[1, 2, 3, 4]], { scales: floats([1, 1, 2, 3]), mode: "nearest" }, 7)).toBe(
      "[1, 2, 6, 12]",
    );
  });

  it("splits unevenly and reads given sizes", () => {
    const uneven: Build = (g) => g.ops("Split", [g.input("x", "float32", [7])], 3, { axis: 0, num_outputs: 3 });
    expect(typesOf(uneven)).toEqual(["float32[3]", "float32[3]", "float32[1]"]);
    const sizes: Build = (g) => g.ops("Split", [g.input("x", "float32", ["n"]), g.constant("s", int64s([2, 4]))], 2);
    expect(typesOf(sizes)).toEqual(["float32[2]", "float32[4]"]);
  });

  it("adds up joined lengths", () => {
    expect(
      dimsAfter(
        "Concat",
        [
          ["n", 3],
          ["n", 4],
        ],
        { axis: 1 },
      ),
    ).toBe("[n, 7]");
    expect(
      dimsAfter(
        "Concat",
        [
          ["n", 3],
          ["n", 3],
        ],
        { axis: 0 },
      ),
    ).toBe("[?, 3]");
  });
});

describe("windows", () => {
  it.each([
    [{ kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" }, "[1, 8, 4, 4]"],
    [{ kernel_shape: [3, 3], strides: [2, 2], auto_pad: "VALID" }, "[1, 8, 3, 3]"],
    [{ kernel_shape: [3, 3], pads: [1, 1, 1, 1], dilations: [2, 2] }, "[1, 8, 5, 5]"],
    [{ kernel_shape: [3, 3], pads: [0, 1, 2, 3], strides: [2, 1] }, "[1, 8, 4, 9]"],
  ])("of a convolution with %j", (attributes, expected) => {
    expect(
      dimsAfter(
        "Conv",
        [
          [1, 4, 7, 7],
          [8, 4, 3, 3],
        ],
        attributes,
      ),
    ).toBe(expected);
  });

  it("keeps a symbolic length where padding makes up for the kernel", () => {
    const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
    expect(
      dimsAfter(
        "Conv",
        [
          ["n", 4, "h", "w"],
          [8, 4, 3, 3],
        ],
        same,
      ),
    ).toBe("[n, 8, h, w]");
    expect(
      dimsAfter(
        "Conv",
        [
          ["n", 4, "h", "w"],
          [8, 4, 3, 3],
        ],
        { ...same, strides: [2, 2] },
      ),
    ).toBe("[n, 8, ?, ?]");
  });

  it("leaves out a last window that starts in the padding", () => {
    const attributes = { kernel_shape: [1], strides: [2], pads: [0, 1], ceil_mode: 1 };
    expect(dimsAfter("MaxPool", [[1, 1, 2]], attributes)).toBe("[1, 1, 1]");
    expect(dimsAfter("MaxPool", [[1, 1, 4]], { kernel_shape: [3], strides: [2], ceil_mode: 1 })).toBe("[1, 1, 2]");
  });

  it("spreads transposed windows", () => {
    const attributes = { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] };
    expect(
      dimsAfter(
        "ConvTranspose",
        [
          [1, 4, 5, 5],
          [4, 2, 3, 3],
        ],
        { ...attributes, group: 2 },
      ),
    ).toBe("[1, 4, 10, 10]");
  });

  it("complains about channels and windows that do not fit", () => {
    const conv =
      (x: Dims, w: Dims): Build =>
      (g) =>
        g.op("Conv", [g.input("x", "float32", x), g.input("w", "float32", w)]);
    expect(problemOf(conv([1, 3, 8, 8], [4, 2, 3, 3]))).toContain("channels");
    expect(problemOf(conv([1, 2, 2, 2], [4, 2, 3, 3]))).toContain("larger than its padded input");
  });
});

describe("products and reductions", () => {
  it.each([
    [
      [
        ["b", "i", "j"],
        ["b", "j", "k"],
      ],
      "bij,bjk->bik",
      "[b, i, k]",
    ],
    [
      [
        ["b", 2, 3],
        [3, 4],
      ],
      "...j,jk->...k",
      "[b, 2, 4]",
    ],
    [[[3, 3]], "ii->i", "[3]"],
    [
      [
        [2, 3],
        [3, 4],
      ],
      "ij,jk",
      "[2, 4]",
    ],
  ] as const)("einsum over %j with %s", (inputs, equation, expected) => {
    expect(dimsAfter("Einsum", inputs, { equation })).toBe(expected);
  });

  it("multiplies vectors and batches", () => {
    expect(dimsAfter("MatMul", [[4], [4]])).toBe("[]");
    expect(
      dimsAfter("MatMul", [
        ["b", 1, 2, 3],
        [5, 3, 7],
      ]),
    ).toBe("[b, 5, 2, 7]");
  });

  it("reduces the axes of an input or an attribute", () => {
    expect(dimsAfter("ReduceSum", [["n", 3, 4], [[-1]]], { keepdims: 0 })).toBe("[n, 3]");
    expect(dimsAfter("ReduceMean", [["n", 3, 4]], { axes: [1] }, 13)).toBe("[n, 1, 4]");
    expect(dimsAfter("ReduceSum", [["n", 3]], { noop_with_empty_axes: 1 })).toBe("[n, 3]");
  });

  it("broadcasts only what is certain", () => {
    expect(
      dimsAfter("Add", [
        ["n", 1],
        [1, "m"],
      ]),
    ).toBe("[n, m]");
    expect(dimsAfter("Add", [["n"], ["m"]])).toBe("[?]");
    expect(dimsAfter("Add", [["n"], [5]])).toBe("[5]");
  });
});

describe("Resize", () => {
  const resized = (dims: Dims, scales: number[], sizes?: number[]): string[] =>
    typesOf((g) => {
      const empty = g.constant("roi", tensor("float32", [0], []));
      const list = sizes ? undefined : g.constant("scales", tensor("float32", [scales.length], scales));
      const lengths = sizes && g.constant("sizes", int64s(sizes));
      return g.op("Resize", [g.input("x", "float32", dims), empty, list, lengths]);
    });

  it("rounds down what the scales give and takes sizes as they are", () => {
    expect(resized(["n", 3, 5, 5], [1, 1, 1.5, 0.6])).toEqual(["float32[n, 3, 7, 3]"]);
    expect(resized([1, 3, 5, 5], [], [1, 3, 9, 2])).toEqual(["float32[1, 3, 9, 2]"]);
  });
});

function branch(g: GraphBuilder, make: (inner: GraphBuilder) => Value): Graph {
  const inner = g.subgraph();
  inner.output(make(inner));
  return inner.build("branch");
}

describe("control flow", () => {
  const conditional =
    (condition: (g: GraphBuilder) => Value): Build =>
    (g) => {
      const x = g.input("x", "float32", ["n", 4]);
      const then_branch = { type: "graph", value: branch(g, (b) => b.op("Relu", [x])) } as const;
      const wide = branch(g, (b) => b.op("Concat", [x, x], { axis: 1 }));
      return g.op("If", [condition(g)], { then_branch, else_branch: { type: "graph", value: wide } });
    };

  it("joins branches, or takes the one that is known", () => {
    expect(typesOf(conditional((g) => g.input("c", "bool", [])))).toEqual(["float32[n, ?]"]);
    expect(typesOf(conditional((g) => g.constant("c", tensor("bool", [], [1]))))).toEqual(["float32[n, 4]"]);
  });

  it("widens the state of a loop that changes its dims, and stacks what it gives", () => {
    const loop: Build = (g) => {
      const body = g.subgraph();
      body.input("i", "int64", []);
      const go = body.input("go", "bool", []);
      const state = body.input("state", "float32");
      body.output(go, "go_out");
      body.output(body.op("Concat", [state, state], { axis: 0 }));
      body.output(body.op("ReduceSum", [state], { keepdims: 0 }));
      const inputs = [g.constant("m", scalar("int64", 3)), undefined, g.input("x", "float32", [2, 5])];
      return g.ops("Loop", inputs, 2, { body: { type: "graph", value: body.build("body") } });
    };
    expect(typesOf(loop)).toEqual(["float32[?, 5]", "float32[?]"]);
  });

  it("cuts and stacks the sequences of a scan", () => {
    const scan: Build = (g) => {
      const body = g.subgraph();
      const [sum, item] = [body.input("sum", "float32"), body.input("item", "float32")];
      const next = body.op("Add", [sum, item]);
      body.output(next);
      body.output(body.op("Neg", [next]));
      const attributes = { num_scan_inputs: 1, body: { type: "graph", value: body.build("body") } } as const;
      return g.ops("Scan", [g.input("s", "float32", [8]), g.input("xs", "float32", ["time", 8])], 2, attributes);
    };
    expect(typesOf(scan)).toEqual(["float32[8]", "float32[time, 8]"]);
  });
});

describe("models", () => {
  const relu: Build = (g) => g.op("Relu", [g.input("x", "float32", ["batch", 3])]);

  it("binds symbolic dims to the caller's", () => {
    const made = built(relu);
    const fed = inferModel(made, { feeds: new Map([["x", [4, 3]]]) });
    expect(formatType(fed.types.get(made.graph.outputs[0]!))).toBe("float32[4, 3]");
    expect(fed.symbols).toEqual(new Map([["batch", 4]]));
    const bound = inferModel(made, { symbols: new Map([["batch", 9]]) });
    expect(formatType(bound.types.get(made.graph.outputs[0]!))).toBe("float32[9, 3]");
  });

  it("reports a declared type that cannot be true, and keeps the inferred one", () => {
    const x: Value = { name: "x", type: tensorType("float32", [2, 3]) };
    const y: Value = { name: "y", type: tensorType("float32", [2, 4]) };
    const nodes = [makeNode("Relu", [x], [y])];
    const made = model({ name: "main", inputs: [x], outputs: [y], nodes, initializers: new Map() });
    const { types, problems } = inferModel(made);
    expect(formatType(types.get(y))).toBe("float32[2, 3]");
    expect(problems.map(({ message }) => message)).toEqual([
      'output "y": declared as float32[2, 4], inferred as float32[2, 3]',
    ]);
  });

  it("takes no fraction for a length, inside a sequence neither", () => {
    const half = (g: GraphBuilder) => g.constant("half", tensor("float32", [1], [0.5]));
    const claims: Build[] = [
      (g) => g.op("Shape", [g.op("ConstantOfShape", [half(g)])]),
      (g) => g.op("Expand", [g.constant("one", tensor("float32", [1], [1])), half(g)]),
      (g) => g.op("SplitToSequence", [g.input("x", "float32", [4]), half(g)]),
    ];
    for (const claim of claims) {
      const source = built(claim);
      const { types, problems } = inferModel(source);
      expect(problems).not.toEqual([]);
      const type = types.get(source.graph.outputs[0]!);
      expect(type ? formatType(type) : "unknown").not.toContain("0.5");
    }
  });

  it("asks for the types of operators that it does not know", () => {
    const made = built((g) => g.unchecked("somewhere::Mystery", [g.input("x", "float32", [2])], 1)[0]);
    const [output] = made.graph.outputs;
    expect(inferModel(made).types.get(output!)).toBeUndefined();
    expect(inferModel(made).opaque.map(({ opType }) => opType)).toEqual(["Mystery"]);
    const told = inferModel(made, { opaque: () => [tensorType("int8", [7])] });
    expect(formatType(told.types.get(output!))).toBe("int8[7]");
  });

  it("infers a function through its body for each call", () => {
    const [a, b, shape]: Value[] = [{ name: "a" }, { name: "b" }, { name: "shape" }];
    const target = { type: "reference", to: "target", of: "ints" } as const;
    const body = [
      makeNode("Constant", [], [shape!], { attributes: new Map([["value_ints", target]]) }),
      makeNode("Reshape", [a, shape], [b]),
    ];
    const flat: ModelFunction = {
      name: "Flat",
      domain: "own",
      inputs: [a!],
      outputs: [b!],
      nodes: body,
      attributes: ["target"],
      attributeDefaults: new Map(),
      opsets: new Map([["", 21]]),
    };
    const call = (g: GraphBuilder, x: Value, to: number[]): Value =>
      g.unchecked("own::Flat", [x], 1, { target: to })[0];
    const twice: Build = (g) => {
      const x = g.input("x", "float32", [4, 6]);
      return [call(g, x, [2, 12]), call(g, x, [-1])];
    };
    const made = built(twice, 21, { functions: [flat] });
    const { types } = inferModel(made);
    expect(made.graph.outputs.map((value) => formatType(types.get(value)))).toEqual(["float32[2, 12]", "float32[24]"]);
  });

  it("ends on functions that call themselves", () => {
    const [a, b]: Value[] = [{ name: "a" }, { name: "b" }];
    const endless: ModelFunction = {
      name: "Endless",
      domain: "own",
      inputs: [a!],
      outputs: [b!],
      nodes: [makeNode("Endless", [a], [b], { domain: "own" })],
      attributes: [],
      attributeDefaults: new Map(),
      opsets: new Map(),
    };
    const made = built((g) => g.unchecked("own::Endless", [g.input("x", "float32", [1])], 1)[0], 21, {
      functions: [endless],
    });
    expect(() => inferModel(made)).toThrow(LimitError);
  });

  it("writes the types on new values of the same names", () => {
    const typed = inferShapes(built(relu));
    expect(formatType(typed.graph.outputs[0]?.type)).toBe("float32[batch, 3]");
    expect(typed.graph.nodes[0]?.outputs[0]).toBe(typed.graph.outputs[0]);
  });
});

describe("builderInference", () => {
  it("types values as they are built, shape arithmetic included", () => {
    const g = graphBuilder({ infer: builderInference(21) });
    const x = g.input("x", "float32", ["batch", 3, 4]);
    const first = g.op("Slice", [g.op("Shape", [x]), g.constant("s", int64s([0])), g.constant("e", int64s([1]))]);
    const rest: Tensor = int64s([-1]);
    const y = g.op("Reshape", [x, g.op("Concat", [first, g.constant("rest", rest)], { axis: 0 })]);
    expect(formatType(y.type)).toBe("float32[batch, 12]");
    expect(() => g.op("MatMul", [y, g.input("w", "float32", [5, 2])])).toThrow(/inner dims/);
  });
});
