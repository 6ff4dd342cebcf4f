/** @file LSTM, GRU and RNN as Scans, whose gradient is a Scan from the back. The input's product is taken once for all steps. */
import { atLeast, lastOf, nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  boundedSize,
  type Dim,
  describeNode,
  float,
  floatOf,
  floatsAttribute,
  intOf,
  type Node,
  stringOf,
  stringsAttribute,
  UNKNOWN_DIM,
  type Value,
} from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type Expansion, expand, type GradientEntry } from "../rule.ts";
import { bodyInput, bodyOutputs, emitScan } from "../scan.ts";

type Activation = (g: GradientBuilder, x: Value) => Value;

/** How an activation is made of alpha and beta, and what these are where the node does not say. */
interface ActivationForm {
  readonly alpha?: number;
  readonly beta?: number;
  build(g: GradientBuilder, x: Value, alpha: number, beta: number): Value;
}

type Plain = "Relu" | "Tanh" | "Sigmoid" | "Softsign" | "Softplus";

const plain = (opType: Plain): [string, ActivationForm] => [
  opType.toLowerCase(),
  { build: (g, x) => g.op(opType, [x]) },
];

const withAlpha = (opType: "LeakyRelu" | "Elu" | "ThresholdedRelu", alpha: number): [string, ActivationForm] => [
  opType.toLowerCase(),
  { alpha, build: (g, x, a) => g.op(opType, [x], { alpha: float(a) }) },
];

const activations: ReadonlyMap<string, ActivationForm> = new Map<string, ActivationForm>([
  ...(["Relu", "Tanh", "Sigmoid", "Softsign", "Softplus"] as const).map(plain),
  withAlpha("LeakyRelu", 0.01),
  withAlpha("Elu", 1),
  withAlpha("ThresholdedRelu", 1),
  [
    "hardsigmoid",
    { alpha: 0.2, beta: 0.5, build: (g, x, a, b) => g.op("HardSigmoid", [x], { alpha: float(a), beta: float(b) }) },
  ],
  ["affine", { alpha: 1, beta: 0, build: (g, x, a, b) => g.add(g.scale(x, a), g.number(b, x)) }],
  ["scaledtanh", { alpha: 1, beta: 1, build: (g, x, a, b) => g.scale(g.tanh(g.scale(x, b)), a) }],
]);

/** One direction of a layer, cut out of the node's stacked parameters. */
interface Direction {
  readonly node: Node;
  readonly hidden: number;
  /** Rᵀ, [hidden, gates·hidden]. */
  readonly recurrent: Value;
  /** Bias of the recurrent product, [gates·hidden], where the cell adds it itself. */
  readonly bias: Value | undefined;
  /** Weights of the peepholes, [3·hidden]. */
  readonly peepholes: Value | undefined;
  readonly activate: readonly Activation[];
}

/** What one step makes of the input's product and the states; the first state is the output. */
type Step = (g: GradientBuilder, direction: Direction, input: Value, states: readonly Value[]) => readonly Value[];

interface Cell {
  readonly gates: number;
  readonly states: 1 | 2;
  readonly activations: readonly string[];
  /** Whether the recurrent bias is added inside the step. */
  readonly ownBias: (node: Node) => boolean;
  readonly step: Step;
}

function split(g: GradientBuilder, x: Value, parts: number, hidden: number): Value[] {
  return g.ops("Split", [x, g.ints(new Array<number>(parts).fill(hidden))], parts, { axis: g.rank(x) - 1 });
}

/** Pre-activations are clipped to ±clip, where the node says so. */
function clipped(g: GradientBuilder, { node }: Direction, x: Value): Value {
  const limit = floatOf(node, "clip");
  return limit === undefined || limit === 0 ? x : g.op("Clip", [x, g.number(-limit, x), g.number(limit, x)]);
}

const rnnStep: Step = (g, direction, input, [h]) => {
  const sum = g.add(input, g.op("MatMul", [h, direction.recurrent]));
  return [nth(direction.activate, 0)(g, clipped(g, direction, sum))];
};

/** Gates z, r and the candidate: h′ = (1 − z)·h̃ + z·h. */
const gruStep: Step = (g, direction, input, [h]) => {
  const { recurrent, bias, hidden, activate, node } = direction;
  const [f, candidate] = atLeast(activate, 2);
  const [inputZ, inputR, inputH] = atLeast(split(g, input, 3, hidden), 3);
  const [recurrentZ, recurrentR, recurrentH] = split(g, recurrent, 3, hidden);
  const z = f(g, clipped(g, direction, g.add(inputZ, g.op("MatMul", [h, recurrentZ]))));
  const r = f(g, clipped(g, direction, g.add(inputR, g.op("MatMul", [h, recurrentR]))));
  const isLinear = intOf(node, "linear_before_reset", 0) !== 0;
  const product = g.op("MatMul", [isLinear ? h : g.mul(r, h!), recurrentH]);
  const inner = isLinear ? g.mul(r, bias ? g.add(product, bias) : product) : product;
  const next = candidate(g, clipped(g, direction, g.add(inputH, inner)));
  return [g.add(g.mul(g.sub(g.number(1, z), z), next), g.mul(z, h!))];
};

/** Gates i, o, f and the candidate: c′ = f·c + i·c̃, h′ = o·tanh c′; peepholes let the gates see c. */
const lstmStep: Step = (g, direction, input, [h, c]) => {
  const { recurrent, hidden, activate, peepholes, node } = direction;
  const [gate, candidate, output] = atLeast(activate, 3);
  const sum = g.add(input, g.op("MatMul", [h, recurrent]));
  const [i, o, f, n] = atLeast(split(g, sum, 4, hidden), 4);
  const [pi, po, pf] = peepholes ? split(g, peepholes, 3, hidden) : [];
  const seen = (x: Value, p: Value | undefined, cell: Value): Value =>
    clipped(g, direction, p ? g.add(x, g.mul(p, cell)) : x);
  const inputGate = gate(g, seen(i, pi, c!));
  const isCoupled = intOf(node, "input_forget", 0) !== 0;
  const forget = isCoupled ? g.sub(g.number(1, inputGate), inputGate) : gate(g, seen(f, pf, c!));
  const cell = g.add(g.mul(forget, c!), g.mul(inputGate, candidate(g, clipped(g, direction, n))));
  const outputGate = gate(g, seen(o, po, cell));
  return [g.mul(outputGate, output(g, cell)), cell];
};

const cells = {
  LSTM: {
    gates: 4,
    states: 2,
    activations: ["Sigmoid", "Tanh", "Tanh"],
    ownBias: () => false,
    step: lstmStep,
  },
  GRU: {
    gates: 3,
    states: 1,
    activations: ["Sigmoid", "Tanh"],
    ownBias: (node) => intOf(node, "linear_before_reset", 0) !== 0,
    step: gruStep,
  },
  RNN: { gates: 1, states: 1, activations: ["Tanh"], ownBias: () => false, step: rnnStep },
} satisfies Record<string, Cell>;

/** Inputs X [time, batch, features], W, R, B, sequence lengths, initial states, peepholes. */
function layer(cell: Cell): Expansion {
  return (g, node) => {
    const isBatchFirst = intOf(node, "layout", 0) === 1;
    const swap = (x: Value, permutation: number[]): Value => (isBatchFirst ? g.transpose(x, permutation) : x);
    const x = swap(nth(node.inputs, 0), [1, 0, 2]);
    const mode = stringOf(node, "direction", "forward");
    const names = mode === "bidirectional" ? ["forward", "reverse"] : [mode];
    const isOnly = names.length === 1;
    const runs = names.map((name, d) =>
      runDirection(g, node, cell, x, { index: d, isOnly, reversed: name === "reverse" }),
    );
    const stack = (parts: Value[], axis: number): Value => {
      const open = parts.map((part) => g.unsqueeze(part, [axis]));
      return open.length === 1 ? nth(open, 0) : g.concat(open, axis);
    };
    const y = stack(
      runs.map(({ outputs }) => outputs),
      1,
    );
    const finals = Array.from({ length: cell.states }, (_, i) =>
      swap(
        stack(
          runs.map(({ states }) => nth(states, i)),
          0,
        ),
        [1, 0, 2],
      ),
    );
    return [swap(y, [2, 0, 1, 3]), ...finals];
  };
}

interface Which {
  readonly index: number;
  /** Whether the layer has no other direction. */
  readonly isOnly: boolean;
  readonly reversed: boolean;
}

/** The slice of a parameter that is stacked over directions. */
function ofDirection(
  g: GradientBuilder,
  stacked: Value | undefined,
  { index, isOnly }: Which,
  axis = 0,
): Value | undefined {
  if (!stacked) return undefined;
  if (isOnly) return g.squeeze(stacked, [axis]);
  return g.squeeze(g.slice(stacked, [index], [index + 1], [axis]), [axis]);
}

function runDirection(g: GradientBuilder, node: Node, cell: Cell, x: Value, which: Which) {
  const [, w, r, b, lengths] = node.inputs;
  const hidden = intOf(node, "hidden_size") ?? hiddenOf(g, node, r!);
  const biases = b && ofDirection(g, b, which);
  const [wide, deep] = biases ? atLeast(split(g, biases, 2, cell.gates * hidden), 2) : [];
  const recurrentBias = cell.ownBias(node) ? deep : undefined;
  const direction: Direction = {
    node,
    hidden,
    recurrent: g.transpose(ofDirection(g, r, which)!, [1, 0]),
    bias: recurrentBias && lastOf(split(g, recurrentBias, cell.gates, hidden)),
    peepholes: ofDirection(g, cell.states === 2 ? node.inputs[7] : undefined, which),
    activate: activationsOf(node, cell, which),
  };
  const source = lengths && which.reversed ? turned(g, x, lengths) : x;
  const product = g.matmul(source, g.transpose(ofDirection(g, w, which)!, [1, 0]));
  const bias =
    wide && deep && (recurrentBias ? firstGates(g, wide, recurrentBias, cell.gates, hidden) : g.add(wide, deep));
  const input = bias ? g.add(product, bias) : product;
  const isBatchFirst = intOf(node, "layout", 0) === 1;
  const states = Array.from(
    { length: cell.states },
    (_, i) => ofDirection(g, node.inputs[5 + i], which, isBatchFirst ? 1 : 0) ?? startOf(g, x, hidden),
  );
  const scan = scanSteps(g, cell, direction, input, states, { lengths, reversed: which.reversed && !lengths });
  return { ...scan, outputs: lengths && which.reversed ? turned(g, scan.outputs, lengths) : scan.outputs };
}

/** Zeros for each sequence; a number of sequences that nothing names is read where it stands. */
function startOf(g: GradientBuilder, x: Value, hidden: number): Value {
  const batch = nth(g.dims(x), 1);
  if (batch !== UNKNOWN_DIM) return g.zeros(x, [batch, hidden], x);
  return g.expand(g.number(0, x), g.concat([g.lengths(x, 1, 2), g.ints([hidden])], 0));
}

function hiddenOf(g: GradientBuilder, node: Node, recurrent: Value): number {
  const dim = g.dims(recurrent)[2];
  if (typeof dim === "number") return dim;
  throw new UnsupportedError(`the gradient of ${node.opType} needs to know how many values a state has`, {
    where: describeNode(node),
    hint: "Give the node its hidden_size.",
  });
}

/** The bias of the gates that the step does not add itself: all but the last. */
function firstGates(g: GradientBuilder, wide: Value, deep: Value, gates: number, hidden: number): Value {
  const last = g.matrix(deep, [hidden], new Array<number>(boundedSize(hidden)).fill(0));
  return g.add(wide, g.concat([...split(g, deep, gates, hidden).slice(0, -1), last], 0));
}

/** Each sequence of the batch from its own end. */
function turned(g: GradientBuilder, x: Value, lengths: Value): Value {
  return g.op("ReverseSequence", [x, g.cast(lengths, "int64")], { time_axis: 0, batch_axis: 1 });
}

function scanSteps(
  g: GradientBuilder,
  cell: Cell,
  direction: Direction,
  input: Value,
  initial: readonly Value[],
  { lengths, reversed }: { lengths: Value | undefined; reversed: boolean },
): { outputs: Value; states: Value[] } {
  const inner = g.inside({ name: "body", inputs: [], outputs: [], nodes: [], initializers: new Map() });
  const states = initial.map((value, i) => bodyInput(inner, `state${i}`, value));
  const slice = bodyInput(inner, "slice", input, g.dims(input).slice(1));
  const running = lengths && runningSteps(g, input, lengths);
  const isRunning = running && bodyInput(inner, "running", running, g.dims(running).slice(1));
  const next = cell.step(inner, direction, slice, states);
  const kept = isRunning ? next.map((value, i) => inner.where(isRunning, value, nth(states, i))) : next;
  const shown = isRunning ? inner.op("Where", [isRunning, next[0], inner.number(0, nth(next, 0))]) : nth(kept, 0);
  for (const value of bodyOutputs(inner, [...kept, shown])) inner.raw.output(value);
  const sequences = [input, ...(running ? [running] : [])].map((value) => ({ value, axis: 0, reversed }));
  const body = inner.raw.build("step");
  const results = emitScan(g, { states: initial, sequences, body, results: [{ axis: 0, reversed }] });
  return { outputs: lastOf(results), states: results.slice(0, -1) };
}

/** [time, batch, 1]: whether a step lies before the end of its sequence. */
function runningSteps(g: GradientBuilder, input: Value, lengths: Value): Value {
  const time: Dim = nth(g.dims(input), 0);
  const count = typeof time === "number" ? g.number(time, g.ints([0])) : scalarDim(g, input, 0);
  const steps = g.op("Range", [g.number(0, g.ints([0])), count, g.number(1, g.ints([0]))]);
  const before = g.less(g.unsqueeze(steps, [1]), g.unsqueeze(g.cast(lengths, "int64"), [0]));
  return g.unsqueeze(before, [2]);
}

function scalarDim(g: GradientBuilder, x: Value, axis: number): Value {
  return g.squeeze(g.op("Shape", [x], { start: axis, end: axis + 1 }), [0]);
}

/** Alphas and betas are listed for the activations that take one, in order over both directions. */
function activationsOf(node: Node, cell: Cell, { index }: Which): Activation[] {
  const count = cell.activations.length;
  const names = stringsAttribute(node, "activations") ?? [...cell.activations, ...cell.activations];
  const [alphas, betas] = atLeast(
    ["activation_alpha", "activation_beta"].map((name) => [...(floatsAttribute(node, name) ?? [])]),
    2,
  );
  const all = names.map((name): Activation => {
    const form = activations.get(name.toLowerCase());
    if (!form) throw unknownActivation(node, name);
    const alpha = form.alpha === undefined ? 0 : (alphas.shift() ?? form.alpha);
    const beta = form.beta === undefined ? 0 : (betas.shift() ?? form.beta);
    return (g, x) => form.build(g, x, alpha, beta);
  });
  return all.slice(index * count, (index + 1) * count);
}

function unknownActivation(node: Node, name: string): UnsupportedError {
  return new UnsupportedError(`${node.opType} has no gradient with this activation`, {
    expected: [...activations.keys()].join(", "),
    got: name,
    where: describeNode(node),
  });
}

export const recurrences = {
  LSTM: expand(layer(cells.LSTM)),
  GRU: expand(layer(cells.GRU)),
  RNN: expand(layer(cells.RNN)),
} satisfies Record<string, GradientEntry>;
