/** @file Recurrent layers and control flow: operators over time and over subgraphs. */
import { type BuilderAttributes, type GraphBuilder, graphAttribute, type Value } from "../../../src/ir/index.ts";
import { type GradientCase, integers, number, operator, x } from "./case.ts";

function recurrent(
  opType: "LSTM" | "GRU" | "RNN",
  attributes: BuilderAttributes = {},
  { lengths, peepholes, bias = true }: { lengths?: boolean; peepholes?: boolean; bias?: boolean } = {},
): GradientCase {
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[opType];
  const directions = attributes.direction === "bidirectional" ? 2 : 1;
  const [time, batch, features, hidden] = [4, 2, 3, 2];
  const isBatchFirst = attributes.layout === 1;
  const state = x(...(isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden]));
  const inputs = [
    x(...(isBatchFirst ? [batch, time, features] : [time, batch, features])),
    x(directions, gates * hidden, features),
    x(directions, gates * hidden, hidden),
    bias ? x(directions, 2 * gates * hidden) : undefined,
    lengths ? integers([batch], [4, 2], "int32") : undefined,
    state,
    ...(opType === "LSTM" ? [state, ...(peepholes ? [x(directions, 3 * hidden)] : [])] : []),
  ];
  const extra = `${lengths ? " with lengths" : ""}${peepholes ? " with peepholes" : ""}${bias ? "" : " without bias"}`;
  return operator(
    opType,
    inputs,
    { hidden_size: hidden, ...attributes },
    {
      name: `${opType} ${JSON.stringify(attributes)}${extra}`,
      outputs: opType === "LSTM" ? 3 : 2,
      // ONNX Runtime's kernel does not take batch-first layouts.
      ...(isBatchFirst ? { runtime: "the kernel has no batch-first layout" } : {}),
    },
  );
}

const recurrences: readonly GradientCase[] = (["LSTM", "GRU", "RNN"] as const).flatMap((op) => [
  recurrent(op),
  recurrent(op, {}, { bias: false }),
  recurrent(op, { direction: "reverse" }),
  recurrent(op, { direction: "bidirectional" }),
  recurrent(op, { direction: "bidirectional" }, { lengths: true }),
  recurrent(op, { layout: 1 }),
  recurrent(op, { clip: 0.8 }),
]);

const variants: readonly GradientCase[] = [
  recurrent("LSTM", {}, { peepholes: true }),
  recurrent("LSTM", { input_forget: 1 }, { peepholes: true }),
  recurrent("GRU", { linear_before_reset: 1 }),
  recurrent("GRU", { linear_before_reset: 1 }, { bias: false }),
  recurrent("RNN", { activations: ["Sigmoid"] }),
  recurrent("LSTM", { activations: ["Sigmoid", "Softsign", "Tanh"] }),
];

type Input = (name: string) => Value;

/** y = Tanh(a·w) where the condition holds, else a + b: `w` matters to one branch, `b` to the other, `a` to both. */
function conditional(g: GraphBuilder, input: Input): readonly Value[] {
  const yes = g.subgraph();
  yes.output(yes.op("Tanh", [yes.op("MatMul", [input("a"), input("w")])]));
  const no = g.subgraph();
  no.output(no.op("Add", [input("a"), input("b")]));
  const branches = { then_branch: graphAttribute(yes.build("yes")), else_branch: graphAttribute(no.build("no")) };
  return [g.op("If", [input("condition")], branches)];
}

/** h ← Tanh(h·w + xₜ); the results are h and h·xₜ, with `w` captured. */
function scan(attributes: BuilderAttributes, axis: number) {
  return (g: GraphBuilder, input: Input): readonly Value[] => {
    const step = g.subgraph();
    const h = step.input("h", "float32", [2, 3]);
    const slice = step.input("slice", "float32", [2, 3]);
    const next = step.op("Tanh", [step.op("Add", [step.op("MatMul", [h, input("w")]), slice])]);
    step.output(next);
    step.output(step.op("Mul", [next, slice]));
    step.output(step.op("Identity", [next]));
    const body = graphAttribute(step.build("step"));
    return g.ops("Scan", [input("h0"), input("x")], 3, {
      body,
      num_scan_inputs: 1,
      scan_input_axes: [axis],
      ...attributes,
    });
  };
}

/** s ← s·w + i, four times; each step also gives s². */
function loop(g: GraphBuilder, input: Input): readonly Value[] {
  const step = g.subgraph();
  const i = step.input("i", "int64", []);
  const going = step.input("going", "bool", []);
  const s = step.input("s", "float32", [2]);
  step.output(step.op("Identity", [going]));
  const count = step.op("Cast", [i], { to: 1 });
  const next = step.op("Add", [step.op("Mul", [s, input("w")]), count]);
  step.output(next);
  step.output(step.op("Mul", [next, next]));
  return g.ops("Loop", [number(g, 4, "int64"), number(g, 1, "bool"), input("s0")], 2, {
    body: graphAttribute(step.build("step")),
  });
}

const flow: readonly GradientCase[] = [
  ...[0, 1].map((condition) => ({
    name: `If ${condition ? "then" : "else"}`,
    covers: ["If"],
    inputs: { condition: integers([], [condition], "bool"), a: x(2, 3), w: x(3, 3), b: x(3) },
    build: conditional,
  })),
  ...(
    [
      [{}, 0],
      [{ scan_input_directions: [1] }, 0],
      [{ scan_output_directions: [1, 0], scan_output_axes: [1, 0] }, 0],
      [{ scan_input_directions: [1], scan_output_directions: [0, 1] }, -1],
    ] as const
  ).map(([attributes, axis]) => ({
    name: `Scan ${JSON.stringify(attributes)} along ${axis}`,
    covers: ["Scan"],
    inputs: { h0: x(2, 3), x: axis === 0 ? x(4, 2, 3) : x(2, 3, 4), w: x(3, 3) },
    build: scan(attributes, axis),
  })),
  {
    name: "Scan with a state that is not wanted, but that what is wanted reaches",
    covers: ["Scan"],
    inputs: { h0: { ...x(2, 3), differentiable: false }, x: { ...x(4, 2, 3), differentiable: false }, w: x(3, 3) },
    build: scan({}, 0),
  },
  {
    name: "Loop",
    covers: ["Loop"],
    inputs: { s0: { ...x(2), low: -1, high: 1 }, w: { ...x(2), low: -0.5, high: 0.5 } },
    build: loop,
  },
];

export const structureCases: readonly GradientCase[] = [...recurrences, ...variants, ...flow];
