/** @file Positions of axes that stand and fall together over a whole model: what a cut can take out, and why not more. */
import { allGraphs, describeNode, fedInputs, isSparse, type Model, type Value, valuesOf } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { placesOf } from "./axes.ts";
import { type BoundLink, boundLinks, type DimsOfValue, type NodeLinks, valueDims } from "./bound-links.ts";
import { chosenLinks, type FactorPreference } from "./factor-choice.ts";
import type { Inference } from "./infer.ts";
import { inferModel } from "./model.ts";
import { PositionSets } from "./position-sets.ts";

export interface AxisClassOptions {
  /** Of axes that are products, such as heads × width: `"outer"` (default) cuts whole heads, `"inner"` the same positions of each. */
  readonly factor?: FactorPreference;
}

/** Positions of one class are cut together or not at all; classes are numbers. */
export interface AxisClasses {
  readonly inference: Inference;
  /** Dims of a value, of constants too. */
  readonly dimsOf: DimsOfValue;
  /** The class of each position of an axis; `undefined` for an axis of unknown length. */
  along(value: Value, axis: number): Int32Array | undefined;
  /** Why a class cannot be cut; `undefined` for one that can. */
  fixed(of: number): string | undefined;
  /** Whether an operator's result depends on all positions of an axis of the class (LayerNormalization): a cut changes the other ones too. */
  isMixed(of: number): boolean;
}

const optionsNames: OptionNames<AxisClassOptions> = { factor: true };

/**
 * The classes of all positions of all axes of a model's values, inner graphs included. They follow from the axis links of its nodes alone:
 * a class can be cut when every node that touches one of its positions lets it go, and when it is not part of an input or output of the model.
 */
export function axisClasses(model: Model, options: AxisClassOptions = {}): AxisClasses {
  const { factor = "outer" } = checkOptions(options, optionsNames);
  const inference = inferModel(model);
  const dimsOf = valueDims(model, inference);
  const nodes = boundLinks(model, inference, dimsOf);
  const { graph } = model;
  const fed = fedInputs(graph);
  const sets = new PositionSets(
    [...allGraphs(graph)].flatMap((each) => [...valuesOf(each)]),
    dimsOf,
  );
  for (const value of fed) fixAll(sets, value, dimsOf, "it is an input of the model");
  for (const value of graph.outputs) fixAll(sets, value, dimsOf, "it is an output of the model");
  for (const [value, data] of graph.initializers) {
    if (isSparse(data)) fixAll(sets, value, dimsOf, "its data is sparse");
  }
  const chosen = chosenLinks(nodes, dimsOf, [...fed, ...graph.outputs], factor);
  for (const node of nodes) joinNode(sets, node, chosen, dimsOf);
  return {
    inference,
    dimsOf,
    along: (value, axis) => along(sets, value, axis, dimsOf),
    fixed: (of) => sets.reason(of),
    isMixed: (of) => sets.isMixed(of),
  };
}

function along(sets: PositionSets, value: Value, axis: number, dimsOf: DimsOfValue): Int32Array | undefined {
  const first = sets.first(value, axis);
  const length = dimsOf(value)?.[axis];
  if (first === undefined || typeof length !== "number") return undefined;
  return new Int32Array(length).map((_, i) => sets.setOf(first + i));
}

function fixAll(sets: PositionSets, value: Value, dimsOf: DimsOfValue, reason: string): void {
  for (const [axis, length] of (dimsOf(value) ?? []).entries()) {
    const first = sets.first(value, axis);
    if (first === undefined) continue;
    for (let i = 0; i < Number(length); i++) sets.fix(first + i, reason);
  }
}

/** Unites what the node links, and fixes every position that it touches and does not link. */
function joinNode(
  sets: PositionSets,
  { node, links, touched, refused }: NodeLinks,
  chosen: ReadonlySet<BoundLink>,
  dimsOf: DimsOfValue,
): void {
  const linked = new Set<number>();
  if (refused === undefined) {
    for (const link of links) if (chosen.has(link)) joinLink(sets, link, linked);
  }
  const why = describeNode(node);
  const reason = refused === undefined ? `${why} needs it whole` : `${why}: ${refused}`;
  for (const value of touched) {
    for (const [axis, length] of (dimsOf(value) ?? []).entries()) {
      const first = sets.first(value, axis);
      if (first === undefined || length === 1) continue;
      for (let i = first; i < first + Number(length); i++) if (!linked.has(i)) sets.fix(i, reason);
    }
  }
}

function joinLink(sets: PositionSets, { kind, ends, length }: BoundLink, linked: Set<number>): void {
  const placed = ends.map((end) => ({ end, first: sets.first(end.value, end.axis) }));
  if (length === undefined || !Number.isInteger(length) || placed.some(({ first }) => first === undefined)) return;
  for (let k = 0; k < length; k++) {
    let one: number | undefined;
    for (const { end, first } of placed) {
      for (const place of placesOf(end, length, k)) {
        const position = first! + place;
        linked.add(position);
        if (one === undefined) one = position;
        else sets.unite(one, position);
      }
    }
    if (one !== undefined && kind === "mixed") sets.mix(one);
  }
}
