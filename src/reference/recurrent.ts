/** @file `RNN`, `GRU` and `LSTM`: one cell each, and one walk over time, batch and directions. */
import { atLeast, nth } from "../checked.ts";
import { floatOf, floatsAttribute, intOf, stringOf, stringsAttribute } from "../ir/index.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { activations, type Unary } from "./elementwise.ts";
import { transposed } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, optionalInput, unsupported } from "./kernel.ts";

type Vector = Float64Array;

interface State {
  readonly h: Vector;
  /** The cell of an LSTM; the others carry it along unused. */
  readonly c: Vector;
}

/** What a cell of one direction sees at one step. Rows of `x` and `r` are gates × hidden. */
interface Step {
  /** W·xₜ + b_W. */
  readonly x: Vector;
  /** (R·v)[gate], without bias. */
  readonly recur: (v: Vector, gate: number) => Vector;
  readonly recurrentBias: Vector;
  readonly peephole: Vector | undefined;
  readonly functions: readonly Unary[];
  readonly state: State;
  readonly clip: Unary;
}

type Cell = (step: Step, call: Call) => State;

interface Kind {
  readonly gates: number;
  readonly defaults: readonly string[];
  readonly cell: Cell;
}

/** The pre-activation of one gate. */
function gateSum({ x, recur, recurrentBias, clip }: Step, v: Vector, gate: number): Vector {
  const size = v.length;
  return recur(v, gate).map((value, i) => clip(value + x[gate * size + i]! + recurrentBias[gate * size + i]!));
}

/** hₜ = f(W·xₜ + R·hₜ₋₁ + b). */
const rnnCell: Cell = (step) => {
  const h = gateSum(step, step.state.h, 0).map(nth(step.functions, 0));
  return { h, c: step.state.c };
};

/** Gates z, r, h; hₜ = (1 − z)·h̃ + z·hₜ₋₁. */
const gruCell: Cell = (step, { node }) => {
  const { state, functions, x, recur, recurrentBias, clip } = step;
  const size = state.h.length;
  const z = gateSum(step, state.h, 0).map(nth(functions, 0));
  const r = gateSum(step, state.h, 1).map(nth(functions, 0));
  const resetAfter = intOf(node, "linear_before_reset", 0) !== 0;
  const reset = recur(resetAfter ? state.h : state.h.map((value, i) => value * r[i]!), 2);
  const candidate = reset.map((value, i) => {
    const bias = recurrentBias[2 * size + i]!;
    const recurrent = resetAfter ? r[i]! * (value + bias) : value + bias;
    return nth(functions, 1)(clip(x[2 * size + i]! + recurrent));
  });
  return { h: candidate.map((value, i) => (1 - z[i]!) * value + z[i]! * state.h[i]!), c: state.c };
};

/** Gates i, o, f, c with peepholes from the cell to i, f and (after the update) o. */
const lstmCell: Cell = (step, { node }) => {
  const { state, functions, peephole, clip } = step;
  const [f, g, h] = functions as [Unary, Unary, Unary];
  const size = state.h.length;
  const gate = (index: number, cell: Vector, place: number): Vector =>
    gateSum({ ...step, clip: (value) => value }, state.h, index).map((value, i) =>
      f(clip(value + (peephole?.[place * size + i] ?? 0) * cell[i]!)),
    );
  const input = gate(0, state.c, 0);
  const coupled = intOf(node, "input_forget", 0) !== 0;
  const forget = coupled ? input.map((value) => 1 - value) : gate(2, state.c, 2);
  const candidate = gateSum(step, state.h, 3).map(g);
  const c = state.c.map((value, i) => forget[i]! * value + input[i]! * candidate[i]!);
  const output = gate(1, c, 1);
  return { h: output.map((value, i) => value * h(c[i]!)), c };
};

/** Parameters that an activation takes from `activation_alpha` and `activation_beta`, in that order. */
const parameterCounts: ReadonlyMap<string, number> = new Map([
  ["Affine", 2],
  ["ScaledTanh", 2],
  ["HardSigmoid", 2],
  ["LeakyRelu", 1],
  ["ThresholdedRelu", 1],
  ["Elu", 1],
]);

/** The activations of all directions; each takes the next parameters of the lists that it needs. */
function functionsOf(call: Call, defaults: readonly string[], directions: number): Unary[] {
  const given = stringsAttribute(call.node, "activations");
  const names = given ?? Array.from({ length: directions }, () => defaults).flat();
  const alphas = [...(floatsAttribute(call.node, "activation_alpha") ?? [])];
  const betas = [...(floatsAttribute(call.node, "activation_beta") ?? [])];
  const byName = new Map(Object.entries(activations).map(([name, make]) => [name.toLowerCase(), { name, make }]));
  return names.map((name) => {
    const known = byName.get(name.toLowerCase());
    if (!known) throw unsupported(call, `the activation ${JSON.stringify(name)}`);
    const count = parameterCounts.get(known.name) ?? 0;
    return known.make(count > 0 ? alphas.shift() : undefined, count > 1 ? betas.shift() : undefined);
  });
}

function product(weights: Vector, start: number, rows: number, v: Vector): Vector {
  const width = v.length;
  return new Float64Array(rows).map((_, row) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += weights[start + row * width + i]! * v[i]!;
    return sum;
  });
}

/** The parameters of a node, time first, with the data of its optional inputs. */
interface Layer {
  readonly x: Dense;
  readonly weights: Vector;
  readonly recurrence: Vector;
  readonly bias: Vector | undefined;
  readonly lengths: Vector | undefined;
  readonly initial: readonly (Vector | undefined)[];
  readonly peephole: Vector | undefined;
  readonly directions: number;
  readonly hidden: number;
  readonly functions: readonly Unary[];
  readonly clip: Unary;
}

/** Inputs X, W, R, B, sequence_lens, initial_h, initial_c, P. */
function layerOf(call: Call, { defaults }: Kind, timeFirst: (x: Dense) => Dense): Layer {
  const [weights, recurrence] = [inputOf(call, 1), inputOf(call, 2)];
  const optional = (i: number): Vector | undefined => {
    const given = optionalInput(call, i);
    return given && numbers(given);
  };
  const initial = [5, 6].map((i) => {
    const given = optionalInput(call, i);
    return given && numbers(timeFirst(given));
  });
  const directions = nth(weights.dims, 0);
  const limit = floatOf(call.node, "clip");
  return {
    x: timeFirst(inputOf(call, 0)),
    weights: numbers(weights),
    recurrence: numbers(recurrence),
    bias: optional(3),
    lengths: optional(4),
    initial,
    peephole: optional(7),
    directions,
    hidden: nth(recurrence.dims, 2),
    functions: functionsOf(call, defaults, directions),
    clip: limit === undefined ? (v) => v : (v) => Math.min(limit, Math.max(-limit, v)),
  };
}

/** Walks one batch entry in one direction; `emit` gets the state after each step. */
function walk(
  call: Call,
  { gates, defaults, cell }: Kind,
  layer: Layer,
  direction: number,
  entry: number,
  emit: (time: number, state: State) => void,
): State {
  const { x, hidden, clip } = layer;
  const [steps, batch, width] = atLeast(x.dims, 3);
  const rows = gates * hidden;
  const at = (direction * batch + entry) * hidden;
  const start = (from: Vector | undefined): Vector => from?.slice(at, at + hidden) ?? new Float64Array(hidden);
  const bias =
    layer.bias?.subarray(direction * 2 * rows, (direction + 1) * 2 * rows) ?? new Float64Array(bounded(2 * rows));
  const fixed = {
    recur: (v: Vector, gate: number) =>
      product(layer.recurrence, (direction * rows + gate * hidden) * hidden, hidden, v),
    recurrentBias: bias.subarray(rows),
    peephole: layer.peephole?.subarray(direction * 3 * hidden, (direction + 1) * 3 * hidden),
    functions: layer.functions.slice(direction * defaults.length, (direction + 1) * defaults.length),
    clip,
  };
  const backward = direction === 1 || stringOf(call.node, "direction", "forward") === "reverse";
  const length = layer.lengths?.[entry] ?? steps;
  let state: State = { h: start(layer.initial[0]), c: start(layer.initial[1]) };
  for (let i = 0; i < length; i++) {
    const t = backward ? length - 1 - i : i;
    const input = numbers(x).subarray((t * batch + entry) * width, (t * batch + entry + 1) * width);
    const projected = product(layer.weights, direction * rows * width, rows, input);
    state = cell({ ...fixed, x: projected.map((value, row) => value + bias[row]!), state }, call);
    emit(t, state);
  }
  return state;
}

/** Outputs Y, Y_h, Y_c. */
function recurrent(kind: Kind): Kernel {
  return (call) => {
    const batchFirst = intOf(call.node, "layout", 0) === 1;
    const layer = layerOf(call, kind, (x) => (batchFirst ? transposed(x, [1, 0, 2]) : x));
    const { x, directions, hidden } = layer;
    const [steps, batch] = atLeast(x.dims, 2);
    const y = new Float64Array(bounded(steps * directions * batch * hidden));
    const last = [0, 1].map(() => new Float64Array(bounded(directions * batch * hidden)));
    for (let d = 0; d < directions; d++) {
      for (let n = 0; n < batch; n++) {
        const end = walk(call, kind, layer, d, n, (t, { h }) => {
          y.set(h, ((t * directions + d) * batch + n) * hidden);
        });
        nth(last, 0).set(end.h, (d * batch + n) * hidden);
        nth(last, 1).set(end.c, (d * batch + n) * hidden);
      }
    }
    const outputs = [
      dense(x.dtype, [steps, directions, batch, hidden], y),
      ...last.map((v) => dense(x.dtype, [directions, batch, hidden], v)),
    ];
    if (!batchFirst) return outputs;
    return outputs.map((v) => transposed(v, v.dims.length === 4 ? [2, 0, 1, 3] : [1, 0, 2]));
  };
}

export const recurrents = {
  RNN: recurrent({ gates: 1, defaults: ["Tanh"], cell: rnnCell }),
  GRU: recurrent({ gates: 3, defaults: ["Sigmoid", "Tanh"], cell: gruCell }),
  LSTM: recurrent({ gates: 4, defaults: ["Sigmoid", "Tanh", "Tanh"], cell: lstmCell }),
} satisfies Kernels;
