/** @file Which numbers random inputs may hold: positions within tables, lengths within sequences, shapes that fit, from the operators that read them. */
import type { NumberRange } from "../../data/index.ts";
import {
  allGraphs,
  constantOf,
  dataTypes,
  editModel,
  forgetTypes,
  type Graph,
  intOf,
  type Model,
  type Node,
  numbersOf,
  type Tensor,
  tensorType,
  type Value,
} from "../../ir/index.ts";
import { inferModel } from "../../ops/index.ts";

/** A node's view of its operands, with dims as the feeds give them. */
interface Reading {
  readonly node: Node;
  /** The elements of the operand that is asked about. */
  readonly count: number;
  dims(position: number): readonly number[] | undefined;
  /** The length of an axis of an operand. */
  length(position: number, axis: number): number | undefined;
  constant(position: number): number | undefined;
}

type RangeRule = (reading: Reading) => NumberRange | undefined;

const exactly =
  (value: number): RangeRule =>
  () => ({ low: value, high: value });
const within =
  (low: number, high: number): RangeRule =>
  () => ({ low, high });
/** 0, 1, 2, … */
const counted: RangeRule = ({ count }) => ({ values: Array.from({ length: count }, (_, i) => i) });

function upTo(length: number | undefined, low = 0): NumberRange | undefined {
  return length === undefined ? undefined : { low, high: Math.max(low, low === 0 ? length - 1 : length) };
}

/** Positions along the axis of a table. */
const positions =
  (table: number, fallback = 0, attribute = "axis"): RangeRule =>
  ({ node, length }) =>
    upTo(length(table, intOf(node, attribute, fallback)));

const inAnyAxis =
  (table: number): RangeRule =>
  ({ dims }) =>
    upTo(dims(table)?.reduce((least, dim) => Math.min(least, dim)));

const sequenceLengths: RangeRule = ({ node, length }) => upTo(length(0, intOf(node, "layout", 0)), 1);

const largestDim: RangeRule = ({ dims }) => {
  const most = dims(0)?.reduce((greatest, dim) => Math.max(greatest, dim), 1);
  return most === undefined ? undefined : { low: most, high: most };
};

const sameShape: RangeRule = ({ dims, count }) => {
  const own = dims(0);
  if (own?.length === count) return { values: own };
  return { values: Array.from({ length: count }, (_, i) => (i === 0 ? -1 : 1)) };
};

const evenParts: RangeRule = ({ node, count, length }) => {
  const whole = length(0, intOf(node, "axis", 0));
  if (whole === undefined) return undefined;
  const part = Math.floor(whole / count);
  return { values: Array.from({ length: count }, (_, i) => (i < count - 1 ? part : whole - part * (count - 1))) };
};

const axesOfOne: RangeRule = ({ dims, count }) => {
  const axes = dims(0)?.flatMap((dim, axis) => (dim === 1 ? [axis] : [])) ?? [];
  return axes.length < count ? undefined : { values: axes.slice(0, count) };
};

const classes: RangeRule = ({ length }) => upTo(length(0, 1));

/** Keys that are there before the step and those of the step. */
const keysSoFar =
  (less: number): RangeRule =>
  ({ length }) => {
    const step = length(0, 1);
    const all = step === undefined ? undefined : step + (length(3, 2) ?? 0) - less;
    return all === undefined ? undefined : { low: all, high: all };
  };

/** First positions of rotary embeddings: the last one of the step has to be in the table, too. */
const rotaryStart: RangeRule = ({ dims, length }) => {
  const rows = length(2, 0);
  const x = dims(0);
  const step = x?.[x.length === 4 ? 2 : 1] ?? 1;
  return rows === undefined ? undefined : { low: 0, high: Math.max(0, rows - step) };
};

const maskOrLengths: RangeRule = ({ dims, length }) =>
  dims(3)?.length === 1 ? upTo(length(0, 1), 1) : { low: 1, high: 1 };

/** By operator, for each operand whose numbers are bounded. */
const rules: Readonly<Record<string, Readonly<Record<number, RangeRule>>>> = {
  Gather: { 1: positions(0) },
  GatherElements: { 1: positions(0) },
  GatherND: { 1: inAnyAxis(0) },
  GatherBlockQuantized: { 1: positions(0, 0, "gather_axis") },
  Scatter: { 1: positions(0) },
  ScatterElements: { 1: positions(0) },
  ScatterND: { 1: inAnyAxis(0) },
  TensorScatter: { 2: exactly(0) },
  OneHot: { 0: ({ constant }) => upTo(constant(1)), 1: within(2, 16) },
  ReverseSequence: { 1: ({ node, length }) => upTo(length(0, intOf(node, "time_axis", 0)), 1) },
  RNN: { 4: sequenceLengths },
  GRU: { 4: sequenceLengths },
  LSTM: { 4: sequenceLengths },
  DynamicQuantizeLSTM: { 4: sequenceLengths },
  TopK: { 1: ({ node, length }) => upTo(length(0, intOf(node, "axis", -1)), 1) },
  Slice: { 1: exactly(0), 2: largestDim, 3: counted, 4: exactly(1) },
  Reshape: { 1: sameShape },
  Expand: { 1: exactly(1) },
  Tile: { 1: exactly(1) },
  CenterCropPad: { 1: sameShape },
  ConstantOfShape: { 0: within(1, 4) },
  Range: { 0: exactly(0), 1: within(1, 16), 2: exactly(1) },
  Pad: { 1: exactly(0), 3: counted },
  Resize: { 2: exactly(1), 3: sameShape },
  Upsample: { 1: exactly(1) },
  Split: { 1: evenParts },
  SplitToSequence: { 1: exactly(1) },
  Unsqueeze: { 1: counted },
  Squeeze: { 1: axesOfOne },
  CumSum: { 1: exactly(0) },
  CumProd: { 1: exactly(0) },
  Trilu: { 1: exactly(0) },
  Loop: { 0: within(1, 4) },
  BitShift: { 1: within(0, 7) },
  Div: { 1: within(1, 9) },
  Mod: { 1: within(1, 9) },
  Dropout: { 1: exactly(0), 2: exactly(0) },
  MaxUnpool: { 1: ({ count }) => upTo(count) },
  RoiAlign: { 2: ({ length }) => upTo(length(0, 0)) },
  SequenceAt: { 1: exactly(0) },
  SequenceErase: { 1: exactly(0) },
  SequenceInsert: { 2: exactly(0) },
  NegativeLogLikelihoodLoss: { 1: classes },
  SoftmaxCrossEntropyLoss: { 1: classes },
  HannWindow: { 0: within(4, 16) },
  HammingWindow: { 0: within(4, 16) },
  BlackmanWindow: { 0: within(4, 16) },
  Attention: { 3: maskOrLengths },
  EmbedLayerNormalization: { 0: positions(2), 1: positions(4), 8: positions(3) },
  GroupQueryAttention: { 5: keysSoFar(1), 6: keysSoFar(0) },
  RotaryEmbedding: { 1: rotaryStart },
};

const reduced = /^Reduce(L1|L2|LogSum|LogSumExp|Max|Mean|Min|Prod|Sum|SumSquare)$/;

function ruleOf({ opType }: Node, position: number): RangeRule | undefined {
  if (reduced.test(opType)) return position === 1 ? counted : undefined;
  return Object.hasOwn(rules, opType) ? rules[opType]![position] : undefined;
}

/** Operators whose numbers come out as they went in, or with a constant added, and the operands of which that holds. */
const carriers: Readonly<Record<string, readonly number[]>> = {
  Cast: [0],
  CastLike: [0],
  Identity: [0],
  Reshape: [0],
  Flatten: [0],
  Squeeze: [0],
  Unsqueeze: [0],
  Transpose: [0],
  Expand: [0],
  Tile: [0],
  Slice: [0],
  Split: [0],
  Gather: [0],
  GatherElements: [0],
  Pad: [0],
  Where: [1, 2],
  Clip: [0],
  Min: [0, 1],
  Max: [0, 1],
  Add: [0, 1],
  Sub: [0],
};

interface Use {
  readonly node: Node;
  readonly position: number;
  readonly graph: Graph;
}

/** The ranges of a model's inputs, by name, for feeds of these dims. */
export function inputRanges(model: Model, feeds: ReadonlyMap<string, Tensor>): ReadonlyMap<string, NumberRange> {
  const sized = forFeeds(model, feeds);
  const { types } = inferModel(sized);
  const uses = usesIn(sized.graph);
  const dimsOf: DimsOf = (value) => {
    const type = value && (types.get(value) ?? value.type);
    const dims = type?.kind === "tensor" ? type.dims : undefined;
    return dims?.every((dim) => typeof dim === "number") ? (dims as readonly number[]) : undefined;
  };
  const found = new Map<string, NumberRange>();
  for (const input of sized.graph.inputs) {
    const fed = feeds.get(input.name);
    if (!fed) continue;
    const isFloat = dataTypes[fed.dtype].kind === "float";
    const range = rangeOf(input, isFloat ? undivided(uses) : uses, dimsOf);
    if (range) found.set(input.name, range);
  }
  return found;
}

type DimsOf = (value: Value | undefined) => readonly number[] | undefined;

/** What all readers of a value allow together, those behind operators that carry numbers on among them; `known` of values on the way. */
function rangeOf(
  value: Value,
  uses: ReadonlyMap<Value, readonly Use[]>,
  dimsOf: DimsOf,
  known = new Map<Value, NumberRange | undefined>(),
): NumberRange | undefined {
  if (known.has(value)) return known.get(value);
  known.set(value, undefined);
  let range: NumberRange | undefined;
  for (const { node, position, graph } of uses.get(value) ?? []) {
    const own = ruleOf(node, position)?.(readingOf(node, position, graph, dimsOf));
    range = both(range, own);
    const shift = carries(node, position) ? shiftOf(node, position, graph) : undefined;
    if (shift === undefined) continue;
    for (const output of node.outputs) {
      const behind = output && rangeOf(output, uses, dimsOf, known);
      range = both(range, behind && shifted(behind, -shift));
    }
  }
  known.set(value, range);
  return range;
}

/** A float divisor may be any number. */
function undivided(uses: ReadonlyMap<Value, readonly Use[]>): ReadonlyMap<Value, readonly Use[]> {
  const isDivision = ({ node: { opType } }: Use) => opType === "Div" || opType === "Mod";
  return new Map([...uses].map(([value, all]) => [value, all.filter((use) => !isDivision(use))]));
}

function carries({ opType }: Node, position: number): boolean {
  return opType === "Concat" || (Object.hasOwn(carriers, opType) && carriers[opType]!.includes(position));
}

/** What is added on the way; `undefined` where it is not a constant. */
function shiftOf({ opType, inputs }: Node, position: number, graph: Graph): number | undefined {
  if (opType !== "Add" && opType !== "Sub") return 0;
  const other = constantOf(graph, inputs[1 - position]);
  const value = other && numbersOf(other);
  if (value?.length !== 1) return undefined;
  return opType === "Add" ? value[0] : -value[0]!;
}

function shifted(range: NumberRange, by: number): NumberRange {
  if ("values" in range) return { values: range.values.map((value) => value + by) };
  return { low: range.low + by, high: range.high + by };
}

/** Numbers that both allow; where there are none, those of the first. */
function both(a: NumberRange | undefined, b: NumberRange | undefined): NumberRange | undefined {
  if (!a || !b) return a ?? b;
  if ("values" in a) return a;
  if ("values" in b) return b;
  const [low, high] = [Math.max(a.low, b.low), Math.min(a.high, b.high)];
  return low <= high ? { low, high } : a;
}

function readingOf(node: Node, position: number, graph: Graph, dimsOf: DimsOf): Reading {
  const dims = (at: number) => dimsOf(node.inputs[at]);
  return {
    node,
    count: dims(position)?.reduce((product, dim) => product * dim, 1) ?? 1,
    dims,
    length(at, axis) {
      const all = dims(at);
      return all?.[axis < 0 ? axis + all.length : axis];
    },
    constant(at) {
      const value = constantOf(graph, node.inputs[at]);
      return value && numbersOf(value)[0];
    },
  };
}

function usesIn(graph: Graph): ReadonlyMap<Value, readonly Use[]> {
  const uses = new Map<Value, Use[]>();
  for (const own of allGraphs(graph)) {
    for (const node of own.nodes) {
      for (const [position, value] of node.inputs.entries()) {
        if (!value) continue;
        const known = uses.get(value);
        if (known) known.push({ node, position, graph: own });
        else uses.set(value, [{ node, position, graph: own }]);
      }
    }
  }
  return uses;
}

/** The model for inputs of the dims of these feeds. */
function forFeeds(model: Model, feeds: ReadonlyMap<string, Tensor>): Model {
  return editModel(forgetTypes(model), (draft) => {
    for (const value of draft.graph.inputs) {
      const fed = feeds.get(value.name);
      if (fed) draft.substitute(value, { ...value, type: tensorType(fed.dtype, fed.dims) });
    }
  });
}
