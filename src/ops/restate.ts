/** @file What a node states of lengths, stated anew when axes around it are cut. */
import { nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import {
  type Attribute,
  type AttributeLiteral,
  attributeFrom,
  type Dim,
  type Dims,
  describeNode,
  int64s,
  intOf,
  intsOf,
  maxOf,
  type Node,
  qualifiedName,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { axisIn, dimsOf, hasInput, outputDims } from "./dims.ts";
import { pickedPlaces } from "./gather.ts";
import { paddings, type Range, ranges, slicedPart } from "./slicing.ts";
import type { AxisLink, NodeFacts, TypedNode } from "./spec.ts";

/** What stays of the axes around a node, in ascending positions; `undefined` for an axis that is not cut. */
export interface Cut {
  input(port: number, axis: number): readonly number[] | undefined;
  output(port: number, axis: number): readonly number[] | undefined;
}

/** What of a node is new: attributes, of which `undefined` ones go, and constants at inputs. */
export interface Restated {
  readonly attributes?: Readonly<Record<string, AttributeLiteral | undefined>>;
  readonly inputs?: ReadonlyMap<number, Tensor>;
}

type Rule = (node: TypedNode, cut: Cut) => Restated;

/**
 * Attributes and inputs of a node that state lengths or positions, as they have to be after the cut: the target of a Reshape, the
 * sizes of a Split, `group` of a convolution. Constants whose own axes are cut are not among them, save where their elements are positions.
 * @throws UnsupportedError when they cannot be stated, such as groups of unequal numbers of channels or sizes that are computed.
 */
export function restated(node: TypedNode, cut: Cut): Restated {
  return rules.get(qualifiedName(node.node))?.(node, cut) ?? {};
}

/** The node with what is stated anew; `constant` makes a value of a tensor at one of its inputs, under about this name. */
export function withRestated(
  node: Node,
  { attributes = {}, inputs }: Restated,
  constant: (name: string, tensor: Tensor) => Value,
): Node {
  const stated = new Map<string, Attribute>(node.attributes);
  for (const [name, literal] of Object.entries(attributes)) {
    if (literal === undefined) stated.delete(name);
    else stated.set(name, attributeFrom(literal));
  }
  const ports = maxOf(
    [...(inputs?.keys() ?? [])].map((port) => port + 1),
    node.inputs.length,
  );
  const values = Array.from({ length: ports }, (_, port) => {
    const tensor = inputs?.get(port);
    return tensor ? constant(`${node.inputs[port]?.name ?? node.outputs[0]?.name}_cut`, tensor) : node.inputs[port];
  });
  return { ...node, attributes: stated, inputs: values };
}

/** Why lengths could not be stated if linked axes were cut; `undefined` where they can. */
export function unstatable(node: TypedNode, links: readonly AxisLink[]): string | undefined {
  const whole = (side: "inputs" | "outputs", dims: Dims | undefined, port: number, axis: number) => {
    const dim = dims?.[axis];
    const isLinked = links.some((link) => link[side].some((end) => end.port === port && end.axis === axis));
    return isLinked && typeof dim === "number" ? Array.from({ length: dim }, (_, i) => i) : undefined;
  };
  try {
    restated(node, {
      input: (port, axis) => whole("inputs", dimsOf(node, port), port, axis),
      output: (port, axis) => whole("outputs", outputDims(node, port), port, axis),
    });
    return undefined;
  } catch (error) {
    if (error instanceof UnsupportedError) return error.message;
    throw error;
  }
}

function refuse({ node }: NodeFacts, why: string, got?: string): UnsupportedError {
  return new UnsupportedError(why, { ...(got !== undefined && { got }), where: describeNode(node) });
}

/** How many of `groups` equal parts of an axis are left, each with equally many members. */
function groupsLeft(node: NodeFacts, kept: readonly number[], length: number, groups: number): number {
  const members = length / groups;
  const counts = new Map<number, number>();
  for (const place of kept) {
    const group = Math.floor(place / members);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const sizes = new Set(counts.values());
  if (sizes.size > 1)
    throw refuse(node, "groups would be left with unequal numbers of channels", [...sizes].join(", "));
  return counts.size;
}

/** An attribute that counts groups of channels of input 0. */
const channelGroups =
  (attribute: string, fallback: number): Rule =>
  (node, cut) => {
    const kept = cut.input(0, 1);
    const channels = dimsOf(node, 0)?.[1];
    const groups = intOf(node.node, attribute, fallback);
    if (kept && typeof channels === "number" && groups > 1)
      return { attributes: { [attribute]: groupsLeft(node, kept, channels, groups) } };
    return outputGroups(node, cut, attribute, groups);
  };

function outputGroups(node: TypedNode, cut: Cut, attribute: string, groups: number): Restated {
  const kept = cut.output(0, 1);
  const channels = outputDims(node)?.[1];
  if (!kept || typeof channels !== "number" || groups <= 1) return {};
  return { attributes: { [attribute]: groupsLeft(node, kept, channels, groups) } };
}

/** Which axes of an output are cut, and to how many positions. */
function cutLengths(node: TypedNode, cut: Cut): ReadonlyMap<number, number> {
  const axes = outputDims(node)?.keys() ?? [];
  return new Map([...axes].flatMap((axis) => keptEntry(axis, cut.output(0, axis))));
}

function keptEntry(axis: number, kept: readonly number[] | undefined): [number, number][] {
  return kept ? [[axis, kept.length]] : [];
}

const reshape: Rule = (node, cut) => {
  const lengths = cutLengths(node, cut);
  const [from, to] = [dimsOf(node, 0), outputDims(node)];
  if (lengths.size === 0 || !to) return {};
  const given = node.symbols(1);
  const copies = intOf(node.node, "allowzero", 0) === 0;
  const target = to.map((dim, axis) => {
    if (typeof dim === "number") return lengths.get(axis) ?? dim;
    if (given?.[axis] === -1) return -1;
    return copies && dim !== "" && from?.[axis] === dim ? 0 : -1;
  });
  if (target.filter((length) => length === -1).length > 1) {
    throw refuse(node, "the target of a reshape has more than one length that is not known", `[${to.join(", ")}]`);
  }
  return { inputs: new Map([[1, int64s(target)]]) };
};

/** A list of lengths of the output, one for each of `axes`. */
const stated =
  (port: number, axesOf: (node: TypedNode, count: number) => readonly number[]): Rule =>
  (node, cut) => {
    const lengths = cutLengths(node, cut);
    const given = hasInput(node, port) ? node.symbols(port) : undefined;
    if (lengths.size === 0 || !given || given.length === 0) return {};
    const axes = axesOf(node, given.length);
    if (!axes.some((axis) => lengths.has(axis))) return {};
    const sizes = given.map((size, i) => (size === 1 ? size : (lengths.get(axes[i]!) ?? size)));
    return { inputs: new Map([[port, int64s(known(node, sizes))]]) };
  };

/** The last `count` axes. */
function lastAxes(node: TypedNode, count: number): readonly number[] {
  const rank = outputDims(node)?.length ?? 0;
  return Array.from({ length: count }, (_, i) => rank - count + i);
}

function namedAxes(node: TypedNode, count: number): readonly number[] {
  const rank = outputDims(node)?.length ?? 0;
  return intsOf(node.node, "axes")?.map((axis) => axisIn(axis, rank)) ?? lastAxes(node, count);
}

function known(node: NodeFacts, sizes: readonly Dim[]): number[] {
  return sizes.map((size) => {
    if (typeof size === "number") return size;
    throw refuse(node, "lengths are computed while the model runs", `[${sizes.join(", ")}]`);
  });
}

const split: Rule = (node, cut) => {
  const dims = dimsOf(node, 0);
  const axis = dims && axisIn(intOf(node.node, "axis", 0), dims.length);
  if (axis === undefined || !cut.input(0, axis)) return {};
  const lengths = node.node.outputs.map(
    (_, port) => cut.output(port, axis)?.length ?? outputDims(node, port)?.[axis] ?? "",
  );
  if (node.version < 13) return { attributes: { split: known(node, lengths) } };
  return { attributes: { num_outputs: undefined }, inputs: new Map([[1, int64s(known(node, lengths))]]) };
};

const slice: Rule = (node, cut) => {
  const dims = dimsOf(node, 0);
  const parts = dims && ranges(node, dims.length);
  if (!parts?.some(({ axis }) => cut.input(0, axis))) return {};
  const cuts = parts.map((part) => leftPart(node, dims!, part, cut));
  const [starts, stops] = [cuts.map(([start]) => start), cuts.map(([, stop]) => stop)];
  if (node.version < 10) return { attributes: { starts, ends: stops } };
  return {
    inputs: new Map([
      [1, int64s(starts)],
      [2, int64s(stops)],
    ]),
  };
};

/** Start and end of a slice, counted among what stays. */
function leftPart(node: NodeFacts, dims: Dims, part: Range, cut: Cut): readonly [number, number] {
  const kept = cut.input(0, part.axis);
  if (!kept) {
    const [start, stop] = known(node, [part.start, part.end]);
    return [start!, stop!];
  }
  const taken = slicedPart(dims[part.axis]!, part);
  if (!taken) throw refuse(node, "a slice with steps cannot follow a cut");
  const before = (place: number) => kept.filter((each) => each < place).length;
  return [before(taken[0]), before(taken[1])];
}

const pad: Rule = (node, cut) => {
  const dims = dimsOf(node, 0);
  if (!dims?.some((_, axis) => cut.output(0, axis))) return {};
  const padded = paddings(node, dims.length).map((each, axis) => leftPadding(node, dims[axis]!, each, axis, cut));
  const pads = [...padded.map(([before]) => before), ...padded.map(([, after]) => after)];
  if (node.version < 11) return { attributes: { [node.version < 2 ? "paddings" : "pads"]: pads } };
  const axes = hasInput(node, 3) ? [[3, int64s([...dims.keys()])] as const] : [];
  return { inputs: new Map([[1, int64s(pads)], ...axes]) };
};

function leftPadding(
  node: NodeFacts,
  dim: Dim,
  padding: readonly [Dim, Dim],
  axis: number,
  cut: Cut,
): readonly [number, number] {
  const [before, after] = known(node, padding) as [number, number];
  const kept = cut.output(0, axis);
  if (!kept || (before === 0 && after === 0)) return [before, after];
  const source = cut.input(0, axis) ?? [];
  const stop = Math.max(0, before) + (dim as number) + Math.min(0, before) + Math.min(0, after);
  const gone = (from: number, to: number) => source.filter((place) => place >= from && place < to).length;
  const first = before > 0 ? kept.filter((place) => place < before).length : -gone(0, -before);
  const last = after > 0 ? kept.filter((place) => place >= stop).length : -gone((dim as number) + after, dim as number);
  return [first, last];
}

/** Indices point at the positions that stay. */
const gather: Rule = (node, cut) => {
  const dims = dimsOf(node, 0);
  const indices = dimsOf(node, 1);
  if (!dims || !indices) return {};
  const axis = axisIn(intOf(node.node, "axis", 0), dims.length);
  const kept = cut.input(0, axis);
  if (!kept) return {};
  const places = pickedPlaces(node, nth(dims, axis), indices);
  if (!places) throw refuse(node, "indices are computed while the model runs, or pick a position twice");
  const moved = new Map(kept.map((place, i) => [place, i]));
  const left = places.flatMap((place) => moved.get(place) ?? []);
  const { dtype } = node.constant(1)!;
  return { inputs: new Map([[1, tensorFromNumbers(dtype, [left.length], left)]]) };
};

const recurrent: Rule = (_, cut) => {
  const hidden = cut.input(2, 2);
  return hidden ? { attributes: { hidden_size: hidden.length } } : {};
};

const packed: Rule = (_, cut) => {
  const columns = cut.input(1, 0);
  return columns ? { attributes: { N: columns.length } } : {};
};

const convolution = channelGroups("group", 1);

const rules: ReadonlyMap<string, Rule> = new Map([
  ["Conv", convolution],
  ["ConvTranspose", convolution],
  ["ConvInteger", convolution],
  ["QLinearConv", convolution],
  ["com.microsoft::FusedConv", convolution],
  ["GroupNormalization", channelGroups("num_groups", 1)],
  ["Reshape", reshape],
  ["Expand", stated(1, lastAxes)],
  ["Resize", stated(3, namedAxes)],
  ["Split", split],
  ["Slice", slice],
  ["Pad", pad],
  ["Gather", gather],
  ["GRU", recurrent],
  ["LSTM", recurrent],
  ["RNN", recurrent],
  ["com.microsoft::MatMulNBits", packed],
]);
