/**
 * @file Which nodes are worth computing on integers: every node has a time in floats and one on integers, every value that crosses
 * between the two a price, and the cheapest assignment is a minimum cut.
 */
import { openProbe } from "../../calibration/index.ts";
import { atLeast, lastOf, must, nth } from "../../checked.ts";
import {
  type Graph,
  labelOf,
  type Model,
  maxOf,
  type Node,
  namesOfNode,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Feeds, OpenSession, Session } from "../../runtime/index.ts";
import { insertQdq } from "../qdq/insert-qdq.ts";
import { type StaticOptions, staticOptionsNames } from "../quantizers/static-options.ts";
import { type StaticPlan, staticPlan } from "../quantizers/static-plan.ts";
import { roundLayers } from "../quantizers/static-rounding.ts";
import { flowNetwork } from "./min-cut.ts";
import { dataInputs, type Placement } from "./placement.ts";

export interface FastestOptions extends StaticOptions {
  /** Sessions to profile each form in, interleaved; the least time of each node counts. Default 8. */
  readonly sessions?: number;
  /** Runs in each session; default 20. */
  readonly runs?: number;
  /** Price of a value that crosses: microseconds, and nanoseconds for each element. */
  readonly crossing?: { readonly micros: number; readonly nanosPerElement: number };
}

export interface FastestPlacement {
  /** Nodes to keep in floats, for `exclude`. */
  readonly exclude: readonly string[];
  /** Microseconds of the nodes in question: all in floats, all on integers, and the placement found with its crossings. */
  readonly float: number;
  readonly integer: number;
  readonly mixed: number;
  /** Times of each node, in microseconds. */
  readonly nodes: readonly { readonly node: string; readonly float: number; readonly integer: number }[];
}

/** Two or three small kernels: (de)quantize, change the layout, reorder. */
const CROSSING = { micros: 8, nanosPerElement: 0.6 };

export const fastestOptionsNames: OptionNames<FastestOptions> = {
  ...staticOptionsNames,
  sessions: true,
  runs: true,
  crossing: true,
};

/**
 * Measures every node in both forms on the first calibration batch, cut to one sample by the caller where latency at batch 1 counts, and
 * finds the assignment with the least total time.
 */
export async function fastestPlacement(model: Model, options: FastestOptions): Promise<FastestPlacement> {
  checkOptions(options, fastestOptionsNames);
  const plan = await staticPlan(named(model), { ...options, calibration: firstOf(options.calibration) });
  const constants = await roundLayers(plan, { ...options, rounding: "nearest", biasCorrection: false, overrides: [] });
  const quantized = insertQdq(plan.source, { ...plan, constants }).model;
  const feeds = await first(options.calibration);
  const [float, integer] = atLeast(await nodeTimes([plan.source, quantized], feeds, options), 2);
  const sizes = await elementsOf(plan, feeds, options.open);
  return cheapest(plan, float, integer, sizes, options.crossing ?? CROSSING);
}

/** The runtime invents names for nodes that have none. */
function named(model: Model): Model {
  const nodes = model.graph.nodes.map((node) => (node.name === "" ? { ...node, name: labelOf(node) } : node));
  return withGraph(model, { ...model.graph, nodes });
}

async function first(batches: StaticOptions["calibration"]): Promise<Feeds> {
  for await (const feeds of batches()) return feeds;
  return new Map();
}

function firstOf(batches: StaticOptions["calibration"]): StaticOptions["calibration"] {
  return async function* () {
    for await (const feeds of batches()) {
      yield feeds;
      return;
    }
  };
}

/** Least mean time in a session by the runtime's name of a node, for each model. */
async function nodeTimes(
  models: readonly Model[],
  feeds: Feeds,
  { open, sessions = 8, runs = 20, threads = 1 }: FastestOptions,
): Promise<Map<string, number>[]> {
  const times = models.map(() => new Map<string, number>());
  for (let round = 0; round < sessions; round++) {
    for (const [i, model] of models.entries()) {
      await using session: Session = await open(model, { profile: true, threads, step: "timing nodes" });
      await session.time(feeds, runs);
      for (const { name, micros, calls } of await session.profile()) {
        const own = originalName(name);
        const time = micros / Math.max(1, calls);
        nth(times, i).set(own, Math.min(time, nth(times, i).get(own) ?? Infinity));
      }
    }
  }
  return times;
}

/** The runtime's layout transformations append to names. */
function originalName(name: string): string {
  return name.replace(/_token_\d+$/, "").replace(/_nchwc$/, "");
}

async function elementsOf({ source, placement }: StaticPlan, feeds: Feeds, open: OpenSession) {
  await using probe = await openProbe(source, placement.values, { open });
  const tensors = await probe.read(feeds, placement.values);
  return new Map([...tensors].map(([value, { dims }]) => [value, dims.reduce((a, b) => a * b, 1)]));
}

interface Unit {
  readonly node: Node;
  readonly output: Value;
  readonly float: number;
  readonly integer: number;
}

function cheapest(
  { source, placement }: StaticPlan,
  float: ReadonlyMap<string, number>,
  integer: ReadonlyMap<string, number>,
  sizes: ReadonlyMap<Value, number>,
  crossing: NonNullable<FastestOptions["crossing"]>,
): FastestPlacement {
  const units = unitsOf(placement, float, integer);
  const price = (value: Value): number => crossing.micros + (crossing.nanosPerElement * (sizes.get(value) ?? 0)) / 1000;
  const integers = assign(source.graph, units, price);
  const total = (of: (unit: Unit) => number): number => units.reduce((sum, unit) => sum + of(unit), 0);
  const crossed = crossings(source.graph, units, integers).reduce((sum, value) => sum + price(value), 0);
  const stays = units.filter(({ node }) => !integers.has(node)).map(({ node }) => node);
  return {
    exclude: stays.map(labelOf),
    float: total((unit) => unit.float),
    integer: total((unit) => unit.integer),
    mixed: total((unit) => (integers.has(unit.node) ? unit.integer : unit.float)) + crossed,
    nodes: units.map((unit) => ({ node: labelOf(unit.node), float: unit.float, integer: unit.integer })),
  };
}

/** Nodes with an integer form and their times; a clamp belongs to the node that it is folded into. */
function unitsOf(
  placement: Placement,
  float: ReadonlyMap<string, number>,
  integer: ReadonlyMap<string, number>,
): Unit[] {
  const clampOf = new Map([...placement.folded].map(([clamp, source]) => [source, clamp]));
  const timeOf = (times: ReadonlyMap<string, number>, nodes: readonly Node[]): number =>
    maxOf(
      nodes.flatMap(namesOfNode).map((name) => times.get(name) ?? 0),
      0,
    );
  return [...placement.layers.keys(), ...placement.others.keys()].flatMap((node) => {
    const clamp = clampOf.get(node);
    const parts = clamp ? [node, clamp] : [node];
    const output = lastOf(parts).outputs[0];
    return output ? [{ node, output, float: timeOf(float, parts), integer: timeOf(integer, parts) }] : [];
  });
}

/** The nodes that go to integers: those on the source's side of the minimum cut. */
function assign(graph: Graph, units: readonly Unit[], price: (value: Value) => number): ReadonlySet<Node> {
  const network = flowNetwork();
  const vertices = new Map<Node, number>();
  for (const unit of units) {
    const vertex = network.vertex();
    vertices.set(unit.node, vertex);
    network.connect(0, vertex, unit.float);
    network.connect(vertex, 1, unit.integer);
  }
  for (const { value, producer, consumers, leaves } of flowsOf(graph, units)) {
    const from = producer ? must(vertices, producer) : 1;
    const to = consumers.map((node) => must(vertices, node));
    if (leaves) to.push(1);
    const down = network.vertex();
    const up = network.vertex();
    network.connect(from, down, price(value));
    network.connect(up, from, price(value));
    for (const vertex of to) {
      network.connect(down, vertex, Infinity);
      network.connect(vertex, up, Infinity);
    }
  }
  const side = network.sourceSide();
  return new Set(units.filter(({ node }) => side.has(must(vertices, node))).map(({ node }) => node));
}

interface Flow {
  readonly value: Value;
  /** Absent: the value is made in floats. */
  readonly producer: Node | undefined;
  readonly consumers: readonly Node[];
  /** Whether something in floats reads it. */
  readonly leaves: boolean;
}

function flowsOf(graph: Graph, units: readonly Unit[]): Flow[] {
  const producers = new Map(units.map(({ node, output }) => [output, node]));
  const consumers = new Map<Value, Node[]>();
  for (const { node } of units) {
    for (const value of dataInputs(node)) {
      if (!graph.initializers.has(value)) consumers.set(value, [...(consumers.get(value) ?? []), node]);
    }
  }
  const own = new Set(units.map(({ node }) => node));
  const read = new Set<Value>(graph.outputs);
  const inside = new Set(units.flatMap(({ node, output }) => [...node.outputs.filter((o) => o !== output)]));
  for (const node of graph.nodes) {
    if (own.has(node)) continue;
    for (const value of node.inputs) if (value && !inside.has(value)) read.add(value);
  }
  const values = new Set([...producers.keys(), ...consumers.keys()]);
  return [...values].map((value) => ({
    value,
    producer: producers.get(value),
    consumers: consumers.get(value) ?? [],
    leaves: read.has(value),
  }));
}

function crossings(graph: Graph, units: readonly Unit[], integers: ReadonlySet<Node>): Value[] {
  return flowsOf(graph, units)
    .filter(({ producer, consumers, leaves }) => {
      const made = producer !== undefined && integers.has(producer);
      const readAs = consumers.map((node) => integers.has(node));
      return made ? leaves || readAs.includes(false) : readAs.includes(true);
    })
    .map(({ value }) => value);
}
