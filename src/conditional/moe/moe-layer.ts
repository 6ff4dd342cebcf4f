/** @file A mixture of experts as a layer: gate × expert × dispatch. */
import { ShapeError, UsageError } from "../../errors.ts";
import type { Dims, Value } from "../../ir/index.ts";
import { type Activation, dimsOf, type Layers, lengthOf } from "../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type Dispatch, type DispatchName, dispatches } from "./dispatch/index.ts";
import { type Expert, mlpExpert } from "./expert.ts";
import type { Gate, Gated } from "./gate.ts";
import { type SwitchOptions, switchGate } from "./gates/index.ts";
import type { Routing } from "./routing.ts";
import { answersTo } from "./row-answers.ts";
import { announce } from "./side-outputs.ts";

export interface MoeOptions {
  readonly gate: Gate;
  readonly expert: Expert;
  readonly experts: number;
  /** How rows get to experts; by default dropless for gates whose tokens choose, and what the routing needs for others. */
  readonly dispatch?: Dispatch | DispatchName;
  /** An expert that sees every row, beside those that are chosen. */
  readonly shared?: Expert;
  /** `token` (default): each position of [batch, time, width] is routed. `sample`: each row of the first axis, by the mean over positions. */
  readonly per?: "token" | "sample";
  /**
   * Where the numbers of a token stand: the last axis of [batch, width] and [batch, time, width] by default. Of more axes it has to be said: 1 for
   * pictures [batch, channels, height, width], of which each position is a token, -1 for [batch, height, width, channels].
   */
  readonly axis?: number;
  /** int64 ids of tokens (or of samples, tasks) for gates that decide by them. */
  readonly ids?: Value;
}

const moeOptionsNames: OptionNames<MoeOptions> = {
  gate: true,
  expert: true,
  experts: true,
  dispatch: true,
  shared: true,
  per: true,
  axis: true,
  ids: true,
};

/**
 * y = Σ_e G(x)_e · E_e(x), of the dims of x where the experts keep them. x is [batch, …, width]. Losses of the gate, its next
 * biases and the load of its experts become outputs of the network, which `moeTraining` and `moeMeasures` find again.
 */
export function moeLayer(n: Layers, given: Value, options: MoeOptions): Value {
  checkOptions(options, moeOptionsNames);
  const order = options.per === "sample" ? undefined : tokensLast(given, options.axis);
  if (!order) return layerOver(n, given, options);
  const places = order.map((_, axis) => order.indexOf(axis));
  return n.transpose(layerOver(n, n.transpose(given, order), options), places);
}

/** The axes in an order with those of a token last; nothing where they are. @throws ShapeError where nobody says which they are */
function tokensLast(x: Value, axis: number | undefined): number[] | undefined {
  const { length: rank } = dimsOf(x);
  const last = rank - 1;
  const place = axis === undefined ? last : axis < 0 ? axis + rank : axis;
  const isKnown = axis !== undefined || rank <= 3;
  if (isKnown && Number.isInteger(place) && place >= 1 && place <= last)
    return place === last
      ? undefined
      : [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== place), place];
  throw new ShapeError("a mixture over tokens has to know which axis holds the numbers of one", {
    expected: `axis 1 to ${last}: 1 for [batch, channels, …], -1 for [batch, …, channels]`,
    got: axis === undefined ? `[${dimsOf(x).join(", ")}] without axis` : String(axis),
  });
}

function layerOver(n: Layers, x: Value, options: MoeOptions): Value {
  const { gate, expert, experts, shared, per = "token" } = options;
  const rows = per === "token" ? tokensOf(n, x) : x;
  const seen = per === "token" ? rows : meanOverPositions(n, x);
  const ids = options.ids && n.reshape(options.ids, [-1]);
  const gated = gate.build(
    n.scope("gate"),
    { tokens: seen, samples: per === "token" ? x : seen, ...(ids && { ids }) },
    experts,
  );
  const dispatch = dispatchFor(options.dispatch, gated.routing);
  const answers = answersTo(rows, expertsOf(options));
  if (per === "token" && dimsOf(x).length !== 2) requireVectors(answers);
  const { output, dropped } = dispatch.build(n, rows, gated.routing, expert, experts);
  announce(n, gated, experts, dropped);
  const all = shared ? n.add(output, shared(n.scope("shared"), rows, experts)) : output;
  return per === "token" ? likeInput(n, all, x) : all;
}

function expertsOf({ expert, experts, shared }: MoeOptions): (readonly [string, Expert, number])[] {
  const own = Array.from({ length: experts }, (_, i) => [`expert ${i}`, expert, i] as const);
  return shared ? [...own, ["the shared expert", shared, experts]] : own;
}

function requireVectors(answers: Dims): void {
  if (answers.length === 1) return;
  throw new ShapeError("experts of tokens answer with vectors", {
    expected: "[tokens, width]",
    got: `[${["tokens", ...answers].join(", ")}]`,
  });
}

export interface SwitchLayerOptions extends SwitchOptions {
  readonly experts: number;
  readonly hidden: number;
  readonly activation?: Activation;
  readonly dispatch?: Dispatch | DispatchName;
}

const switchLayerOptionsNames: OptionNames<SwitchLayerOptions> = {
  experts: true,
  hidden: true,
  activation: true,
  dispatch: true,
  balance: true,
  zWeight: true,
  jitter: true,
};

/** The layer of Switch Transformers, arXiv:2101.03961: one MLP expert per token. */
export function switchLayer(n: Layers, x: Value, options: SwitchLayerOptions): Value {
  checkOptions(options, switchLayerOptionsNames);
  const { experts, hidden, activation, dispatch, ...gate } = options;
  const expert = mlpExpert({ hidden, ...(activation !== undefined && { activation }) });
  return moeLayer(n, x, { gate: switchGate(gate), expert, experts, ...(dispatch && { dispatch }) });
}

function tokensOf(n: Layers, x: Value): Value {
  if (dimsOf(x).length === 2) return x;
  return n.reshape(x, [-1, lengthOf(x, -1)]);
}

function meanOverPositions(n: Layers, x: Value): Value {
  const { length } = dimsOf(x);
  if (length === 2) return x;
  // Pictures [batch, channels, …] keep their channels, sequences [batch, time, width] their width.
  const axes = length === 3 ? [1] : Array.from({ length: length - 2 }, (_, i) => i + 2);
  return n.mean(x, axes);
}

function likeInput(n: Layers, rows: Value, x: Value): Value {
  const dims = dimsOf(x);
  if (dims.length === 2) return rows;
  const width = lengthOf(rows, -1);
  const inner = dims.slice(1, -1);
  if (inner.every((dim) => typeof dim === "number")) return n.reshape(rows, [-1, ...(inner as number[]), width]);
  const outer = n.op("Shape", [x], { start: 0, end: dims.length - 1 });
  return n.op("Reshape", [rows, n.concat([outer, n.ints([width])], 0)]);
}

const usual: Readonly<Record<Routing["kind"], DispatchName>> = {
  "token-choice": "dropless",
  "expert-choice": "by-expert",
  dense: "dense",
  slots: "slots",
};

function dispatchFor(given: MoeOptions["dispatch"], { kind }: Gated["routing"]): Dispatch {
  const dispatch = typeof given === "object" ? given : dispatches[given ?? usual[kind]]();
  if (dispatch.kinds.includes(kind)) return dispatch;
  throw new UsageError("this dispatch cannot carry out what the gate decides", {
    expected: dispatch.kinds.join(", "),
    got: kind,
    where: `dispatch ${dispatch.name}`,
  });
}
