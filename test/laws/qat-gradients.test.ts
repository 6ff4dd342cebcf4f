/**
 * @file Gradients of fake-quantized step graphs against the definition of the straight-through estimator: rounding is the identity plus a constant,
 * so that y = s·(clip(x/s + z) + r − z) with r and all ranges that are no parameters held where they are is differentiated by differences.
 */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import {
  dataTypes,
  floatsOf,
  graphBuilder,
  intOf,
  type Model,
  makeNode,
  model,
  type Node,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  withGraph,
} from "../../src/ir/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { fakeQuantize, quantizationAware, type RangeName, ranges, type StaticBits } from "../../src/quantize/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const INPUT = [2, 4, 5, 5];
const float = (dims: readonly number[], values: ArrayLike<number>) => tensorFromNumbers("float32", dims, values);

function drawn(dims: readonly number[], seed: number, size = 1): Tensor {
  const source = random(seed);
  return float(
    dims,
    Array.from({ length: sizeOf(dims) }, () => size * source.normal()),
  );
}

/** Convolutions, one of them depthwise. Nothing is rounded twice, as what has channels added for a kernel is: at the end of its range a rounded value would stand on a corner. */
function network(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const conv = (x: Value, name: string, dims: readonly number[], seed: number, attributes = {}) =>
    g.op(
      "Conv",
      [x, g.constant(`${name}_w`, drawn(dims, seed, 0.5)), g.constant(`${name}_b`, drawn([dims[0]!], seed + 1, 0.1))],
      {
        kernel_shape: dims.slice(2),
        ...attributes,
      },
    );
  const wide = g.op("Relu", [conv(g.input("x", "float32", ["batch", ...INPUT.slice(1)]), "wide", [4, 4, 3, 3], 3)]);
  const deep = g.op("Relu", [conv(wide, "deep", [4, 1, 3, 3], 5, { pads: [1, 1, 1, 1], group: 4 })]);
  g.output(conv(deep, "scores", [3, 4, 3, 3], 7), "y");
  return model(g.build());
}

const batch = drawn(INPUT, 11);

async function* calibration() {
  yield new Map([["x", drawn(INPUT, 12, 0.8)]]);
}

/** The form that learns, its step under plain descent, and what is fed. */
async function prepared(range: RangeName, bits: StaticBits, perChannel: boolean) {
  const options = { weightBits: bits, activationBits: bits, perChannel };
  const fake = await fakeQuantize(network(), { open: openReference, calibration, ...options });
  const terms = [{ name: "told", build: loss }];
  const form = await quantizationAware({ range }).start().prepare!({
    model: offEdges(fake.model),
    step: { optimizer: sgd(), terms },
  });
  const { gradientFactors: _, ...all } = form.step;
  const step = { ...all, terms: (all.terms ?? []).filter(({ name }) => name === "told") };
  const [[stage]] = Object.entries(form.drive!) as [[string, unknown]];
  const feeds = new Map([
    ["x", batch],
    [stage, float([], [1])],
  ]);
  return { form: form.model, step: trainingStep(form.model, step), stops: step.stopAt ?? [], feeds };
}

/** With weights that are not on the end of a range, which is a corner: those that were kept to it lie below it, and scales are wider. */
function offEdges(fake: Model): Model {
  const { graph } = fake;
  const moved = [...graph.initializers].map(([value, data]): [Value, Tensor] => {
    const tensor = data as Tensor;
    const reals = numbersOf(tensor);
    if (/_w_scale$/.test(value.name)) {
      return [
        value,
        float(
          tensor.dims,
          reals.map((scale) => 1.07 * scale),
        ),
      ];
    }
    if (!/_w$/.test(value.name)) return [value, tensor];
    return [
      value,
      float(
        tensor.dims,
        reals.map((x, i) => (x > 0 ? x * (1 - 0.002 * (1 + (i % 7))) : x)),
      ),
    ];
  });
  return withGraph(fake, { ...graph, initializers: new Map(moved) });
}

/** Nowhere for the greatest of each channel, which are what some ranges are made of. */
function direction(initial: Tensor, seed: number): Tensor {
  const drawing = numbersOf(drawn(initial.dims, seed, 0.1));
  const reals = numbersOf(initial);
  const rows = initial.dims.length < 2 ? 0 : initial.dims[0]!;
  const greatest = (list: Float64Array) => list.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const all = greatest(reals);
  const size = reals.length / rows;
  return float(
    initial.dims,
    drawing.map((x, i) => {
      if (rows === 0) return x;
      const row = Math.floor(i / size) * size;
      const columns =
        initial.dims.length === 2
          ? reals.filter((_, j) => j % initial.dims[1]! === i % initial.dims[1]!)
          : reals.slice(row, row + size);
      return Math.abs(reals[i]!) === greatest(columns) || Math.abs(reals[i]!) === all ? 0 : x;
    }),
  );
}

type Terms = NonNullable<Parameters<typeof trainingStep>[1]["terms"]>;
const loss: Terms[number]["build"] = (g, { output }) =>
  g.sum(g.mul(output("y"), g.constant("c", drawn([2, 3, 1, 1], 13))));

interface Straight {
  readonly source: Model;
  /** Of the values as they are. */
  readonly base: ReadonlyMap<string, Tensor>;
  readonly stops: readonly string[];
  /** Where the parameters go, by name. */
  readonly directions: ReadonlyMap<string, Tensor>;
}

/** The definition as a graph of one more input, how far the parameters went. */
function straightThrough({ source, base, stops, directions }: Straight): Model {
  const { graph } = source;
  const constants = new Map(graph.initializers);
  const replaced = new Map<Value, Value>();
  const constant = (name: string, tensor: Tensor): Value => {
    const value = { name: `straight/${name}/${constants.size}` };
    constants.set(value, tensor);
    return value;
  };
  const nodes: Node[] = [];
  const emit = (opType: string, inputs: readonly Value[], attributes = {}): Value => {
    const output = { name: `straight/${nodes.length}` };
    nodes.push(makeNode(opType, inputs, [output], { attributes }));
    return output;
  };
  const far = { name: "far", type: { kind: "tensor", dtype: "float32", dims: [] } } as const;
  for (const value of graph.initializers.keys()) {
    const direction = directions.get(value.name);
    if (direction) replaced.set(value, emit("Add", [value, emit("Mul", [far, constant("direction", direction)])]));
  }
  const at = (value: Value | undefined): Value => replaced.get(value!) ?? value!;
  const spread = (node: Node, value: Value, rank: number): Value => {
    const count = sizeOf(base.get(value.name)!.dims);
    if (count === 1) return at(value);
    const dims = Array.from({ length: rank }, (_, i) => (i === intOf(node, "axis", 1) ? -1 : 1));
    return emit("Reshape", [at(value), constant("dims", tensorFromNumbers("int64", [rank], dims))]);
  };
  for (const node of graph.nodes) {
    const [x, scale, zero] = node.inputs;
    const [y] = node.outputs;
    if (node.opType !== "QuantizeLinear" && node.opType !== "DequantizeLinear") {
      nodes.push({ ...node, inputs: node.inputs.map((value) => value && at(value)) });
    } else {
      const rank = base.get(x!.name)!.dims.length;
      const s = spread(node, scale!, rank);
      const z = emit("Cast", [spread(node, zero!, rank)], { to: dataTypes.float32.code });
      if (node.opType === "QuantizeLinear") {
        const { low, high, rest } = restOf(node, base);
        const ends = [constant("low", float([], [low])), constant("high", float([], [high]))];
        const place = emit("Clip", [emit("Add", [emit("Div", [at(x), s]), z]), ...ends]);
        replaced.set(y!, emit("Add", [place, constant("rest", rest)]));
      } else replaced.set(y!, emit("Mul", [emit("Sub", [at(x), z]), s]));
    }
    for (const output of node.outputs) {
      if (output && stops.includes(output.name)) replaced.set(output, constant("stop", base.get(output.name)!));
    }
  }
  const told = emit("ReduceSum", [emit("Mul", [at(graph.outputs[0]), constant("c", drawn([2, 3, 1, 1], 13))])], {
    keepdims: 0,
  });
  return withGraph(source, {
    ...graph,
    nodes,
    initializers: constants,
    inputs: [...graph.inputs, far],
    outputs: [told],
  });
}

/** What rounding adds. */
function restOf(node: Node, base: ReadonlyMap<string, Tensor>) {
  const [x, s, z, q] = [...node.inputs, ...node.outputs].map((value) => base.get(value!.name)!) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const { bits, kind } = dataTypes[z.dtype];
  const low = kind === "int" ? -(2 ** (bits - 1)) : 0;
  const high = low + 2 ** bits - 1;
  const [reals, scales, zeros, integers] = [x, s, z, q].map(numbersOf) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const axis = intOf(node, "axis", 1);
  const inner = sizeOf(x.dims.slice(axis + 1));
  const rest = reals.map((real, i) => {
    const group = scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length;
    return integers[i]! - Math.min(high, Math.max(low, real / scales[group]! + zeros[group]!));
  });
  return { low, high, rest: float(x.dims, rest) };
}

/** The values of all that a pair or a stop reads or makes. */
function valuesAt(source: Model, feeds: ReadonlyMap<string, Tensor>, stops: readonly string[]) {
  const { graph } = source;
  const pairs = graph.nodes.filter(({ opType }) => /^(Quantize|Dequantize)Linear$/.test(opType));
  const seen = pairs.flatMap(({ inputs, outputs }) => [...inputs, ...outputs].map((value) => value!.name));
  const stored = new Map([...graph.initializers].map(([value, data]) => [value.name, data as Tensor]));
  const fetches = [...new Set([...seen, ...stops])].filter((name) => !stored.has(name));
  return new Map([...stored, ...feeds, ...evaluate(source, feeds, { fetches })]);
}

const STEP = 2 ** -16;

describe.each(Object.keys(ranges) as RangeName[])("a step that trains through rounding with %s", (range) => {
  it.each<[StaticBits, boolean]>([
    [8, true],
    [8, false],
    [4, true],
    [4, false],
    [3, true],
    [2, true],
    [2, false],
  ])("has the straight-through gradients at %i bits, per channel %s", async (bits, perChannel) => {
    const { form, step, stops, feeds } = await prepared(range, bits, perChannel);
    const parameters = step.state.filter(({ kind }) => kind === "parameter");
    const state = step.state.map(({ name, initial }) => [name, initial] as const);
    const controls = [
      [step.learningRate, float([], [1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
    ] as const;
    const results = evaluate(step.model, new Map([...feeds, ...state, ...controls]));
    const directions = new Map(parameters.map(({ name, initial }, i) => [name, direction(initial, 20 + i)]));
    let analytic = 0;
    for (const { name, output, initial } of parameters) {
      const after = numbersOf(results.get(output)!);
      numbersOf(initial).forEach((before, i) => {
        analytic += (before - after[i]!) * floatsOf(directions.get(name)!)[i]!;
      });
    }
    const base = valuesAt(form, feeds, stops);
    const straight = straightThrough({ source: form, base, stops, directions });
    const at = (far: number) =>
      numbersOf([...evaluate(straight, new Map([...feeds, ["far", float([], [far])]])).values()][0]!)[0]!;
    const numeric = (at(STEP) - at(-STEP)) / (2 * STEP);
    expect(parameters.length).toBeGreaterThan(4);
    expect(Math.abs(analytic)).toBeGreaterThan(1e-3);
    expect(Math.abs(numeric - analytic) / Math.abs(analytic)).toBeLessThan(1e-3);
  });
});
