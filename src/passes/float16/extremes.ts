/**
 * @file Values that float16 would change beyond its rounding: masks and bounds beyond 65504, epsilons below 6e-5, squares, sums and
 * exponentials on their way to a root or a quotient, and integers that count further than 2048.
 */
import {
  floatOf,
  floatsOf,
  type Graph,
  isSparse,
  type Model,
  type Node,
  numbersOf,
  qualifiedName,
  subgraphsOf,
  type Tensor,
  type Value,
  type ValueType,
} from "../../ir/index.ts";
import { constantInGraph } from "../../rewrite/index.ts";

/** Largest finite float16. */
const LARGEST = 65504;
/** From here on neighbours in float16 are 4 apart: scores that are added to a mask of this size lose their digits. */
const COARSE = 4096;
/** Smallest float16 with all of its 11 bits. */
const SMALLEST_NORMAL = 2 ** -14;
/** Below, float16 has one digit or none. */
const VANISHING = 1e-7;
/** Adding and subtracting it rounds a float64 to a whole number. */
const ROUNDER = 2 ** 52;
/** What rounding may change of a constant, relative to its norm; eight times the usual. */
const TOLERANCE = 1e-3;

/**
 * `extreme`: made with a constant that float16 has not. `grown`: squares, sums and exponentials, which may be too large. `inverse`: one
 * over such; a product with it has the usual size again. `counted`: a float made of an integer, a position or a mask. `fed`: from a float
 * input of the graph, which may be a mask.
 */
type Kind = "extreme" | "grown" | "inverse" | "counted" | "fed";

/** Where a node takes a value of some kind to. */
interface Finding {
  /** Why the node stays in float32. */
  readonly reason?: string;
  /** The kind of its outputs. */
  readonly kind?: Kind | undefined;
}

interface Look {
  readonly node: Node;
  /** Kind of the i-th input. */
  kind(i: number): Kind | undefined;
  constant(i: number): Tensor | undefined;
  /** Whether what the node makes goes into a `Softmax`. */
  beforeSoftmax(): boolean;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));

const moving = words(
  "Cast Compress Concat DepthToSpace Expand Flatten Gather GatherElements GatherND Identity Pad Reshape Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze Where",
);
const arithmetic = words(
  "Abs Add AveragePool Ceil CumSum Dropout Floor GlobalAveragePool GlobalMaxPool LeakyRelu Max MaxPool Mean Min Mod Mul Neg PRelu ReduceMax ReduceMean ReduceMin Relu Round Sqrt Sub Sum",
);
/** Operators that add up, multiply or raise to a power what they read: in range before, out of it behind. */
const growing = words("Exp ReduceL1 ReduceL2 ReduceLogSumExp ReduceProd ReduceSum ReduceSumSquare");
/** A single constant here is a number with a meaning: an epsilon, a bound, a factor. */
const elementwise = words("Add Clip Div Max Min Mul Pow Sub Sum Where PRelu ConstantOfShape Constant Pad");
const weighted = words("Conv ConvTranspose Gemm MatMul");
const additive = words("Add Sub Sum Where Mul Max Min Pad Constant ConstantOfShape");

/** The nodes that should compute in float32, with the reason. */
export function extremeNodes(model: Model, typeOf: (value: Value) => ValueType | undefined): Map<Node, string> {
  const found = new Map<Node, string>();
  const kinds = new Map<Value, Kind>();
  const isFloat = (value: Value | undefined): value is Value => {
    const type = value && typeOf(value);
    return type?.kind === "tensor" && type.dtype === "float32";
  };
  const visit = (graph: Graph, outer: readonly Graph[]): void => {
    const scopes = [graph, ...outer];
    const constants = new Map<Value, Tensor | undefined>();
    const readers = readersIn(graph);
    const constantOf = (value: Value | undefined): Tensor | undefined => {
      if (!value) return undefined;
      if (!constants.has(value)) constants.set(value, constantOfScopes(model, scopes, value));
      return constants.get(value);
    };
    for (const node of graph.nodes) {
      const inner = subgraphsOf(node);
      for (const held of inner) visit(held, scopes);
      const look: Look = {
        node,
        kind: (i) => (isFloat(node.inputs[i]) ? kinds.get(node.inputs[i]) : undefined),
        constant: (i) => constantOf(node.inputs[i]),
        beforeSoftmax: () => node.outputs.some((value) => value && leadsToSoftmax(readers, value)),
      };
      const { reason, kind } = inner.length > 0 ? fromInner(inner, kinds) : findingOf(look, isCounted(node, typeOf));
      if (reason && [...node.inputs, ...node.outputs].some(isFloat)) found.set(node, reason);
      if (kind) for (const value of node.outputs) if (isFloat(value)) kinds.set(value, kind);
    }
  };
  for (const input of model.graph.inputs) if (isFloat(input)) kinds.set(input, "fed");
  visit(model.graph, []);
  return found;
}

function constantOfScopes(model: Model, scopes: readonly Graph[], value: Value): Tensor | undefined {
  for (const graph of scopes) {
    const found = constantInGraph(model, graph, value);
    if (found) return found;
  }
  return undefined;
}

function readersIn(graph: Graph): Map<Value, Node[]> {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const value of node.inputs) {
      const known = value && readers.get(value);
      if (known) known.push(node);
      else if (value) readers.set(value, [node]);
    }
  }
  return readers;
}

/** Through moves only, a few steps at most. */
function leadsToSoftmax(readers: ReadonlyMap<Value, readonly Node[]>, value: Value, steps = 4): boolean {
  return (readers.get(value) ?? []).some((node) => {
    if (node.opType === "Softmax" || node.opType === "LogSoftmax") return true;
    if (steps === 0 || (!moving.has(node.opType) && node.opType !== "Add")) return false;
    return node.outputs.some((output) => output && leadsToSoftmax(readers, output, steps - 1));
  });
}

function fromInner(inner: readonly Graph[], kinds: ReadonlyMap<Value, Kind>): Finding {
  const kept = inner.flatMap(({ outputs }) => outputs.map((value) => kinds.get(value)));
  return { kind: kept.find((kind) => kind && kind !== "fed") };
}

/** Whether a `Cast` makes floats of integers that may be beyond 2048. */
function isCounted(node: Node, typeOf: (value: Value) => ValueType | undefined): boolean {
  const type = node.opType === "Cast" && node.inputs[0] ? typeOf(node.inputs[0]) : undefined;
  return type?.kind === "tensor" && ["int16", "uint16", "int32", "uint32", "int64", "uint64"].includes(type.dtype);
}

function findingOf(look: Look, counted: boolean): Finding {
  const { node } = look;
  if (qualifiedName(node) !== node.opType) return {};
  if (counted) return { reason: "it makes floats of integers, which may be too large for float16", kind: "counted" };
  return fromSetting(look) ?? fromConstants(look) ?? fromGrowth(look) ?? fromInputs(look);
}

/** A float attribute that float16 has not: an epsilon, a slope, a bound. */
function fromSetting({ node }: Look): Finding | undefined {
  for (const [name, attribute] of node.attributes) {
    if (attribute.type === "float" && isBeyond(attribute.value))
      return { reason: `its ${name} of ${attribute.value} is out of the range of float16` };
  }
  return undefined;
}

function isBeyond(value: number): boolean {
  const size = Math.abs(value);
  return Number.isFinite(value) && (size > LARGEST || (size > 0 && size < VANISHING));
}

function fromConstants(look: Look): Finding | undefined {
  const { node } = look;
  const held = node.attributes.get("value");
  const own = held?.type === "tensor" ? [held.value] : [];
  const tensors = [...own, ...node.inputs.flatMap((_, i) => look.constant(i) ?? [])];
  for (const constant of tensors) {
    const text = misfit(node, constant);
    if (text) return { reason: text, kind: kindBehind(node) };
  }
  return undefined;
}

/** What a node makes of an extreme constant: weighted sums and normalizations bring it back to the usual size. */
function kindBehind(node: Node): Kind | undefined {
  return moving.has(node.opType) || elementwise.has(node.opType) || arithmetic.has(node.opType) ? "extreme" : undefined;
}

interface Span {
  readonly largest: number;
  readonly least: number;
  /** What rounding changes, relative to the norm; a bound above it where that is small enough. */
  readonly error: number;
}

const spans = new WeakMap<Tensor, Span>();

/** Largest and least finite magnitude of a float32 constant, and what float16 would change. */
function spanOf(constant: Tensor): Span {
  const known = spans.get(constant);
  if (known) return known;
  const values = floatsOf(constant);
  const { largest, least, small } = magnitudesOf(values);
  const bound = (Math.sqrt(small) * HALF_STEP) / largest;
  const span = { largest, least, error: largest <= LARGEST && bound <= TOLERANCE ? bound : changeOf(values) };
  spans.set(constant, span);
  return span;
}

/** Half the distance of float16's subnormal numbers: what rounding changes in one of them at most. */
const HALF_STEP = 2 ** -25;

/** Patterns of float32: they are in the order of the magnitudes. */
const INFINITE = patternOf(Number.POSITIVE_INFINITY);
const NORMAL = patternOf(SMALLEST_NORMAL);

/** The largest and the least of the finite magnitudes above 0, and how many are below float16's normal numbers. */
function magnitudesOf(values: Float32Array): { largest: number; least: number; small: number } {
  const patterns = new Int32Array(values.buffer, values.byteOffset, values.length);
  let largest = 0;
  let least = INFINITE;
  let small = 0;
  for (let i = 0; i < patterns.length; i++) {
    const magnitude = patterns[i]! & 0x7fffffff;
    if (magnitude === 0 || magnitude >= INFINITE) continue;
    if (magnitude > largest) largest = magnitude;
    if (magnitude < least) least = magnitude;
    if (magnitude < NORMAL) small++;
  }
  return { largest: numberOf(largest), least: numberOf(least), small };
}

function patternOf(number: number): number {
  return new Int32Array(new Float32Array([number]).buffer)[0]!;
}

function numberOf(pattern: number): number {
  return new Float32Array(new Int32Array([pattern]).buffer)[0]!;
}

/** What clipping and rounding to float16's subnormal numbers change, relative to the norm. */
function changeOf(values: Float32Array): number {
  let lost = 0;
  let norm = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size === 0 || !(size < Number.POSITIVE_INFINITY)) continue;
    norm += size * size;
    if (size >= SMALLEST_NORMAL && size <= LARGEST) continue;
    const change = size > LARGEST ? size - LARGEST : size - (size * 2 ** 24 + ROUNDER - ROUNDER) / 2 ** 24;
    lost += change * change;
  }
  return norm === 0 ? 0 : Math.sqrt(lost / norm);
}

/** Why a constant may not become float16 at this node. */
function misfit({ opType }: Node, constant: Tensor): string | undefined {
  if (constant.dtype !== "float32" || isSparse(constant) || !(constant.data instanceof Uint8Array)) return undefined;
  const { largest, least, error } = spanOf(constant);
  if (largest > LARGEST) return `it has a constant of ${largest}, which float16 has not`;
  if (additive.has(opType) && largest >= COARSE)
    return `beside its constant of ${largest} float16 would lose small numbers`;
  const isSingle = elementwise.has(opType) && constant.data.byteLength === 4;
  if (isSingle && least < SMALLEST_NORMAL && shrinks(least))
    return `it has a constant of ${least}, for which float16 has too few digits`;
  return error > TOLERANCE ? "its constants are too small for float16" : undefined;
}

function shrinks(size: number): boolean {
  return Math.abs(size - Math.round(size * 2 ** 24) / 2 ** 24) > TOLERANCE * size;
}

function fromGrowth(look: Look): Finding | undefined {
  const { node } = look;
  if (growing.has(node.opType)) {
    const ends = node.opType === "ReduceLogSumExp";
    return { reason: "its sums or powers may leave the range of float16", kind: ends ? undefined : "grown" };
  }
  const [a, b] = node.inputs;
  if (node.opType === "Mul" && a === b)
    return { reason: "squares may leave the range of float16", kind: strongest([look.kind(0), "grown"]) };
  if (node.opType !== "Pow") return undefined;
  const exponent = look.constant(1);
  const power = exponent && numbersOf(exponent).length === 1 ? numbersOf(exponent)[0]! : Number.NaN;
  if (power > 0 && power <= 1) return look.kind(0) && look.kind(0) !== "fed" ? kept(look.kind(0)) : {};
  return { reason: "powers may leave the range of float16", kind: power < 0 ? "inverse" : "grown" };
}

function kept(kind: Kind | undefined): Finding {
  return { reason: "it reads values that may be out of the range of float16", kind };
}

function fromInputs(look: Look): Finding {
  const { node } = look;
  const kinds = node.inputs.map((_, i) => look.kind(i));
  if (!kinds.some((kind) => kind)) return {};
  if (kinds.every((kind) => !kind || kind === "fed")) return fromFed(look);
  if (weighted.has(node.opType) && !kinds.includes("extreme")) return {};
  if (moving.has(node.opType)) return kept(strongest(kinds));
  if (node.opType === "Reciprocal") return kept(kinds[0] === "inverse" ? "grown" : "inverse");
  if (node.opType === "Div") return kept(quotient(look));
  if (node.opType === "Mul") return kept(product(look));
  if (node.opType === "Clip") return kept(isBounded(look) ? undefined : strongest(kinds));
  if (["Add", "Sub", "Mod"].includes(node.opType) && strongest(kinds) === "counted") return kept(sum(look));
  return kept(arithmetic.has(node.opType) ? strongest(kinds) : undefined);
}

/** A mask that is fed lies before a `Softmax`; elsewhere inputs are as any value. */
function fromFed(look: Look): Finding {
  const { opType } = look.node;
  if (opType === "Add" && look.beforeSoftmax())
    return { reason: "one of its terms may be a mask of very negative numbers", kind: "extreme" };
  return { kind: moving.has(opType) ? "fed" : undefined };
}

function strongest(kinds: readonly (Kind | undefined)[]): Kind | undefined {
  return (["extreme", "grown", "inverse", "counted"] as const).find((kind) => kinds.includes(kind));
}

function isPlain(look: Look, i: number): boolean {
  const kind = look.kind(i);
  return (!kind || kind === "fed") && !look.constant(i);
}

function quotient(look: Look): Kind | undefined {
  const below = look.kind(1);
  if (below === "inverse") return "grown";
  if (below === "extreme" || below === "grown") return look.constant(0) ? "inverse" : undefined;
  if (below === "counted") return isPlain(look, 0) ? undefined : look.kind(0);
  return look.kind(0);
}

function product(look: Look): Kind | undefined {
  const kinds = [look.kind(0), look.kind(1)];
  const meetsPlain = isPlain(look, 0) || isPlain(look, 1);
  if (kinds.includes("inverse") && (meetsPlain || kinds.includes("extreme") || kinds.includes("grown")))
    return undefined;
  const kind = strongest(kinds);
  return kind === "counted" && meetsPlain ? undefined : kind;
}

function sum(look: Look): Kind | undefined {
  return isPlain(look, 0) || isPlain(look, 1) ? undefined : "counted";
}

function isBounded(look: Look): boolean {
  const { node } = look;
  const bounds = ["min", "max"].map((name, i) => {
    const constant = look.constant(i + 1);
    return constant ? numbersOf(constant)[0] : floatOf(node, name);
  });
  return bounds.every((bound) => bound !== undefined && Math.abs(bound) <= COARSE);
}
