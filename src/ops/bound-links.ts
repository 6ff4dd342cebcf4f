/** @file The axis links of a whole model, bodies of control flow included, with the values that they connect. */
import {
  allGraphs,
  constantsIn,
  type Dims,
  type Graph,
  graphOf,
  intOf,
  intsOf,
  type Model,
  type Node,
  type Value,
} from "../ir/index.ts";
import { linkedLength } from "./axes.ts";
import { axisIn } from "./dims.ts";
import type { Inference } from "./infer.ts";
import { axesOf } from "./model.ts";
import { unstatable } from "./restate.ts";
import type { AxisEnd, AxisLink } from "./spec.ts";

export interface BoundEnd extends Omit<AxisEnd, "port"> {
  readonly value: Value;
}

export interface BoundLink {
  readonly kind: AxisLink["kind"];
  readonly ends: readonly BoundEnd[];
  /** Positions of the linked axis, where they are known. */
  readonly length: number | undefined;
}

/** Links that a node makes, and the values whose axes it otherwise fixes. */
export interface NodeLinks {
  readonly node: Node;
  readonly links: readonly BoundLink[];
  readonly touched: readonly Value[];
  /** Why no axis around the node can be cut, if so. */
  readonly refused?: string;
}

export type DimsOfValue = (value: Value) => Dims | undefined;

/** Dims of every value, of constants too. */
export function valueDims(model: Model, { types }: Inference): DimsOfValue {
  const constant = constantsIn(model.graph);
  return (value) => {
    const type = types.get(value) ?? value.type;
    return constant(value)?.dims ?? (type?.kind === "tensor" ? type.dims : undefined);
  };
}

/** Of every node that reads more of its inputs than their lengths. */
export function boundLinks(model: Model, inference: Inference, dimsOf: DimsOfValue): NodeLinks[] {
  const nodes = [...allGraphs(model.graph)].flatMap((graph) => graph.nodes);
  return nodes.flatMap((node) => {
    if (node.opType === "Constant" || readsLengthsOnly(node)) return [];
    const body = bodyLinks.get(node.opType);
    return [body && node.domain === "" ? controlled(node, body, dimsOf) : ordinary(node, inference, dimsOf)];
  });
}

/** What such nodes give follows a cut by itself. */
function readsLengthsOnly({ domain, opType }: Node): boolean {
  return domain === "" && (opType === "Shape" || opType === "Size");
}

function ordinary(node: Node, inference: Inference, dimsOf: DimsOfValue): NodeLinks {
  const touched = [...node.inputs, ...node.outputs].filter((value) => value !== undefined);
  const links = axesOf(inference, node);
  if (!links) return { node, links: [], touched, refused: "nothing is known of its axes" };
  const refused = unstatable(inference.facts(node), links);
  return {
    node,
    links: links.map((link) => bound(node, link, dimsOf)),
    touched,
    ...(refused !== undefined && { refused }),
  };
}

function bound(node: Node, link: AxisLink, dimsOf: DimsOfValue): BoundLink {
  const dimsAt = (port: number, side: "inputs" | "outputs") => {
    const value = node[side][port];
    return value && dimsOf(value);
  };
  const on = (side: "inputs" | "outputs") =>
    link[side].flatMap(({ port, ...end }): BoundEnd[] => {
      const value = node[side][port];
      return value ? [{ value, ...end }] : [];
    });
  return { kind: link.kind, ends: [...on("inputs"), ...on("outputs")], length: linkedLength(link, dimsAt) };
}

/** Values of which each is the others at some time. */
interface Alike {
  readonly values: readonly (Value | undefined)[];
  /** The axis that the last value has more, as it holds those of all iterations. */
  readonly stacked?: number;
}

type BodyRule = (node: Node) => readonly Alike[];

const branches: BodyRule = (node) => {
  const graphs = ["then_branch", "else_branch"].flatMap((name) => graphOf(node, name) ?? []);
  return node.outputs.map((output, i) => ({ values: [...graphs.map(({ outputs }) => outputs[i]), output] }));
};

const loop: BodyRule = (node) => {
  const body = graphOf(node, "body");
  if (!body) return [];
  const states = node.inputs.length - 2;
  return node.outputs.map((output, i) =>
    i < states
      ? { values: [node.inputs[i + 2], body.inputs[i + 2], body.outputs[i + 1], output] }
      : { values: [body.outputs[i + 1], output], stacked: 0 },
  );
};

const scan: BodyRule = (node) => {
  const body = graphOf(node, "body");
  const scanned = intOf(node, "num_scan_inputs", 0);
  if (!body) return [];
  const states = node.inputs.length - scanned;
  const [taken, given] = [intsOf(node, "scan_input_axes") ?? [], intsOf(node, "scan_output_axes") ?? []];
  const inputs = node.inputs.map(
    (input, i): Alike =>
      i < states
        ? { values: [input, body.inputs[i], body.outputs[i], node.outputs[i]] }
        : { values: [body.inputs[i], input], stacked: taken[i - states] ?? 0 },
  );
  const outputs = node.outputs
    .slice(states)
    .map((output, i): Alike => ({ values: [body.outputs[states + i], output], stacked: given[i] ?? 0 }));
  return [...inputs, ...outputs];
};

const bodyLinks: ReadonlyMap<string, BodyRule> = new Map([
  ["If", branches],
  ["Loop", loop],
  ["Scan", scan],
]);

function controlled(node: Node, rule: BodyRule, dimsOf: DimsOfValue): NodeLinks {
  const graphs = [...node.attributes.values()].flatMap((attribute) =>
    attribute.type === "graph" ? [attribute.value] : [],
  );
  return { node, links: rule(node).flatMap((alike) => alikeLinks(alike, dimsOf)), touched: around(node, graphs) };
}

function around(node: Node, graphs: readonly Graph[]): Value[] {
  const ends = graphs.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
  return [...node.inputs, ...node.outputs, ...ends].filter((value) => value !== undefined);
}

/** Every axis of values of one rank. */
function alikeLinks({ values, stacked }: Alike, dimsOf: DimsOfValue): BoundLink[] {
  const present = values.filter((value) => value !== undefined);
  const ranks = present.map((value) => dimsOf(value)?.length);
  const [rank] = ranks;
  const more = stacked === undefined ? 0 : 1;
  const fits = ranks.every((each, i) => each === (i === ranks.length - 1 ? rank! + more : rank));
  if (rank === undefined || present.length < 2 || !fits) return [];
  const extra = stacked === undefined ? Infinity : axisIn(stacked, rank + 1);
  return Array.from({ length: rank }, (_, axis) => {
    const ends = present.map((value, i) => ({
      value,
      axis: i === present.length - 1 && axis >= extra ? axis + 1 : axis,
    }));
    const lengths = ends.map((end) => dimsOf(end.value)?.[end.axis]);
    return { kind: "same", ends, length: lengths.find((length) => typeof length === "number") };
  });
}
