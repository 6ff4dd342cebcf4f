/** @file A fake-quantized model whose ranges move: what a step graph is made of, and which parts of it are state. */
import {
  type Draft,
  editGraph,
  floatsOf,
  type Graph,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { type Carry, newBuilder, type StepBuilder } from "../../train/index.ts";
import type { LearnedRange, LearningRange } from "../ranges/index.ts";
import { grouping } from "../scheme.ts";
import { type Pair, type RangeGroup, rangeGroups, siteOf } from "./range-groups.ts";

/** What the run feeds to say how far it is. */
export const stages = {
  /** Activations are floats, and ranges move. */
  float: 0,
  /** All is rounded, and ranges move. */
  learning: 1,
  /** All is rounded, and ranges stay. */
  frozen: 2,
} as const;

export interface LearningForm {
  readonly model: Model;
  /** A float32 scalar that takes one of `stages`. */
  readonly stage: string;
  /** The scales and zero points of the model, and statistics, by the outputs that are their next values. */
  readonly carry: Carry;
  /** Values through which no gradient goes. */
  readonly stopAt: readonly string[];
  /** Initializers that are trained beside the weights, with the factors of their gradients. */
  readonly factors: ReadonlyMap<string, Tensor>;
  /** Initializers that are no weights. */
  readonly constants: ReadonlySet<string>;
  /** Outputs, each a scalar to add to the loss. */
  readonly penalties: readonly string[];
}

/** A range is kept above this share of where it began. */
const LEAST_SHARE = 1 / 64;

/** The form of a fake-quantized model in which its ranges move by `range`; its own values and initializers keep their names. */
export function learningForm(fake: Model, range: LearnedRange): LearningForm {
  const typed = inferShapes(fake);
  const scope = namesOf(typed);
  const writing = begin(typed.graph, scope);
  const groups = rangeGroups(typed.graph).map((group) =>
    learning(writing, group, range.learn(writing.front, siteOf(group))),
  );
  const graph = editGraph(typed.graph, (draft) => write(draft, writing, groups), scope);
  const { front, back, carried, stopAt, factors, penalties, stage } = writing;
  const added = [front, back].flatMap(({ raw }) => [...raw.initializers.keys()].map(({ name }) => name));
  return {
    model: withGraph(typed, graph),
    stage: stage.name,
    carry: Object.fromEntries(carried.map(({ value, next }) => [value.name, next.name])),
    stopAt,
    factors,
    constants: new Set([...added, ...groups.flatMap(({ group: { scale } }) => scale.name)]),
    penalties: penalties.map(({ name }) => name),
  };
}

interface Writing {
  readonly graph: Graph;
  readonly scope: Names;
  readonly front: StepBuilder;
  readonly back: StepBuilder;
  readonly stage: Value;
  readonly isQuantizing: Value;
  readonly isLearning: Value;
  readonly carried: { readonly value: Value; readonly next: Value }[];
  readonly stopAt: string[];
  readonly factors: Map<string, Tensor>;
  readonly penalties: Value[];
}

function begin(graph: Graph, scope: Names): Writing {
  const stage = { name: scope.fresh("quantization/stage"), type: tensorType("float32", []) };
  const front = newBuilder(scope, "ranges/");
  return {
    graph,
    scope,
    front,
    back: newBuilder(scope, "ranges/"),
    stage,
    isQuantizing: front.greater(stage, stages.learning - 0.5),
    isLearning: front.less(stage, stages.frozen - 0.5),
    carried: [],
    stopAt: [],
    factors: new Map(),
    penalties: [],
  };
}

/** A group with the scale and the zero point of this step. */
interface Learning {
  readonly group: RangeGroup;
  readonly scale: Value;
  readonly zeroPoint: Value | undefined;
  /** The zero point as a float, where it moves. */
  readonly zero: Value | undefined;
  readonly end: Value | undefined;
}

/** What is used is kept, so that a range that stays, and the file that comes out, have what was used last. */
function learning(writing: Writing, group: RangeGroup, parts: LearningRange): Learning {
  const { front: g, back, isLearning, carried, stopAt, factors, penalties } = writing;
  for (const { value, factor } of parts.parameters) factors.set(value.name, factor);
  if (parts.penalty) penalties.push(parts.penalty);
  if (parts.isFixed) stopAt.push(parts.scale.name);
  const scale = g.where(isLearning, within(writing, group, parts.scale), group.scale);
  carried.push({ value: group.scale, next: scale });
  for (const statistic of parts.statistics) {
    carried.push({ value: statistic.value, next: back.where(isLearning, statistic.next(back), statistic.value) });
  }
  const end = parts.end && g.where(isLearning, parts.end, g.mul(scale, group.limits.high - group.zero));
  const moved = parts.zeroPoint && group.zeroPoint ? movedZero(writing, group, group.zeroPoint, parts.zeroPoint) : {};
  return { group, scale, zeroPoint: group.zeroPoint, zero: undefined, end, ...moved };
}

function movedZero(
  { front: g, isLearning, carried }: Writing,
  { dtype, scaleTensor }: RangeGroup,
  kept: Value,
  next: Value,
) {
  const form = scaleTensor.dims.length === 1 ? g.reshape(next, [1]) : next;
  const zero = g.where(isLearning, form, g.cast(kept, "float32"));
  const zeroPoint = g.cast(zero, dtype);
  carried.push({ value: kept, next: zeroPoint });
  return { zero, zeroPoint };
}

/** The scale between its bounds. Gradients pass, so that it can come back. */
function within({ front: g, stopAt }: Writing, group: RangeGroup, scale: Value): Value {
  const { scaleTensor, bound, limits, zero } = group;
  const least = floatsOf(scaleTensor).map((calibrated) => calibrated * LEAST_SHARE);
  const floor = g.constant(`${group.scale.name}/least_scale`, tensorFromNumbers("float32", scaleTensor.dims, least));
  const lacking = g.max(g.sub(floor, scale), 0);
  stopAt.push(lacking.name);
  const wide = g.add(scale, lacking);
  if (bound === undefined || limits.high <= zero) return wide;
  const excess = g.max(g.sub(wide, bound / (limits.high - zero)), 0);
  stopAt.push(excess.name);
  return g.sub(wide, excess);
}

function write(draft: Draft, writing: Writing, groups: readonly Learning[]): void {
  const { graph, front, back, stage, carried, penalties } = writing;
  for (const node of front.raw.nodes) draft.prepend(node);
  for (const each of groups) for (const pair of each.group.pairs) writePair(draft, writing, each, pair);
  for (const node of back.raw.nodes) draft.append(node);
  for (const { raw } of [front, back]) {
    for (const [value, tensor] of raw.initializers) draft.setInitializer(value, tensor);
  }
  draft.setInputs([...graph.inputs, stage]);
  draft.setOutputs([...new Set([...graph.outputs, ...carried.map(({ next }) => next), ...penalties])]);
}

function writePair(draft: Draft, writing: Writing, { group, scale, zeroPoint, zero, end }: Learning, pair: Pair): void {
  const { scope, isQuantizing } = writing;
  const { quantize, source, dequantize } = pair;
  const g = newBuilder(scope, "ranges/");
  const x = end
    ? clipped(g, source, end, group)
    : group.isNarrow
      ? narrowed(g, source, { group, scale, zero })
      : source;
  const rounded: Node = { ...quantize, inputs: [x, scale, ...(zeroPoint ? [zeroPoint] : [])] };
  draft.replaceNode(quantize, ...g.raw.nodes, rounded);
  for (const [value, tensor] of g.raw.initializers) draft.setInitializer(value, tensor);
  for (const node of dequantize) {
    const [q] = rounded.outputs;
    const [y] = node.outputs;
    const inputs = [q, scale, ...(zeroPoint ? [zeroPoint] : [])];
    if (group.weight || !y) {
      draft.replaceNode(node, { ...node, inputs });
      continue;
    }
    const real = { ...y, name: scope.fresh(`${y.name}:rounded`) };
    const chosen = makeNode("Where", [isQuantizing, real, source], [y], { name: scope.fresh(`${y.name}:chosen`) });
    draft.replaceNode(node, { ...node, inputs, outputs: [real] }, chosen);
  }
}

/** y = clip(x, −end · (share of the integers below zero), end). */
function clipped(g: StepBuilder, x: Value, end: Value, { limits, zero }: RangeGroup): Value {
  return kept(g, x, g.mul(end, (limits.low - zero) / (limits.high - zero)), end);
}

/** Kept to what the integers in use stand for, of fewer bits than their type has. */
function narrowed(g: StepBuilder, x: Value, { group, scale, zero }: Pick<Learning, "group" | "scale" | "zero">): Value {
  const { limits, axis, weight } = group;
  const dims = weight?.dims ?? [];
  const wide =
    axis === undefined
      ? scale
      : g.reshape(
          scale,
          dims.map((_, i) => (i === axis ? -1 : 1)),
        );
  const edge = (integer: number) => g.mul(wide, zero ? g.sub(integer, zero) : integer - group.zero);
  return kept(g, x, edge(limits.low), edge(limits.high));
}

/** x where it lies between the ends, which receive the gradient elsewhere. */
function kept(g: StepBuilder, x: Value, low: Value, high: Value): Value {
  return g.where(g.greater(x, high), high, g.where(g.less(x, low), low, x));
}

/** A trained model in which what depends on ranges follows them: weights of fewer bits, and the clips in front of activations. */
export function settled(fake: Model): Model {
  const { graph } = fake;
  const next = new Map<Value, Tensor>();
  for (const { isNarrow, weight, pairs, limits, axis, zero, ...group } of rangeGroups(graph)) {
    if (!isNarrow) continue;
    const scales = numbersOf(group.scaleTensor);
    const ends = (group: number) => ({
      least: (limits.low - zero) * scales[group]!,
      most: (limits.high - zero) * scales[group]!,
    });
    if (weight && graph.initializers.has(pairs[0].source)) next.set(pairs[0].source, keptWithin(weight, axis, ends));
    for (const { rangeClip } of pairs) {
      const [, least, most] = rangeClip?.inputs ?? [];
      if (least) next.set(least, tensorFromNumbers("float32", [], [ends(0).least]));
      if (most) next.set(most, tensorFromNumbers("float32", [], [ends(0).most]));
    }
  }
  return withGraph(fake, { ...graph, initializers: new Map([...graph.initializers, ...next]) });
}

type EndsOf = (group: number) => { readonly least: number; readonly most: number };

function keptWithin(weight: Tensor, axis: number | undefined, ends: EndsOf): Tensor {
  const { groupOf } = grouping(weight.dims, axis === undefined ? { kind: "tensor" } : { kind: "channel", axis });
  const kept = floatsOf(weight).map((real, i) => {
    const { least, most } = ends(groupOf(i));
    return Math.min(most, Math.max(least, real));
  });
  return tensorFromNumbers("float32", weight.dims, kept);
}
